"""The outbox: one SQLite file that a host's workers share, with every write that both sides of a group are to see.

An entry is there before the first side hears of the write. What is over stays for a while without its request, so that
a write that is sent again isn't taken for a new one.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.migration.entries import ENDED, FOR_PEOPLE, Begun, Entry, EntryState, StoredEntry
from gateway.migration.pending import Pending
from gateway.operations.file import KeptFile, lives
from gateway.store.contract import StoreError

KEEP_SECONDS = 31 * 24 * 3600.0
"""How long it's known what became of a write: longer than its idempotency key is."""
NEVER = 1e18
_COLUMNS = (
    'sequence, id, "group", entity, route, authority, fence, key, request, patience, state, owner, tried, attempts, '
    "due, problem, created, updated"
)
_UPGRADES = (
    (
        """CREATE TABLE entries (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, "group" TEXT NOT NULL,
            entity TEXT NOT NULL, route TEXT NOT NULL, authority TEXT NOT NULL, fence INTEGER NOT NULL,
            key TEXT NOT NULL, request BLOB, patience REAL NOT NULL, state TEXT NOT NULL, owner TEXT NOT NULL,
            tried INTEGER NOT NULL, attempts INTEGER NOT NULL, due REAL NOT NULL, problem TEXT NOT NULL,
            created REAL NOT NULL, updated REAL NOT NULL, open INTEGER NOT NULL) STRICT""",
        'CREATE INDEX entries_open ON entries ("group", entity, sequence) WHERE open = 1',
        "CREATE INDEX entries_over ON entries (updated) WHERE open = 0",
        'CREATE TABLE fences ("group" TEXT PRIMARY KEY, fence INTEGER NOT NULL, authority TEXT NOT NULL) STRICT',
    ),
    ('CREATE INDEX entries_entity ON entries ("group", entity, sequence)',),
)
# Constant columns and placeholders only: values are always bound.
_SELECT = f"SELECT {_COLUMNS} FROM entries "  # noqa: S608
_INSERT = f"INSERT INTO entries ({_COLUMNS}, open) VALUES (NULL{', ?' * 17}, 1)"  # noqa: S608
_DUE = """AS e WHERE open = 1 AND (due <= ? OR state = 'sent') AND sequence = (
    SELECT min(sequence) FROM entries WHERE open = 1 AND "group" = e."group" AND entity = e.entity)
    ORDER BY due, sequence LIMIT ?"""
_MOVE = """UPDATE entries SET request = coalesce(?, request), state = ?, owner = ?, tried = ?, attempts = ?, due = ?,
    problem = ?, entity = ?, open = ?, updated = ? WHERE id = ? AND state = ? AND open = 1"""
_WIPE = "UPDATE entries SET request = NULL WHERE open = 0 AND id = ?"
_OVER = """DELETE FROM entries WHERE rowid IN (
    SELECT rowid FROM entries WHERE open = 0 AND updated < ? LIMIT 500)"""


