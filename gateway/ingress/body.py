"""A request's body, and whether its caller is still there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from gateway.call import Call
from gateway.errors import BadRequest, RequestTimeout, RequestTooLarge

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]

_WATCH_AFTER = 0.05
"""Seconds before a read is watched for a caller that left: quick calls shouldn't pay for a second task."""


class BodyReader:
    """Reads a request's body once, within its bounds of size and time."""

    __slots__ = ("_call", "_limit", "_receive", "_state")

    def __init__(self, call: Call, limit: int, receive: Receive) -> None:
        self._call, self._limit, self._receive = call, limit, receive
        self._state: asyncio.Event | None = None

    async def read(self) -> bytes:
        """The whole body; raises `RequestTooLarge`, `RequestTimeout` or `BadRequest`."""
        length = self._call.raw_headers.get(b"content-length")
        if length is not None and (len(length) > 15 or int(length) > self._limit):
            raise self._too_large()
        self._state = asyncio.Event()
        try:
            async with asyncio.timeout(self._call.deadline - time.monotonic()):
                return await self._read()
        except TimeoutError as error:
            raise RequestTimeout("The body didn't arrive before the call's deadline.") from error
        finally:
            self._state.set()

    async def _read(self) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("The body ended before it was whole.")
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self._limit:
                raise self._too_large()
            self._call.request_bytes = size
            chunks.append(chunk)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _too_large(self) -> RequestTooLarge:
        return RequestTooLarge(f"The body is over {self._limit} bytes.")

    async def finished(self) -> None:
        """Waits until nobody else reads from the connection."""
        if self._state is not None:
            await self._state.wait()


class ClientLeft(Exception):
    """The caller disconnected before its reply was ready."""


class Watcher:
    """Cancels a call's task when its caller disconnects; starts to watch only when the call has become slow."""

    __slots__ = ("_body", "_receive", "_task", "_timer", "_watch", "left")

    def __init__(self, task: asyncio.Task[Any], body: BodyReader, receive: Receive) -> None:
        self._task, self._body, self._receive = task, body, receive
        self.left = False
        self._watch: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(_WATCH_AFTER, self._start)

    def _start(self) -> None:
        self._watch = asyncio.create_task(self._until_left())

    async def _until_left(self) -> None:
        await self._body.finished()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = True
        self._task.cancel()

    def stop(self) -> None:
        """Ends the watch."""
        self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
