"""Replicas that are held against their live source: what is damaged is found, what only changes isn't."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from adapters.errors import Retry
from gateway.events.loads import LoadedFile
from gateway.events.log import EventLog
from gateway.events.model import Standing
from gateway.freshness import comparing
from gateway.freshness.capturing import Capturing

_NAME = "erp.hist"
_SECONDS = 30.0 if os.environ.get("FIGWAY_SLOW") else 1.5
_WAYS = [("sqlite", "outbox"), ("postgres", "slot")]
_SLOW = [("postgres", "outbox"), ("mariadb", "binlog"), ("mariadb", "outbox")]


_FROM = pytest.mark.parametrize(
    "source", [*_WAYS, *(pytest.param(each, marks=pytest.mark.slow) for each in _SLOW)], indirect=True, ids=" ".join
)


@pytest.fixture
def forty(tmp_path: Path, imagined: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any, EventLog]]:
    """A table of 40 rows, what captures it, and the log, which has them."""
    monkeypatch.setattr(comparing, "_LATER", 0.0)
    table, log = imagined.Table(3), EventLog(tmp_path / "events.db")
    table.rows = {key: {"id": key, "value": key} for key in range(40)}
    capturing = Capturing(_NAME, imagined.Imagined(table, 0, 0.0), log, "d")

    async def loaded() -> None:
        while await capturing.step() or capturing.loading:
            pass

    asyncio.run(loaded())
    yield table, capturing, log
    log.close()


class Followed:
    """A capture that is followed, and compared when a test says so."""

    def __init__(self, capturing: Capturing, log: EventLog) -> None:
        self.capturing, self._log = capturing, log

    async def standing(self) -> Standing:
        return (await self._log.standings())[0]

    async def compared(self) -> Standing:
        """After one comparison more."""
        before, end = (await self.standing()).compared, time.monotonic() + 60
        self.capturing.comparing._next = 0.0
        while (found := await self.standing()).compared == before:
            assert time.monotonic() < end
            with suppress(Retry):  # the database is busy: as the gateway's worker does
                await self.capturing.step()
            await asyncio.sleep(0.005)
        return found


@asynccontextmanager
async def _following(source: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Followed]:
    monkeypatch.setattr(comparing, "_PAGE", 40)
    monkeypatch.setattr(comparing, "_LATER", 0.3)
    adapter, log = source.adapter(), EventLog(source.folder / "events.db")
    capture = source.capture(adapter)
    capturing = Capturing(_NAME, capture, log, "d", most_deletes=0.5)
    try:
        while await capturing.step() or capturing.loading:
            pass
        yield Followed(capturing, log)
    finally:
        await capture.close()
        await adapter.close()
        log.close()


def _filled(source: Any, rows: int) -> None:
    with closing(source.connection()) as connection:
        for each in range(rows):
            connection.execute("INSERT INTO hist VALUES (?, ?, ?)", (each, each, f"row {each}"))
        connection.commit()


def _same(source: Any) -> None:
    with closing(source.connection()) as connection:
        rows = {row[0]: (row[1], row[2]) for row in connection.execute("SELECT id, n, note FROM hist").fetchall()}
    with closing(LoadedFile(source.folder / "events.db")) as file:
        found = file.standings()[0]
        replica = {row.row["id"]: (row.row["n"], row.row["note"]) for row in file.rows(_NAME, "", 1_000_000)}
    assert replica == rows
    assert found.rows == len(rows)


@_FROM
async def test_damaged_rows_are_found_and_mended_by_events(source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _filled(source, 150)
    async with _following(source, monkeypatch) as followed:
        assert (await followed.compared()).differed == 0
        with closing(sqlite3.connect(source.folder / "events.db", timeout=20)) as file:
            file.execute("""UPDATE rows SET row = CAST('{"id":7,"n":0,"note":"row 7"}' AS BLOB) WHERE key = '[7]'""")
            file.execute("DELETE FROM rows WHERE key IN ('[8]', '[149]')")
            file.execute("UPDATE captures SET rows = rows - 2")
            file.execute("INSERT INTO rows SELECT capture, '[999]', row, load, 0 FROM rows WHERE key = '[9]'")
            file.execute("UPDATE captures SET rows = rows + 1")
            file.commit()
        found = await followed.compared()
        assert found.differed == 4
        assert "4 rows differed" in followed.capturing.comparing.alarm
        assert followed.capturing.comparing.differed == 4
        _same(source)
        with closing(LoadedFile(source.folder / "events.db")) as file:
            events = [each for each in file.read(0, 10_000) if each.id.startswith("compare-")]
        assert sorted((each.what, each.key) for each in events) == [
            ("delete", "[999]"), ("insert", "[149]"), ("insert", "[8]"), ("update", "[7]"),
        ]  # fmt: skip
        assert len({each.id for each in events}) == 4
        assert (await followed.compared()).differed == 0
        assert followed.capturing.comparing.alarm == ""


@pytest.mark.parametrize("source", [_WAYS[0]], indirect=True, ids=[" ".join(_WAYS[0])])
async def test_what_no_change_told_of_is_found(source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _filled(source, 60)
    async with _following(source, monkeypatch) as followed:
        # Somebody takes a change away before it is read.
        source.run("UPDATE hist SET n = -1 WHERE id = 3; DELETE FROM test_kill_hist")
        assert (await followed.compared()).differed == 1
        _same(source)


@_FROM
async def test_rows_that_only_change_are_no_differences(source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _filled(source, 150)
    over, counted = threading.Event(), []

    def write() -> None:
        writer = source.writer(31)
        while not over.is_set():
            writer.some()
            time.sleep(0.002)
        counted.append(writer.count)
        writer.close()

    async with _following(source, monkeypatch) as followed:
        thread = threading.Thread(target=write)
        thread.start()
        try:
            end, passes = time.monotonic() + _SECONDS, 0
            while time.monotonic() < end or passes < 2:
                assert (await followed.compared()).differed == 0
                passes += 1
        finally:
            over.set()
            thread.join()
        while await followed.capturing.step():
            pass
        _same(source)
        assert counted[0] > 100
        assert (await followed.compared()).differed == 0


async def test_many_rows_that_no_page_has_stay_until_somebody_looks(forty: tuple[Any, Any, EventLog]) -> None:
    table, capturing, log = forty
    table.rows = {key: row for key, row in table.rows.items() if key < 20}  # and nothing tells of it
    followed = Followed(capturing, log)
    assert (await followed.compared()).differed == 20
    assert "20 rows of the replica weren't at the source" in capturing.comparing.alarm
    assert (await followed.standing()).rows == 40


async def test_rows_that_differ_dont_pile_up_however_many_they_are(forty: tuple[Any, Any, EventLog]) -> None:
    table, capturing, log = forty
    table.rows = {key: {"id": key, "value": 0} for key in range(1, 41)}  # and nothing tells of it
    capturing.comparing._next, most = 0.0, 0
    while not (await log.standings())[0].compared:
        await capturing.step()
        most = max(most, len(capturing.comparing._suspects))
    assert most == 1
    assert (await log.standings())[0].differed == 41
