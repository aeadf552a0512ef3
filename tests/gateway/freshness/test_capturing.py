"""Random histories, read by processes that die at any moment: the replica is the table, and nothing is lost."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from adapters.changes import Batch, Change, What
from gateway.events.file import EventsFile
from gateway.events.loads import LoadedFile
from gateway.events.log import EventLog
from gateway.events.model import LOADED, Event, Phase
from gateway.freshness import comparing
from gateway.freshness.capturing import Capturing, Refused

NAME = "erp.things"


class Died(Exception):
    """The process is gone, before or after a transaction."""


class Dying(LoadedFile):
    """A file whose process may die right before a commit, or right after it."""

    chance: Any = None

    def transaction(self) -> Any:
        return _Transaction(super().transaction(), self.chance)


class _Transaction:
    def __init__(self, inner: Any, chance: Any) -> None:
        self._inner, self._chance = inner, chance

    def __enter__(self) -> None:
        self._inner.__enter__()

    def __exit__(self, *error: Any) -> None:
        if error[0] is None and self._chance() < 0.03:
            died = Died()
            self._inner.__exit__(Died, died, None)
            raise died
        self._inner.__exit__(*error)
        if error[0] is None and self._chance() < 0.03:
            raise Died


class DyingLog(EventLog):
    """A log on such a file."""

    def __init__(self, path: Path, chance: Any) -> None:
        super().__init__(path)
        self._chance = chance

    def _file(self, writing: bool) -> LoadedFile:
        if writing not in self._files:
            file = self._files[writing] = Dying(self._path)
            file.chance = self._chance
        return self._files[writing]


async def _lived(path: Path, table: Any, imagined: ModuleType, steps: int, cuts: float, busy: int) -> bool:
    """One process's life; whether it lived to the end."""
    chance = table.random.random if cuts else lambda: 1.0
    log = DyingLog(path, chance)
    capturing = Capturing(NAME, imagined.Imagined(table, busy, cuts), log, "d", most_deletes=1.0)
    try:
        for _ in range(steps):
            await capturing.step()
    except (Died, imagined.Cut):
        return False
    finally:
        log.close()
    return True


async def _steps(capturing: Capturing) -> None:
    for _ in range(60):
        await capturing.step()


def _check(path: Path, table: Any) -> list[Event]:
    file = EventsFile(path)
    try:
        rows = {row.key: dict(row.row) for row in file.rows(NAME, "", 10_000)}
        assert rows == {f"[{key}]": row for key, row in table.rows.items()}
        standing = file.standing(NAME)
        assert standing is not None
        assert standing.rows == len(table.rows)
        assert standing.phase is Phase.LIVE
        return file.read(0, 1_000_000)
    finally:
        file.close()


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_happens_the_replica_is_the_table(tmp_path: Path, imagined: ModuleType, seed: int) -> None:
    table, path = imagined.Table(seed), tmp_path / "events.db"
    table.happen(60)
    deaths = 0
    for _ in range(20):
        deaths += not await _lived(path, table, imagined, 40, 0.05, 3)
    while not await _lived(path, table, imagined, 500, 0.0, 0):
        pass
    assert deaths > 8
    events = [each for each in _check(path, table) if each.id.startswith("c")]
    ids = [each.id for each in events]
    assert len(set(ids)) == len(ids)
    numbers = [int(each[1:]) for each in ids]
    assert numbers == sorted(numbers), "changes are in the order of the source"
    assert numbers == list(range(numbers[0], len(table.history))), "no change is missing since the load began"


async def test_a_second_load_tells_what_differs_and_nothing_else(tmp_path: Path, imagined: ModuleType) -> None:
    table, path = imagined.Table(7), tmp_path / "events.db"
    table.happen(80)
    assert await _lived(path, table, imagined, 300, 0.0, 0)
    before, last = dict(table.rows), _check(path, table)[-1].sequence
    table.happen(30)
    table.forgotten = len(table.history) + 1  # what happened can't be told any more
    table.history += [table.history[-1]] * 2
    table.forgotten = len(table.history)
    assert await _lived(path, table, imagined, 300, 0.0, 0)
    events = [each for each in _check(path, table) if each.sequence > last]
    differing = {key for key in before.keys() | table.rows.keys() if before.get(key) != table.rows.get(key)}
    assert {each.key for each in events if each.what != LOADED} == {f"[{key}]" for key in differing}
    assert [each.what for each in events].count(LOADED) == 1


