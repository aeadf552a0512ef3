"""One writer's records in one SQLite file, and the lock that keeps a second writer away from it."""

from __future__ import annotations

import fcntl
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Self

from gateway.audit.archive import FileSource, files
from gateway.audit.sink import AuditError as AuditError
from gateway.audit.sink import Mark, Segment, Sink
from gateway.store.sqlite import connect

FORMAT = 2
_WRITERS = 256
_FIRST = "log-0.db"
_MARKS = "size INTEGER PRIMARY KEY, segment INTEGER NOT NULL, time INTEGER NOT NULL, frontier BLOB NOT NULL"
_TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS about (writer TEXT NOT NULL, format INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS segments (number INTEGER PRIMARY KEY, first INTEGER NOT NULL, count INTEGER NOT NULL,
    time INTEGER NOT NULL, body BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS checkpoints ({_MARKS}, note BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS prunings ({_MARKS}, note BLOB NOT NULL) STRICT;
COMMIT;
"""
_ADD_ABOUT = "INSERT INTO about SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM about)"
_ADD_SEGMENT = "INSERT INTO segments (number, first, count, time, body, hash) VALUES (?, ?, ?, ?, ?, ?)"
_ADD_CHECKPOINT = "INSERT OR REPLACE INTO checkpoints (size, segment, time, frontier, note) VALUES (?, ?, ?, ?, ?)"
_ADD_PRUNING = "INSERT INTO prunings (size, segment, time, frontier, note) VALUES (?, ?, ?, ?, ?)"


class AuditFile(FileSource):
    """A writer's file, open for adding. The next process that takes the same file carries its chain on."""

    def __init__(self, path: Path, writing: sqlite3.Connection, lock: IO[bytes]) -> None:
        writing.executescript(_TABLES)
        writing.execute(_ADD_ABOUT, (secrets.token_hex(8), FORMAT))
        super().__init__(path)
        self._writing, self._lock = writing, lock

    @classmethod
    def claim(cls, folder: Path) -> Self:
        """Opens the first file of `folder` that no living process writes, a new one at need; raises `AuditError`."""
        with _opening(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for number in range(_WRITERS):
                file = cls._claimed(folder / f"log-{number}.db")
                if file is not None:
                    return file
        raise AuditError(f"{_WRITERS} processes write the audit in {folder} already")

    @classmethod
    def _claimed(cls, path: Path) -> Self | None:
        lock = _locked(path.with_suffix(".lock"))
        if lock is None:
            return None
        with ExitStack() as opened:
            opened.enter_context(lock)
            file = cls(path, opened.enter_context(closing(connect(path))), lock)
            opened.pop_all()
            return file

    def append(self, segment: Segment) -> None:
        row = (segment.number, segment.first, segment.count, segment.time, segment.body, segment.hash)
        # One statement is a transaction of its own, on the disk when it returns.
        with self._told("written"):
            self._writing.execute(_ADD_SEGMENT, row)

    def add_checkpoint(self, mark: Mark) -> None:
        with self._told("written"):
            self._writing.execute(_ADD_CHECKPOINT, _row(mark))

    def prune(self, mark: Mark) -> None:
        with self._told("pruned"), self._transaction():
            self._writing.execute("DELETE FROM prunings")
            self._writing.execute(_ADD_PRUNING, _row(mark))
            self._writing.execute("DELETE FROM segments WHERE number <= ?", (mark.segment,))
            self._writing.execute("DELETE FROM checkpoints WHERE size < ?", (mark.size,))

    def beside(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for path in files(self._path.parent):
            # One that can't be read now is perhaps just being made; a damaged one is in earlier checkpoints.
            with suppress(AuditError):
                if path != self._path:
                    found.update(_newest(path))
        return found

    def idle(self) -> Iterator[Sink]:
        """The files of the same folder that no living process writes; nothing for any but the folder's first."""
        for path in files(self._path.parent) if self.name == _FIRST else ():
            with _opening(path):
                other = self._claimed(path)
            if other is not None:
                with closing(other):
                    yield other

    def close(self) -> None:
        """Closes the file and lets another process have it."""
        super().close()
        self._writing.close()
        self._lock.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._writing.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writing.execute("COMMIT")
        finally:
            if self._writing.in_transaction:
                self._writing.execute("ROLLBACK")

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise AuditError(f"the audit can't be {what}: {error}") from error


def _newest(path: Path) -> dict[str, int]:
    with closing(FileSource(path)) as other:
        return {other.writer: max((mark.size for mark in other.checkpoints()), default=0)}


def _row(mark: Mark) -> tuple[int, int, int, bytes, bytes]:
    return mark.size, mark.segment, mark.time, mark.frontier, mark.note


@contextmanager
def _opening(place: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise AuditError(f"the audit in {place} can't be opened: {error}") from error


def _locked(path: Path) -> IO[bytes] | None:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
