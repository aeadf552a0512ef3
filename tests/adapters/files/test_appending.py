"""Records written into files of their own: whole, lasting, never over another one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Context
from adapters.errors import Conflict, Invalid, NotFound, NotTried, Unavailable, UnknownOutcome
from adapters.files import drop
from adapters.files.adapter import FilesAdapter
from adapters.files.folder import Folder

Build = Callable[..., FilesAdapter]
Contexts = Callable[..., Context]

RECORD = {"task_id": "T1", "title": "Call back", "due_date": 20270131, "priority": "high", "amount": "-12.5"}


async def test_an_appended_record_is_there_at_once(
    build: Build, tasks: dict[str, Any], drop_folder: Path, context: Contexts
) -> None:
    adapter = build(tasks)
    result = await adapter.invoke("tasks.append", RECORD, context())
    assert result.value == {**RECORD, "amount": "-12.50", "status_code": ""}
    file = drop_folder / "in/TASK-T1.DAT"
    assert file.read_bytes() == b"T1          Call back           20270131high  " + b"\x00\x01\x25\x0d" + b"    "
    assert [path.name for path in (drop_folder / "in").iterdir()] == ["TASK-T1.DAT"]
    assert result.sources[0].object == "in/TASK-T1.DAT"
    assert (await adapter.invoke("tasks.get", {"task_id": "T1"}, context())).value == result.value


async def test_a_dry_run_writes_nothing(
    build: Build, tasks: dict[str, Any], drop_folder: Path, context: Contexts
) -> None:
    adapter = build(tasks)
    told = await adapter.dry_run("tasks.append", RECORD, context())
    assert told.value["amount"] == "-12.50"
    assert told.tried is not None
    assert (told.tried.place, told.tried.affected) == ("in/TASK-T1.DAT", 1)
    assert (adapter.tries("tasks.append"), adapter.tries("tasks.get")) == (True, False)
    with pytest.raises(NotTried):
        await adapter.dry_run("tasks.get", {"task_id": "T1"}, context())
    assert list((drop_folder / "in").iterdir()) == []


async def test_a_key_that_exists_is_a_conflict(
    build: Build, tasks: dict[str, Any], drop_folder: Path, context: Contexts, task: Callable[..., bytes]
) -> None:
    (drop_folder / "TASKMAST.DAT").write_bytes(task("OLD"))
    adapter = build(tasks)
    with pytest.raises(Conflict):
        await adapter.invoke("tasks.append", {**RECORD, "task_id": "OLD"}, context())
    (drop_folder / "in/TASK-T1.DAT").write_bytes(b"unfinished")  # not arrived, so no record yet
    with pytest.raises(Conflict):
        await adapter.invoke("tasks.append", RECORD, context())
    assert (drop_folder / "in/TASK-T1.DAT").read_bytes() == b"unfinished"


async def test_of_many_that_append_one_key_one_succeeds(
    build: Build, tasks: dict[str, Any], drop_folder: Path, context: Contexts
) -> None:
    adapter = build(tasks)
    await adapter.open()
    calls = [adapter.invoke("tasks.append", {**RECORD, "title": f"No. {n}"}, context()) for n in range(10)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in results) == 9
    assert [path.name for path in (drop_folder / "in").iterdir()] == ["TASK-T1.DAT"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"task_id": "../T1"}, "/task_id"),
        ({"task_id": "a/b"}, "/task_id"),
        ({"task_id": ".."}, "/task_id"),
        ({"task_id": ".hidden"}, "/task_id"),
        ({"task_id": ""}, "/task_id"),
        ({"task_id": "x" * 13}, "/task_id"),
        ({"title": "x" * 21}, "/title"),
        ({"title": "Grüße"}, "/title"),
        ({"title": 5}, "/title"),
        ({"due_date": -1}, "/due_date"),
        ({"due_date": 123456789}, "/due_date"),
        ({"due_date": "²"}, "/due_date"),
        ({"amount": "1.234"}, "/amount"),
        ({"amount": "NaN"}, "/amount"),
        ({"amount": "100000"}, "/amount"),
        ({"amount": "1e999999999"}, "/amount"),
        ({"amount": True}, "/amount"),
        ({"amount": None}, "/amount"),
        ({"nothing": 1}, "/nothing"),
    ],
)
async def test_a_value_that_does_not_fit_is_refused(
    build: Build, tasks: dict[str, Any], drop_folder: Path, context: Contexts, change: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await build(tasks).invoke("tasks.append", RECORD | change, context())
    assert [error.pointer for error in caught.value.errors] == [pointer]
    assert not any(files for _, _, files in os.walk(drop_folder))


async def test_a_missing_folder_is_unavailable(
    build: Build, tasks: dict[str, Any], drop_folder: Path, context: Contexts
) -> None:
    adapter = build(tasks)
    await adapter.open()
    (drop_folder / "in").rmdir()
    with pytest.raises(Unavailable):
        await adapter.invoke("tasks.append", RECORD, context())


async def test_a_write_that_takes_too_long_has_an_unknown_outcome(
    build: Build, tasks: dict[str, Any], drop_folder: Path, context: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = build(tasks)
    await adapter.open()
    write = drop._write

    released = threading.Event()

    def slow(handle: int, temporary: str, data: bytes, mode: int) -> None:
        released.wait(30)
        write(handle, temporary, data, mode)

    monkeypatch.setattr("adapters.files.drop._write", slow)
    with pytest.raises(UnknownOutcome):
        await adapter.invoke("tasks.append", RECORD, context(1.0))
    released.set()
    for _ in range(200):  # it happens all the same, and is seen
        with suppress(NotFound):
            await adapter.invoke("tasks.get", {"task_id": "T1"}, context())
            break
        await asyncio.sleep(0.05)
    assert (drop_folder / "in/TASK-T1.DAT").stat().st_size == 54


def test_the_order_of_system_calls_makes_it_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def spied(name: str) -> None:
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, **kwargs: (calls.append(name), real(*args, **kwargs))[1])

    for name in ("fsync", "link", "unlink"):
        spied(name)
    drop.drop(Folder(str(tmp_path)), (), "T.DAT", b"x" * 100)
    assert calls == ["fsync", "link", "unlink", "fsync"]
    assert (tmp_path / "T.DAT").read_bytes() == b"x" * 100


WRITER = """
import sys
from adapters.files.drop import drop
from adapters.files.folder import Folder
folder = Folder(sys.argv[1])
print("ready", flush=True)
for number in range(1_000_000):
    drop(folder, ("in",), f"TASK-{sys.argv[2]}-{number}.DAT", bytes([number % 256]) * 50_000)
    print(number, flush=True)
