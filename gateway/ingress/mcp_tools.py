"""Routes as MCP tools (https://modelcontextprotocol.io/specification/2026-07-28/server/tools)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import jsonschema_rs

from adapters.contract import Effect, Json, JsonSchema
from gateway.catalogue.entries import Entry, entry_of
from gateway.errors import InvalidRequest
from gateway.filters.breaches import breaches, fix_of
from gateway.filters.validate import compiled
from gateway.ingress.mcp_masked import masked
from gateway.ingress.mcp_schema import Shape, input_of, output_of
from gateway.policy.decide import Decision
from gateway.routing.model import Compiled, Route
from gateway.routing.parts import parts_of
from gateway.routing.rules import Path


def check_arguments(
    validator: jsonschema_rs.Draft202012Validator, arguments: Mapping[str, Json], schema: JsonSchema | None = None
) -> None:
    """Raises `InvalidRequest` for arguments that break a tool's input schema, of which `validator` is made; with the
    `schema` itself, it tells of members that are missing or unknown what would be right."""
    if validator.is_valid(arguments):
        return
    errors = breaches(validator, schema or {}, arguments)
    where = errors[0]["pointer"] or "their root"
    detail = f"The arguments break the tool's input schema at {where}: {errors[0]['detail']}"
    raise InvalidRequest(detail, errors=errors, fix=fix_of(errors, "The tool's inputSchema is in tools/list."))


@dataclass(frozen=True)
class Tool:
    """A route as a tool. `wrapped`: what it answers stands in `{"result": …}`."""

    route: Route
    description: str
    shape: Shape
    output: JsonSchema | None
    wrapped: bool
    needed: Mapping[str, Route]
    """The route and, of a composite, those of its steps: what has to be usable for it."""

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        return compiled(self.shape.schema)

    def check(self, arguments: Mapping[str, Json]) -> None:
        """Raises `InvalidRequest` for arguments that break the input schema."""
        check_arguments(self._validator, arguments, self.shape.schema)

    def listed(self, hidden: frozenset[Path] | None) -> dict[str, Any]:
        """The tool as `tools/list` says it to a caller to whom what is `hidden` of a row may not be shown; None: that
        isn't known before the call, so that no output schema is told."""
        effect = self.route.effect
        told: dict[str, Any] = {
            "name": self.route.operation_id,
            "title": self.route.summary or self.route.operation_id,
            "description": self.description,
            "inputSchema": self.shape.schema,
            "annotations": {
                "readOnlyHint": effect is Effect.READ,
                "destructiveHint": effect is not Effect.READ and self.route.method != "POST",
                "idempotentHint": effect is not Effect.WRITE,
                "openWorldHint": False,
            },
        }
        output = None if hidden is None else self.output
        if output is not None and hidden:
            output = None if self.wrapped else masked(output, hidden, is_list=self.route.is_list)
        if output is not None:
            told["outputSchema"] = output
        return told


class Seen(NamedTuple):
    """A tool as one caller sees it. `hidden`: the fields of a row that it may not see; None: that isn't known yet."""

    tool: Tool
    hidden: frozenset[Path] | None


@dataclass
class Tools:
    """A snapshot's tools by name, in the order of their names. A route that answers bytes is none."""

    by_name: Mapping[str, Tool]
    routes: Mapping[str, Route]
    """Every route by operationId, as a composite's steps name them."""
    spelt: dict[tuple[str, frozenset[Path] | None], dict[str, Any]] = field(default_factory=dict)
    entries: dict[tuple[str, frozenset[Path] | None], Entry] = field(default_factory=dict)

    def seen(self, decisions: Mapping[str, Decision], narrowed: Callable[[Route], bool]) -> list[Seen]:
        """The tools that these decisions allow, as their caller sees them."""
        found = []
        for name, tool in self.by_name.items():
            if name not in decisions:
                continue
            hidden = _hidden(decisions[name]) if narrowed(tool.route) else frozenset()
            found.append(Seen(tool, hidden))
        return found

    def told(self, seen: Seen) -> dict[str, Any]:
        """A tool as `tools/list` says it."""
        key = seen.tool.route.operation_id, seen.hidden
        if key not in self.spelt:
            self.spelt[key] = seen.tool.listed(seen.hidden)
        return self.spelt[key]

    def entry(self, seen: Seen) -> Entry:
        """A tool as it is searched: by no more than what its caller is told of it."""
        route = seen.tool.route
        key = route.operation_id, seen.hidden
        if key not in self.entries:
            self.entries[key] = entry_of(self.told(seen), method=route.method, path=route.path, is_list=route.is_list)
        return self.entries[key]


def _hidden(decision: Decision) -> frozenset[Path] | None:
    if decision.waits:
        return None
    return frozenset() if decision.grant is None else decision.grant.unsafe


def tools_of(workspace: Compiled) -> Tools:
    """The tools of a workspace's routes."""
    described = {
        operation["operationId"]: operation
        for item in workspace.document["paths"].values()
        for operation in item.values()
    }
    routes = {route.operation_id: route for route in workspace.routes}
    named = {name: _tool(routes, name, described[name]) for name in sorted(routes) if not routes[name].content}
    return Tools(named, routes)


def _tool(routes: Mapping[str, Route], name: str, described: Mapping[str, Any]) -> Tool:
    route = routes[name]
    output, wrapped = output_of(route)
    told = [described.get("summary"), described.get("description")]
    if route.is_list:
        told.append("Answers one page: for the next one, call again with the `cursor` that stands in `next`.")
    sentences = [each.strip() for each in told if each and each.strip()]
    description = "\n\n".join(dict.fromkeys(sentences)) or f"{route.method} {route.path}"
    needed = {each.operation_id: each for each in parts_of(route, routes)}
    return Tool(route, description, input_of(route), output, wrapped, needed)
