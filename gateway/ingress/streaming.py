"""A response whose body comes piece by piece, as all of a list does.

It is announced in the audit before its first byte, and its record is written before its last: what breaks off has no
end, so that nobody takes it for the whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from adapters.bodies import streamed
from gateway.call import Call, Reply
from gateway.ingress.body import ClientLeft
from gateway.ingress.exchange import Exchange
from gateway.ingress.response import Response, Send

_OF_ONE_PIECE = (b"content-length", b"content-type")


_PATIENCE = 30.0
"""Seconds for which a caller may leave a piece of content unread."""


def sent(response: Response, exchange: Exchange | None, send: Send) -> Awaitable[None] | None:
    """Answers with `response`, at once where that can be; None: it is done."""
    if response.streams:
        return _content(response, exchange, send)
    return response.send(None if exchange is None else exchange.respond, send)


async def _content(response: Response, exchange: Exchange | None, send: Send) -> None:
    """Sends content as quickly as the caller reads it, and no more of it than that is in memory."""
    assert response.content is not None
    try:
        async with asyncio.timeout(_PATIENCE) as timeout:
            await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
            async for piece in streamed([response.content]):
                timeout.reschedule(asyncio.get_running_loop().time() + _PATIENCE)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                if exchange is not None and exchange.disconnected:
                    return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
    except TimeoutError:
        if exchange is None:
            raise Broken from None
        exchange.break_off()


class Broken(Exception):
    """A streamed response broke off, and the server has no other way to say so."""


class Stream:
    """Where the pieces go. `patience`: for so many seconds the caller may leave a piece unread."""

    def __init__(self, call: Call, media: str, patience: float, send: Send, exchange: Exchange | None) -> None:
        self.media = media
        self.announce: Callable[[Call], Awaitable[None]] | None = None
        self.begun = False
        self.size = 0
        """Bytes of the body so far."""
        self._call, self._patience = call, patience
        self._raw_send, self._exchange = send, exchange

    async def begin(self, reply: Reply) -> None:
        """Sends the head; raises `AuditUnavailable` where the call can't be announced."""
        if self.announce is not None:
            await self.announce(self._call)
        response = Response(self._call, reply)
        fields = [field for field in response.headers if field[0] not in _OF_ONE_PIECE]
        fields.append((b"content-type", f"{self.media}; charset=utf-8".encode()))
        self.begun = True
        await self._send({"type": "http.response.start", "status": reply.status, "headers": fields})

    async def write(self, piece: bytes) -> None:
        """Sends a piece, once the caller has read what is before it; raises `ClientLeft` when it doesn't."""
        self.size += len(piece)
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def _send(self, message: dict[str, object]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._raw_send(message)
        except TimeoutError:
            raise ClientLeft from None

    async def end(self, response: Response) -> None:
        """Ends what was begun: as a whole, or by breaking off, behind the problem where lines can hold it."""
        if response.problem is None:
            with suppress(ClientLeft):
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                return
        elif self.media == "application/x-ndjson":
            with suppress(ClientLeft):
                await self.write(response.body + b"\n")
        self._break()

    def _break(self) -> None:
        if self._exchange is None:
            raise Broken
        self._exchange.break_off()
