"""The state store in one SQLite file: write-ahead log, durable at every commit."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson

from gateway.store.contract import (
    MOST_REVOKED,
    MOST_STOPS,
    NO_EVIDENCE,
    NO_STAGES,
    Difference,
    Moved,
    NoSuchSnapshot,
    Stages,
    StoredKey,
    StoredSnapshot,
    StoredStop,
    StoreError,
    content_hash,
    files_hash,
)
from gateway.store.schema import upgrade

_BUSY_SECONDS = 5.0
_INFO = "version, hash, parent_hash, author, reason, ticket, time, difference, stages, evidence, content_hash"
_KEY = "id, mac, pepper, principal, agent, roles, tenant, created, expires, revoked, scopes, used"
_STOP = "id, agent, run, operation, reason, author, time"


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode whose commits are on the disk when they return; may move between threads.

    A file that isn't there is made, readable by its owner only. Raises `OSError` or `sqlite3.Error`.
    """
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _write_ahead(connection)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switches the file to a write-ahead log. SQLite itself doesn't wait for others who are just making the file."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.005)


class SqliteState:
    """`State` over SQLite. One connection under a lock: control traffic is rare, and short."""

    def __init__(self, path: Path) -> None:
        """Opens or creates the file and takes it forward to this version; raises `StoreError`."""
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = connect(path)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the store {path} can't be opened: {error}") from error
        try:
            with self._described():
                upgrade(self._connection)
        except StoreError:
            self._connection.close()
            raise

    def publish(
        self,
        files: Mapping[str, bytes],
        *,
        expected_parent: int | None,
        author: str,
        reason: str,
        ticket: str | None = None,
        stages: Stages = NO_STAGES,
        evidence: Mapping[str, Any] = NO_EVIDENCE,
    ) -> StoredSnapshot:
        blobs = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
        whole = files_hash(files)
        with self._transaction("IMMEDIATE") as db:
            active = _active(db)
            if active != expected_parent:
                raise Moved(expected_parent, active)
            before = _blobs(db, active)
            parent = None if active is None else _info(db, active).link
            now = datetime.now(UTC)
            difference = _difference(before, blobs)
            version = (active or 0) + 1
            info = StoredSnapshot(version, whole, parent, author, reason, ticket, now, difference, stages, evidence)
            info = replace(info, content_hash=content_hash(info))
            _insert(db, info, {blobs[path]: content for path, content in files.items()}, blobs)
        return info

    def active(self) -> int | None:
        with self._transaction() as db:
            return _active(db)

    def snapshot(self, version: int) -> tuple[StoredSnapshot, dict[str, bytes]]:
        query = "SELECT path, content FROM snapshot_files JOIN blobs ON blob = hash WHERE version = ? ORDER BY path"
        with self._transaction() as db:
            return _info(db, version), dict(db.execute(query, (version,)))

    def active_snapshot(self) -> StoredSnapshot | None:
        with self._transaction() as db:
            active = _active(db)
            return None if active is None else _info(db, active)

    def history(self, limit: int = 50) -> list[StoredSnapshot]:
        query = f"SELECT {_INFO} FROM snapshots ORDER BY version DESC LIMIT ?"  # noqa: S608 - a constant list of columns
        with self._transaction() as db:
            return [_snapshot_of(row) for row in db.execute(query, (limit,))]

    def add_key(self, key: StoredKey) -> None:
        row = (
            *(key.id, key.mac, key.pepper, key.principal, key.agent, orjson.dumps(key.roles).decode(), key.tenant),
            *(_text(key.created), _text(key.expires), _text(key.revoked)),
            *(None if key.scopes is None else orjson.dumps(key.scopes).decode(), _text(key.used)),
        )
        places = ", ".join("?" * len(row))
        with self._transaction("IMMEDIATE") as db:
            db.execute(f"INSERT INTO api_keys ({_KEY}) VALUES ({places})", row)  # noqa: S608 - constant columns

    def all_keys(self) -> list[StoredKey]:
        query = f"SELECT {_KEY} FROM api_keys ORDER BY created, id"  # noqa: S608 - a constant list of columns
        with self._transaction() as db:
            return [_key_of(row) for row in db.execute(query)]

    def revoke_key(self, id: str, at: datetime) -> bool:
        update = "UPDATE api_keys SET revoked = coalesce(revoked, ?) WHERE id = ?"
        with self._transaction("IMMEDIATE") as db:
            return db.execute(update, (_text(at), id)).rowcount > 0

    def note_key_uses(self, uses: Mapping[str, datetime]) -> None:
        update = "UPDATE api_keys SET used = max(coalesce(used, ''), ?) WHERE id = ?"
        with self._transaction("IMMEDIATE") as db:
            db.executemany(update, [(_text(at), id) for id, at in uses.items()])

    def revoke_token(self, jti: str, at: datetime, expires: datetime | None) -> None:
        insert = "INSERT OR REPLACE INTO revoked_tokens (jti, revoked, expires) VALUES (?, ?, ?)"
        with self._transaction("IMMEDIATE") as db:
            db.execute("DELETE FROM revoked_tokens WHERE expires <= ?", (_text(at),))
            db.execute(insert, (jti, _text(at), _text(expires)))
            if db.execute("SELECT count(*) FROM revoked_tokens").fetchone()[0] > MOST_REVOKED:
                raise StoreError(f"{MOST_REVOKED} tokens are revoked already: let revocations expire with the tokens")

    def revoked_tokens(self, at: datetime) -> frozenset[str]:
        query = "SELECT jti FROM revoked_tokens WHERE expires IS NULL OR expires > ?"
        with self._transaction() as db:
            return frozenset(jti for (jti,) in db.execute(query, (_text(at),)))

    def add_stop(self, stop: StoredStop) -> StoredStop:
        same = f"SELECT {_STOP} FROM stops WHERE agent IS ? AND run IS ? AND operation IS ?"  # noqa: S608 - constant
        row = (stop.id, stop.agent, stop.run, stop.operation, stop.reason, stop.author, _text(stop.time))
        with self._transaction("IMMEDIATE") as db:
            found = db.execute(same, row[1:4]).fetchone()
            if found is not None:
                return _stop_of(found)
            if db.execute("SELECT count(*) FROM stops").fetchone()[0] >= MOST_STOPS:
                raise StoreError(f"there are {MOST_STOPS} stops already: resume what needn't be stopped any more")
            db.execute(f"INSERT INTO stops ({_STOP}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608 - constant
        return stop

    def remove_stop(self, id: str) -> StoredStop | None:
        with self._transaction("IMMEDIATE") as db:
            found = db.execute(f"SELECT {_STOP} FROM stops WHERE id = ?", (id,)).fetchone()  # noqa: S608 - constant
            db.execute("DELETE FROM stops WHERE id = ?", (id,))
        return None if found is None else _stop_of(found)

    def stops(self) -> list[StoredStop]:
        with self._transaction() as db:
            return [_stop_of(row) for row in db.execute(f"SELECT {_STOP} FROM stops ORDER BY time, id")]  # noqa: S608

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self, mode: Literal["DEFERRED", "IMMEDIATE"] = "DEFERRED") -> Iterator[sqlite3.Connection]:
        """One transaction, seeing one state of the store; an IMMEDIATE one keeps others from writing meanwhile."""
        with self._lock, self._described():
            self._connection.execute(f"BEGIN {mode}")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def _described(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"the store {self._path} failed: {error}") from error


