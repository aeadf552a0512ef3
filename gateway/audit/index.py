"""Where in the audit a record stands, by what people ask for: a side file that can be thrown away.

It is no part of any proof, and nothing that is shown comes from it: it only says where to look. `feeding` fills it from
where it left off. It holds no values of arguments.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from gateway.audit.question import FIELDS, Question
from gateway.audit.sink import AuditError

_VERSION = 2
_BUSY_SECONDS = 30.0
_STEPS = 20_000
"""SQLite's steps between two looks at the clock."""

# Texts that repeat stand as numbers of the table `names`; `upstreams` is a text such as "|crm|erp|".
NAMED = tuple(name for name in FIELDS if name not in ("id", "trace", "operation_id"))
_SCHEMA = (
    "CREATE TABLE about (source TEXT NOT NULL) STRICT",
    "CREATE TABLE names (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT",
    """CREATE TABLE fed (writer TEXT PRIMARY KEY, segment INTEGER NOT NULL, hash BLOB NOT NULL,
        pruned INTEGER NOT NULL) STRICT""",
    f"""CREATE TABLE entries (
        time INTEGER NOT NULL, writer INTEGER NOT NULL, sequence INTEGER NOT NULL,
        segment INTEGER NOT NULL, start INTEGER NOT NULL, size INTEGER NOT NULL,
        id TEXT, trace TEXT, operation_id TEXT, status INTEGER, upstreams INTEGER,
        {", ".join(f"{name} INTEGER" for name in NAMED)},
        PRIMARY KEY (time, writer, sequence)) STRICT, WITHOUT ROWID""",
    # Without a rowid, an index goes on with the primary key: what it finds comes in the order of time.
    *(f"CREATE INDEX by_{each} ON entries ({each})" for each in ("id", "principal", "agent", "operation")),
    *(
        f"CREATE INDEX by_{each} ON entries ({each}) WHERE {each} IS NOT NULL"
        for each in ("trace", "operation_id", "run")
    ),
)

Key: TypeAlias = tuple[int, int, int]
"""A record's place in the order of all: its time (microseconds since the epoch), its writer, its number."""


class Entry(NamedTuple):
    """Where a record stands: which bytes of which segment."""

    key: Key
    writer: str
    segment: int
    start: int
    size: int


class TooBroad(AuditError):
    """What is asked for can't be found in the time there is."""


class Index:
    """The side file, open. For one thread at a time; several processes may have it open."""

    def __init__(self, path: Path, source: str) -> None:
        """Opens the index of the archive that is called `source`, begun anew where it can't be used; blocks."""
        self._path, self._source = path, source
        with self.described():
            try:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.connection = self._opened()
            except OSError as error:
                raise AuditError(f"the audit's index {path} can't be used: {error}") from error

    def close(self) -> None:
        self.connection.close()

    def search(
        self, question: Question, limit: int, after: Key | None = None, until: float | None = None
    ) -> list[Entry]:
        """Where the newest records are that the question may mean, behind `after`; its `text` isn't looked at.

        Raises `TooBroad` when `until` (`time.monotonic()`) comes first.
        """
        conditions, values = _conditions(question)
        if after is not None:
            conditions.append("(time, writer, sequence) < (?, ?, ?)")
            values += after
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        query = (
            f"SELECT time, writer, sequence, segment, start, size FROM entries {where} "  # noqa: S608 - our own names
            "ORDER BY time DESC, writer DESC, sequence DESC LIMIT ?"
        )
        with self.described(), self._bounded(until):
            return [_entry(row) for row in self.connection.execute(query, (*values, limit))]

    @contextmanager
    def described(self) -> Iterator[None]:
        """Turns SQLite's errors into `AuditError`."""
        try:
            yield
        except sqlite3.Error as error:
            raise AuditError(f"the audit's index {self._path} failed: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        connection = self._connected()
        with suppress(sqlite3.DatabaseError):
            if self._fits(connection):
                return connection
        connection.close()
        # Another version's, another archive's or a broken one: it holds nothing that isn't in the audit.
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        connection = self._connected()
        self._fits(connection)
        return connection

    def _connected(self) -> sqlite3.Connection:
        self._path.touch(mode=0o600)
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        with suppress(sqlite3.DatabaseError):
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("PRAGMA cache_size=-65536")
        return connection

    def _fits(self, connection: sqlite3.Connection) -> bool:
        """Whether it is an index of this archive; an empty file becomes one."""
        if _version(connection) == 0:
            connection.execute("BEGIN IMMEDIATE")
            if _version(connection) == 0:
                self._create(connection)
            connection.execute("COMMIT")
        if _version(connection) != _VERSION:
            return False
        row = connection.execute("SELECT source FROM about").fetchone()
        return row is not None and row[0] == self._source

    def _create(self, connection: sqlite3.Connection) -> None:
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute("INSERT INTO about VALUES (?)", (self._source,))
        connection.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def _bounded(self, until: float | None) -> Iterator[None]:
        if until is None:
            yield
            return
        self.connection.set_progress_handler(lambda: time.monotonic() >= until, _STEPS)
        try:
            yield
        except sqlite3.OperationalError as error:
            if "interrupted" not in str(error):
                raise
            raise TooBroad("the audit can't be searched for this in time: ask for a shorter time") from error
        finally:
            self.connection.set_progress_handler(None, 0)


def writer_number(writer: str) -> int:
    """A writer's 16 hexadecimal digits as a number of 64 bits, signed."""
    return int.from_bytes(bytes.fromhex(writer), "big", signed=True)


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _entry(row: Sequence[int]) -> Entry:
    time, number, sequence, segment, start, size = row
    return Entry((time, number, sequence), number.to_bytes(8, "big", signed=True).hex(), segment, start, size)


def _conditions(question: Question) -> tuple[list[str], list[Any]]:
    """What a question's entries have in common, as SQL with its values."""
    conditions: list[str] = []
    values: list[Any] = []
    for field, value in question.equal.items():
        known = "(SELECT number FROM names WHERE text = ?)" if field in NAMED else "?"
        conditions.append(f"{field} = {known}")
        values.append(value)
    bounds = (
        ("time >= ?", question.since),
        ("time < ?", question.until),
        ("status >= ?", question.least_status),
        ("status <= ?", question.most_status),
    )
    for condition, bound in bounds:
        if bound is not None:
            conditions.append(condition)
            values.append(bound)
    if question.upstream is not None:
        conditions.append("upstreams IN (SELECT number FROM names WHERE instr(text, ?))")
        values.append(f"|{question.upstream}|")
    return conditions, values
