"""Files that arrive, move, are replaced and rewritten while they are read."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Context
from adapters.files.adapter import FilesAdapter

Build = Callable[..., FilesAdapter]
Task = Callable[..., bytes]
Contexts = Callable[..., Context]


async def _settled(adapter: FilesAdapter, context: Context) -> None:
    """A probe looks at the folder now and waits for what it finds."""
    assert (await adapter.probe(context)).ok


async def _keys(adapter: FilesAdapter, context: Context, **request: Any) -> list[str]:
    result = await adapter.invoke("tasks.list", request, context)
    return [item["task_id"] for item in result.value["items"]]


APPENDER = """
import sys
import time
file = open(sys.argv[1], "ab", 0)
print(file.write(bytes.fromhex(sys.argv[2])), flush=True)
sys.stdin.readline()
file.write(bytes.fromhex(sys.argv[3]))
"""


def append_in_pieces(path: Path, first: bytes, second: bytes) -> subprocess.Popen[str]:
    """Another process that writes the first piece, says so, and writes the second when it is told to."""
    command = [sys.executable, "-c", APPENDER, str(path), first.hex(), second.hex()]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def test_a_file_is_read_only_when_it_has_arrived_whole(
    build: Build, tasks: dict[str, Any], drop_folder: Path, task: Task, context: Contexts
) -> None:
    master = drop_folder / "TASKMAST.DAT"
    master.write_bytes(task("A1"))
    adapter = build(tasks)
    assert await _keys(adapter, context()) == ["A1"]
    writer = append_in_pieces(drop_folder / "in/TASK-B.DAT", task("B1") + task("B2"), task("B3"))
    try:
        assert writer.stdout is not None
        writer.stdout.readline()  # two whole records are there, and the writer still has the file open
        (drop_folder / "in/TASK-C.DAT").write_bytes(task("C1")[:-1])
        (drop_folder / "in/.TASK-D.DAT").write_bytes(task("D1"))
        (drop_folder / "in/TASK-E.DAT.tmp").write_bytes(task("E1"))
        await _settled(adapter, context())
        assert await _keys(adapter, context()) == ["A1"]
        assert (await adapter.probe(context())).facts["tasks"]["waiting"] == 2
        writer.communicate("go\n", timeout=10)
    finally:
        writer.kill()
        writer.wait()
    with (drop_folder / "in/TASK-C.DAT").open("ab") as rest:
        rest.write(task("C1")[-1:])
    await _settled(adapter, context())
    assert await _keys(adapter, context()) == ["A1", "B1", "B2", "B3", "C1"]


async def test_a_new_file_is_seen_without_being_told(
    build: Build, tasks: dict[str, Any], drop_folder: Path, task: Task, context: Contexts
) -> None:
    adapter = build(tasks)
    assert await _keys(adapter, context()) == []
    (drop_folder / "TASKMAST.DAT").write_bytes(task("A1"))
    for _ in range(200):
        if await _keys(adapter, context()) == ["A1"]:
            return
        await asyncio.sleep(0.05)
    pytest.fail("the new file was never seen")


async def test_a_marker_says_that_a_file_is_whole(
    build: Build, tasks: dict[str, Any], drop_folder: Path, task: Task, context: Contexts
) -> None:
    tasks["tasks"]["arrival"] = {"marker": ".done"}
    (drop_folder / "TASKMAST.DAT").write_bytes(task("A1"))
    adapter = build(tasks)
    assert await _keys(adapter, context()) == []
    (drop_folder / "TASKMAST.DAT.done").touch()
    await _settled(adapter, context())
    assert await _keys(adapter, context()) == ["A1"]


async def test_a_job_that_moves_records_is_never_seen_in_between(
    build: Build, tasks: dict[str, Any], drop_folder: Path, task: Task, context: Contexts
) -> None:
    keys = [f"T{n:02}" for n in range(30)]
    (drop_folder / "done").mkdir()
    for key in keys:
        (drop_folder / f"in/TASK-{key}.DAT").write_bytes(task(key))
    adapter = build(tasks)
    await adapter.open()
    dataset = adapter._datasets["tasks"]

    def batch() -> None:
        for count in range(1, len(keys) + 1):
            (drop_folder / ".new").write_bytes(b"".join(task(key) for key in keys[:count]))
            os.replace(drop_folder / ".new", drop_folder / "TASKMAST.DAT")
            pending = drop_folder / f"in/TASK-{keys[count - 1]}.DAT"
            os.replace(pending, drop_folder / "done" / pending.name)

    moving = asyncio.get_running_loop().run_in_executor(None, batch)
    while not moving.done():
        generation = await asyncio.to_thread(dataset.refresh, force=True)
        assert len(generation) == len(keys)
    await moving


@pytest.mark.parametrize("in_memory", [True, False])
async def test_every_reply_is_wholly_from_one_generation(
    build: Build,
    tasks: dict[str, Any],
    drop_folder: Path,
    task: Task,
    context: Contexts,
    monkeypatch: pytest.MonkeyPatch,
    in_memory: bool,
) -> None:
    if not in_memory:
        monkeypatch.setattr("adapters.files.dataset._CONTENT_BYTES", 0)
        monkeypatch.setattr("adapters.files.dataset._SMALL", 0)
        monkeypatch.setattr("adapters.files.dataset._ROWS_BYTES", 0)
    master = drop_folder / "TASKMAST.DAT"

    def publish(generation: int) -> None:
        title = f"Generation {generation}"
        (drop_folder / "new").write_bytes(b"".join(task(f"T{n:02}", title=title) for n in range(50)))
        os.replace(drop_folder / "new", master)

    publish(0)
    adapter = build(tasks)
    await adapter.open()
    monkeypatch.setattr("adapters.files.dataset.CHECK_EVERY", 0.0)

    async def reader() -> None:
        for _ in range(20):
            page = (await adapter.invoke("tasks.list", {"limit": 100}, context())).value
            titles = {item["title"] for item in page["items"]}
            assert len(titles) == 1
            assert len(page["items"]) == 50
            one = (await adapter.invoke("tasks.get", {"task_id": "T25"}, context())).value
            assert one["task_id"] == "T25"

    async def writer() -> None:
        for generation in range(1, 30):
            await asyncio.to_thread(publish, generation)
            await asyncio.sleep(0.01)

    await asyncio.gather(writer(), *(reader() for _ in range(16)))
    await _settled(adapter, context())
    page = (await adapter.invoke("tasks.list", {"limit": 100}, context())).value
    assert {item["title"] for item in page["items"]} == {"Generation 29"}


async def test_a_file_rewritten_in_place_is_noticed(
    build: Build,
    tasks: dict[str, Any],
    drop_folder: Path,
    task: Task,
    context: Contexts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("adapters.files.dataset._CONTENT_BYTES", 0)
    monkeypatch.setattr("adapters.files.dataset._SMALL", 0)
    master = drop_folder / "TASKMAST.DAT"
    master.write_bytes(task("A1", title="old") + task("A2"))
    adapter = build(tasks)
    await adapter.open()
    master.write_bytes(task("A2") + task("A1", title="new") + task("A3"))
    assert (await adapter.invoke("tasks.get", {"task_id": "A1"}, context())).value["title"] == "new"


PROBER = """
import fcntl, os, sys, time
from adapters.files import arrival
real = fcntl.fcntl
def slowly(handle, command, argument):
    answer = real(handle, command, argument)
    if argument == fcntl.F_RDLCK and command == fcntl.F_SETLEASE:
        print("leased", flush=True)
        time.sleep(0.5)
    return answer
