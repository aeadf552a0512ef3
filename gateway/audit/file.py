"""One writer's audit in one SQLite file, and the lock that keeps a second writer away from it."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO, Self

from gateway.audit.chain import Head, link
from gateway.audit.sink import AuditError as AuditError
from gateway.store.sqlite import connect

_WRITERS = 256
_TABLE = """CREATE TABLE IF NOT EXISTS records (
    sequence INTEGER PRIMARY KEY, body BLOB NOT NULL, hash BLOB NOT NULL) STRICT"""
_INSERT = "INSERT INTO records VALUES (?, ?, ?)"
_LAST = "SELECT sequence, hash FROM records ORDER BY sequence DESC LIMIT 1"
_ALL = "SELECT sequence, body, hash FROM records ORDER BY sequence"


class AuditFile:
    """A writer's file, open for adding. The next process that takes the same file carries its chain on."""

    def __init__(self, writer: str, connection: sqlite3.Connection, lock: IO[bytes]) -> None:
        self._lock = lock
        self._connection = connection
        connection.execute(_TABLE)
        count, last = connection.execute(_LAST).fetchone() or (0, b"")
        self.head = Head(writer, count, last) if count else Head.first(writer)

    @classmethod
    def claim(cls, folder: Path) -> Self:
        """Opens the first file of `folder` that no living process writes, a new one at need; raises `AuditError`."""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for number in range(_WRITERS):
                path = folder / f"writer-{number}.db"
                lock = _locked(path.with_suffix(".lock"))
                if lock is not None:
                    return cls._open(path, lock)
        except (OSError, sqlite3.Error) as error:
            raise AuditError(f"the audit in {folder} can't be opened: {error}") from error
        raise AuditError(f"{_WRITERS} processes write the audit in {folder} already")

    @classmethod
    def _open(cls, path: Path, lock: IO[bytes]) -> Self:
        with ExitStack() as opened:
            opened.enter_context(lock)
            file = cls(path.stem, opened.enter_context(closing(connect(path))), lock)
            opened.pop_all()
            return file

    def add(self, bodies: Iterable[bytes]) -> None:
        """Adds records in one transaction, on the disk when it returns; raises `AuditError`, nothing being added."""
        count, last = self.head.count, self.head.hash
        rows = []
        for body in bodies:
            count += 1
            last = link(last, count, body)
            rows.append((count, body, last))
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_INSERT, rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise AuditError(f"the audit can't be written: {error}") from error
        self.head = Head(self.head.writer, count, last)

    def close(self) -> None:
        """Closes the file and lets another process have it."""
        self._connection.close()
        self._lock.close()


def stored(path: Path) -> Iterator[tuple[int, bytes, bytes]]:
    """Every record of a writer's file in order: its number, its bytes, its hash. Reads while others write."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        yield from connection.execute(_ALL)


def _locked(path: Path) -> IO[bytes] | None:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
