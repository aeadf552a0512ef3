"""The wire: a TCP proxy between an adapter and its real system, which can do what networks and broken systems do.

A *turn* is one alternation of a connection's talk: what the adapter sends before the system answers again. A fault
begins with a turn's reply, so that a suite can break a call at each of its steps. Nothing here waits for a time to
pass: a reply is held or lost when the system has really given it.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from enum import StrEnum
from typing import Any

FLOOD_LIMIT = 64 * 2**20
"""Bytes after which a flood ends: who took them all has no bound."""
_CHUNK = 64 * 1024
_JUNK = b"\xff\xfe\x00\x15?;]\x00 junk \xc3(\xa0\r\n" * 4
_NO_LENGTH = re.compile(rb"\r\n(?:content-length|transfer-encoding|connection):[^\r]*", re.IGNORECASE)


class Fault(StrEnum):
    """What becomes of replies."""

    NONE = "none"
    HOLD = "hold"
    """They are kept until `release`, and the connection stays open."""
    CUT = "cut"
    """The first one is dropped and the connection reset; what comes later passes."""
    JUNK = "junk"
    """Bytes that mean nothing come in their place, and the connection ends."""
    FLOOD = "flood"
    """They begin as they are, and don't end."""


class Wire:
    """Listens on a port of 127.0.0.1 that is its own from the start, and refuses connections until `listen`."""

    def __init__(self, host: str, port: int) -> None:
        self._system = (host, port)
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.host, self.port = self._socket.getsockname()
        self.turns = 0
        """Turns since `begin`."""
        self._peers: list[int] = []
        self.open: set[asyncio.StreamWriter] = set()
        """The adapter's connections that are open now."""
        self.held = threading.Event()
        """Set when a reply is held."""
        self.flooded = 0
        """Bytes of a flood that were taken."""
        self._fault, self._at = Fault.NONE, 1
        self._pending: list[tuple[asyncio.StreamWriter, bytes]] = []
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="figway-wire", daemon=True)
        self._thread.start()

    def listen(self) -> None:
        """From here on connections are accepted."""

        async def start() -> None:
            self._server = await asyncio.start_server(self._serve, sock=self._socket)

        self._done(start())

    def connections(self) -> int:
        """How many connections were made so far. One of its own is the last, as they are taken in turn."""
        with socket.create_connection((self.host, self.port)) as own:
            port = own.getsockname()[1]
            while port not in self._peers:
                time.sleep(0.002)
        self._peers.remove(port)
        return len(self._peers)

    def begin(self, fault: Fault = Fault.NONE, at: int = 1) -> None:
        """Counts from zero; `fault` befalls the replies from turn `at` on (from 1)."""

        async def set_up() -> None:
            self.turns = self.flooded = 0
            self._fault, self._at = fault, at
            self.held.clear()

        self._done(set_up())

    def release(self) -> None:
        """Ends the fault and lets go what is held, as far as its connection is still there."""

        async def let_go() -> None:
            self._fault = Fault.NONE
            pending, self._pending = self._pending, []
            for writer, data in pending:
                if not writer.is_closing():
                    writer.write(data)

        self._done(let_go())

    def drop(self) -> None:
        """Resets every connection."""

        async def reset() -> None:
            self._pending.clear()
            for writer in tuple(self.open):
                writer.transport.abort()

        self._done(reset())

    def close(self) -> None:
        """Ends all of it."""
        self.drop()
        self._done(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._socket.close()

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, work: Any) -> None:
        future: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        future.result(30)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._peers.append(writer.get_extra_info("peername")[1])
        try:
            system, to_system = await asyncio.open_connection(*self._system)
        except OSError:
            writer.transport.abort()
            return
        talk = _Talk(self, writer, to_system)
        self.open.add(writer)
        pumps = [
            asyncio.ensure_future(_pump(reader, talk.said)),
            asyncio.ensure_future(_pump(system, talk.answered)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if not pumps[0].done() and not self._holds(writer):  # the system hung up
                await writer.drain()
                writer.close()
            await asyncio.wait(pumps[:1])
        except ConnectionError:
            pass
        finally:
            for each in pumps:
                each.cancel()
            self.open.discard(writer)
            writer.close()
            to_system.close()

    def _holds(self, writer: asyncio.StreamWriter) -> bool:
        return any(held is writer for held, _ in self._pending)

    def faulty(self) -> Fault:
        """What befalls a reply now."""
        return self._fault if self.turns >= self._at else Fault.NONE

    def once(self) -> None:
        """The fault has happened, and doesn't again."""
        self._fault = Fault.NONE

    def keep(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Holds a reply."""
        self._pending.append((writer, data))
        self.held.set()


class _Talk:
    """One connection and its other half."""

    def __init__(self, wire: Wire, client: asyncio.StreamWriter, system: asyncio.StreamWriter) -> None:
        self._wire = wire
        self._client = client
        self._system = system
        self._asked = False

    async def said(self, data: bytes) -> bool:
        """The adapter said something; whether the talk goes on."""
        if not self._asked:
            self._asked = True
            self._wire.turns += 1
        self._system.write(data)
        await self._system.drain()
        return True

    async def answered(self, data: bytes) -> bool:
        """The system answered."""
        self._asked = False
        fault = self._wire.faulty()
        if fault is Fault.HOLD:
            self._wire.keep(self._client, data)
            return True
        if fault is Fault.CUT:
            self._wire.once()
            self._client.transport.abort()
            return False
        if fault is Fault.FLOOD:
            await self._flood(data)
            return False
        self._client.write(_JUNK if fault is Fault.JUNK else data)
        await self._client.drain()
        if fault is Fault.JUNK:
            self._client.close()
        return fault is Fault.NONE

    async def _flood(self, data: bytes) -> None:
        """The reply's beginning, of HTTP (RFC 9112) one whose body ends with the connection, then blanks."""
        head, found, body = data.partition(b"\r\n\r\n")
        if data.startswith(b"HTTP/1.") and found:
            data = _NO_LENGTH.sub(b"", head) + b"\r\nConnection: close\r\n\r\n" + body
        else:
            data = data[: len(data) // 2]
        self._client.write(data[:-1])
        blanks = b" " * _CHUNK
        while self._wire.flooded < FLOOD_LIMIT and not self._client.is_closing():
            self._client.write(blanks)
            await self._client.drain()
            self._wire.flooded += _CHUNK
        self._client.close()


async def _pump(reader: asyncio.StreamReader, take: Callable[[bytes], Awaitable[bool]]) -> None:
    try:
        while data := await reader.read(_CHUNK):
            if not await take(data):
                return
    except ConnectionError:
        return
