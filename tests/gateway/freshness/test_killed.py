"""Live databases, and files, that change while the process that captures is killed, again and again.

In the end the replica is the table, row by row; every event of a key begins where the one before ended, so that none is
missing, doubled or out of order.
"""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.events.loads import LoadedFile
from gateway.events.model import LOADED

_NAME = "erp.hist"
_FOUR = [("postgres", "slot"), ("mariadb", "binlog"), ("sqlite", "outbox"), ("files", "diff")]


def _start(source: Any, log: Path, until: Path, peak: Path | None = None) -> subprocess.Popen[bytes]:
    tables = source.folder / "tables.yaml"
    tables.write_text(source.tables)
    script = Path(__file__).with_name("follow.py")
    command = [
        sys.executable,
        str(script),
        source.dsn,
        str(tables),
        source.method,
        str(log),
        str(source.folder),
        str(until),
        str(peak or source.folder / "peak"),
    ]
    return subprocess.Popen(command, cwd=Path(__file__).parents[3], env={"PYTHONPATH": str(Path(__file__).parents[3])})


def _begun(writer: Any, log: Path) -> None:
    """Waits until the table is followed."""
    for count in itertools.count():
        writer.some()
        time.sleep(0.1)
        if count % 5 == 0:
            writer.end_late()  # PostgreSQL makes no slot before all who write have ended
        if log.exists():
            file = LoadedFile(log)
            events = file.read(0, 1_000_000)  # any number may come before the load's end
            file.close()
            if events and events[-1].what != LOADED and any(each.what == LOADED for each in events):
                return


def _suffer(source: Any, log: Path, changes: int, kills: int, seed: int) -> tuple[int, int]:
    """Changes the table while processes that capture it are killed; how many changes and kills there were."""
    writer, rng, until = source.writer(seed), random.Random(seed), source.folder / "until"
    process, killed, altered = _start(source, log, until), 0, False
    try:
        _begun(writer, log)
        writer.count = 0
        while writer.count < changes:
            writer.some()
            if not altered and writer.count > changes / 2 and source.method in ("slot", "binlog"):
                writer.end_late()
                source.run("ALTER TABLE hist ADD extra int")
                altered = True
            if killed < kills and writer.count > changes * (killed + rng.random()) / kills:
                # Not before it has begun to work; that is what is to be interrupted.
                time.sleep(0.4 + 0.6 * rng.random())
                process.kill()
                process.wait()
                killed += 1
                process = _start(source, log, until)
        writer.close()
        until.touch()
        assert process.wait(300) == 0
    finally:
        writer.close()
        process.kill()
        process.wait()
    return writer.count, killed


def _judge(source: Any, log: Path, schemas: int) -> int:
    """Holds the replica against the table, and every key's events against each other; how many events there are."""
    file = LoadedFile(log)
    try:
        replica = {row.row["id"]: (row.row["n"], row.row["note"]) for row in file.rows(_NAME, "", 10_000_000)}
        events = file.read(0, 10_000_000)
    finally:
        file.close()
    assert replica == source.rows()
    assert len({each.id for each in events}) == len(events)
    last: dict[str, bytes | None] = {}
    loaded = next(each.sequence for each in events if each.what == LOADED)
    for event in events:
        if event.key and event.sequence > loaded:
            assert event.before == last.get(event.key, event.before), (
                f"{event.key}: something is missing before {event.id}"
            )
            if event.what == "insert":
                assert event.before is None, f"{event.key}: inserted twice"
            elif event.what in ("update", "delete"):
                assert event.before is not None, f"{event.key}: {event.what} of what isn't there"
            last[event.key] = event.after
    assert [each.what for each in events].count("schema") == schemas
    return len(events)


@pytest.mark.parametrize("source", _FOUR, indirect=True, ids=[" ".join(each) for each in _FOUR])
def test_killed_again_and_again_nothing_is_lost(source: Any, capsys: Any) -> None:
    log = source.folder / "events.db"
    changes, kills = _suffer(source, log, 300, 1, seed=11)
    events = _judge(source, log, int(source.method in ("slot", "binlog")))
    with capsys.disabled():
        print(f"\n{source.kind} {source.method}: {changes} changes, {kills} kills, {events} events (seed 11)")


@pytest.mark.slow
def test_killed_fifty_times_in_a_hundred_thousand_changes(source: Any, capsys: Any) -> None:
    log = source.folder / "events.db"
    started = time.monotonic()
    changes, kills = _suffer(source, log, 100_000, 50, seed=23)
    took = time.monotonic() - started
    events = _judge(source, log, int(source.method in ("slot", "binlog")))
    with capsys.disabled():
        print(
            f"\n{source.kind} {source.method}: {changes} changes, {kills} kills, {events} events in "
            f"{took:.0f} s (seed 23)"
        )


@pytest.mark.slow
@pytest.mark.parametrize("source", [("postgres", "slot")], indirect=True, ids=["postgres slot"])
def test_a_million_rows_are_loaded_beside_changes_in_constant_memory(source: Any, capsys: Any) -> None:
    source.run("INSERT INTO hist SELECT g + 1000000, g, 'row ' || g FROM generate_series(1, 1000000) g")
    log, until, writer = source.folder / "events.db", source.folder / "until", source.writer(5)
    told = source.folder / "peak"
    started, kills, process = time.monotonic(), 0, _start(source, log, until, told)
    progress: list[int] = []
    try:
        while not progress or progress[-1] < 1_000_000:
            writer.some()
            time.sleep(0.05)
            if log.exists():
                file = LoadedFile(log)
                standing = file.standing(_NAME)
                file.close()
                progress.append(0 if standing is None else standing.loaded)
            if kills < 3 and progress and progress[-1] > 250_000 * (kills + 1):
                process.kill()
                process.wait()
                kills += 1
                process = _start(source, log, until, told)
        writer.close()
        until.touch()
        assert process.wait(300) == 0
    finally:
        writer.close()
        process.kill()
        process.wait()
    took = time.monotonic() - started
    assert progress == sorted(progress), "a load goes on where it stood"
    _judge(source, log, 0)
    peak = int(told.read_text())
    with capsys.disabled():
        print(
            f"\n1 M rows loaded in {took:.0f} s, {kills} kills, {writer.count} changes (seed 5), "
            f"peak {peak / 1024:.0f} MiB"
        )
    assert peak < 400 * 1024