fcntl.fcntl = slowly
print(arrival._no_writer(os.open(sys.argv[1], os.O_RDONLY)), flush=True)
"""


def test_a_writer_that_comes_while_the_lease_is_held_does_not_end_the_process(drop_folder: Path) -> None:
    file = drop_folder / "T.DAT"
    file.write_bytes(b"x")
    prober = subprocess.Popen([sys.executable, "-c", PROBER, str(file)], stdout=subprocess.PIPE, text=True)
    try:
        assert prober.stdout is not None
        assert prober.stdout.readline() == "leased\n"
        with file.open("ab") as writer:  # the kernel signals the holder and lets us wait for it
            writer.write(b"y")
        output, _ = prober.communicate(timeout=20)
    finally:
        prober.kill()
        prober.wait()
    assert (prober.returncode, output) == (0, "True\n")


async def test_without_leases_a_file_must_be_stable(
    build: Build,
    tasks: dict[str, Any],
    drop_folder: Path,
    task: Task,
    context: Contexts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: Any) -> int:
        raise OSError(errno.EINVAL, "no leases on this file system")

    monkeypatch.setattr("adapters.files.arrival.fcntl.fcntl", refused)
    tasks["tasks"]["arrival"] = {"stable_for": "10m"}
    (drop_folder / "TASKMAST.DAT").write_bytes(task("A1"))
    (drop_folder / "in/TASK-B1.DAT").write_bytes(task("B1"))
    os.utime(drop_folder / "TASKMAST.DAT", (time.time() - 601, time.time() - 601))
    assert await _keys(build(tasks), context()) == ["A1"]
