"""What all writers wrote, to be read while they write: of a folder of files here, of a database in `postgres`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol, TypeAlias

from gateway.audit.sink import AuditError, Mark, Segment, Source

_PATTERN = "log-*.db"
_FORMAT = 2
_BUSY_SECONDS = 5.0
# No reading lasts longer than that many bytes: the write-ahead log can't be emptied while one lasts.
_AT_ONCE = 2**20
_SEGMENT = "number, first, count, time, body, hash"
_MARK = "size, segment, time, frontier, note"


class Readable(Source, Protocol):
    """A source in which a record can be looked up."""

    def link(self, segment: int) -> bytes | None:
        """A segment's hash; None: it isn't there, or no longer."""
        ...

    def piece(self, segment: int, start: int, size: int) -> bytes | None:
        """Some bytes of a segment's body; None: it isn't there, or no longer."""
        ...


Archive: TypeAlias = Sequence[Readable]
"""One source a writer, in the order of their names."""


class FileSource:
    """One writer's file, opened for reading only; it is never locked, and may be on a medium that can't be written."""

    def __init__(self, path: Path) -> None:
        """Opens the file; raises `AuditError`."""
        self._path = path
        self.name = path.name
        with self._described():
            self._connection = _connected(path)
        try:
            with self._described():
                self.writer = self._about()
        except AuditError:
            self.close()
            raise

    def segments(self, behind: int = 0) -> Iterator[Segment]:
        while True:
            group = self._some(behind)
            if not group:
                return
            yield from group
            behind = group[-1].number

    def checkpoints(self) -> Iterator[Mark]:
        return self._marks("checkpoints")

    def prunings(self) -> Iterator[Mark]:
        return self._marks("prunings")

    def link(self, segment: int) -> bytes | None:
        with self._described():
            row = self._connection.execute("SELECT hash FROM segments WHERE number = ?", (segment,)).fetchone()
        return None if row is None else bytes(row[0])

    def piece(self, segment: int, start: int, size: int) -> bytes | None:
        query = "SELECT substr(body, ?, ?) FROM segments WHERE number = ?"
        with self._described():
            row = self._connection.execute(query, (start + 1, size, segment)).fetchone()
        return None if row is None else bytes(row[0])

    def close(self) -> None:
        self._connection.close()

    def _about(self) -> str:
        writer, version = self._connection.execute("SELECT writer, format FROM about").fetchone() or ("", None)
        if version != _FORMAT:
            raise AuditError(f"the audit {self._path} is of format {version}; this figway reads {_FORMAT}")
        return str(writer)

    def _some(self, behind: int) -> list[Segment]:
        query = f"SELECT {_SEGMENT} FROM segments WHERE number > ? ORDER BY number"  # noqa: S608 - constant columns
        group, size = [], 0
        with self._described():
            cursor = self._connection.execute(query, (behind,))
            for row in cursor:
                group.append(Segment(*row))
                size += len(row[4])
                if size >= _AT_ONCE:
                    break
            cursor.close()
        return group

    def _marks(self, table: str) -> Iterator[Mark]:
        query = f"SELECT {_MARK} FROM {table} ORDER BY size"  # noqa: S608 - one of two constants
        with self._described():
            return iter([Mark(*row) for row in self._connection.execute(query)])

    @contextmanager
    def _described(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise AuditError(f"the audit {self._path} can't be read: {error}") from error


def files(folder: Path) -> list[Path]:
    """The files of a folder's writers, in the order of their numbers."""
    return sorted(folder.glob(_PATTERN), key=lambda each: (len(each.name), each.name))


@contextmanager
def folder_archive(folder: Path) -> Iterator[Archive]:
    """The archive of a folder, open; one that isn't there holds nothing. Raises `AuditError`."""
    with ExitStack() as opened:
        sources = []
        for path in files(folder):
            source = FileSource(path)
            opened.callback(source.close)
            sources.append(source)
        yield sources


def _connected(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing. Where the folder can't be written, SQLite needs to be told that nobody does."""
    uri = path.absolute().as_uri()
    connection = _open(f"{uri}?mode=ro")
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if path.with_name(path.name + "-wal").exists():
            raise
        connection = _open(f"{uri}?mode=ro&immutable=1")
    return connection


def _open(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
