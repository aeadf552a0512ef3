"""What agents can read beside calling tools: contracts, lineage, what became of writes, and what changed.

https://modelcontextprotocol.io/specification/2026-07-28/server/resources. A contract is what `/openapi.json` shows the
caller of one operation. The others are the gateway's own routes, asked with the caller's own credential: who may see
what, and what is recorded of it, is decided in one place.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias
from urllib.parse import quote

import orjson

from gateway.errors import NotFound
from gateway.filters.content import HEADER
from gateway.ingress.http import CALL_ID, NOTED, Scope
from gateway.ingress.mcp_messages import page_of
from gateway.ingress.mcp_visit import Visit
from gateway.ingress.response import Send
from gateway.policy.usable import narrowed, usable
from gateway.routing.document import visible
from gateway.routing.parts import parts_of

Own: TypeAlias = Callable[[Scope, Callable[[], Awaitable[Any]], Send], Awaitable[None]]
"""The ASGI application of the gateway's own routes."""

CONTRACT, LINEAGE, OPERATION = "figway://contract/", "figway://lineage/", "figway://operation/"
CHANGES = "figway://changes/"
SOURCE = re.compile(r"[^/?&#%\s]{1,128}")
"""A captured source's name, `UPSTREAM.CAPTURE`."""
_ROUTES = {LINEAGE: "/-/lineage/", OPERATION: "/-/operations/"}
_PAGE = "/-/events/page"
_AFTER = re.compile(r"after=[0-9A-Za-z._-]{1,256}")
_ID = re.compile(r"[0-9A-Za-z]{1,64}")
JSON = "application/json"
WHOLE = ["/contents/0"]
"""What of it the systems behind the gateway may have written, by JSON Pointer."""
TEMPLATES = [
    {
        "uriTemplate": CONTRACT + "{operationId}",
        "name": "contract",
        "title": "Contract of a tool",
        "description": "The part of the OpenAPI document that describes one operation: parameters, replies, problems.",
        "mimeType": JSON,
    },
    {
        "uriTemplate": LINEAGE + "{id}",
        "name": "lineage",
        "title": "Lineage of a call",
        "description": "Where each field of a reply came from, by the id in its _meta's figway/lineage.",
        "mimeType": JSON,
    },
    {
        "uriTemplate": OPERATION + "{id}",
        "name": "operation",
        "title": "State of a write",
        "description": "What became of a write: running, succeeded, failed or unknown.",
        "mimeType": JSON,
    },
]


class NoResource(Exception):
    """There is no such resource, or none that this caller may read: nobody is told which."""


class Unread(Exception):
    """A resource can't be read now, as `problem` says."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem["detail"])
        self.problem = problem


class More(Protocol):
    """Resources beside the gateway's own (`gateway.following.entities.Entities`)."""

    async def listed(self, visit: Visit) -> list[dict[str, Any]]: ...

    async def templates(self, visit: Visit) -> list[dict[str, Any]]: ...

    async def read(self, visit: Visit, uri: str) -> dict[str, Any] | None: ...


class Resources:
    """What may be read by MCP."""

    def __init__(self, own: Own, more: More) -> None:
        self._own, self._more = own, more

    async def list(self, visit: Visit, cursor: str | None) -> dict[str, Any]:
        """A page of what the caller may read, in the order of names; raises `BadCursor`."""
        visit.call.noted["mcp"] = "resources/list"
        return page_of(await self.listed(visit), cursor, "resources")

    async def templates(self, visit: Visit, cursor: str | None) -> dict[str, Any]:
        """A page of the templates of what the caller may read; raises `BadCursor`."""
        visit.call.noted["mcp"] = "resources/templates/list"
        found = sorted([*TEMPLATES, *await self._more.templates(visit)], key=_name)
        return page_of(found, cursor, "resourceTemplates")

    async def listed(self, visit: Visit) -> Sequence[dict[str, Any]]:
        """The contracts of the caller's operations, and the sources that it may follow."""
        compiled, policies = visit.serving.compiled, visit.serving.policies
        routes = {route.operation_id: route for route in compiled.routes}
        allowed = await usable(policies, visit.principal, routes)
        found = [
            {
                "uri": CONTRACT + name,
                "name": name,
                "title": routes[name].summary or name,
                "description": f"The contract of {routes[name].method} {routes[name].path}.",
                "mimeType": JSON,
            }
            for name in sorted(allowed)
        ]
        return sorted([*found, *await self._more.listed(visit)], key=_name)

    async def read(self, visit: Visit, uri: str) -> dict[str, Any]:
        """A resource's content; raises `NoResource` or `Unread`."""
        visit.call.noted["mcp"] = "resources/read"
        for start, path in _ROUTES.items():
            id = uri.removeprefix(start)
            if id != uri and _ID.fullmatch(id):
                return await self._asked(visit, uri, path + id)
        name, _, query = uri.removeprefix(CHANGES).partition("?")
        if uri.startswith(CHANGES) and SOURCE.fullmatch(name) and (not query or _AFTER.fullmatch(query)):
            return await self._asked(visit, uri, _PAGE, "&".join([f"source={quote(name)}", *filter(None, [query])]))
        more = await self._more.read(visit, uri)
        if more is not None:
            return more
        if uri.startswith(CONTRACT):
            return told(uri, await _contract(visit, uri.removeprefix(CONTRACT)))
        visit.refused = NotFound("There is no such resource.")
        raise NoResource

    async def _asked(self, visit: Visit, uri: str, path: str, query: str = "") -> dict[str, Any]:
        """What a route of the gateway's own answers the caller, and what was found in a reply that it tells again."""
        answer = _Answer()
        await self._own(_scope(visit, path, query), _empty, answer.take)
        visit.reached = True
        if answer.status == 200:
            meta = {"figway/untrusted": WHOLE} | ({"figway/content": answer.found} if answer.found else {})
            return {**told(uri, answer.body), "_meta": meta}
        if answer.status in (403, 404):
            raise NoResource
        raise Unread(orjson.loads(answer.body))


def _name(told: dict[str, Any]) -> str:
    name: str = told["name"]
    return name


async def _contract(visit: Visit, name: str) -> bytes:
    compiled, policies = visit.serving.compiled, visit.serving.policies
    routes = {each.operation_id: each for each in compiled.routes}
    if name in routes:
        visit.call.operation = name
        decisions = policies.listed(
            visit.principal, {each.operation_id: each for each in parts_of(routes[name], routes)}
        )
        if name in decisions:
            return orjson.dumps(narrowed(visible(compiled.document, {name}), decisions))
    visit.refused = NotFound("There is no such resource.")
    raise NoResource


def told(uri: str, body: bytes) -> dict[str, Any]:
    """A resource's content that is JSON."""
    return {"contents": [{"uri": uri, "mimeType": JSON, "text": body.decode()}]}


def _scope(visit: Visit, path: str, query: str) -> Scope:
    return {
        **{key: visit.scope[key] for key in ("type", "asgi", "http_version", "scheme", "client", "server")},
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": visit.kept(),
        "state": {},
        NOTED: {"mcp": "resources/read"},
        CALL_ID: visit.call.id,
    }


async def _empty() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


class _Answer:
    """What an ASGI application answers."""

    def __init__(self) -> None:
        self.status, self.body, self.found = 500, b"", ""

    async def take(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.found = dict(message["headers"]).get(HEADER, b"").decode("latin-1")
        else:
            self.body += message.get("body", b"")
