"""Approvals in one SQLite file of the state folder, for all of a host's processes; each method is one transaction.

Every method blocks, so callers on the event loop go through `gateway.store.offload`, and raises `StoreError` or
`ApprovalError`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from adapters.contract import Json
from gateway.approvals.record import (
    Approval,
    ApprovalState,
    Asker,
    Decision,
    NoSuchApproval,
    NotOpen,
    NotYours,
    TooMany,
)
from gateway.call import Principal, new_id
from gateway.store.contract import StoreError
from gateway.store.schema import upgrade
from gateway.store.sqlite import connect

NOBODY = Asker("")
"""Who asks for what isn't a call."""
LASTS = timedelta(hours=24)
"""How long an approval may be decided and used."""
MOST_OPEN = 10_000
"""Approvals that wait at a time."""
MOST_OF_CALLER = 20
"""Approvals that wait at a time of one caller's calls."""
_ARGUMENTS_KEPT = timedelta(days=2)
"""How long what a call is made with is kept: it may be personal, and is of no use once the approval is over."""
_KEPT = timedelta(days=400)
_MOST_LISTED = 500
_COLUMNS = (
    "id, subject, summary, asked_by, asked, expires, needed, verdict, decisions, details, used, "
    "caller, barred, tenant, used_for, planned"
)
_UPGRADES: Sequence[Sequence[str]] = (
    (
        """CREATE TABLE approvals (
            id TEXT PRIMARY KEY, subject TEXT NOT NULL, summary TEXT NOT NULL, asked_by TEXT NOT NULL,
            asked TEXT NOT NULL, expires TEXT NOT NULL, needed INTEGER NOT NULL, verdict TEXT NOT NULL,
            decisions TEXT NOT NULL, details TEXT NOT NULL, used TEXT) STRICT""",
        "CREATE INDEX approvals_subject ON approvals (subject)",
    ),
    (
        "ALTER TABLE approvals ADD COLUMN caller TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE approvals ADD COLUMN barred TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE approvals ADD COLUMN tenant TEXT",
        "ALTER TABLE approvals ADD COLUMN used_for TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE approvals ADD COLUMN planned TEXT NOT NULL DEFAULT 'null'",
        "CREATE INDEX approvals_open ON approvals (caller) WHERE verdict = 'pending'",
    ),
)
_UPDATE = "UPDATE approvals SET verdict = ?, decisions = ?, used = ? WHERE id = ?"


def _now() -> datetime:
    return datetime.now(UTC)


