"""New generations of files as changes: what differs, found by comparison, and nothing else."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.changes import Asked, Change, PositionLost
from adapters.errors import ConfigError

_ITEMS: dict[str, Any] = {
    "items": {
        "match": ["items.csv", "more-*.csv"],
        "format": "csv",
        "key": "sku",
        "options": {"columns": {"sku": "text", "qty": "integer", "note": "text"}},
    }
}


def _soon() -> float:
    return time.monotonic() + 120


def _write(folder: Path, name: str, rows: dict[str, Any], *, header: str = "sku,qty,note") -> None:
    text = header + "\n" + "".join(f"{key},{value},n\n" for key, value in rows.items())
    temporary = folder / f".{name}.new"
    temporary.write_text(text)
    os.replace(temporary, folder / name)


async def _loaded(capture: Any) -> tuple[str, dict[str, Any]]:
    position = await capture.begin(_soon())
    rows: dict[str, Any] = {}
    after = None
    while True:
        page = await capture.page(after, 1000, _soon())
        rows |= {key[0]: row["qty"] for key, row in page.rows}
        after = page.after
        if after is None:
            return position, rows


@pytest.fixture
def changed(drained: Any) -> Callable[..., Awaitable[tuple[list[Change], str]]]:
    """`await changed(capture, adapter, position, limit=1000)`: what differs now, and the position behind it."""

    async def change(capture: Any, adapter: Any, position: str, limit: int = 1000) -> tuple[list[Change], str]:
        adapter._datasets["items"].expire()
        return await drained(capture, position, limit)

    return change


def _applied(rows: dict[str, Any], changes: list[Change]) -> dict[str, Any]:
    made = dict(rows)
    for each in changes:
        if each.after is None:
            del made[each.key[0]]
        else:
            assert (each.key[0] in made) == (each.what.value == "update")
            made[each.key[0]] = each.after["qty"]
    return made


async def test_what_differs_is_told_and_nothing_else(build: Any, drop_folder: Path, changed: Any) -> None:
    rows = {f"A{n}": n for n in range(50)}
    _write(drop_folder, "items.csv", rows)
    adapter = build(_ITEMS)
    capture = adapter.capture(Asked("items", "items", "diff"))
    position, loaded = await _loaded(capture)
    assert loaded == rows
    assert (await changed(capture, adapter, position))[0] == []
    newer = {**{key: value for key, value in rows.items() if key not in ("A3", "A4")}, "A7": 700, "B1": 1}
    _write(drop_folder, "items.csv", dict(reversed(newer.items())))
    changes, position = await changed(capture, adapter, position, limit=2)
    assert {(each.what.value, each.key[0]) for each in changes} == {
        ("delete", "A3"), ("delete", "A4"), ("update", "A7"), ("insert", "B1"),
    }  # fmt: skip
    assert len({each.id for each in changes}) == 4
    assert (await changed(capture, adapter, position))[0] == []


@pytest.mark.parametrize("seed", range(4))
async def test_generations_of_several_files_come_to_the_same_as_reading_them(
    build: Any, drop_folder: Path, seed: int, changed: Any
) -> None:
    rng = random.Random(seed)
    files: dict[str, dict[str, int]] = {
        "items.csv": {f"K{n}": n for n in range(60)},
        "more-1.csv": {f"K{n}": n * 2 for n in range(50, 90)},
        "more-2.csv": {"X": 1},
    }
    for name, rows in files.items():
        _write(drop_folder, name, rows)
    adapter = build(_ITEMS)
    capture = adapter.capture(Asked("items", "items", "diff"))
    position, rows = await _loaded(capture)
    for _ in range(8):
        name = rng.choice(list(files))
        for _ in range(rng.randrange(1, 4)):
            key = f"K{rng.randrange(95)}"
            if rng.random() < 0.3:
                files[name].pop(key, None)
            else:
                files[name][key] = rng.randrange(1000)
        _write(drop_folder, name, files[name])
        try:
            changes, position = await changed(capture, adapter, position)
            rows = _applied(rows, changes)
        except PositionLost:
            position, rows = await _loaded(capture)
        assert rows == {**files["more-1.csv"], **files["more-2.csv"], **files["items.csv"]}


async def test_what_cannot_be_told_here_is_said_so(build: Any, drop_folder: Path, changed: Any) -> None:
    rows = {f"A{n}": n for n in range(50)}
    _write(drop_folder, "items.csv", rows)
    adapter = build(_ITEMS)
    capture = adapter.capture(Asked("items", "items", "diff"))
    position, _ = await _loaded(capture)
    _write(drop_folder, "items.csv", {"A1": 1})
    with pytest.raises(PositionLost, match="49 of 50 records are gone"):
        await changed(capture, adapter, position)
    _write(drop_folder, "items.csv", rows, header="sku,note,qty")
    with pytest.raises(PositionLost):
        await changed(capture, adapter, position)
    other = adapter.capture(Asked("items", "items", "diff"))
    with pytest.raises(PositionLost, match="aren't held here"):
        await changed(other, adapter, "of another process")


def test_a_dataset_that_is_not_there_and_another_method_are_refused(build: Any) -> None:
    adapter = build(_ITEMS)
    for asked in (Asked("x", "nothing", "diff"), Asked("x", "items", "slot")):
        with pytest.raises(ConfigError):
            adapter.capture(asked)


@pytest.mark.slow
async def test_two_files_of_a_million_records_each(build: Any, drop_folder: Path, capsys: Any, changed: Any) -> None:
    rows = {f"A{n:08}": n for n in range(1_000_000)}
    _write(drop_folder, "items.csv", rows)
    adapter = build(_ITEMS)
    capture = adapter.capture(Asked("items", "items", "diff"))
    position = await capture.begin(_soon())
    for n in range(0, 1_000_000, 1000):
        rows[f"A{n:08}"] = -1
    for n in range(5, 1_000_000, 2000):
        del rows[f"A{n:08}"]
    rows |= {f"B{n:08}": n for n in range(300)}
    _write(drop_folder, "items.csv", rows)
    adapter._datasets["items"].expire()
    started = time.monotonic()
    await adapter._threads.current(adapter._datasets["items"], force=True)
    indexed, before = time.monotonic(), time.process_time()
    changes, _ = await changed(capture, adapter, position)
    took = time.monotonic() - indexed
    used = time.process_time() - before
    with capsys.disabled():
        print(
            f"\n1 M records: indexed in {indexed - started:.2f} s, compared in {took:.2f} s ({used:.2f} s of CPU), "
            f"{len(changes)} changes"
        )
    assert len(changes) == 1000 + 500 + 300
