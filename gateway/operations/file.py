"""The operations in one SQLite file of their own, which the workers of a host share.

A file of its own, because writes come by the thousand and must not queue behind control traffic. Whoever holds a
running operation is noted by process, so that one whose process is gone is told to be of unknown outcome.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path

from gateway.operations.record import Begun, Intent, OperationState, StoredOperation
from gateway.store.contract import StoreError
from gateway.store.schema import upgrade
from gateway.store.shared import started
from gateway.store.sqlite import connect

KEEP_SECONDS = 24 * 3600.0
"""How long an ended operation is kept, and its key remembered."""
KEEP_UNKNOWN_SECONDS = 30 * 24 * 3600.0
MOST_BYTES = 2**30
"""Beyond this size of the file no further write is taken on until older ones expire."""
_PRUNED_AT_ONCE = 500

_COLUMNS = (
    "id, key, fingerprint, caller, route, principal, agent, tenant, owner, state, outcome, created, updated, "
    "side, snapshot"
)
_UPGRADES = (
    (
        """CREATE TABLE operations (
            id TEXT PRIMARY KEY, key BLOB UNIQUE, fingerprint BLOB, caller BLOB NOT NULL, route TEXT NOT NULL,
            principal TEXT NOT NULL, agent TEXT, tenant TEXT, owner TEXT NOT NULL, state TEXT NOT NULL, outcome BLOB,
            created REAL NOT NULL, updated REAL NOT NULL) STRICT""",
        "CREATE INDEX operations_running ON operations (owner) WHERE state = 'running'",
        "CREATE INDEX operations_updated ON operations (updated)",
    ),
    (
        "ALTER TABLE operations ADD COLUMN side TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE operations ADD COLUMN snapshot INTEGER NOT NULL DEFAULT 0",
    ),
    (
        """CREATE TABLE undoings (
            operation TEXT PRIMARY KEY, who BLOB NOT NULL, sight TEXT NOT NULL, phase TEXT NOT NULL,
            due REAL NOT NULL, tries INTEGER NOT NULL) STRICT""",
        "CREATE INDEX undoings_open ON undoings (phase) WHERE phase != 'over'",
        """CREATE TABLE parts (
            operation TEXT NOT NULL, number INTEGER NOT NULL, step TEXT NOT NULL, key TEXT NOT NULL,
            route TEXT NOT NULL, state TEXT NOT NULL, undo BLOB, note TEXT NOT NULL,
            PRIMARY KEY (operation, number)) STRICT""",
        """CREATE TRIGGER operations_gone AFTER DELETE ON operations BEGIN
            DELETE FROM undoings WHERE operation = OLD.id;
            DELETE FROM parts WHERE operation = OLD.id;
        END""",
    ),
)
_INSERT = f"INSERT INTO operations ({_COLUMNS}) VALUES ({', '.join('?' * 15)})"  # noqa: S608 - constant columns
_BY_KEY = f"SELECT {_COLUMNS} FROM operations WHERE key = ?"  # noqa: S608 - constant columns
_BY_ID = f"SELECT {_COLUMNS} FROM operations WHERE id = ?"  # noqa: S608 - constant columns
_END = "UPDATE operations SET state = ?, outcome = ?, updated = ? WHERE id = ?"
_REFUSE = """UPDATE operations SET state = 'failed', key = NULL, fingerprint = NULL, outcome = ?, updated = ?
    WHERE id = ?"""
_ABANDON = "UPDATE operations SET state = 'unknown', updated = ? WHERE owner = ? AND state = 'running'"
_PIN = "UPDATE operations SET side = ?, snapshot = ? WHERE id = ?"
_TAKE = "UPDATE operations SET state = 'running', owner = ?, updated = ? WHERE id = ?"
_EXPIRED = """DELETE FROM operations WHERE rowid IN (
    SELECT rowid FROM operations WHERE updated < ? AND state IN ('succeeded', 'failed')
    OR updated < ? AND state = 'unknown' LIMIT ?)"""


class KeptFile:
    """A SQLite file that a host's workers share. Used by one thread; whatever changes something runs within
    `transaction`."""

    def __init__(self, path: Path, upgrades: Sequence[Sequence[str]]) -> None:
        """Opens or creates the file and takes it forward to this version; raises `StoreError`."""
        self._path = path
        self.owner = _owner()
        self._full = False
        self._durable = True
        try:
            with ExitStack() as opened:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._lock = opened.enter_context(path.with_suffix(".lock").open("ab"))
                self._connection = opened.enter_context(closing(connect(path)))
                # What is deleted is overwritten: replies may hold personal data.
                self._connection.execute("PRAGMA secure_delete=ON")
                upgrade(self._connection, upgrades)
                opened.pop_all()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the file {path} can't be opened: {error}") from error

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """One transaction; raises `sqlite3.Error`, and then nothing has changed. A `durable` one is on the disk when it
        ends; another outlives a crash, and a power failure only once a later one has been durable.

        The workers queue up for it at a file's lock: SQLite's own waiting sleeps, and may sleep past its turn.
        """
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            if durable != self._durable:
                self._connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._full = self._bytes() > MOST_BYTES
                yield
                self._connection.execute("COMMIT")
                self.committed()
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def committed(self) -> None:
        """What is done once a transaction is over, before another process has one."""

    def tidy(self) -> bool:
        """What is done once in a while; returns whether there is more of it."""
        return False

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()
        self._lock.close()

    def _bytes(self) -> int:
        pages, free, size = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)


class OperationFile(KeptFile):
    """The operations' own file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _UPGRADES)

    def begin(self, intent: Intent) -> Begun:
        """Keeps the intent, unless its key is known already; raises `StoreError` when no more can be kept."""
        now = time.time()
        found = None if intent.key is None else self._found(_BY_KEY, intent.key)
        if found is not None and self._expired(found, now):
            self.forget(found.id)
            found = None
        if found is not None:
            return self._known(found, intent, now)
        if self._full:
            raise StoreError("as many operations are kept as may be")
        made = StoredOperation(
            *(intent.id, intent.key, intent.fingerprint, intent.caller, intent.route, intent.principal, intent.agent),
            *(intent.tenant, self.owner, OperationState.RUNNING, None, now, now),
            side=intent.side,
            snapshot=intent.snapshot,
        )
        self._connection.execute(_INSERT, made)
        return Begun(made, taken=True)

    def _known(self, found: StoredOperation, intent: Intent, now: float) -> Begun:
        if found.fingerprint != intent.fingerprint:
            return Begun(found, taken=False, same=False)
        found = self._judged(found)
        since = intent.resume_after
        if found.state is OperationState.UNKNOWN and since is not None and time.time() - found.updated >= since:
            self._connection.execute(_TAKE, (self.owner, now, found.id))
            return Begun(found, taken=True, resumed=True)
        return Begun(found, taken=False)

    def end(self, id: str, state: OperationState, outcome: bytes | None) -> None:
        """Notes how an operation ended."""
        self._connection.execute(_END, (state.value, outcome, time.time(), id))

    def pin(self, id: str, side: str, snapshot: int) -> None:
        """Notes that another side does the write now: the one that had it has never heard of it."""
        self._connection.execute(_PIN, (side, snapshot, id))

    def refuse(self, id: str, outcome: bytes) -> None:
        """Takes an intent back, but keeps for who was promised an answer why nothing was sent. Its key is free."""
        self._connection.execute(_REFUSE, (outcome, time.time(), id))

    def forget(self, id: str) -> None:
        """Takes an intent back: nothing was sent."""
        self._connection.execute("DELETE FROM operations WHERE id = ?", (id,))

    def read(self, id: str) -> StoredOperation | None:
        """An operation as it stands, None when there is none of that id (any more)."""
        found = self._found(_BY_ID, id)
        if found is None or self._expired(found, time.time()):
            return None
        return self._judged(found)

    def tidy(self) -> bool:
        """Tells running operations whose processes are gone to be of unknown outcome, and deletes some of those
        that are past their time; returns whether there may be more of them."""
        owners = self._connection.execute("SELECT DISTINCT owner FROM operations WHERE state = 'running'").fetchall()
        now = time.time()
        for (owner,) in owners:
            if owner != self.owner and not lives(owner):
                self._connection.execute(_ABANDON, (now, owner))
        bounds = (now - KEEP_SECONDS, now - KEEP_UNKNOWN_SECONDS, _PRUNED_AT_ONCE)
        return self._connection.execute(_EXPIRED, bounds).rowcount == _PRUNED_AT_ONCE

    def _found(self, query: str, value: bytes | str) -> StoredOperation | None:
        row = self._connection.execute(query, (value,)).fetchone()
        if row is None:
            return None
        found = StoredOperation._make(row)
        return found._replace(state=OperationState(found.state))

    def _judged(self, found: StoredOperation) -> StoredOperation:
        """The operation; a running one whose process is gone becomes one of unknown outcome."""
        if found.state is not OperationState.RUNNING or found.owner == self.owner or lives(found.owner):
            return found
        now = time.time()
        self._connection.execute(_END, (OperationState.UNKNOWN.value, None, now, found.id))
        return found._replace(state=OperationState.UNKNOWN, updated=now)

    @staticmethod
    def _expired(found: StoredOperation, now: float) -> bool:
        if found.state is OperationState.RUNNING:
            return False
        keep = KEEP_UNKNOWN_SECONDS if found.state is OperationState.UNKNOWN else KEEP_SECONDS
        return found.updated < now - keep


def _owner() -> str:
    """This process: its id and when it started, so that a reused id isn't taken for it."""
    return f"{os.getpid()}:{started(os.getpid()) or 0}:{_boot()}"


def lives(owner: str) -> bool:
    """Whether the process that `KeptFile.owner` named runs."""
    pid, start, boot = owner.split(":")
    return boot == _boot() and started(int(pid)) == int(start)


@cache
def _boot() -> str:
    """The system's start, in which process ids and their start times count."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
