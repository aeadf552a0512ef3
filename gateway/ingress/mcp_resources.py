"""What agents can read beside calling tools: contracts, lineage, and what became of writes.

https://modelcontextprotocol.io/specification/2026-07-28/server/resources. A contract is what `/openapi.json` shows the
caller of one operation. The others are the gateway's own routes, asked with the caller's own credential: who may see
what, and what is recorded of it, is decided in one place.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

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
_ROUTES = {LINEAGE: "/-/lineage/", OPERATION: "/-/operations/"}
_ID = re.compile(r"[0-9A-Za-z]{1,64}")
_JSON = "application/json"
_WHOLE = ["/contents/0"]
"""What of it the systems behind the gateway may have written, by JSON Pointer."""
TEMPLATES = [
    {
        "uriTemplate": CONTRACT + "{operationId}",
        "name": "contract",
        "title": "Contract of a tool",
        "description": "The part of the OpenAPI document that describes one operation: parameters, replies, problems.",
        "mimeType": _JSON,
    },
    {
        "uriTemplate": LINEAGE + "{id}",
        "name": "lineage",
        "title": "Lineage of a call",
        "description": "Where each field of a reply came from, by the id in its _meta's figway/lineage.",
        "mimeType": _JSON,
    },
    {
        "uriTemplate": OPERATION + "{id}",
        "name": "operation",
        "title": "State of a write",
        "description": "What became of a write: running, succeeded, failed or unknown.",
        "mimeType": _JSON,
    },
]


class NoResource(Exception):
    """There is no such resource, or none that this caller may read: nobody is told which."""


class Unread(Exception):
    """A resource can't be read now, as `problem` says."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem["detail"])
        self.problem = problem


class Resources:
    """What may be read by MCP."""

    def __init__(self, own: Own) -> None:
        self._own = own

    async def list(self, visit: Visit, cursor: str | None) -> dict[str, Any]:
        """A page of the contracts that the caller may read, in the order of operations; raises `BadCursor`."""
        visit.call.noted["mcp"] = "resources/list"
        compiled, policies = visit.serving.compiled, visit.serving.policies
        routes = {route.operation_id: route for route in compiled.routes}
        allowed = await usable(policies, visit.principal, routes)
        found = [
            {
                "uri": CONTRACT + name,
                "name": name,
                "title": routes[name].summary or name,
                "description": f"The contract of {routes[name].method} {routes[name].path}.",
                "mimeType": _JSON,
            }
            for name in sorted(allowed)
        ]
        return page_of(found, cursor, "resources")

    async def read(self, visit: Visit, uri: str) -> dict[str, Any]:
        """A resource's content; raises `NoResource` or `Unread`."""
        visit.call.noted["mcp"] = "resources/read"
        for start, path in _ROUTES.items():
            id = uri.removeprefix(start)
            if id != uri and _ID.fullmatch(id):
                return await self._asked(visit, uri, path + id)
        if uri.startswith(CONTRACT):
            return _told(uri, await _contract(visit, uri.removeprefix(CONTRACT)))
        visit.refused = NotFound("There is no such resource.")
        raise NoResource

    async def _asked(self, visit: Visit, uri: str, path: str) -> dict[str, Any]:
        """What a route of the gateway's own answers the caller, and what was found in a reply that it tells again."""
        answer = _Answer()
        await self._own(_scope(visit, path), _empty, answer.take)
        visit.reached = True
        if answer.status == 200:
            meta = {"figway/untrusted": _WHOLE} | ({"figway/content": answer.found} if answer.found else {})
            return {**_told(uri, answer.body), "_meta": meta}
        if answer.status == 404:
            raise NoResource
        raise Unread(orjson.loads(answer.body))


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


def _told(uri: str, body: bytes) -> dict[str, Any]:
    return {"contents": [{"uri": uri, "mimeType": _JSON, "text": body.decode()}]}


def _scope(visit: Visit, path: str) -> Scope:
    return {
        **{key: visit.scope[key] for key in ("type", "asgi", "http_version", "scheme", "client", "server")},
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
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
