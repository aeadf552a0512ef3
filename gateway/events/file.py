"""The log and the replicas in one SQLite file, so that a change, what it does to the replica and how far the source
was read are one transaction.

How captures begin stands in `gateway.events.enrolled`, what loads and comparisons do to
it in `gateway.events.loads` and `gateway.events.compared`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from adapters.changes import Batch, Change, What
from gateway.events.model import Event, Phase, Row, Standing, Trimmed, key_text, row_bytes
from gateway.store.contract import StoreError
from gateway.store.schema import upgrade
from gateway.store.sqlite import connect

KEEP_EVENTS = 1_000_000
"""Events that are kept: who reads more slowly begins anew with the replica."""
_TRIM_EVERY = 10_000
_UPGRADES = (
    (
        """CREATE TABLE captures (
            number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, phase TEXT NOT NULL,
            position TEXT NOT NULL DEFAULT '', cursor BLOB NOT NULL DEFAULT x'6e756c6c',
            load INTEGER NOT NULL DEFAULT 0, loaded INTEGER NOT NULL DEFAULT 0, truncates INTEGER NOT NULL DEFAULT 0,
            rows INTEGER NOT NULL DEFAULT 0, current REAL NOT NULL DEFAULT 0, note TEXT NOT NULL DEFAULT '',
            alarm TEXT NOT NULL DEFAULT '', wanted TEXT NOT NULL DEFAULT '') STRICT""",
        """CREATE TABLE events (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT, capture INTEGER NOT NULL, id TEXT NOT NULL, what TEXT NOT NULL,
            key TEXT NOT NULL, before BLOB, after BLOB, at REAL, captured REAL NOT NULL) STRICT""",
        """CREATE TABLE rows (
            capture INTEGER NOT NULL, key TEXT NOT NULL, row BLOB NOT NULL, load INTEGER NOT NULL,
            sequence INTEGER NOT NULL, PRIMARY KEY (capture, key)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE gone (
            capture INTEGER NOT NULL, key TEXT NOT NULL, PRIMARY KEY (capture, key)) STRICT, WITHOUT ROWID""",
    ),
    ("ALTER TABLE captures ADD COLUMN as_of REAL NOT NULL DEFAULT 0",),
    (
        "ALTER TABLE captures ADD COLUMN replica INTEGER NOT NULL DEFAULT 0",
        "UPDATE captures SET replica = number",
        """CREATE TABLE former (
            capture INTEGER PRIMARY KEY, replica INTEGER NOT NULL, digest TEXT NOT NULL, rows INTEGER NOT NULL,
            current REAL NOT NULL, as_of REAL NOT NULL) STRICT""",
    ),
    (
        "ALTER TABLE captures ADD COLUMN compared REAL NOT NULL DEFAULT 0",
        "ALTER TABLE captures ADD COLUMN differed INTEGER NOT NULL DEFAULT 0",
    ),
    ("CREATE TABLE own (id TEXT NOT NULL) STRICT", "INSERT INTO own VALUES (lower(hex(randomblob(4))))"),
    (
        "ALTER TABLE captures ADD COLUMN whole INTEGER NOT NULL DEFAULT 0",
        "UPDATE captures SET whole = 1 WHERE current > 0 OR phase = 'live'",
    ),
)
_FACTS = (
    "number, name, digest, phase, position, cursor, load, loaded, truncates, rows, current, note, alarm, wanted, "
    "as_of, replica, (SELECT f.current FROM former f WHERE f.capture = number), compared, differed, whole"
)
_STANDING = f"SELECT {_FACTS} FROM captures "  # noqa: S608 - constant names
_WITH_ROW = f"SELECT (SELECT row FROM rows WHERE capture = replica AND key = ?), {_FACTS} FROM captures WHERE name = ?"  # noqa: S608 - constant names
EVENT = "INSERT INTO events (capture, id, what, key, before, after, at, captured) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
PUT = "INSERT OR REPLACE INTO rows (capture, key, row, load, sequence) VALUES (?, ?, ?, ?, ?)"
_FORMERLY = (
    "SELECT row FROM rows WHERE capture = (SELECT replica FROM former WHERE capture = ?1) AND key = ?2 "
    "AND NOT EXISTS (SELECT 1 FROM gone WHERE capture = ?3 AND key = ?2)"
)
_FORMER_GONE = (
    "INSERT OR IGNORE INTO gone SELECT ?1, key FROM rows "
    "WHERE capture = (SELECT replica FROM former WHERE capture = ?2)"
)
_READ = (
    "SELECT e.sequence, c.name, e.id, e.what, e.key, e.before, e.after, e.at, e.captured FROM events e "
    "JOIN captures c ON c.number = e.capture WHERE e.sequence > ? AND (? IS NULL OR c.name = ?) "
    "ORDER BY e.sequence LIMIT ?"
)


class EventsFile:
    """The open file. Used by one thread at a time; every method is one transaction and raises `StoreError`."""

    def __init__(self, path: Path) -> None:
        """Opens or creates the file and takes it forward to this version."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = connect(path)
            self._db.execute("PRAGMA cache_size=-32000")
            upgrade(self._db, _UPGRADES)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the log of changes {path} can't be opened: {error}") from error
        self._untrimmed = 0

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction, on the disk when it ends."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise StoreError(f"the log of changes can't be written: {error}") from error

    # ── how far captures are ─────────────────────────────────────────────────────────────────────────────────

    def own_id(self) -> str:
        """By which sources tell this host's gateway from others: 8 hexadecimal digits."""
        return str(self._asked("SELECT id FROM own")[0][0])

    def standing(self, name: str) -> Standing | None:
        """How far a capture is; None: there is none of that name."""
        found = self.standings(name)
        return found[0] if found else None

    def standings(self, name: str | None = None) -> list[Standing]:
        """How far each capture is, by name."""
        where = "WHERE ? IS NULL OR name = ? ORDER BY name"
        found = self._asked(_STANDING + where, name, name)
        return [_standing_of(row) for row in found]

    def standing_and_row(self, name: str, key: str) -> tuple[Standing | None, bytes | None]:
        """How far a capture is, and the row of a key as text, both of one moment."""
        found = self._asked(_WITH_ROW, key, name)
        return (_standing_of(found[0][1:]), found[0][0]) if found else (None, None)

    def want(self, name: str, what: str) -> bool:
        """Notes what somebody asks for; False: there is no such capture."""
        with self.transaction():
            return self._db.execute("UPDATE captures SET wanted = ? WHERE name = ?", (what, name)).rowcount == 1

    def note(self, name: str, note: str) -> None:
        """Says what keeps a capture from going on; empty: nothing does."""
        with self.transaction():
            self._db.execute("UPDATE captures SET note = ? WHERE name = ?", (note, name))

    def alarm(self, name: str, alarm: str) -> None:
        """Says what somebody should look at; empty: nothing."""
        with self.transaction():
            self._db.execute("UPDATE captures SET alarm = ? WHERE name = ?", (alarm, name))

    def current(self, name: str, at: float, as_of: float | None = None) -> None:
        """The replica has all that was committed by then; what it has was true at `as_of`, if not then. While it is
        loaded it hasn't, whatever changes are known."""
        with self.transaction():
            update = "UPDATE captures SET current = ?, as_of = ?, note = '' WHERE name = ? AND phase = ?"
            self._db.execute(update, (at, as_of or 0.0, name, Phase.LIVE))

    # ── changes ──────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, name: str, batch: Batch, current: float | None = None) -> int:
        """Stores a batch, what it does to the replica, and its position; the number of events. `current`: the replica
        has all that was committed by then, unless it is being loaded."""
        with self.transaction():
            found = self._standing(name)
            if found.phase is not Phase.LIVE:
                current = None
            rows = found.rows + sum(self._apply(found, change) for change in batch.changes)
            emptied = any(change.what is What.TRUNCATE for change in batch.changes)
            update = (
                "UPDATE captures SET position = ?, rows = ?, truncates = truncates + ?, note = '', "
                "current = coalesce(?, current), as_of = iif(? IS NULL, as_of, ?) WHERE number = ?"
            )
            if emptied:
                rows = self._count(found.replica)
            values = (batch.position, rows, int(emptied), current, current, batch.as_of or 0.0, found.number)
            self._db.execute(update, values)
            self._trim(len(batch.changes))
        return len(batch.changes)

    def _apply(self, to: Standing, change: Change) -> int:
        """One change; by how many rows the replica grew."""
        if change.what is What.TRUNCATE:
            self._db.execute("DELETE FROM rows WHERE capture = ?", (to.replica,))
            if to.former is not None:
                self._db.execute(_FORMER_GONE, (to.replica, to.number))
            self._record(to, change, "", None, None)
            return 0
        after = None if change.after is None else row_bytes(change.after)
        if change.what is What.SCHEMA:
            self._record(to, change, "", None, after)
            return 0
        key = key_text(change.key)
        before = self._row(to.replica, key)
        known = before if before is not None or to.former is None else self._formerly(to, key)
        if change.what is What.STATE:
            if before == after:
                self._db.execute("UPDATE rows SET load = ? WHERE capture = ? AND key = ?", (to.load, to.replica, key))
                return 0
            change = change._replace(what=_differing(known, after))
        if to.load > 1 and to.phase is Phase.LOADING and to.former is None:
            # The source speaks of what it had when the load began, and the replica may have older rows. One that is
            # built beside another has few: what the source says is of the other's.
            change = change._replace(what=_differing(before, after))
            news = before is not None or after is not None
            sequence = self._record(to, change, key, before, after) if news else 0
        else:
            sequence = self._record(to, change, key, known, after)
        if after is not None:
            self._db.execute(PUT, (to.replica, key, after, to.load, sequence))
        else:
            self._db.execute("DELETE FROM rows WHERE capture = ? AND key = ?", (to.replica, key))
            if to.phase is Phase.LOADING:
                self._db.execute("INSERT OR IGNORE INTO gone VALUES (?, ?)", (to.replica, key))
        return (after is not None) - (before is not None)

    def _record(self, to: Standing, change: Change, key: str, before: bytes | None, after: bytes | None) -> int:
        at = None if change.at is None else change.at.timestamp()
        values = (to.number, change.id, change.what.value, key, before, after, at, time.time())
        return int(self._db.execute(EVENT, values).lastrowid or 0)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, after: int, limit: int, capture: str | None = None) -> list[Event]:
        """At most `limit` events behind a sequence number (0: from the first), in order; raises `Trimmed`."""
        first, last = self.span()
        if after and after + 1 < first and after <= last:
            raise Trimmed(f"the log begins with event {first} now: read the replica, and go on from its end")
        return [Event._make(row) for row in self._asked(_READ, after, capture, capture, limit)]

    def span(self) -> tuple[int, int]:
        """The numbers of the first event that is kept (one more than the last, where none is) and of the last."""
        first, last = self._asked(
            "SELECT (SELECT min(sequence) FROM events), (SELECT seq FROM sqlite_sequence WHERE name = 'events')"
        )[0]
        last = last or 0
        return (last + 1 if first is None else first), last

    def rows(self, name: str, after: str, limit: int) -> list[Row]:
        """At most `limit` rows of a replica behind a key as text ("": from the start), in order of that text."""
        query = (
            "SELECT key, row, sequence FROM rows WHERE capture = (SELECT replica FROM captures WHERE name = ?) "
            "AND key > ? ORDER BY key LIMIT ?"
        )
        return [Row(key, orjson.loads(row), seen) for key, row, seen in self._asked(query, name, after, limit)]

    def row(self, name: str, key: str) -> Row | None:
        """The row of a key as text; None: there is none."""
        query = (
            "SELECT key, row, sequence FROM rows WHERE capture = (SELECT replica FROM captures WHERE name = ?) "
            "AND key = ?"
        )
        found = self._asked(query, name, key)
        return Row(found[0][0], orjson.loads(found[0][1]), found[0][2]) if found else None

    # ── within ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _standing(self, name: str) -> Standing:
        found = self.standing(name)
        if found is None:
            raise StoreError(f"nothing is captured under the name {name}")
        return found

    def _row(self, replica: int, key: str) -> bytes | None:
        found = self._db.execute("SELECT row FROM rows WHERE capture = ? AND key = ?", (replica, key)).fetchone()
        return None if found is None else found[0]

    def _formerly(self, to: Standing, key: str) -> bytes | None:
        """The row that the replica before has, unless it has been told that it is gone."""
        found = self._db.execute(_FORMERLY, (to.number, key, to.replica)).fetchone()
        return None if found is None else found[0]

    def _count(self, replica: int) -> int:
        return int(self._asked("SELECT count(*) FROM rows WHERE capture = ?", replica)[0][0])

    def _trim(self, added: int) -> None:
        self._untrimmed += added
        if self._untrimmed >= _TRIM_EVERY:
            self._untrimmed = 0
            keep = "DELETE FROM events WHERE sequence <= (SELECT max(sequence) FROM events) - ?"
            self._db.execute(keep, (KEEP_EVENTS,))

    def _asked(self, query: str, *values: Any) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"the log of changes can't be read: {error}") from error


def _differing(before: bytes | None, after: bytes | None) -> What:
    return What.DELETE if after is None else What.INSERT if before is None else What.UPDATE


def _standing_of(row: tuple[Any, ...]) -> Standing:
    return Standing._make(row)._replace(phase=Phase(row[3]))