def test_while_it_is_loaded_anew_events_tell_what_the_replica_lacks(tmp_path: Path) -> None:
    file = LoadedFile(tmp_path / "events.db")
    try:
        file.enrol(NAME, "d")
        file.begin(NAME, "1")
        file.loaded(NAME, [("[1]", b'{"id":1}')], None, 0)
        file.whole(NAME, 1.0)
        file.begin(NAME, "5")
        told = [
            Change("c6", What.INSERT, (1,), {"id": 1, "new": True}),
            Change("c7", What.UPDATE, (2,), {"id": 2}),
            Change("c8", What.DELETE, (3,)),
        ]
        file.write(NAME, Batch(told, "8", False))
        events = [each for each in file.read(0, 100) if each.what != LOADED]
        assert [(each.id, each.what, each.before) for each in events] == [
            ("c6", "update", b'{"id":1}'),
            ("c7", "insert", None),
        ]
        file.loaded(NAME, [("[3]", b'{"id":3}')], None, 0)
        assert [row.key for row in file.rows(NAME, "", 9)] == ["[1]", "[2]"], "the page was older than the delete"
    finally:
        file.close()


def test_what_a_load_finds_is_told_also_where_what_is_there_isnt_all(tmp_path: Path) -> None:
    file = LoadedFile(tmp_path / "events.db")
    try:
        for digest in ("d", "d", "e"):  # a first load, another one, and one of another shape
            file.enrol(NAME, digest)
            file.begin(NAME, "1")
            number = file.span()[1]
            file.loaded(NAME, [("[1]", b'{"id":1}'), (f"[{number}9]", b'{"id":9}')], None, 0)
            file.sweep(NAME)
            file.whole(NAME, 0.0)  # a file has records that can't be read
        told = [(each.what, each.key) for each in file.read(0, 100) if each.what != LOADED]
        assert told == [("insert", "[19]"), ("delete", "[09]"), ("insert", "[49]"), ("delete", "[19]")]
    finally:
        file.close()


def test_a_load_that_goes_on_has_no_problem_any_more(tmp_path: Path) -> None:
    file = LoadedFile(tmp_path / "events.db")
    try:
        file.enrol(NAME, "d")
        file.begin(NAME, "1")
        file.note(NAME, "the database doesn't answer")
        assert file.loaded(NAME, [], {"after": 1}, 0).note == ""
    finally:
        file.close()


class Restless:
    """A source whose log is always written to: what it tells is proven up to when it was asked before."""

    def __init__(self, of: Any) -> None:
        self._of, self._asked = of, 0.0
        self.guarantee, self.begin, self.release, self.page = of.guarantee, of.begin, of.release, of.page

    async def changes(self, after: str, limit: int, deadline: float) -> Batch:
        batch: Batch = await self._of.changes(after, limit, deadline)
        until, self._asked = self._asked, time.time()
        return batch._replace(more=batch.more or not until, until=until, settled=False)


async def test_a_log_that_never_rests_holds_up_neither_loads_nor_comparisons(
    tmp_path: Path, imagined: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "_LATER", 0.0)
    table, log = imagined.Table(3), EventLog(tmp_path / "events.db")
    table.happen(30)
    capturing = Capturing(NAME, Restless(imagined.Imagined(table, 0, 0.0)), log, "d")  # type: ignore[arg-type]
    capturing.comparing._next = 0.0
    try:
        async with asyncio.timeout(10):
            while not (await log.standings() or [None])[0] or not (await log.standings())[0].compared:
                await capturing.step()
        assert (await log.standings())[0].differed == 0
    finally:
        log.close()
    _check(tmp_path / "events.db", table)


async def test_a_load_begins_anew_where_the_source_forgot_what_came_beside_it(
    tmp_path: Path, imagined: ModuleType
) -> None:
    table, path = imagined.Table(5), tmp_path / "events.db"
    table.happen(80)
    assert await _lived(path, table, imagined, 2, 0.0, 0)
    table.happen(5)
    table.forgotten = len(table.history)
    assert await _lived(path, table, imagined, 100, 0.0, 0)
    _check(path, table)


async def test_a_load_that_finds_most_rows_gone_waits_for_a_word(tmp_path: Path, imagined: ModuleType) -> None:
    table, path = imagined.Table(3), tmp_path / "events.db"
    table.rows = {key: {"id": key, "value": key} for key in range(100)}
    log = EventLog(path)
    try:
        capturing = Capturing(NAME, imagined.Imagined(table, 0, 0.0), log, "d")
        await _steps(capturing)
        table.rows = {key: row for key, row in table.rows.items() if key >= 30}
        await capturing.load_anew()
        with pytest.raises(Refused, match=r"30 of 100 rows are gone from the source, more than 20%"):
            await _steps(capturing)
        assert len(await log.replica(NAME).rows()) == 100
        await log.write(LoadedFile.want, NAME, "accept")
        await _steps(capturing)
        assert len(await log.replica(NAME).rows()) == 70
    finally:
        log.close()
