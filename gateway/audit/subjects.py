"""Personal data in the audit: sealed under a key of each person's own, so that erasing the key erases the data.

AES-256-GCM with a random nonce; the record's id is authenticated with it, so that a value can't be moved to another
record. A person is known here by a hash with a salt of the file's own, which no rotation changes. The file keeps no log
of its pages, and deleted ones are overwritten.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.audit.arguments import Hasher, Sealed
from gateway.audit.sink import AuditError

_TABLES = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS salt (salt BLOB NOT NULL);
INSERT INTO salt SELECT randomblob(32) WHERE NOT EXISTS (SELECT 1 FROM salt);
CREATE TABLE IF NOT EXISTS subjects (id TEXT PRIMARY KEY, subject TEXT NOT NULL UNIQUE, key BLOB NOT NULL);
COMMIT;
"""
_BUSY_SECONDS = 5.0
_CACHED = 4096
_NONCE, _KEY = 12, 32


class Subjects:
    """The keys of persons. The file is made with the first key. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hasher = Hasher("", b"")
        self._opened: sqlite3.Connection | None = None
        self._cache: dict[str, tuple[str, bytes]] = {}
        self._version = -1

    def seal(self, sealed: Sealed, record: str) -> dict[str, str]:
        """The record's `sealed`. A key that is made for it is on the disk after `commit`. Raises `AuditError`."""
        with self._told():
            connection = self._connection()
            id, key = self._key(connection, self._hasher(sealed.subject))
        plain = orjson.dumps({"kept": sealed.kept, "source_keys": sealed.source_keys})
        nonce = os.urandom(_NONCE)
        return {"key": id, "values": b64encode(nonce + AESGCM(key).encrypt(nonce, plain, record.encode())).decode()}

    def commit(self) -> None:
        """Makes what was sealed since the last time readable for good; raises `AuditError`."""
        if self._opened is not None and self._opened.in_transaction:
            with self._told():
                self._opened.execute("COMMIT")

    def open(self, sealed: Mapping[str, str], record: str) -> dict[str, Any] | None:
        """What was sealed: `{"kept": {…}, "source_keys": […]}`; None: it was erased. Raises `AuditError`."""
        if not self._path.exists():
            return None
        with self._told():
            select = "SELECT key FROM subjects WHERE id = ?"
            row = self._connection().execute(select, (sealed["key"],)).fetchone()
        if row is None:
            return None
        try:
            raw = b64decode(sealed["values"])
            found: dict[str, Any] = orjson.loads(AESGCM(row[0]).decrypt(raw[:_NONCE], raw[_NONCE:], record.encode()))
        except (InvalidTag, ValueError) as error:
            raise AuditError(f"what is sealed in record {record} was changed") from error
        return found

    def erase(self, subject: str) -> bool:
        """Destroys a person's key, for good; False: there is none. Raises `AuditError`."""
        if not self._path.exists():
            return False
        with self._told():
            connection = self._connection()
            count = connection.execute("DELETE FROM subjects WHERE subject = ?", (self._hasher(subject),)).rowcount
        self._cache.clear()
        return count > 0

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _key(self, connection: sqlite3.Connection, subject: str) -> tuple[str, bytes]:
        if not connection.in_transaction:
            self._forget_erased(connection)
        known = self._cache.get(subject)
        if known is None:
            if len(self._cache) >= _CACHED:
                self._cache.clear()
            known = self._cache[subject] = self._stored(connection, subject)
        return known

    def _stored(self, connection: sqlite3.Connection, subject: str) -> tuple[str, bytes]:
        """The person's key, made at need."""
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
        select = "SELECT id, key FROM subjects WHERE subject = ?"
        row: tuple[str, bytes] | None = connection.execute(select, (subject,)).fetchone()
        if row is None:
            row = secrets.token_hex(8), secrets.token_bytes(_KEY)
            connection.execute("INSERT INTO subjects VALUES (?, ?, ?)", (row[0], subject, row[1]))
        return row

    def _forget_erased(self, connection: sqlite3.Connection) -> None:
        """Another process may have erased a person since: nothing more is sealed with what it destroyed."""
        version = connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._cache.clear()
            self._version = version

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._path.touch(mode=0o600)
            opened = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                # No write-ahead log: it would hold erased keys until it is overwritten.
                for pragma in ("journal_mode=DELETE", "synchronous=EXTRA", "secure_delete=ON"):
                    opened.execute(f"PRAGMA {pragma}")
                opened.executescript(_TABLES)
                self._hasher = Hasher("", opened.execute("SELECT salt FROM salt").fetchone()[0])
            except sqlite3.Error:
                opened.close()
                raise
            self._opened = opened
        return self._opened

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            if self._opened is not None and self._opened.in_transaction:
                self._opened.execute("ROLLBACK")
                self._cache.clear()
            raise AuditError(f"the keys of personal data in {self._path} can't be used: {error}") from error
