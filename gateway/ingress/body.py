"""A request's body, and whether its caller is still there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias, TypeVar

from gateway.call import Call
from gateway.errors import BadRequest, RequestTimeout, RequestTooLarge

T = TypeVar("T")
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]

_WATCH_AFTER = 0.05
"""Seconds before a read is watched for a caller that left: quick calls shouldn't pay for a second task."""


class BodyReader:
    """Reads a request's body once, within its bounds of size and time."""

    __slots__ = ("_call", "_limit", "_read_all", "_receive")

    def __init__(self, call: Call, limit: int, receive: Receive) -> None:
        self._call, self._limit, self._receive = call, limit, receive
        self._read_all = asyncio.Event()

    async def read(self) -> bytes:
        """The whole body; raises `RequestTooLarge`, `RequestTimeout` or `BadRequest`."""
        try:
            length = self._call.raw_headers.get(b"content-length")
            if length is not None and (len(length) > 15 or int(length) > self._limit):
                raise self._too_large()
            async with asyncio.timeout(self._call.deadline - time.monotonic()):
                return await self._read()
        except TimeoutError as error:
            raise RequestTimeout("The body didn't arrive before the call's deadline.") from error
        finally:
            self._call.read_body = None  # else call and reader would hold each other
            self._read_all.set()

    async def _read(self) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("The body ended before it was whole.", fix="Send all that Content-Length says.")
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
        """Waits until the body has been read: before that, whoever else read would take it away."""
        await self._read_all.wait()


class ClientLeft(Exception):
    """The caller disconnected before its reply was ready."""


class Watch:
    """Cancels a read whose caller disconnects. It looks at a call only once that has become slow, and one timer
    serves all calls: quick ones pay for an entry in a dictionary."""

    def __init__(self) -> None:
        self._calls: dict[asyncio.Task[Any], tuple[float, BodyReader | None, Receive]] = {}
        self._watching: dict[asyncio.Task[Any], asyncio.Task[None]] = {}
        self._left: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def run(
        self, work: Awaitable[T], body: BodyReader | None, receive: Receive, task: asyncio.Task[Any] | None = None
    ) -> T:
        """Awaits `work` in the current task, which is `task` where the caller knows it; raises `ClientLeft` when
        the caller was gone before it ended."""
        task = task or asyncio.current_task()
        assert task is not None
        self._calls[task] = (time.monotonic(), body, receive)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_WATCH_AFTER, self._tick)
        try:
            return await work
        except asyncio.CancelledError:
            if task not in self._left:
                raise
            task.uncancel()
            raise ClientLeft from None
        finally:
            del self._calls[task]
            if self._watching:
                self._end(task)

    def _end(self, task: asyncio.Task[Any]) -> None:
        watching = self._watching.pop(task, None)
        if watching is not None:
            watching.cancel()
        self._left.discard(task)

    def _tick(self) -> None:
        slow = time.monotonic() - _WATCH_AFTER
        for task, (since, body, receive) in self._calls.items():
            if since <= slow and task not in self._watching:
                self._watching[task] = asyncio.create_task(self._until_left(task, body, receive))
        self._timer = asyncio.get_running_loop().call_later(_WATCH_AFTER, self._tick) if self._calls else None

    async def _until_left(self, task: asyncio.Task[Any], body: BodyReader | None, receive: Receive) -> None:
        if body is not None:
            await body.finished()
        while (await receive())["type"] != "http.disconnect":
            pass
        if task in self._calls:
            self._left.add(task)
            task.cancel()
