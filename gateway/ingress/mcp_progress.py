"""A tool's call that takes long, told while it lasts: `notifications/progress` in a stream of server-sent events.

https://modelcontextprotocol.io/specification/2026-07-28/basic/patterns/progress, and revision 2025-11-25. A call is
answered as ever unless it takes longer than a second and its caller gave a `progressToken`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from typing import Any

import orjson

from adapters.contract import Effect, Json
from gateway.call import Reply
from gateway.ingress.mcp_messages import Asked
from gateway.ingress.mcp_schema import RESERVED
from gateway.ingress.mcp_tools import Tool
from gateway.ingress.mcp_visit import Visit
from gateway.ingress.response import Response, Send

_EACH = 1.0
"""Seconds until the first notification, and between the next ones; a tenth of what has gone by, where that is more."""
_PATIENCE = 30.0
"""Seconds for which a caller may leave an event unread."""
_OURS = (b"content-type", b"content-length")
_STREAM = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),  # else nginx keeps events until there are many
]


def token_of(asked: Asked) -> str | int | None:
    """By what the caller of a tool wants to be told of its progress; None: not at all."""
    token: str | int | None = asked.params.get("_meta", {}).get("progressToken")
    return token if asked.method == "tools/call" else None


def leaving(tool: Tool, arguments: Mapping[str, Json], id: str) -> str:
    """What becomes of a call, by its `id`, when its caller stops waiting, where that isn't its end."""
    how = arguments.get(RESERVED) or {}
    if tool.route.effect is Effect.READ or how.get("dry_run"):
        return ""
    if "idempotency_key" not in how:
        return " The change goes on if you stop waiting."
    return f" The change goes on if you stop waiting: figway://operation/{id} says what became of it."


class Progress:
    """One call's stream, begun when there is something to tell."""

    def __init__(self, visit: Visit, token: str | int, send: Send) -> None:
        self._visit, self._token, self._send = visit, token, send
        self._since = time.monotonic()
        self._unread = False

    async def told(self, work: Awaitable[Response]) -> Response | None:
        """What `work` is answered with; None: its caller has been told."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait((task,), timeout=max(_EACH, self._gone() / 10)))[0]:
                if self._visit.reached:
                    await self._tell()
        except asyncio.CancelledError:  # the gateway stops, and the call ends by that, too
            task.cancel()
        response = await task
        if not self._visit.begun:
            return response
        await self._event(response.body)
        await self._pass({"type": "http.response.body", "body": b"", "more_body": False})
        return None

    def _gone(self) -> float:
        return time.monotonic() - self._since

    async def _tell(self) -> None:
        visit, gone = self._visit, self._gone()
        total = visit.lasts
        told = {
            "progressToken": self._token,
            "progress": round(gone, 1),
            "total": round(max(total, gone), 1),
            "message": f"{gone:.0f} s of at most {total:.0f} s.{visit.leaving}",
        }
        if not visit.begun:
            visit.begun = True
            response = Response(visit.call, Reply(200, encoded=b""))
            fields = [*_STREAM, *(field for field in response.headers if field[0] not in _OURS)]
            await self._pass({"type": "http.response.start", "status": 200, "headers": fields})
        await self._event(orjson.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": told}))

    async def _event(self, message: bytes) -> None:
        event = b"event: message\ndata: " + message + b"\n\n"
        await self._pass({"type": "http.response.body", "body": event, "more_body": True})

    async def _pass(self, message: dict[str, Any]) -> None:
        """Sends a part, unless the caller doesn't read: the call goes on without being told."""
        if self._unread:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._send(message)
        except TimeoutError:
            self._unread = True
