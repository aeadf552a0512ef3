"""A whole file in the place of the one before: the old or the new, never half."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Context
from adapters.errors import ConfigError, Invalid
from adapters.files import drop
from adapters.files.adapter import FilesAdapter

Build = Callable[..., FilesAdapter]
Contexts = Callable[..., Context]

STOCK: dict[str, Any] = {
    "match": "*.csv",
    "format": "csv",
    "key": "sku",
    "replace": "stock.csv",
    "options": {"columns": {"sku": "text", "note": "text", "qty": "integer"}},
}
ITEMS = [{"sku": "A", "note": 'two\nlines, "quoted"', "qty": 1}, {"sku": "B", "note": "", "qty": None}]


async def test_a_csv_file_is_replaced_whole(build: Build, drop_folder: Path, context: Contexts) -> None:
    file = drop_folder / "stock.csv"
    file.write_text("sku,note,qty\nOLD,x,1\n")
    file.chmod(0o664)
    adapter = build({"stock": STOCK})
    assert (await adapter.invoke("stock.get", {"sku": "OLD"}, context())).value["qty"] == 1
    result = await adapter.invoke("stock.replace", {"items": ITEMS}, context())
    assert result.value == {"records": 2}
    assert file.read_bytes() == b'sku,note,qty\r\nA,"two\nlines, ""quoted""",1\r\nB,,\r\n'
    assert file.stat().st_mode & 0o777 == 0o664
    assert sorted(os.listdir(drop_folder)) == ["in", "stock.csv"]
    assert (await adapter.invoke("stock.list", {}, context())).value["items"] == ITEMS


async def test_a_cobol_file_is_replaced_whole(
    build: Build, tasks: dict[str, Any], drop_folder: Path, context: Contexts, task: Callable[..., bytes]
) -> None:
    tasks["tasks"]["replace"] = "TASKMAST.DAT"
    adapter = build(tasks)
    record = {"title": "Call back", "due_date": 20270131, "priority": "low", "amount": "123.45", "status_code": "Q"}
    items = [{"task_id": f"T{number}", **record} for number in range(3)]
    await adapter.invoke("tasks.replace", {"items": items}, context())
    assert (drop_folder / "TASKMAST.DAT").read_bytes() == b"".join(task(f"T{number}") for number in range(3))


