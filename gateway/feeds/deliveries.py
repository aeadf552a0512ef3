"""How far each subscriber has been told of events, and what it couldn't be told: one SQLite file of the host."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from gateway.store.contract import StoreError
from gateway.store.schema import upgrade
from gateway.store.sqlite import connect

MOST_DEAD = 10_000
"""Dead letters of one subscriber: with so many, it waits until some are replayed."""
MOST_SHOWN = 1000
"""Dead letters that are listed at a time."""
_UPGRADES = (
    (
        "CREATE TABLE places (webhook TEXT PRIMARY KEY, sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        """CREATE TABLE dead (
            webhook TEXT NOT NULL, sequence INTEGER NOT NULL, at REAL NOT NULL, why TEXT NOT NULL,
            wanted INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (webhook, sequence)) STRICT, WITHOUT ROWID""",
    ),
    (
        "ALTER TABLE places RENAME COLUMN webhook TO subscriber",
        "ALTER TABLE dead RENAME COLUMN webhook TO subscriber",
        "ALTER TABLE places ADD COLUMN origin TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE places ADD COLUMN note TEXT NOT NULL DEFAULT ''",
    ),
)


class Dead(NamedTuple):
    """One event that a subscriber didn't take. What it says stays in the log: it is told as policies are by then."""

    subscriber: str
    sequence: int
    at: float
    """When it was given up, seconds since 1970."""
    why: str
    wanted: bool
    """Somebody asked for it to be sent again."""


class Waiting(NamedTuple):
    """A subscriber that isn't simply told."""

    subscriber: str
    note: str
    """What keeps it from going on, in a sentence; empty: nothing does."""
    dead: int
    """How many dead letters it has."""


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

    def place(self, subscriber: str, start: int) -> int:
        """The event behind which a subscriber goes on; one that is new begins at `start`."""
        with _told():
            insert = "INSERT OR IGNORE INTO places (subscriber, sequence, origin) VALUES (?, ?, ?)"
            self._db.execute(insert, (subscriber, start, _origin()))
            found = self._db.execute("SELECT sequence FROM places WHERE subscriber = ?", (subscriber,)).fetchone()
            return int(found[0])

    def origin(self, subscriber: str) -> str:
        """A text of chance that the subscriber has got in its first place, and none on another host or of another log
        has: with an event's id it says which message is which."""
        with _told():
            found = self._db.execute("SELECT origin FROM places WHERE subscriber = ?", (subscriber,)).fetchone()
            return "" if found is None else str(found[0])

    def taken(self, subscriber: str, sequence: int) -> None:
        """It is done with all events as far as this one."""
        with _told():
            self._db.execute("UPDATE places SET sequence = ? WHERE subscriber = ?", (sequence, subscriber))

    def anew(self, subscriber: str, sequence: int) -> None:
        """It begins behind this event of another log than it was told of."""
        with _told():
            update = "UPDATE places SET sequence = ?, origin = ? WHERE subscriber = ?"
            self._db.execute(update, (sequence, _origin(), subscriber))

    def passed(self, subscriber: str, sequence: int, dead: Sequence[tuple[int, str]]) -> None:
        """It is done with all events as far as this one, and some of them, each with its reason, are dead letters: one
        transaction. A place never goes back."""
        values = [(subscriber, number, time.time(), why) for number, why in dead]
        with _told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("INSERT OR REPLACE INTO dead VALUES (?, ?, ?, ?, 0)", values)
                update = "UPDATE places SET sequence = max(sequence, ?) WHERE subscriber = ?"
                self._db.execute(update, (sequence, subscriber))
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def noted(self, subscriber: str, note: str) -> None:
        """What keeps it from going on; empty: nothing."""
        with _told():
            self._db.execute("UPDATE places SET note = ? WHERE subscriber = ?", (note, subscriber))

    def settled(self, subscriber: str, sequence: int) -> None:
        """A dead letter was taken in the end."""
        with _told():
            self._db.execute("DELETE FROM dead WHERE subscriber = ? AND sequence = ?", (subscriber, sequence))

    def replay(self, subscriber: str) -> int:
        """Asks for a subscriber's dead letters to be sent again; how many there are."""
        with _told():
            return self._db.execute("UPDATE dead SET wanted = 1 WHERE subscriber = ?", (subscriber,)).rowcount

    def wanted(self, subscriber: str, limit: int) -> list[Dead]:
        """Dead letters that are asked for, the oldest first."""
        return self._dead("WHERE subscriber = ? AND wanted = 1 ORDER BY sequence LIMIT ?", subscriber, limit)

    def dead(self, limit: int) -> list[Dead]:
        """Dead letters of all subscribers, at most so many."""
        return self._dead("ORDER BY subscriber, sequence LIMIT ?", limit)

    def full(self, subscriber: str) -> bool:
        """Whether a subscriber has as many dead letters as are kept."""
        with _told():
            found = self._db.execute("SELECT count(*) FROM dead WHERE subscriber = ?", (subscriber,)).fetchone()
            return int(found[0]) >= MOST_DEAD

    def waiting(self) -> list[Waiting]:
        """Subscribers that something keeps from going on, or that have dead letters."""
        with _told():
            found = self._db.execute(
                "SELECT subscriber, note, (SELECT count(*) FROM dead WHERE dead.subscriber = places.subscriber) AS many"
                " FROM places WHERE note <> '' OR many > 0 ORDER BY subscriber"
            )
            return [Waiting._make(row) for row in found.fetchall()]

    def _dead(self, which: str, *values: Any) -> list[Dead]:
        with _told():
            found = self._db.execute(f"SELECT subscriber, sequence, at, why, wanted FROM dead {which}", values)  # noqa: S608 - constant texts
            return [Dead._make(row)._replace(wanted=bool(row[4])) for row in found.fetchall()]


def _origin() -> str:
    return secrets.token_hex(8)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"the file of deliveries can't be used: {error}") from error
