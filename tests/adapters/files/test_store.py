"""Indexes are built by one process, whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

BUILDER = """
import sys
from pathlib import Path
from adapters.files.formats import Record
from adapters.files.content import Version
from adapters.files.index import Shape
from adapters.files.store import Store
folder, file = Path(sys.argv[1]), open(sys.argv[2], "rb")
def scan():
    print("begun", flush=True)
    for number in range(int(sys.argv[3])):
        yield Record(number, number + 1, {"k": number})
index, built = Store(folder, Shape("k", "integer", {}), "d").index("f", file.fileno(), Version.of(file.fileno()), scan)
print(index.records, built, flush=True)
"""


def _builder(folder: Path, file: Path, rows: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILDER, str(folder), str(file), str(rows)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_kill_while_an_index_is_built_leaves_none_and_the_next_one_builds(tmp_path: Path) -> None:
    file, folder = tmp_path / "f", tmp_path / "indexes"
    file.write_bytes(b"x")
    for attempt in range(3):
        building = _builder(folder, file, 3_000_000)
        assert building.stdout is not None
        assert building.stdout.readline() == "begun\n"
        time.sleep(0.05 * attempt)
        os.kill(building.pid, signal.SIGKILL)
        building.wait()
        building.stdout.close()
        assert list(folder.glob("*.index")) == []
    output = _builder(folder, file, 1000).communicate(timeout=60)[0]
    assert output == "begun\n1000 True\n"
    assert sorted(path.suffix for path in folder.iterdir()) == ["", ".index"]


def test_of_two_workers_one_builds(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x")
    workers = [_builder(tmp_path / "indexes", file, 20_000) for _ in range(2)]
    outputs = [worker.communicate(timeout=60)[0] for worker in workers]
    assert sorted(outputs) == ["20000 False\n", "begun\n20000 True\n"]
