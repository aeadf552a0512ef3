"""One request and its response on a connection: uvicorn's, with a short way for a response that is whole.

ASGI sends a response in two messages, whose fields uvicorn checks and joins one by one: a fifth of what a small call
costs. Whoever finds `EXCHANGE` in its scope may answer with its `respond` instead, once, and all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

if TYPE_CHECKING:
    from gateway.ingress.connection import Connection

EXCHANGE = "figway.exchange"
"""The scope's key of the `Exchange` itself."""

TASK = "figway.task"
"""The scope's key of the task that runs the application, which asyncio tells only by a dearer way."""


class Exchange(RequestResponseCycle):
    """A request being answered."""

    def __init__(self, connection: Connection, scope: Any, keep_alive: bool, on_response: Callable[[], None]) -> None:
        super().__init__(
            scope,
            connection.transport,
            connection.flow,
            connection.logger,
            connection.access_logger,
            connection.access_log,
            connection.server_state.default_headers,
            asyncio.Event(),
            connection.expect_100_continue,
            keep_alive,
            on_response,
        )

    def respond(self, status: int, fields: bytes, body: bytes) -> Awaitable[None] | None:
        """Writes the response; an awaitable when it has to wait until the caller has read the one before."""
        if self.flow.write_paused and not self.disconnected:
            return self._respond_later(status, fields, body)
        self._write(status, fields, body)
        return None

    def break_off(self) -> None:
        """Ends the connection in the middle of the response: what is written goes out, but has no end."""
        self.response_complete = True
        if self.flow.write_paused:  # by a caller that doesn't read, for whom nothing waits
            self.transport.abort()
        else:
            self.transport.close()

    async def _respond_later(self, status: int, fields: bytes, body: bytes) -> None:
        await self.flow.drain()
        self._write(status, fields, body)

    def _write(self, status: int, fields: bytes, body: bytes) -> None:
        # A caller that has left may not be told of yet: its transport takes nothing more.
        if self.disconnected or self.transport.is_closing():
            return
        self.response_started = self.response_complete = True
        ours = _block(self.default_headers)
        end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        self.transport.write(b"".join((STATUS_LINE[status], ours, fields, end, body)))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


_last: tuple[list[tuple[bytes, bytes]], bytes] = ([], b"")


def _block(headers: list[tuple[bytes, bytes]]) -> bytes:
    """The server's own fields (Date); uvicorn makes a new list of them each second."""
    global _last
    of, block = _last
    if of is not headers:
        block = b"".join(b"%b: %b\r\n" % field for field in headers)
        _last = headers, block
    return block
