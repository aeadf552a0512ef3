"""The ERP on SQLite: a file, filled with the standard library's driver and read by the gateway through ODBC."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.demo.erp.schema import CREATE, rows
from gateway.demo.seed.world import World


def fill(path: Path, world: World) -> None:
    """Writes a new database file."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(CREATE.format(timestamp="TIMESTAMP"))
        for table, values in rows(world).items():
            marks = ", ".join("?" * len(values[0]))
            database.executemany(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608 (our own table names)
        database.commit()


def dsn(path: Path) -> str:
    """The ODBC connection string of the file; the driver doesn't make it when it is missing."""
    return f"Driver=SQLite3;Database={path};NoCreat=1;Timeout=5000"
