"""Where a caller has many tools, it is shown three in their place: to find tools, to read what one is, to call one.

What is found, described and called is what the caller would be shown otherwise, decided by the same policies; nothing
that it may not use has a part in an answer, not even in the order of what is found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

import jsonschema_rs
import orjson

from gateway.catalogue.ranking import ranked
from gateway.errors import InvalidRequest, NoSuchRoute, Problem
from gateway.filters.validate import compiled
from gateway.ingress.mcp_calls import failed
from gateway.ingress.mcp_tools import Seen, Tool, Tools, check_arguments
from gateway.ingress.mcp_visit import Visit
from gateway.policy.usable import usable
from gateway.routing.toolsets_schema import CALL, DESCRIBE, SEARCH, Toolsets

_MOST = 40
"""Tools that are listed one by one; of more, these three stand for all."""
_FOUND, _MOST_FOUND = 5, 20
"""Tools that a search answers, and the most that may be asked for."""
_OTHERS = 100
"""Names of other tools that a search answers which finds fewer than were asked for."""
_SENTENCES = 300
"""Characters of a description that a search answers."""
_AT_ONCE = 2
"""Searches under way, each on a thread: they compute, so that more of them would only slow each other down."""

Calling: TypeAlias = Callable[[Visit, str, Mapping[str, Any]], Awaitable[dict[str, Any]]]


class UnknownTool(Exception):
    """There is no such tool, or none that this caller may use: nobody is told which."""


def _arguments(required: list[str], **members: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": members, "required": required, "additionalProperties": False}


def _hints(*, reads: bool) -> dict[str, bool]:
    return {"readOnlyHint": reads, "destructiveHint": not reads, "idempotentHint": reads, "openWorldHint": False}


_NAME = {"type": "string", "minLength": 1, "maxLength": 64, "description": f"A tool's name, as {SEARCH} answers it."}
_ONE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "title": {"type": "string"},
        "description": {"type": "string"},
        "required": {"type": "array", "items": {"type": "string"}, "description": "The arguments that it needs."},
        "reads": {"type": "boolean", "description": "It changes nothing."},
    },
    "required": ["name", "title", "description", "required", "reads"],
}
SEARCHING: Sequence[Mapping[str, Any]] = (
    {
        "name": CALL,
        "title": "Call a tool",
        "description": f"Calls one of the tools that {SEARCH} finds, and answers what it answers. Its arguments are "
        f"those that {DESCRIBE} tells.",
        "inputSchema": _arguments(
            ["name"],
            name=_NAME,
            arguments={
                "type": "object",
                "description": "The tool's own arguments, _gateway among them.",
                "default": {},
            },
        ),
        # Whatever the tool does: what is called says more of itself, to whoever asks for it.
        "annotations": _hints(reads=False),
    },
    {
        "name": DESCRIBE,
        "title": "Describe a tool",
        "description": f"Tells one tool's input schema, output schema and annotations: read it before you call {CALL}.",
        "inputSchema": _arguments(["name"], name=_NAME),
        "annotations": _hints(reads=True),
    },
    {
        "name": SEARCH,
        "title": "Find tools",
        "description": "Finds the tools that fit what is to be done, the best first: there are too many to list them "
        'all. Say it in plain English, as a person would, one thing at a time: "which invoices are overdue".',
        "inputSchema": _arguments(
            ["query"],
            query={"type": "string", "minLength": 1, "maxLength": 400, "description": "What is to be done."},
            limit={"type": "integer", "minimum": 1, "maximum": _MOST_FOUND, "default": _FOUND},
        ),
        "outputSchema": {
            "type": "object",
            "properties": {
                "tools": {"type": "array", "items": _ONE},
                "of": {"type": "integer", "description": "How many tools there are for you."},
                "others": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": f"Where few tools fit: names of others, for {DESCRIBE}.",
                },
            },
            "required": ["tools", "of"],
        },
        "annotations": _hints(reads=True),
    },
)
"""The three tools, in the order of their names."""
NAMES = frozenset((CALL, DESCRIBE, SEARCH))


class Searching:
    """What the three tools answer. `calling` calls one of the others, and `permitted` is that tool; they raise
    `UnknownTool` and note why."""

    def __init__(self, calling: Calling, permitted: Callable[[Visit, Tools, str], Tool]) -> None:
        self._calling, self._permitted = calling, permitted
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def listed(self, visit: Visit, tools: Tools) -> list[dict[str, Any]]:
        """The caller's tools as `tools/list` says them, or what stands for them."""
        shown = await _shown(visit, tools)
        return [tools.told(each) for each in shown] if len(shown) <= _MOST else [dict(each) for each in SEARCHING]

    async def answer(self, visit: Visit, tools: Tools, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What a call of one of the three comes to."""
        try:
            check_arguments(_validator(name), arguments, _schema(name))
            if name == CALL:
                return await self._called(visit, arguments["name"], arguments.get("arguments", {}))
            visit.call.noted["mcp"] = name
            if name == DESCRIBE:
                return _told(await self._described(visit, tools, arguments["name"]))
            found = await self._found(visit, tools, arguments["query"], arguments.get("limit", _FOUND))
            return {**_told(found), "structuredContent": found}
        except UnknownTool as error:
            fix = f"Take a name that {SEARCH} answers."
            return failed(NoSuchRoute(str(error), fix=fix).document(f"urn:figway:call:{visit.call.id}"))
        except Problem as problem:
            visit.refused = problem
            return failed(problem.document(f"urn:figway:call:{visit.call.id}"))

    async def _called(self, visit: Visit, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if name in NAMES:
            raise InvalidRequest(
                f"{CALL} calls the tools that {SEARCH} finds, and '{name}' is none of them.",
                errors=[{"pointer": "/name", "detail": "this is not a tool that can be found"}],
                fix=f"Call {name} by itself.",
            )
        return await self._calling(visit, name, arguments)

    async def _described(self, visit: Visit, tools: Tools, name: str) -> dict[str, Any]:
        tool = self._permitted(visit, tools, name)
        policies = visit.serving.policies
        decisions = policies.listed(visit.principal, tool.needed)
        return next(tools.told(each) for each in tools.seen(decisions, policies.narrowed) if each.tool is tool)

    async def _found(self, visit: Visit, tools: Tools, query: str, limit: int) -> dict[str, Any]:
        shown = await _shown(visit, tools)
        async with self._turn:
            names = await asyncio.to_thread(_best, query, tools, shown, limit)
        told = {each.tool.route.operation_id: tools.told(each) for each in shown}
        answer = {"tools": [_short(told[name]) for name in names], "of": len(shown)}
        if len(names) == limit:
            return answer
        # Nothing else shares a word with what was said: who reads the names may know better.
        return {**answer, "others": sorted(told.keys() - set(names))[:_OTHERS]}


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return compiled(_schema(name))


def _schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = next(each["inputSchema"] for each in SEARCHING if each["name"] == name)
    return schema


async def _shown(visit: Visit, tools: Tools) -> list[Seen]:
    """The tools that the caller may use and that its toolsets have."""
    policies, toolsets = visit.serving.policies, visit.serving.compiled.policy_files["toolsets.yaml"]
    assert isinstance(toolsets, Toolsets)
    seen = tools.seen(await usable(policies, visit.principal, tools.routes), policies.narrowed)
    return [each for each in seen if toolsets.show(visit.principal, each.tool.route)]


def _best(query: str, tools: Tools, shown: Sequence[Seen], limit: int) -> list[str]:
    return [name for name, _ in ranked(query, [tools.entry(each) for each in shown])[:limit]]


def _short(told: Mapping[str, Any]) -> dict[str, Any]:
    """A tool as a search answers it: enough to choose by."""
    return {
        "name": told["name"],
        "title": told["title"],
        "description": told["description"][:_SENTENCES],
        "required": told["inputSchema"].get("required", []),
        "reads": told["annotations"]["readOnlyHint"],
    }


def _told(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": orjson.dumps(value).decode()}], "isError": False}
