"""A process that changes a table at a steady pace: `steady.py KIND DSN FILE RATE SECONDS`.

It prints each row's key and when its commit had come back (seconds since 1970), a line each, at the end: so that it
waits for nobody who reads.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from typing import Any

import pyodbc


def connected(kind: str, dsn: str, file: str) -> Any:
    if kind == "sqlite":
        return sqlite3.connect(file, timeout=30, isolation_level="IMMEDIATE")
    return pyodbc.connect(dsn, autocommit=False)


def main(kind: str, dsn: str, file: str, rate: float, seconds: float) -> list[tuple[int, float]]:
    connection, committed = connected(kind, dsn, file), []
    started = time.monotonic()
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, started + number / rate - time.monotonic()))
        key = 100_000 + number
        connection.execute("INSERT INTO hist (id, n) VALUES (?, 0)", (key,))
        connection.commit()
        committed.append((key, time.time()))
    connection.close()
    return committed


for key, at in main(*sys.argv[1:4], float(sys.argv[4]), float(sys.argv[5])):
    print(key, at)
