"""Calls that their callers cancel by a message, as revision 2025-11-25 has it; later ones close the connection.

https://modelcontextprotocol.io/specification/2025-11-25/basic/utilities/cancellation. Whose call an id means is told by
the session id that its client was given: nothing is kept of a session beyond the calls that are under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from gateway.call import Principal
from gateway.errors import BadRequest
from gateway.filters.json_body import json_body
from gateway.ingress.body import Receive
from gateway.ingress.mcp_messages import LEGACY, Asked
from gateway.ingress.mcp_visit import Visit

SESSION = b"mcp-session-id"
_LONGEST = 64
Key: TypeAlias = tuple[Principal, bytes, str | int]


def method_of(raw: bytes) -> tuple[str, Any]:
    """A message's method and parameters; empty and None where it has none."""
    try:
        message = json_body(raw)
    except BadRequest:
        return "", None
    method = message.get("method") if isinstance(message, dict) else None
    return (method, message.get("params")) if isinstance(method, str) else ("", None)


class Cancelling:
    """One process's calls of tools that can be cancelled by a message."""

    def __init__(self) -> None:
        self._calls: dict[Key, asyncio.Event] = {}

    @contextmanager
    def known(self, visit: Visit, asked: Asked) -> Iterator[None]:
        """Meanwhile a message can cancel this call: to it that is as if its caller had left, which ends a read."""
        session = visit.call.raw_headers.get(SESSION, b"")
        key = visit.principal, session, asked.id
        if asked.modern or asked.method != "tools/call" or not 0 < len(session) <= _LONGEST or key in self._calls:
            yield
            return
        self._calls[key] = left = asyncio.Event()
        visit.receive = _until(left, visit.receive)
        try:
            yield
        finally:
            del self._calls[key]

    def cancel(self, visit: Visit, params: object) -> None:
        """Cancels the call that a notification names, if it is this caller's and under way here."""
        id = params.get("requestId") if isinstance(params, dict) else None
        headers = visit.call.raw_headers
        if not isinstance(id, str | int) or isinstance(id, bool) or headers.get(b"mcp-protocol-version") != LEGACY:
            return
        left = self._calls.get((visit.principal, headers.get(SESSION, b""), id))
        if left is not None:
            left.set()


def _until(left: asyncio.Event, receive: Receive) -> Receive:
    """What `receive` tells, until the caller cancels: that it has left."""

    async def either() -> Any:
        told, cancelled = asyncio.ensure_future(receive()), asyncio.ensure_future(left.wait())
        try:
            await asyncio.wait((told, cancelled), return_when=asyncio.FIRST_COMPLETED)
            return {"type": "http.disconnect"} if cancelled.done() else await told
        finally:
            told.cancel()
            cancelled.cancel()

    return either
