"""A statement that is cancelled while its rows are read ends, and the process doesn't."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path


def test_a_reader_that_is_cancelled_survives(tmp_path: Path) -> None:
    path = tmp_path / "long.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
        database.executemany("INSERT INTO t VALUES (?, ?)", ((number, "x" * 100) for number in range(20_000)))
    program = Path(__file__).with_name("cancelling.py")
    # In a process of its own: what a driver does wrong here ends it.
    done = subprocess.run([sys.executable, str(program), str(path), "120"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    whole, cut = map(int, done.stdout.split())
    assert whole + cut == 120
    assert cut > 0
