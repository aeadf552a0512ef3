"""How far each webhook has been told of events, and what it couldn't be told: one SQLite file of the host."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from gateway.store.contract import StoreError
from gateway.store.schema import upgrade
from gateway.store.sqlite import connect

FILE = "deliveries.db"
"""In the state folder."""
MOST_DEAD = 10_000
"""Dead letters of one webhook: with so many, it waits until some are replayed."""
_UPGRADES = (
    (
        "CREATE TABLE places (webhook TEXT PRIMARY KEY, sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        """CREATE TABLE dead (
            webhook TEXT NOT NULL, sequence INTEGER NOT NULL, at REAL NOT NULL, why TEXT NOT NULL,
            wanted INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (webhook, sequence)) STRICT, WITHOUT ROWID""",
    ),
)


class Dead(NamedTuple):
    """One event that a webhook didn't take. What it says stays in the log: it is told as policies are by then."""

    webhook: str
    sequence: int
    at: float
    """When it was given up, seconds since 1970."""
    why: str
    wanted: bool
    """Somebody asked for it to be sent again."""


class Deliveries:
    """The open file. Used by one thread at a time; every method raises `StoreError`."""

    def __init__(self, path: Path) -> None:
        """Opens or creates the file and takes it forward to this version."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = connect(path)
            upgrade(self._db, _UPGRADES)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the file of deliveries can't be opened: {error}") from error

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def place(self, webhook: str, start: int) -> int:
        """The event behind which a webhook goes on; one that is new begins at `start`."""
        with _told():
            self._db.execute("INSERT OR IGNORE INTO places VALUES (?, ?)", (webhook, start))
            found = self._db.execute("SELECT sequence FROM places WHERE webhook = ?", (webhook,)).fetchone()
            return int(found[0])

    def taken(self, webhook: str, sequence: int) -> None:
        """It is done with all events as far as this one."""
        with _told():
            self._db.execute("UPDATE places SET sequence = ? WHERE webhook = ?", (sequence, webhook))

    def gave_up(self, webhook: str, sequence: int, why: str) -> None:
        """Keeps an event as a dead letter, and goes on behind it: one transaction."""
        with _told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                values = (webhook, sequence, time.time(), why)
                self._db.execute("INSERT OR REPLACE INTO dead VALUES (?, ?, ?, ?, 0)", values)
                update = "UPDATE places SET sequence = max(sequence, ?) WHERE webhook = ?"
                self._db.execute(update, (sequence, webhook))
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def settled(self, webhook: str, sequence: int) -> None:
        """A dead letter was taken in the end."""
        with _told():
            self._db.execute("DELETE FROM dead WHERE webhook = ? AND sequence = ?", (webhook, sequence))

    def replay(self, webhook: str) -> int:
        """Asks for a webhook's dead letters to be sent again; how many there are."""
        with _told():
            return self._db.execute("UPDATE dead SET wanted = 1 WHERE webhook = ?", (webhook,)).rowcount

    def wanted(self, webhook: str, limit: int) -> list[Dead]:
        """Dead letters that are asked for, the oldest first."""
        return self._dead("WHERE webhook = ? AND wanted = 1 ORDER BY sequence LIMIT ?", webhook, limit)

    def dead(self, limit: int) -> list[Dead]:
        """Dead letters of all webhooks, at most so many."""
        return self._dead("ORDER BY webhook, sequence LIMIT ?", limit)

    def full(self, webhook: str) -> bool:
        """Whether a webhook has as many dead letters as are kept."""
        with _told():
            count = self._db.execute("SELECT count(*) FROM dead WHERE webhook = ?", (webhook,)).fetchone()[0]
            return int(count) >= MOST_DEAD

    def _dead(self, which: str, *values: Any) -> list[Dead]:
        with _told():
            found = self._db.execute(f"SELECT webhook, sequence, at, why, wanted FROM dead {which}", values)  # noqa: S608 - constant texts
            return [Dead._make(row)._replace(wanted=bool(row[4])) for row in found.fetchall()]


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"the file of deliveries can't be used: {error}") from error
