"""A table of a live database that changes at random, and what captures it."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyodbc

from adapters import registry
from adapters.changes import Asked
from adapters.contract import Workspace
from adapters.secret import Reference

TABLES = """
tables:
  hist:
    primary_key: [id]
    columns:
      - {name: id, type: integer}
      - {name: n, type: integer, nullable: true}
      - {name: note, type: text, nullable: true}
"""
CREATE = "DROP TABLE IF EXISTS hist; CREATE TABLE hist (id int PRIMARY KEY, n int, note varchar(200));"


@dataclass
class Source:
    """A database, and how it is captured."""

    kind: str
    method: str
    dsn: str
    folder: Path
    tables: str = TABLES

    def writer(self, seed: int) -> Writer:
        """What changes it."""
        return Writer(self, seed)

    def rows(self) -> dict[int, tuple[Any, Any]]:
        """What is in the table."""
        with closing(self.connection()) as connection:
            return {row[0]: (row[1], row[2]) for row in connection.execute("SELECT id, n, note FROM hist").fetchall()}

    def run(self, text: str) -> None:
        with closing(self.connection()) as connection:
            for each in text.split(";"):
                if each.strip():
                    connection.execute(each)
            connection.commit()

    def connection(self) -> Any:
        if self.kind == "sqlite":
            return sqlite3.connect(self.folder / "base.db", timeout=30, isolation_level="IMMEDIATE")
        made = pyodbc.connect(self.dsn, autocommit=False)
        if self.kind == "mariadb":  # else whoever looks for a row that isn't there keeps others from their own
            made.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            made.commit()
        return made

    def adapter(self) -> Any:
        kind = registry.kind("odbc")
        files = {"openapi/sources/erp/tables.yaml": TABLES.encode()}
        adapter: Any = kind.build(
            "erp", kind.config(dsn=Reference(self.dsn, "env:DSN"), read_only=False), Workspace(files, self.folder)
        )
        return adapter

    def capture(self, adapter: Any) -> Any:
        return adapter.capture(Asked("hist", "hist", self.method, "test_kill", "0a1b2c3d"))

    async def prepared(self) -> None:
        adapter = self.adapter()
        capture = self.capture(adapter)
        if hasattr(capture, "install"):
            await capture.install(time.monotonic() + 30)
        await capture.close()
        await adapter.close()

    async def cleared(self) -> None:
        adapter = self.adapter()
        capture = self.capture(adapter)
        if hasattr(capture, "remove"):
            await capture.remove(time.monotonic() + 30)
        await capture.close()
        await adapter.close()


class Writer:
    """Random transactions; one of them stays open for long, and ends late."""

    def __init__(self, source: Source, seed: int) -> None:
        self._source, self._random = source, random.Random(seed)
        self._connection = source.connection()
        self._late: Any = None
        self.count = 0

    def some(self) -> None:
        """One transaction."""
        rng = self._random
        for _ in range(rng.randrange(1, 12)):
            self._one(self._connection, 0)
        if rng.random() < 0.1:
            self._connection.rollback()
        else:
            self._connection.commit()
        if self._source.kind != "sqlite":
            self._lately()

    def _lately(self) -> None:
        rng = self._random
        if self._late is None and rng.random() < 0.05:
            self._late = self._source.connection()
        if self._late is not None:
            self._one(self._late, 10_000)  # keys of its own: else both would wait for each other
            if rng.random() < 0.03:
                self.end_late()

    def end_late(self) -> None:
        if self._late is not None:
            if self._random.random() < 0.8:
                self._late.commit()
            self._late.close()
            self._late = None

    def close(self) -> None:
        """Ends what is open; may be called again."""
        self.end_late()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _one(self, connection: Any, base: int) -> None:
        rng = self._random
        key, other, roll = base + rng.randrange(300), base + rng.randrange(300), rng.random()
        self.count += 1
        if roll < 0.45:
            found = connection.execute(
                "UPDATE hist SET n = ?, note = ? WHERE id = ?", (self.count, "x" * rng.randrange(60), key)
            )
            if found.rowcount == 0:
                connection.execute("INSERT INTO hist (id, n, note) VALUES (?, ?, 'new')", (key, self.count))
        elif roll < 0.6:
            connection.execute("DELETE FROM hist WHERE id = ?", (key,))
        elif roll < 0.75:
            taken = connection.execute("SELECT 1 FROM hist WHERE id = ?", (other,)).fetchone()
            if taken is None:
                connection.execute("UPDATE hist SET id = ?, n = ? WHERE id = ?", (other, self.count, key))
        else:
            connection.execute("UPDATE hist SET n = ? WHERE id = ?", (self.count, key))


@dataclass
class Drop:
    """A folder with a file that is delivered anew again and again."""

    folder: Path
    size: int
    kind: str = "files"
    method: str = "diff"
    tables: str = ""

    def __post_init__(self) -> None:
        self.dsn = str(self.folder / "drop")
        Path(self.dsn).mkdir()
        self._rows = dict.fromkeys(range(10 * self.size), (0, "new"))
        self.deliver()

    def writer(self, seed: int) -> Deliveries:
        """What delivers it."""
        return Deliveries(self, random.Random(seed))

    def rows(self) -> dict[int, tuple[Any, Any]]:
        """What was delivered last."""
        return self._rows

    def deliver(self) -> None:
        """Puts the rows there, in one step."""
        lines = (f"{key},{n},{note}\n" for key, (n, note) in self._rows.items())
        aside = self.folder / "aside"
        aside.write_text("id,n,note\n" + "".join(lines))
        aside.replace(Path(self.dsn) / "hist.csv")


@dataclass
class Deliveries:
    """Random changes of some rows, and a delivery."""

    drop: Drop
    random: random.Random
    count: int = 0

    def some(self) -> None:
        """One delivery; a look at the folder comes twice a second."""
        rows, rng, size = self.drop.rows(), self.random, self.drop.size
        for _ in range(rng.randrange(size // 2, size + size // 2)):
            self.count += 1
            key, roll = rng.randrange(12 * size), rng.random()
            if key not in rows or roll < 0.6:
                rows[key] = (self.count, "x" * rng.randrange(1, 60))
            elif roll < 0.8:
                del rows[key]
            else:
                rows.setdefault(rng.randrange(12 * size), rows.pop(key))
        self.drop.deliver()
        time.sleep(0.3)

    def end_late(self) -> None:
        """A delivery is there at once."""

    def close(self) -> None:
        """Nothing is open."""
