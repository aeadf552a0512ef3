"""The delaying proxy: late once a call, in order, whole; and a target that is gone is a closed connection."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.demo.systems import free_port

SECONDS = 0.2


@asynccontextmanager
async def echoing() -> AsyncIterator[int]:
    """The port of a server that says back what it hears."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(echo, "127.0.0.1") as server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def proxy(target: int, seconds: float) -> AsyncIterator[int]:
    """The port of a proxy before the port `target`."""
    port = free_port()
    command = (sys.executable, "-m", "gateway.demo.proxy", str(port), str(target), str(seconds))
    process = await asyncio.create_subprocess_exec(*command)
    try:
        while not await _listening(port):
            assert process.returncode is None
            await asyncio.sleep(0.02)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _listening(port: int) -> bool:
    try:
        await _closed((await asyncio.open_connection("127.0.0.1", port))[1])
    except ConnectionRefusedError:
        return False
    return True


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


async def test_every_call_is_late() -> None:
    async with echoing() as target, proxy(target, SECONDS) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            # Silence tells one call from the next.
            await asyncio.sleep(SECONDS)
            started = time.monotonic()
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            assert time.monotonic() - started >= SECONDS
        await _closed(writer)


async def test_a_call_of_many_turns_is_late_once() -> None:
    async with echoing() as target, proxy(target, 2.0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        started = time.monotonic()
        for _ in range(10):
            writer.write(b"turn")
            assert await reader.readexactly(4) == b"turn"
        # Even if a busy machine makes some silences longer, nothing like ten times two seconds.
        assert 2.0 <= time.monotonic() - started < 15.0
        await _closed(writer)


async def test_a_connection_that_is_never_silent_is_late_again() -> None:
    async with echoing() as target, proxy(target, SECONDS) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        slowest, began = 0.0, time.monotonic()
        while time.monotonic() - began < 2.5:
            started = time.monotonic()
            writer.write(b"turn")
            await reader.readexactly(4)
            if started - began > SECONDS + 0.5:
                slowest = max(slowest, time.monotonic() - started)
        assert slowest >= SECONDS
        await _closed(writer)


async def test_much_arrives_whole_and_in_order() -> None:
    sent = bytes(range(256)) * 40_000
    async with echoing() as target, proxy(target, 0.05) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        assert await asyncio.wait_for(reader.readexactly(len(sent)), 30) == sent
        await _closed(writer)


async def test_a_target_that_is_gone_is_a_closed_connection() -> None:
    async with proxy(free_port(), 0.0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        await _closed(writer)