class OutboxFile(KeptFile):
    """The open file. All but `close` runs within `transaction`."""

    def __init__(self, path: Path, pending: Pending) -> None:
        super().__init__(path, _UPGRADES)
        self._pending = pending
        self._over: list[tuple[str, str]] = []

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """One transaction, as the operations have them."""
        self._over.clear()
        with super().transaction(durable=durable):
            yield

    def committed(self) -> None:
        """Readers are told last that a write is over, and first that one begins."""
        for group, entity in self._over:
            self._pending.add(group, entity, -1)
        self._over.clear()
        self._pending.touch()

    def begin(self, entry: Entry) -> Begun:
        """Keeps an entry, or says why not; raises `StoreError` when no more can be kept."""
        if not self._passes(entry):
            return Begun("fenced")
        found = self.read(entry.id)
        if found is not None and found.state is not EntryState.VOID:
            return self._again(found)
        other = 'SELECT 1 FROM entries WHERE open = 1 AND "group" = ? AND authority <> ? LIMIT 1'
        if self._one(other, entry.group, entry.authority):
            return Begun("owing")
        if self._under_way(entry):
            return Begun("busy")
        if self._full:
            raise StoreError("as many writes are kept as may be")
        self._pending.add(entry.group, entry.entity, 1)
        self._connection.execute("DELETE FROM entries WHERE id = ?", (entry.id,))
        self._insert(entry, EntryState.SENT, NEVER)
        return Begun("taken", self.read(entry.id))

    def owe(self, entry: Entry, newest: int) -> bool:
        """Keeps an entry that the side with the last word has done already, and the other one is to be told of; False:
        its entity was written since its entry `newest`, or is being written. Raises `StoreError`."""
        if not self._passes(entry) or self.newest(entry.group, entry.entity) != (newest, 0):
            return False
        if self._full:
            raise StoreError("as many writes are kept as may be")
        self._pending.add(entry.group, entry.entity, 1)
        self._insert(entry, EntryState.OWED, 0.0)
        return True

    def _insert(self, entry: Entry, state: EntryState, due: float) -> None:
        now = time.time()
        about = (entry.id, entry.group, entry.entity, entry.route, entry.authority, entry.fence, entry.key)
        values = (*about, entry.request, entry.patience, state.value, self.owner, 0, 0, due, "", now, now)
        self._connection.execute(_INSERT, values)

    def _passes(self, entry: Entry) -> bool:
        """Whether no newer snapshot has given the last word to the other side, which is then noted of this one."""
        query = 'SELECT fence, authority FROM fences WHERE "group" = ?'
        known = self._connection.execute(query, (entry.group,)).fetchone()
        if known is None or known[1] != entry.authority:
            if known is not None and entry.fence <= known[0]:
                return False
            replace = 'INSERT OR REPLACE INTO fences ("group", fence, authority) VALUES (?, ?, ?)'
            self._connection.execute(replace, (entry.group, entry.fence, entry.authority))
        return True

    def _again(self, found: StoredEntry) -> Begun:
        if found.state is EntryState.SENT and lives(found.owner):
            return Begun("busy")
        if found.state not in (EntryState.SENT, EntryState.UNKNOWN):
            return Begun("made", found)
        self.move(found, EntryState.SENT, due=NEVER)
        return Begun("resumed", found)

    def _under_way(self, entry: Entry) -> bool:
        query = "SELECT owner FROM entries WHERE open = 1 AND \"group\" = ? AND entity = ? AND state = 'sent'"
        owners = self._connection.execute(query, (entry.group, entry.entity)).fetchall()
        return any(lives(owner) for (owner,) in owners)

    def move(
        self,
        found: StoredEntry,
        state: EntryState,
        *,
        due: float = 0.0,
        problem: str = "",
        tried: bool | None = None,
        attempts: int | None = None,
        entity: str | None = None,
        request: bytes | None = None,
    ) -> bool:
        """Notes how far an entry is; False: it isn't where it was found any more, and stays. Where `entity` is told, it
        is this entity's from now on."""
        opened, entity = state not in ENDED, entity or found.entity
        due = NEVER if state in (EntryState.PARKED, EntryState.UNSETTLED) else due
        if opened and entity != found.entity:
            self._pending.add(found.group, entity, 1)
        tried = bool(found.tried) if tried is None else tried
        attempts = found.attempts if attempts is None else attempts
        values = (state.value, self.owner, int(tried), attempts, due, problem, entity, int(opened), time.time())
        changed = self._connection.execute(_MOVE, (request, *values, found.id, found.state.value)).rowcount == 1
        if changed and (not opened or entity != found.entity):
            self._over.append((found.group, found.entity))
        if not opened:
            self._connection.execute(_WIPE, (found.id,))
        return changed

    def take(self, id: str, states: Collection[EntryState]) -> StoredEntry | None:
        """The entry, to be told to the other side by this process now; None: it isn't in such a state any more."""
        found = self.read(id)
        if found is None or found.state not in states:
            return None
        asked = found.state in (EntryState.OWED, EntryState.APPLYING)
        state = EntryState.APPLYING if asked else found.state
        due = time.time() + found.patience
        self.move(found, state, due=due, tried=bool(found.tried) or asked, attempts=found.attempts + 1)
        return found._replace(attempts=found.attempts + 1)

    def due(self, limit: int) -> list[StoredEntry]:
        """The first open entry of each entity, where its time has come. One that was being sent by a process that is
        gone is of unknown outcome from now on."""
        found = [self._stored(row) for row in self._connection.execute(_SELECT + _DUE, (time.time(), limit)).fetchall()]
        for each in found:
            if each.state is EntryState.SENT and not lives(each.owner):
                self.move(each, EntryState.UNKNOWN, due=each.updated + each.patience)
        return [each for each in found if each.state is not EntryState.SENT]

    def read(self, id: str) -> StoredEntry | None:
        """An entry as it stands; None: there is none of that id."""
        row = self._connection.execute(_SELECT + "WHERE id = ?", (id,)).fetchone()
        return None if row is None else self._stored(row)

    def open_entries(self, group: str | None, limit: int) -> list[StoredEntry]:
        """The entries that aren't over, the oldest first."""
        where = 'WHERE open = 1 AND (? IS NULL OR "group" = ?) ORDER BY sequence LIMIT ?'
        return [self._stored(row) for row in self._connection.execute(_SELECT + where, (group, group, limit))]

    def count(self, group: str) -> dict[str, int]:
        """How many entries of a group are open, by state."""
        query = 'SELECT state, count(*) FROM entries WHERE open = 1 AND "group" = ? GROUP BY state'
        return dict(self._connection.execute(query, (group,)).fetchall())

    def newest(self, group: str, entity: str) -> tuple[int, int]:
        """The number of the entity's newest entry (0: there is none), and how many of its entries are open."""
        query = "SELECT coalesce(max(sequence), 0), coalesce(sum(open), 0) FROM entries "
        where = 'WHERE "group" = ? AND entity = ?'
        found: tuple[int, int] = self._connection.execute(query + where, (group, entity)).fetchone()
        return found

    def last(self) -> int:
        """The number of the newest entry of all (0: there is none)."""
        return int(self._one("SELECT coalesce(max(sequence), 0) FROM entries"))

    def oldest(self, group: str) -> float | None:
        """When the oldest open entry of a group was made; None: there is none."""
        found: float | None = self._one('SELECT min(created) FROM entries WHERE open = 1 AND "group" = ?', group)
        return found

    def decide(self, id: str, happened: bool) -> StoredEntry | None:
        """A person's word on an entry of `FOR_PEOPLE`; None: it isn't one of those (any more). Of unknown outcome:
        whether it happened. Parked: whether it's done with, or to be told to the other side again."""
        found = self.read(id)
        if found is None or found.state not in FOR_PEOPLE:
            return None
        after = EntryState.OWED
        if found.state is EntryState.UNKNOWN:
            after = EntryState.OWED if happened else EntryState.VOID
        elif happened:
            after = EntryState.DONE
        return found if self.move(found, after, tried=False) else None

    def recount(self) -> None:
        """Counts anew what readers look at."""
        query = 'SELECT "group", entity, count(*) FROM entries WHERE open = 1 GROUP BY "group", entity'
        self._pending.recount(self._connection.execute(query).fetchall())

    def tidy(self) -> bool:
        """Deletes some of what is past its time."""
        return self._connection.execute(_OVER, (time.time() - KEEP_SECONDS,)).rowcount == 500

    def _one(self, query: str, *values: Any) -> Any:
        row = self._connection.execute(query, values).fetchone()
        return None if row is None else row[0]

    @staticmethod
    def _stored(row: tuple[Any, ...]) -> StoredEntry:
        found = StoredEntry._make(row)
        return found._replace(state=EntryState(found.state))