"""


def test_a_kill_at_any_moment_leaves_whole_files_or_none(drop_folder: Path) -> None:
    for attempt in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(drop_folder), str(attempt)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        acknowledged = [writer.stdout.readline().strip() for _ in range(attempt)]
        time.sleep(0.003 * attempt + 0.001)
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += writer.stdout.read().split("\n")[:-1]
        writer.wait()
        writer.stdout.close()
        for number in acknowledged:
            assert (drop_folder / f"in/TASK-{attempt}-{number}.DAT").exists()
    files = list((drop_folder / "in").glob("TASK-*.DAT"))
    assert files
    for file in files:
        number = int(file.stem.rsplit("-", 1)[1])
        assert file.read_bytes() == bytes([number % 256]) * 50_000
    leftovers = [path for path in (drop_folder / "in").iterdir() if path not in files]
    assert all(path.name.startswith(drop.TEMPORARY) for path in leftovers)


async def test_what_a_killed_writer_left_is_swept_away(
    build: Build, tasks: dict[str, Any], drop_folder: Path, context: Contexts
) -> None:
    old, new = drop_folder / "in/.figway-1.tmp", drop_folder / "in/.figway-2.tmp"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (1, 1))
    await build(tasks).open()
    assert not old.exists()
    assert new.exists()


async def test_csv_records_are_appended_with_their_header(build: Build, drop_folder: Path, context: Contexts) -> None:
    columns = {"sku": "text", "note": "text", "qty": "integer", "price": "decimal"}
    adapter = build(
        {
            "orders": {
                "match": "in/O-*.csv",
                "format": "csv",
                "key": "sku",
                "append": "in/O-{sku}.csv",
                "options": {"columns": columns},
            }
        }
    )
    record = {"sku": "A-1", "note": 'two\nlines, "quoted"', "qty": 3, "price": "1.50"}
    assert (await adapter.invoke("orders.append", record, context())).value == record
    assert (drop_folder / "in/O-A-1.csv").read_bytes() == (
        b'sku,note,qty,price\r\nA-1,"two\nlines, ""quoted""",3,1.50\r\n'
    )
    with pytest.raises(Invalid):
        await adapter.invoke("orders.append", {"sku": "A-2", "qty": "x"}, context())
