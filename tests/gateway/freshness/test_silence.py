"""A source that is idle and one that isn't heard look alike: only what passed the whole way makes a replica young."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.events.log import EventLog
from gateway.events.model import Standing
from gateway.freshness import worker
from gateway.freshness.capturing import Capturing
from gateway.freshness.documents import troubles

_NAME = "erp.hist"
_WAYS = [("postgres", "slot"), ("mariadb", "binlog")]


class Way:
    """What lies between a database and who asks it; it can be held, so that nothing passes and nothing breaks."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.open = asyncio.Event()
        self.passing: set[asyncio.Task[None]] = set()
        self.open.set()

    async def accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.passing.add(task)
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            await asyncio.gather(self._passed(reader, back), self._passed(there, writer))
        finally:
            for each in (back, writer):
                each.close()
                with contextlib.suppress(OSError):
                    await each.wait_closed()

    async def _passed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                await self.open.wait()
                writer.write(data)
        writer.close()


@contextlib.asynccontextmanager
async def _held(source: Any) -> AsyncIterator[tuple[Way, Any]]:
    """The way to the source's database, and the source behind it."""
    parts = dict(each.split("=", 1) for each in source.dsn.split(";") if "=" in each)
    way = Way(int(parts["Port"]))
    server = await asyncio.start_server(way.accepted, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield way, replace(source, dsn=source.dsn.replace(f"Port={parts['Port']}", f"Port={port}"))
    finally:
        way.open.set()
        server.close()
        for each in way.passing:
            each.cancel()
        await asyncio.gather(*way.passing, return_exceptions=True)


async def _until(log: EventLog, wanted: Callable[[Standing], Any]) -> Standing:
    async with asyncio.timeout(20):
        while (told := await log.replica(_NAME).standing()) is None or not wanted(told):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return told


@pytest.mark.parametrize("source", _WAYS, indirect=True, ids=[" ".join(each) for each in _WAYS])
async def test_what_is_not_heard_grows_old_and_what_is_idle_does_not(
    source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_SILENCE", 0.4)
    async with _held(source) as (way, behind):
        adapter = behind.adapter()
        capture, log = behind.capture(adapter), EventLog(tmp_path / "events.db")
        followed = worker.Followed(capture.guarantee, 2**30, Capturing(_NAME, capture, log, "d"))
        going = asyncio.create_task(worker._Following(_NAME, capture, followed, log, 0.02).go_on())
        try:
            first = (await _until(log, lambda told: told.current)).current
            await _until(log, lambda told: told.current > first + 1.0)  # though nothing happens there
            way.open.clear()
            held = time.time()
            await asyncio.to_thread(source.run, "INSERT INTO hist (id, n) VALUES (1, 1)")
            silent = await _until(log, lambda told: told.note)
            assert "doesn't answer" in troubles(await log.standings())[_NAME]
            assert silent.current <= held, "nothing that was committed since is known"
            assert (silent.rows, followed.capturing.current <= held) == (0, True)
            way.open.set()
            await _until(log, lambda told: told.current > held and told.rows == 1 and not told.note)
        finally:
            way.open.set()
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)
            await capture.close()
            await adapter.close()
            log.close()