class Approvals:
    """The open file."""

    def __init__(self, path: Path, clock: Callable[[], datetime] = _now) -> None:
        """Opens or creates the file and takes it forward to this version; raises `StoreError`."""
        self._path, self._clock = path, clock
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = connect(path)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the approvals in {path} can't be opened: {error}") from error
        try:
            # What is deleted is overwritten: what calls are made with may be personal.
            self._connection.execute("PRAGMA secure_delete=ON")
            upgrade(self._connection, _UPGRADES)
        except (StoreError, sqlite3.Error) as error:
            self._connection.close()
            raise StoreError(f"the approvals in {path} can't be used: {error}") from error

    def ask(
        self,
        subject: str,
        summary: str,
        by: str,
        needed: int = 1,
        details: Mapping[str, Any] | None = None,
        *,
        asker: Asker = NOBODY,
        planned: Json = None,
    ) -> tuple[Approval, bool]:
        """Asks for `needed` people's yes to `subject`, and whether that is new: the same person's question that is
        still open is the same approval. Of a call, `asker` is who makes it; raises `TooMany`."""
        with self._transaction() as db:
            for found in self._of(db, subject):
                if found.asked_by == by and found.needed >= needed and found.state in ("pending", "approved"):
                    return found, False
            self._make_room(db, asker.caller)
            now = self._clock()
            row = (new_id(), subject, summary, by, _text(now), _text(now + LASTS), needed, "pending", "[]")
            kept = (orjson.dumps(dict(details or {})).decode(), None, asker.caller)
            made = (*row, *kept, orjson.dumps(asker.barred).decode(), asker.tenant, "", orjson.dumps(planned).decode())
            places = ", ".join("?" * len(made))
            db.execute(f"INSERT INTO approvals ({_COLUMNS}) VALUES ({places})", made)  # noqa: S608 - constant columns
            return self._get(db, row[0]), True

    def standing(self, subject: str, key: str) -> Approval | None:
        """What is known of a call's approval: the one used for that key, else the newest that waits, is given or is
        denied; None: it has to be asked for."""
        with self._transaction() as db:
            valid = [each for each in self._of(db, subject) if each.expires > self._clock()]
        used = (each for each in valid if each.state == "used" and each.used_for == key)
        return next(used, next((each for each in valid if each.state in ("pending", "approved", "denied")), None))

    def use_for(self, id: str, key: str) -> bool:
        """Uses an approval up for the write of that key; False: it isn't approved, or is used for another one. Of
        several who try at once exactly one gets it. It is on the disk when this returns."""
        with self._transaction() as db:
            found = self._get(db, id)
            if found.state == "used" and found.used_for == key and found.expires > self._clock():
                return True
            if found.state != "approved":
                return False
            self._put(db, id, "approved", found.decisions, self._clock())
            db.execute("UPDATE approvals SET used_for = ? WHERE id = ?", (key, id))
            return True

    def get(self, id: str) -> Approval:
        """The approval; raises `NoSuchApproval`."""
        with self._transaction() as db:
            return self._get(db, id)

    def newest(self, *, pending: bool = False, limit: int = 100, tenant: str | None = None) -> list[Approval]:
        """The newest first; with `pending`, those that can still be decided. For approvers of a tenant, its own and
        those of none."""
        wanted = "verdict = 'pending' AND expires > ?1" if pending else "asked < ?1"
        own = "(?2 IS NULL OR tenant IS NULL OR tenant = ?2)"
        query = f"SELECT {_COLUMNS} FROM approvals WHERE {wanted} AND {own} ORDER BY id DESC LIMIT ?3"  # noqa: S608 - constant
        since = _text(self._clock() + (timedelta(0) if pending else LASTS))
        with self._transaction() as db:
            self._forget(db)
            rows = db.execute(query, (since, tenant, min(limit, _MOST_LISTED)))
            return [self._approval(row) for row in rows]

    def decide(self, id: str, who: Principal, *, approve: bool, reason: str = "") -> Approval:
        """One person's yes or no; raises `NoSuchApproval`, `NotYours` or `NotOpen`.

        Whoever asked can't, by whatever credential; nor can an agent, for anyone: it may be the one who gains.
        """
        with self._transaction() as db:
            found = self._get(db, id)
            if found.asker.tenant is not None and who.tenant not in (None, found.asker.tenant):
                raise NoSuchApproval("There is no such approval.")
            if who.id in found.asker.barred:
                raise NotYours("Who has a part in a call can't approve it: another person must decide.")
            if who.id in (found.asked_by, found.asked_by.removeprefix("host:")):
                raise NotYours("Who asked for an approval can't give it: another person must decide.")
            if who.agent is not None or who.delegation:
                raise NotYours("An agent can't decide on an approval: the person must do it.")
            if found.state != "pending":
                raise NotOpen(f"The approval is {found.state}: it can't be decided any more.")
            if any(each.by == who.id for each in found.decisions):
                raise NotYours("You have said yes already: it needs another person's.")
            decisions = (*found.decisions, Decision(who.id, approve, reason, self._clock()))
            enough = len(decisions) >= found.needed
            verdict = "denied" if not approve else "approved" if enough else "pending"
            self._put(db, id, verdict, decisions, None)
            return self._get(db, id)

    def use(self, subject: str, by: str, needed: int = 1) -> Approval | None:
        """Uses up an approval of `subject` that `by` asked for; None: there is none that is approved by enough and
        not expired. Of several who try at once exactly one gets it."""
        with self._transaction() as db:
            for found in self._of(db, subject):
                if found.asked_by == by and found.state == "approved" and found.needed >= needed:
                    self._put(db, found.id, "approved", found.decisions, self._clock())
                    return self._get(db, found.id)
        return None

    def give_back(self, id: str) -> None:
        """Takes a use back: what it was used for hasn't happened, and nothing of it."""
        with self._transaction() as db:
            db.execute("UPDATE approvals SET used = NULL WHERE id = ?", (id,))

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _of(self, db: sqlite3.Connection, subject: str) -> list[Approval]:
        query = f"SELECT {_COLUMNS} FROM approvals WHERE subject = ? ORDER BY id DESC LIMIT 100"  # noqa: S608 - constant
        return [self._approval(row) for row in db.execute(query, (subject,)).fetchall()]

    def _get(self, db: sqlite3.Connection, id: str) -> Approval:
        row = db.execute(f"SELECT {_COLUMNS} FROM approvals WHERE id = ?", (id,)).fetchone()  # noqa: S608 - constant
        if row is None:
            raise NoSuchApproval("There is no such approval.")
        return self._approval(row)

    def _put(
        self, db: sqlite3.Connection, id: str, verdict: str, decisions: Sequence[Decision], used: datetime | None
    ) -> None:
        documents = [[each.by, each.approve, each.reason, _text(each.time)] for each in decisions]
        db.execute(_UPDATE, (verdict, orjson.dumps(documents).decode(), _text(used), id))

    def _forget(self, db: sqlite3.Connection) -> None:
        now = self._clock()
        db.execute("DELETE FROM approvals WHERE asked < ?", (_text(now - _KEPT),))
        over = "caller != '' AND details != '{}' AND asked < ?"
        db.execute(f"UPDATE approvals SET details = '{{}}' WHERE {over}", (_text(now - _ARGUMENTS_KEPT),))  # noqa: S608 - constant

    def _make_room(self, db: sqlite3.Connection, caller: str) -> None:
        now = self._clock()
        self._forget(db)
        if caller:
            of_caller = "SELECT count(*) FROM approvals WHERE caller = ? AND verdict = 'pending' AND expires > ?"
            if db.execute(of_caller, (caller, _text(now))).fetchone()[0] >= MOST_OF_CALLER:
                raise TooMany(f"{MOST_OF_CALLER} approvals that you have asked for wait already.")
        query = "SELECT count(*) FROM approvals WHERE verdict = 'pending' AND expires > ?"
        if db.execute(query, (_text(now),)).fetchone()[0] >= MOST_OPEN:
            raise StoreError(f"{MOST_OPEN} approvals wait already: decide on some first")

    def _approval(self, row: tuple[Any, ...]) -> Approval:
        id, subject, summary, asked_by, asked, expires, needed, verdict, decisions, details, used = row[:11]
        caller, barred, tenant, used_for, planned = row[11:]
        until = datetime.fromisoformat(expires)
        over = verdict in ("pending", "approved") and until <= self._clock()
        state: ApprovalState = "used" if used else "expired" if over else verdict
        made = [Decision(by, yes, why, datetime.fromisoformat(at)) for by, yes, why, at in orjson.loads(decisions)]
        when = None if used is None else datetime.fromisoformat(used)
        since = datetime.fromisoformat(asked)
        asker = Asker(caller, tuple(orjson.loads(barred)), tenant)
        about = (tuple(made), orjson.loads(details), when, asker, used_for, orjson.loads(planned))
        return Approval(id, subject, summary, asked_by, since, until, needed, state, *about)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                finally:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise StoreError(f"the approvals in {self._path} failed: {error}") from error


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat(timespec="microseconds")
