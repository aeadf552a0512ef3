"""The replacement's SQLite file: one JSON document a customer, the replies given to idempotency keys, a ledger."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Document = dict[str, Any]

_SCHEMA = """
CREATE TABLE customers (number TEXT PRIMARY KEY, folded_name TEXT NOT NULL, city TEXT NOT NULL, status TEXT NOT NULL,
    document TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE replies (key TEXT PRIMARY KEY, digest TEXT NOT NULL, number TEXT NOT NULL, at TEXT NOT NULL,
    document TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE ledger (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, operation TEXT NOT NULL, customer_id TEXT,
    request_id TEXT, traceparent TEXT, outcome TEXT NOT NULL);
CREATE TABLE counters (writes INTEGER NOT NULL);
INSERT INTO counters VALUES (0);
"""
_PUT = "INSERT OR REPLACE INTO customers VALUES (?, ?, ?, ?, ?)"


class KeyReused(Exception):
    """The idempotency key was used for another change."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered to an idempotency key: the customer's number, the time and the document."""

    number: str
    at: str
    document: Document


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger."""

    operation: str
    customer_id: str | None = None
    request_id: str | None = None
    traceparent: str | None = None
    outcome: str = "ok"


class Store:
    """One SQLite file; each method opens a connection of its own and may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def create(self, documents: Iterable[Document]) -> None:
        """Makes the file and fills it."""
        with self._connected() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_SCHEMA)
            database.executemany(_PUT, map(_row, documents))

    def customer(self, number: str) -> Document | None:
        """The customer's document."""
        with self._connected() as database:
            return _customer(database, number)

    def customers(self, after: str, limit: int, filters: Mapping[str, str]) -> list[Document]:
        """At most `limit` customers behind `after`, by number; filters are city, status and prefix (of the name)."""
        conditions = {
            "city": "city = :city",
            "status": "status = :status",
            "prefix": "substr(folded_name, 1, length(:prefix)) = :prefix",
        }
        where = " AND ".join(["number > :after", *(conditions[name] for name in filters)])
        query = f"SELECT document FROM customers WHERE {where} ORDER BY number LIMIT :limit"  # noqa: S608 (fixed texts)
        with self._connected() as database:
            found = database.execute(query, {**filters, "after": after, "limit": limit})
            return [json.loads(row[0]) for row in found]

    def change(self, number: str, changes: Document, key: str | None) -> tuple[Document, bool] | None:
        """Merges `changes` into the customer and answers (document, whether this was a repetition).

        None: there is no such customer. Raises KeyReused.
        """
        digest = json.dumps([number, changes], sort_keys=True)
        with self._connected() as database:
            database.execute("BEGIN IMMEDIATE")
            before = None if key is None else _reply(database, key)
            if before is not None:
                if before[0] != digest:
                    raise KeyReused
                return before[1].document, True
            document = _customer(database, number)
            if document is None:
                return None
            now = timestamp()
            document |= changes | {"updatedAt": now, "version": document["version"] + 1}
            database.execute(_PUT, _row(document))
            database.execute("UPDATE counters SET writes = writes + 1")
            if key is not None:
                kept = (key, digest, number, now, json.dumps(document))
                database.execute("INSERT INTO replies VALUES (?, ?, ?, ?, ?)", kept)
            return document, False

    def reply(self, key: str) -> Reply | None:
        """What was answered to the idempotency key."""
        with self._connected() as database:
            found = _reply(database, key)
            return None if found is None else found[1]

    def note(self, entry: Entry) -> None:
        """Adds a line to the ledger."""
        values = (entry.operation, entry.customer_id, entry.request_id, entry.traceparent, entry.outcome)
        columns = "at, operation, customer_id, request_id, traceparent, outcome"
        with self._connected() as database:
            database.execute(f"INSERT INTO ledger ({columns}) VALUES (?, ?, ?, ?, ?, ?)", (timestamp(), *values))  # noqa: S608 (fixed texts)

    def counts(self, limit: int) -> dict[str, Any]:
        """{calls, writes, ledger: the latest `limit` lines, newest first}, as the CRM's control has it."""
        with self._connected() as database:
            database.row_factory = sqlite3.Row
            ledger = [dict(row) for row in database.execute("SELECT * FROM ledger ORDER BY id DESC LIMIT ?", (limit,))]
            calls = database.execute("SELECT coalesce(max(id), 0) FROM ledger").fetchone()[0]
            writes = database.execute("SELECT writes FROM counters").fetchone()[0]
        return {"calls": calls, "writes": writes, "ledger": ledger}

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self._path, timeout=5.0)
        try:
            # The demo's data is made anew on every start: speed before durability.
            database.execute("PRAGMA synchronous = OFF")
            with database:
                yield database
        finally:
            database.close()


def timestamp() -> str:
    """Now, as this service writes times: milliseconds and an offset."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _row(document: Document) -> tuple[str, str, str, str, str]:
    folded, city = document["displayName"].casefold(), document["address"]["city"]
    return document["number"], folded, city, document["status"], json.dumps(document, ensure_ascii=False)


def _customer(database: sqlite3.Connection, number: str) -> Document | None:
    row = database.execute("SELECT document FROM customers WHERE number = ?", (number,)).fetchone()
    return None if row is None else json.loads(row[0])


def _reply(database: sqlite3.Connection, key: str) -> tuple[str, Reply] | None:
    query = "SELECT digest, number, at, document FROM replies WHERE key = ?"
    row = database.execute(query, (key,)).fetchone()
    return None if row is None else (row[0], Reply(row[1], row[2], json.loads(row[3])))