def _active(db: sqlite3.Connection) -> int | None:
    row = db.execute("SELECT max(version) FROM snapshots").fetchone()
    version: int | None = row[0]
    return version


def _info(db: sqlite3.Connection, version: int) -> StoredSnapshot:
    query = f"SELECT {_INFO} FROM snapshots WHERE version = ?"  # noqa: S608 - a constant list of columns
    row = db.execute(query, (version,)).fetchone()
    if row is None:
        raise NoSuchSnapshot(f"there is no snapshot {version}")
    return _snapshot_of(row)


def _blobs(db: sqlite3.Connection, version: int | None) -> dict[str, str]:
    return dict(db.execute("SELECT path, blob FROM snapshot_files WHERE version = ?", (version,)))


def _difference(before: Mapping[str, str], after: Mapping[str, str]) -> Difference:
    return Difference(
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(sorted(path for path in after.keys() & before.keys() if after[path] != before[path])),
        removed=tuple(sorted(before.keys() - after.keys())),
    )


def _insert(
    db: sqlite3.Connection, info: StoredSnapshot, contents: Mapping[str, bytes], blobs: Mapping[str, str]
) -> None:
    difference = {name: getattr(info.difference, name) for name in ("added", "changed", "removed")}
    row = (info.version, info.hash, info.parent_hash, info.author, info.reason, info.ticket, _text(info.time))
    documents = [orjson.dumps(each).decode() for each in (difference, dict(info.stages), dict(info.evidence))]
    values = (*row, *documents, info.content_hash)
    places = ", ".join("?" * len(values))
    db.execute(f"INSERT INTO snapshots ({_INFO}) VALUES ({places})", values)  # noqa: S608 - constant columns
    db.executemany("INSERT INTO blobs VALUES (?, ?) ON CONFLICT DO NOTHING", contents.items())
    rows = [(info.version, path, blob) for path, blob in blobs.items()]
    db.executemany("INSERT INTO snapshot_files VALUES (?, ?, ?)", rows)


def _snapshot_of(row: tuple[Any, ...]) -> StoredSnapshot:
    difference = {name: tuple(paths) for name, paths in orjson.loads(row[7]).items()}
    stages, evidence = orjson.loads(row[8]), orjson.loads(row[9])
    version, hash, parent_hash, author, reason, ticket, time = row[:7]
    when = datetime.fromisoformat(time)
    about = (version, hash, parent_hash, author, reason, ticket, when)
    return StoredSnapshot(*about, Difference(**difference), stages, evidence, row[10])


def _key_of(row: tuple[Any, ...]) -> StoredKey:
    id, mac, pepper, principal, agent, roles, tenant, created, expires, revoked, scopes, used = row
    made = datetime.fromisoformat(created)
    narrowed = None if scopes is None else tuple(orjson.loads(scopes))
    times = [datetime.fromisoformat(time) if time else None for time in (expires, revoked, used)]
    about = (id, mac, pepper, principal, agent, tuple(orjson.loads(roles)), tenant, made)
    return StoredKey(*about, expires=times[0], revoked=times[1], scopes=narrowed, used=times[2])


def _stop_of(row: tuple[Any, ...]) -> StoredStop:
    id, agent, run, operation, reason, author, time = row
    return StoredStop(id, agent, run, operation, reason, author, datetime.fromisoformat(time))


def _text(time: datetime | None) -> str | None:
    return time.astimezone(UTC).isoformat() if time else None
