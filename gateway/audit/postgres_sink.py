"""Writing the audit to PostgreSQL: one writer's records, held by a lock of the database's while the process lives.

A connection that breaks is made anew by the next call. What was being added then may or may not be there: as long as
the writer is still ours, the next segment takes its place, since that begins with the same records.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gateway.audit import chain
from gateway.audit.index import writer_number
from gateway.audit.postgres import Database, DatabaseSource, writers
from gateway.audit.sink import AuditError, Mark, Segment, Sink, WriterLost

_FORMAT = 2
_CARETAKER = 0x66696777_61790002
_APPEND = """
INSERT INTO figway_audit_segments (writer, number, first, count, time, body, hash)
VALUES (:writer, :number, :first, :count, :time, :body, :hash)
ON CONFLICT (writer, number) DO UPDATE
    SET first = excluded.first, count = excluded.count, time = excluded.time, body = excluded.body, hash = excluded.hash
    WHERE figway_audit_segments.hash = :uncertain
RETURNING number"""
_CHECKPOINT = """
INSERT INTO figway_audit_checkpoints (writer, size, segment, time, frontier, note)
VALUES (:writer, :size, :segment, :time, :frontier, :note)
ON CONFLICT (writer, size) DO UPDATE
    SET segment = excluded.segment, time = excluded.time, frontier = excluded.frontier, note = excluded.note"""
_PRUNING = """
INSERT INTO figway_audit_prunings (writer, size, segment, time, frontier, note)
VALUES (:writer, :size, :segment, :time, :frontier, :note)"""


class DatabaseSink(DatabaseSource):
    """A writer's records, open for adding. The next process that takes the same writer carries its chain on."""

    def __init__(self, url: str, database: Database, writer: str) -> None:
        super().__init__(self._connected, writer)
        self._url, self._database = url, database
        self._hash = _last(database, writer)
        self._uncertain: set[bytes] = set()
        self._moved = False

    @classmethod
    def claim(cls, url: str) -> DatabaseSink:
        """Takes the oldest writer that no living process has, a new one at need; blocks; raises `AuditError`."""
        database = Database(url)
        try:
            return cls(url, database, _claimed(database))
        except AuditError:
            database.close()
            raise

    def append(self, segment: Segment) -> None:
        self._connected()
        if self._moved:
            self._check_begun_anew(segment)
        values = {name: getattr(segment, name) for name in Segment.__slots__}
        # What may have been added already, its answer lost, is replaced; nothing else is.
        uncertain = next(iter(self._uncertain), b"")
        self._uncertain.add(segment.hash)
        if not self._run(_APPEND, uncertain=uncertain, **values):
            raise AuditError(f"the audit's {self.name} has a segment {segment.number} of another process's")
        self._hash, self._uncertain, self._moved = segment.hash, set(), False

    def add_checkpoint(self, mark: Mark) -> None:
        self._run(_CHECKPOINT, **_values(mark))

    def prune(self, mark: Mark) -> None:
        with self._connected().transaction():
            self._run("DELETE FROM figway_audit_prunings WHERE writer = :writer")
            self._run(_PRUNING, **_values(mark))
            segments = "DELETE FROM figway_audit_segments WHERE writer = :writer AND number <= :number"
            self._run(segments, number=mark.segment)
            self._run("DELETE FROM figway_audit_checkpoints WHERE writer = :writer AND size < :size", size=mark.size)
        self._hash = _last(self._database, self.writer)

    def beside(self) -> Mapping[str, int]:
        query = """SELECT w.writer, coalesce(max(c.size), 0) FROM figway_audit_writers w
            LEFT JOIN figway_audit_checkpoints c ON c.writer = w.writer WHERE w.writer <> :writer GROUP BY w.writer"""
        return {str(writer): int(size) for writer, size in self._run(query)}

    def idle(self) -> Iterator[Sink]:
        """One process of the fleet looks after the writers that nobody has."""
        database = self._connected()
        if not _locked(database, _CARETAKER):
            return
        try:
            for writer in writers(database):
                if writer != self.writer and _locked(database, writer_number(writer)):
                    with _unlocking(database, writer_number(writer)):
                        yield _Cared(self._url, database, writer)
        finally:
            if not database.closed:
                _unlock(database, _CARETAKER)

    def close(self) -> None:
        """Lets another process have the writer."""
        self._database.close()

    def _connected(self) -> Database:
        """The connection, made anew where it broke: raises `WriterLost` when another process took the writer over."""
        if self._database.closed:
            database = Database(self._url)
            try:
                self._resume(database)
            except AuditError:
                if self._database is not database:
                    database.close()
                raise
        return self._database

    def _resume(self, database: Database) -> None:
        # With the lock ours, no earlier connection of ours lives: what it added is there by now, or never will be.
        found = _last(database, self.writer) if _locked(database, writer_number(self.writer)) else None
        if found == self._hash or found in self._uncertain:
            self._uncertain = {found} - {self._hash}
            self._database = database
            return
        lost, self.writer = self.name, _claimed(database)
        self._database, self._hash, self._uncertain = database, _last(database, self.writer), set()
        self._moved = True
        raise WriterLost(f"another process has the audit's {lost}; this one goes on as {self.name}")

    def _check_begun_anew(self, segment: Segment) -> None:
        """That the first segment after a move stands behind what the new writer has."""
        before = self._hash or chain.start(self.writer).hash
        if segment.hash != chain.link(before, *(getattr(segment, name) for name in Segment.__slots__[:-1])):
            raise WriterLost(f"the audit goes on as {self.name}")


class _Cared(DatabaseSink):
    """A writer that nobody has, while somebody looks after it: the connection is the carer's."""

    def close(self) -> None:
        """Nothing here is its own."""

    def _connected(self) -> Database:
        return self._database


def _claimed(database: Database) -> str:
    for writer in writers(database):
        if _locked(database, writer_number(writer)):
            return writer
    writer = secrets.token_hex(8)
    if not _locked(database, writer_number(writer)):
        raise AuditError("the audit's new writer can't be claimed")
    insert = "INSERT INTO figway_audit_writers (writer, format) VALUES (:writer, :format)"
    database.run(insert, writer=writer, format=_FORMAT)
    return writer


def _last(database: Database, writer: str) -> bytes:
    query = "SELECT hash FROM figway_audit_segments WHERE writer = :writer ORDER BY number DESC LIMIT 1"
    rows = database.run(query, writer=writer)
    return bytes(rows[0][0]) if rows else b""


def _locked(database: Database, key: int) -> bool:
    """Takes a lock that the session holds until it ends; never waits."""
    return bool(database.run("SELECT pg_try_advisory_lock(:key)", key=key)[0][0])


def _unlock(database: Database, key: int) -> None:
    database.run("SELECT pg_advisory_unlock(:key)", key=key)


@contextmanager
def _unlocking(database: Database, key: int) -> Iterator[None]:
    try:
        yield
    finally:
        if not database.closed:
            _unlock(database, key)


def _values(mark: Mark) -> dict[str, Any]:
    return {name: getattr(mark, name) for name in Mark.__slots__}
