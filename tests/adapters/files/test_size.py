"""A gigabyte: indexed in constant memory, found again at once, read by key in no time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BEGUN = """
import asyncio, json, os, random, sys, time
from pathlib import Path
from adapters.contract import Context, Workspace
from adapters.files import KIND
root, dataset, seed = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])
files = {path.name: path.read_bytes() for path in root.parent.glob("*.cpy")}
random.seed(seed)

def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""
MEASURED = (
    BEGUN
    + """
async def main():
    config = KIND.config.model_validate({"root": str(root), "datasets": {"big": dataset}})
    adapter = KIND.build("size", config, Workspace(files, root.parent / "cache"))
    before = peak()
    started = time.perf_counter()
    await adapter.open()
    opened = time.perf_counter() - started
    generation = adapter._datasets["big"].generation
    inside, whole = [], []
    for _ in range(2000):
        key = f"K{random.randrange(len(generation)):09}"
        started = time.perf_counter()
        found = generation.find(key)
        value = found.part.value(found.ordinal)
        inside.append(time.perf_counter() - started)
        started = time.perf_counter()
        result = await adapter.invoke("big.get", {dataset["key"]: key}, Context(time.monotonic() + 10))
        whole.append(time.perf_counter() - started)
        assert result.value == value and value[dataset["key"]] == key
    grown = peak() - before
    middle = lambda times: sorted(times)[len(times) // 2] * 1000
    print(json.dumps({"records": len(generation), "opened_s": round(opened, 2), "grown_kib": grown,
                      "inside_ms": middle(inside), "invoke_ms": middle(whole)}))

asyncio.run(main())
"""
)
REPLACED = (
    BEGUN
    + """
async def main():
    config = KIND.config.model_validate({"root": str(root), "datasets": {"big": dataset}})
    adapter = KIND.build("size", config, Workspace(files, root.parent / "cache"))
    await adapter.open()
    before, count = peak(), len(adapter._datasets["big"].generation)
    after, done, taken, progress = [0], [], [], []
    ended = asyncio.Event()

    async def read():
        seen = 0
        while not ended.is_set():
            key = f"K{random.randrange(count):09}"
            started = time.perf_counter()
            result = await adapter.invoke("big.get", {dataset["key"]: key}, Context(time.monotonic() + 60))
            taken.append(time.perf_counter() - started)
            version = result.value["quantity"]
            assert result.value[dataset["key"]] == key and version >= seen, (key, version, seen)
            seen = version
            done.append(version)

    async def replace():
        started = time.perf_counter()
        os.replace(root.parent / "next", root / "STOCK.DAT")
        while not done or done[-1] != 2:
            indexing = adapter._datasets["big"].indexing
            if indexing is not None:
                progress.append(indexing[1])
            await asyncio.sleep(0.01)
        after[0] = time.perf_counter() - started
        last = len(done)
        while len(done) < last + 64 * 5:
            await asyncio.sleep(0.01)
        ended.set()

    await asyncio.gather(replace(), *(read() for _ in range(64)))
    assert progress == sorted(progress)
    assert set(done[-64:]) == {2} and set(done) == {1, 2}
    taken.sort()
    print(json.dumps({"reads": len(done), "old": done.count(1), "replaced_s": round(after[0], 2),
                      "grown_kib": peak() - before, "seen_progress": len(set(progress)),
                      "p50_ms": round(taken[len(taken) // 2] * 1000, 3),
                      "p99_ms": round(taken[len(taken) * 99 // 100] * 1000, 3)}))

asyncio.run(main())
"""
)
SEED = 4711
CSV = {"match": "*.csv", "format": "csv", "key": "sku"}
COPYBOOK = """\
       01  BIG-RECORD.
           05  SKU                    PIC X(10).
           05  QUANTITY               PIC S9(7) COMP-3.
           05  PRICE                  PIC S9(7)V99.
           05  NOTE                   PIC X(100) OCCURS 10.
"""
COBOL = {"match": "*.DAT", "format": "copybook", "copybook": "big.cpy", "code_page": "cp037", "key": "sku"}


def _write(folder: Path, kind: str, size: int) -> None:
    if kind == "csv":
        with (folder / "stock.csv").open("w", newline="") as out:
            out.write("sku,quantity,price,note\r\n")
            for number in range(size // 250):
                out.write(f"K{number:09},{number % 997:07},{number % 9973:07}.50,{'n' * 217}\r\n")
        return
    (folder.parent / "big.cpy").write_text(COPYBOOK)
    _write_cobol(folder / "STOCK.DAT", size, b"\x00\x12\x34\x5c")


def _write_cobol(path: Path, size: int, quantity: bytes) -> None:
    tail = quantity + "000001250".encode("cp037") + ("note" * 25).encode("cp037") * 10
    with path.open("wb") as out:
        for number in range(size // 1023):
            out.write(f"K{number:09}".encode("cp037") + tail)


@pytest.mark.parametrize("size", [4_000_000, pytest.param(1_000_000_000, marks=pytest.mark.slow)], ids=["4MB", "1GB"])
@pytest.mark.parametrize(("kind", "dataset"), [("csv", CSV), ("copybook", COBOL)], ids=["csv", "copybook"])
def test_big_files_are_indexed_in_constant_memory(
    tmp_path: Path, size: int, kind: str, dataset: dict[str, Any]
) -> None:
    folder = tmp_path / "root"
    folder.mkdir()
    _write(folder, kind, size)
    program = MEASURED
    if size < 100_000_000:  # so that it counts as a big one
        program = f"from adapters.files import dataset\ndataset._CONTENT_BYTES = 0\n{MEASURED}"
    for start in ("first", "second"):
        command = [sys.executable, "-c", program, str(folder), json.dumps(dataset), str(SEED)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
        assert done.returncode == 0, done.stderr
        figures = json.loads(done.stdout)
        print(f"{kind}, {size} bytes, {start} start, seed {SEED}: {figures}")
        assert figures["records"] == size // (250 if kind == "csv" else 1023)
        # 64 MiB of SQLite's cache while building, the mapped index (256 MiB at most) and a buffer; not the file.
        assert figures["grown_kib"] < 450 * 1024


@pytest.mark.parametrize("size", [4_000_000, pytest.param(1_000_000_000, marks=pytest.mark.slow)], ids=["4MB", "1GB"])
def test_a_big_file_is_replaced_while_64_read(tmp_path: Path, size: int) -> None:
    folder = tmp_path / "root"
    folder.mkdir()
    (tmp_path / "big.cpy").write_text(COPYBOOK)
    _write_cobol(folder / "STOCK.DAT", size, b"\x00\x00\x00\x1c")
    _write_cobol(tmp_path / "next", size, b"\x00\x00\x00\x2c")
    program = REPLACED
    if size < 100_000_000:
        program = f"from adapters.files import dataset\ndataset._CONTENT_BYTES = 0\n{REPLACED}"
    command = [sys.executable, "-c", program, str(folder), json.dumps(COBOL), str(SEED)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    print(f"{size} bytes replaced, seed {SEED}: {figures}")
    assert figures["old"] > 0
    assert figures["grown_kib"] < 450 * 1024
    if size > 100_000_000:
        assert figures["seen_progress"] > 10