@pytest.mark.parametrize(
    ("items", "pointers"),
    [
        ([], ["/items"]),
        (None, ["/items"]),
        (["A"], ["/items/0"]),
        ([*ITEMS, {"sku": "A", "qty": 2}], ["/items/2/sku"]),
        ([{"sku": "", "qty": 2}], ["/items/0/sku"]),
        ([{"sku": "A", "qty": "x"}, {"sku": "B", "q": 1}], ["/items/0/qty", "/items/1/q"]),
    ],
    ids=["empty", "none", "no record", "twice", "no key", "wrong values"],
)
async def test_what_is_wrong_is_told_and_nothing_written(
    build: Build, drop_folder: Path, context: Contexts, items: Any, pointers: list[str]
) -> None:
    (drop_folder / "stock.csv").write_text("sku,note,qty\nOLD,x,1\n")
    with pytest.raises(Invalid) as refused:
        await build({"stock": STOCK}).invoke("stock.replace", {"items": items}, context())
    assert [fault.pointer for fault in refused.value.errors] == pointers
    assert (drop_folder / "stock.csv").read_text() == "sku,note,qty\nOLD,x,1\n"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"replace": "other.txt"}, "must name one file that match finds"),
        ({"replace": "stock-{sku}.csv"}, "must name one file that match finds"),
        ({"replace": "../stock.csv"}, "must be a path inside the root folder"),
        ({"owner": "note"}, "a whole file would name any owner"),
        ({"options": {}}, "can be read, not written"),
        ({"arrival": {"marker": ".ok"}}, "can't be replaced in one step"),
    ],
    ids=["unmatched", "fields", "outside", "owner", "columns", "marker"],
)
def test_a_dataset_that_cannot_be_replaced_is_refused(build: Build, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        build({"stock": {**STOCK, **change}})


CRASHING = """
import io, json, os, signal, sys
from pathlib import Path
import adapters.files.drop as module
from adapters.files.folder import Folder

root, over = Path(sys.argv[1]), sys.argv[2] == "over"
file, left = root / "in/MASTER.DAT", 0

def crashing(name, real):
    def called(*args, **options):
        global left
        left -= 1
        if left < 0:
            if name == "write":
                real(args[0], args[1][: len(args[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **options)
    return called

class File(io.RawIOBase):
    def __init__(self, handle):
        self.handle = handle
    def write(self, data):
        return os.write(self.handle, bytes(data[:40_000]))
    def close(self):
        os.close(self.handle)

def child(step):
    global left
    left = step
    for name in ("open", "fchmod", "write", "fsync", "rename", "link", "unlink", "close"):
        setattr(os, name, crashing(name, getattr(os, name)))
    module.open = lambda handle, *_, **__: File(handle)
    module.drop(Folder(str(root)), ("in",), "MASTER.DAT", b"n" * 100_000, over=over)
    os._exit(0)

for step in range(60):
    file.unlink(missing_ok=True)
    if over:
        file.write_bytes(b"o" * 70_000)
    process = os.fork()
    if process == 0:
        child(step)
    status = os.waitpid(process, 0)[1]
    data = file.read_bytes() if file.exists() else b""
    there = {b"": "none", b"o" * 70_000: "old", b"n" * 100_000: "new"}.get(data, "half")
    others = [path.name for path in file.parent.iterdir() if path != file]
    print(json.dumps([status, there, others]), flush=True)
    if status != signal.SIGKILL:
        break
"""


@pytest.mark.parametrize(("over", "before"), [("over", "old"), ("new", "none")], ids=["over", "new"])
def test_a_kill_at_each_step_of_a_write_leaves_the_old_file_or_the_new_one(
    drop_folder: Path, over: str, before: str
) -> None:
    """Each system call of a write in turn is its process' last."""
    command = [sys.executable, "-c", CRASHING, str(drop_folder), over]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert [status for status, _, _ in steps] == [signal.SIGKILL] * (len(steps) - 1) + [0]
    there = [there for _, there, _ in steps]
    begun = there.index("new")
    assert there == [before] * begun + ["new"] * (len(steps) - begun), "once it is there, it stays"
    assert begun > 7
    assert len(steps) - begun > 2
    assert all(name.startswith(drop.TEMPORARY) for _, _, names in steps for name in names)


async def test_readers_see_one_generation_while_files_are_replaced(
    build: Build, drop_folder: Path, context: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 readers of a file with an index on disk."""
    for name in ("_CONTENT_BYTES", "_ROWS_BYTES", "_SMALL"):
        monkeypatch.setattr(f"adapters.files.dataset.{name}", 0)
    monkeypatch.setattr("adapters.files.dataset.CHECK_EVERY", 0.0)
    adapter = build({"stock": STOCK})

    def items(generation: int) -> list[dict[str, Any]]:
        return [{"sku": f"S{n:02}", "note": f"g{generation}", "qty": generation} for n in range(20 + generation)]

    await adapter.invoke("stock.replace", {"items": items(0)}, context(60))
    done = False

    async def reader() -> int:
        pages = 0
        while not done or not pages:
            page = (await adapter.invoke("stock.list", {"limit": 100}, context(60))).value["items"]
            assert page == items(page[0]["qty"])
            pages += 1
        return pages

    readers = [asyncio.create_task(reader()) for _ in range(64)]
    for generation in range(1, 9):
        await adapter.invoke("stock.replace", {"items": items(generation)}, context(60))
        await asyncio.sleep(0)
    done = True
    assert all(await asyncio.gather(*readers))
    assert (await adapter.invoke("stock.list", {"limit": 100}, context(60))).value["items"] == items(8)
