"""Rows that are to have another shape: a replica is built beside the one that answers, and takes its place at once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from adapters import registry
from adapters.changes import Batch, Form, Page
from adapters.contract import Workspace
from adapters.secret import Reference
from gateway.events.bindable import Unanswerable
from gateway.events.loads import LoadedFile
from gateway.events.log import EventLog
from gateway.events.model import LOADED
from gateway.events.replicas import ReplicaFile
from gateway.freshness.capturing import Capturing, Refused
from gateway.routing.captures import Materialized

NAME = "erp.things"
_INDEXES = ["json_extract(CAST(row AS TEXT), '$.\"id\"')"]
_FORM = Form(("id",), {"id": "integer"}, False, True, True, True)


class Shaped:
    """A capture whose rows have a shape; `of` is what it reads."""

    def __init__(self, of: Any, shape: int) -> None:
        self._of, self._shape = of, shape
        self.guarantee, self.begin, self.release = of.guarantee, of.begin, of.release
        self.retained, self.close = of.retained, of.close

    async def changes(self, after: str, limit: int, deadline: float) -> Batch:
        batch: Batch = await self._of.changes(after, limit, deadline)
        return batch._replace(changes=[each._replace(after=self._row(each.after)) for each in batch.changes])

    async def page(self, after: Any, limit: int, deadline: float) -> Page:
        page: Page = await self._of.page(after, limit, deadline)
        return Page([(key, self._row(row) or {}) for key, row in page.rows], page.after)

    def _row(self, row: Any) -> Any:
        return None if row is None else {**row, "shape": self._shape}


def _told(path: Path, digest: str, form: Form = _FORM, name: str = NAME) -> list[Any] | None:
    """The rows that a route of that shape is told; None: none are."""
    file = ReplicaFile(path)
    try:
        answer = file.answer(Materialized(name, digest, form, "list"), {"limit": 1000})
    except Unanswerable as error:
        if str(error) not in ("the replica has another shape", "the replica isn't whole yet"):
            raise
        return None
    finally:
        file.close()
    return list(answer.value["items"])


async def _lived(path: Path, capture: Any, digest: str, steps: int, cut: type[Exception]) -> None:
    log = EventLog(path)
    capturing = Capturing(NAME, capture, log, digest, most_deletes=1.0, indexes=_INDEXES)
    try:
        for _ in range(steps):
            await capturing.step()
    except cut:
        pass
    finally:
        log.close()


async def _steps(capturing: Capturing, count: int) -> None:
    for _ in range(count):
        await capturing.step()


@pytest.mark.parametrize("seed", [0, *(pytest.param(each, marks=pytest.mark.slow) for each in range(1, 10))])
async def test_each_shape_is_told_alone_whatever_happens(tmp_path: Path, imagined: ModuleType, seed: int) -> None:
    table, path = imagined.Table(seed), tmp_path / "events.db"
    table.happen(60)
    await _lived(path, Shaped(imagined.Imagined(table, 0, 0.0), 1), "d1", 120, imagined.Cut)
    before = _told(path, "d1")
    assert before == [{**table.rows[key], "shape": 1} for key in sorted(table.rows)]
    built = 0
    for _ in range(20):
        await _lived(path, Shaped(imagined.Imagined(table, 2, 0.05), 2), "d2", 25, imagined.Cut)
        old, new = _told(path, "d1"), _told(path, "d2")
        assert (old is None) != (new is None), "one of both answers, never both"
        assert old is None or old == before
        assert new is None or {each["shape"] for each in new} <= {2}
        built += old is None
    while _told(path, "d2") is None:
        await _lived(path, Shaped(imagined.Imagined(table, 0, 0.0), 2), "d2", 120, imagined.Cut)
    await _lived(path, Shaped(imagined.Imagined(table, 0, 0.0), 2), "d2", 120, imagined.Cut)
    assert _told(path, "d2") == [{**table.rows[key], "shape": 2} for key in sorted(table.rows)]
    assert _told(path, "d1") is None
    assert _kept(path) == 1


def _kept(path: Path) -> int:
    """How many replicas have rows."""
    with closing(LoadedFile(path)) as file:
        return int(file._asked("SELECT count(DISTINCT capture) FROM rows")[0][0])


async def test_what_differs_from_the_former_rows_is_told_once(tmp_path: Path, imagined: ModuleType) -> None:
    table, path = imagined.Table(4), tmp_path / "events.db"
    table.happen(60)
    await _lived(path, Shaped(imagined.Imagined(table, 0, 0.0), 1), "d1", 120, imagined.Cut)
    with closing(LoadedFile(path)) as file:
        last = file.span()[1]
    had = set(table.rows)
    table.happen(20)  # while nobody looks
    await _lived(path, Shaped(imagined.Imagined(table, 2, 0.0), 2), "d2", 6, imagined.Cut)
    await _lived(path, Shaped(imagined.Imagined(table, 0, 0.0), 2), "d2", 120, imagined.Cut)
    with closing(LoadedFile(path)) as file:
        events = file.read(last, 100_000)
        rows = {row.key: dict(row.row) for row in file.rows(NAME, "", 1000)}
    assert len({each.id for each in events}) == len(events)
    known = {f"[{key}]" for key in had}
    for event in events:
        if event.what == "truncate":
            known.clear()
        elif event.what == "delete":
            known.discard(event.key)
        elif event.what in ("insert", "update"):
            known.add(event.key)
            assert b'"shape":2' in (event.after or b"")
    assert known == rows.keys()
    assert [each.what for each in events].count(LOADED) == 1


async def test_the_shape_before_is_taken_up_again(tmp_path: Path, imagined: ModuleType) -> None:
    table, path = imagined.Table(5), tmp_path / "events.db"
    table.happen(60)
    first = Shaped(imagined.Imagined(table, 0, 0.0), 1)
    await _lived(path, first, "d1", 120, imagined.Cut)
    before = _told(path, "d1")
    await _lived(path, Shaped(imagined.Imagined(table, 0, 0.0), 2), "d2", 4, imagined.Cut)
    await _lived(path, Shaped(imagined.Imagined(table, 0, 0.0), 3), "d3", 4, imagined.Cut)
    assert (_told(path, "d1"), _told(path, "d2"), _told(path, "d3")) == (before, None, None)
    await _lived(path, first, "d1", 1, imagined.Cut)
    assert _told(path, "d1") == before
    await _lived(path, first, "d1", 120, imagined.Cut)
    assert _told(path, "d1") == before
    assert _kept(path) == 1


async def test_a_shape_that_loses_most_rows_waits_for_a_word(tmp_path: Path, imagined: ModuleType) -> None:
    table, path = imagined.Table(6), tmp_path / "events.db"
    table.rows = {key: {"id": key, "value": key} for key in range(60)}
    await _lived(path, imagined.Imagined(table, 0, 0.0), "d1", 120, imagined.Cut)
    table.rows = {key: row for key, row in table.rows.items() if key < 10}
    log = EventLog(path)
    try:
        capturing = Capturing(NAME, Shaped(imagined.Imagined(table, 0, 0.0), 2), log, "d2")
        with pytest.raises(Refused, match="50 of 60 rows"):
            await _steps(capturing, 100)
        assert len(_told(path, "d1") or ()) == 60
        await log.write(LoadedFile.want, NAME, "accept")
        await _steps(capturing, 10)
    finally:
        log.close()
    assert len(_told(path, "d2") or ()) == 10


# ── a process that is killed ─────────────────────────────────────────────────────────────────────────────────────

_ROWS = 20_000
_NARROW = "\n".join(("tables:", "  hist:", "    primary_key: [id]", "    columns:")) + (
    "\n      - {name: id, type: integer}\n      - {name: n, type: integer, nullable: true}\n"
)


async def _followed(source: Any, tables: str, digest: str) -> None:
    """Follows the table until all is stored that was committed by now."""
    kind = registry.kind("odbc")
    files = {"openapi/sources/erp/tables.yaml": tables.encode()}
    config = kind.config(dsn=Reference(source.dsn, "env:DSN"), read_only=False)
    adapter: Any = kind.build("erp", config, Workspace(files, source.folder))
    capture, log = source.capture(adapter), EventLog(source.folder / "events.db")
    capturing = Capturing("erp.hist", capture, log, digest, most_deletes=1.0, indexes=_INDEXES)
    while await capturing.step() or capturing.loading:
        pass
    await capture.close()
    await adapter.close()
    log.close()


@contextmanager
def _process(source: Any, tables: str, digest: str) -> Iterator[None]:
    """Another process that follows it, and is killed."""
    folder, root = source.folder, Path(__file__).parents[3]
    described = folder / f"{digest}.yaml"
    described.write_text(tables)
    names = [described, source.method, folder / "events.db", folder, folder / "until", folder / "peak", digest]
    command = [sys.executable, str(Path(__file__).with_name("follow.py")), source.dsn, *map(str, names)]
    process = subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _until_loaded(log: Path, rows: int) -> None:
    """Waits until so many rows of a load were read."""
    end = time.monotonic() + 120
    with closing(LoadedFile(log)) as file:
        while time.monotonic() < end:
            standing = file.standing("erp.hist")
            if standing is not None and standing.digest == "e" and standing.loaded >= rows:
                return
            time.sleep(0.002)
    raise AssertionError("it wasn't loaded")


def test_killed_while_it_is_built_it_goes_on_and_takes_its_place(
    tmp_path: Path, servers: ModuleType, histories: ModuleType
) -> None:
    source = histories.Source("sqlite", "outbox", servers.sqlite_dsn(tmp_path / "base.db"), tmp_path)
    source.run(histories.CREATE)
    source.run("PRAGMA journal_mode = WAL")
    with closing(source.connection()) as connection:
        connection.executemany("INSERT INTO hist VALUES (?, ?, 'note')", [(each, each) for each in range(_ROWS)])
        connection.commit()
    asyncio.run(source.prepared())
    asyncio.run(_followed(source, source.tables, "d"))
    log, writer = tmp_path / "events.db", source.writer(9)
    before = _told(log, "d", name="erp.hist")
    with _process(source, _NARROW, "e"):
        for _ in range(10):
            writer.some()
        _until_loaded(log, 4_000)
    with closing(LoadedFile(log)) as file:
        reached = file.standings()[0].loaded
    assert 4_000 <= reached < _ROWS
    assert _told(log, "d", name="erp.hist") == before
    assert _told(log, "e", name="erp.hist") is None
    for _ in range(10):
        writer.some()
    writer.close()
    asyncio.run(_followed(source, _NARROW, "e"))
    with closing(source.connection()) as connection:
        rows = dict(connection.execute("SELECT id, n FROM hist").fetchall())
    with closing(LoadedFile(log)) as file:
        replica = {row.row["id"]: row.row["n"] for row in file.rows("erp.hist", "", 10_000_000)}
        shapes = {tuple(row.row) for row in file.rows("erp.hist", "", 10_000_000)}
    assert replica == rows
    assert shapes == {("id", "n")}
    assert _told(log, "d", name="erp.hist") is None
    assert _kept(log) == 1
    asyncio.run(source.cleared())
