"""The reconciliations of a host in one SQLite file: runs, what was found, what is to be looked at, and repairs.

Whoever reads it may be any process; one elected worker goes on with what is in it, from where it stands. What a run
holds of entities is wiped once it is over.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from gateway.migration.reconcile.model import UNCLEAN, Check, Kind, Look, Place, Run, RunState, What
from gateway.operations.file import KeptFile
from gateway.store.contract import StoreError

MOST_FOUND = 10_000
"""Entities of a group that are named; further ones are only counted."""
MOST_CHECKS = 100_000
"""Entities that wait to be looked at since they were written."""
_KEPT_RUNS = 50
_RUN = 'id, "group", what, state, reason, who, author, snapshot, rules, progress, began, updated, ended'
_UPGRADES = (
    (
        """CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT, "group" TEXT NOT NULL, what TEXT NOT NULL,
            state TEXT NOT NULL, reason TEXT NOT NULL, who BLOB NOT NULL, author TEXT NOT NULL,
            snapshot INTEGER NOT NULL, rules TEXT NOT NULL, progress BLOB NOT NULL, began REAL NOT NULL,
            updated REAL NOT NULL, ended REAL NOT NULL) STRICT""",
        """CREATE TABLE places (run INTEGER NOT NULL, entity TEXT NOT NULL, id BLOB NOT NULL, side TEXT NOT NULL,
            body BLOB, tries INTEGER NOT NULL, due REAL NOT NULL, over INTEGER NOT NULL,
            PRIMARY KEY (run, entity)) STRICT, WITHOUT ROWID""",
        "CREATE INDEX places_due ON places (run, due) WHERE over = 0",
        """CREATE TABLE findings ("group" TEXT NOT NULL, entity TEXT NOT NULL, id BLOB NOT NULL, kind TEXT NOT NULL,
            why TEXT NOT NULL, sample BLOB, found REAL NOT NULL, PRIMARY KEY ("group", entity)) STRICT""",
        """CREATE TABLE checks ("group" TEXT NOT NULL, entity TEXT NOT NULL, path BLOB NOT NULL, who BLOB NOT NULL,
            since REAL NOT NULL, written REAL NOT NULL, tries INTEGER NOT NULL, due REAL NOT NULL,
            PRIMARY KEY ("group", entity)) STRICT""",
        "CREATE INDEX checks_due ON checks (due)",
        """CREATE TABLE checked ("group" TEXT PRIMARY KEY, counts BLOB NOT NULL, last REAL NOT NULL) STRICT""",
        """CREATE TABLE repairs (hash TEXT PRIMARY KEY, "group" TEXT NOT NULL, entity TEXT NOT NULL, id BLOB NOT NULL,
            side TEXT NOT NULL, verb TEXT NOT NULL, route TEXT NOT NULL, members BLOB NOT NULL, left BLOB NOT NULL,
            state TEXT NOT NULL, who BLOB NOT NULL, author TEXT NOT NULL, entry TEXT NOT NULL, why TEXT NOT NULL,
            created REAL NOT NULL, updated REAL NOT NULL) STRICT""",
        'CREATE INDEX repairs_state ON repairs ("group", state)',
    ),
)
# Constant columns and placeholders only: values are always bound.
_RUNS = f"SELECT {_RUN} FROM runs "  # noqa: S608
_START = f"INSERT INTO runs ({_RUN}) VALUES (NULL{', ?' * 12})"  # noqa: S608
_FORGET = """DELETE FROM runs WHERE state <> 'running' AND "group" = ? AND id NOT IN (
    SELECT id FROM runs WHERE "group" = ? ORDER BY id DESC LIMIT ?)"""
_NEXT = "WHERE state = 'running' ORDER BY id LIMIT 1"
_PLACE = "SELECT entity, id, side, body, tries FROM places "
_FIND = 'INSERT OR REPLACE INTO findings ("group", entity, id, kind, why, sample, found) VALUES (?, ?, ?, ?, ?, ?, ?)'
_CHECK = """INSERT INTO checks ("group", entity, path, who, since, written, tries, due) VALUES (?, ?, ?, ?, ?, ?, 0, ?)
    ON CONFLICT DO UPDATE SET path = excluded.path, who = excluded.who, written = excluded.written, tries = 0,
    due = excluded.due"""


class FoundFile(KeptFile):
    """The open file, but for repairs. All but `close` runs within `transaction`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _UPGRADES)

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────

    def start(
        self, group: str, what: What, who: bytes, author: str, snapshot: int, rules: str, progress: Mapping[str, Any]
    ) -> tuple[Run, bool]:
        """A run of the group, and whether it is new: one that is under way is the same. Raises `StoreError`."""
        row = self._row(_RUNS + "WHERE state = 'running' AND \"group\" = ? AND what = ?", group, what.value)
        if row is not None:
            return _run(row), False
        if self._full:
            raise StoreError("the reconciliations take as much room as they may")
        now = time.time()
        values = (group, what.value, RunState.RUNNING.value, "", who, author, snapshot, rules, orjson.dumps(progress))
        made = self._connection.execute(_START, (*values, now, now, 0.0)).lastrowid
        self._connection.execute(_FORGET, (group, group, _KEPT_RUNS))
        if what is What.PROPOSE:
            copy = "SELECT ?, entity, id, '', NULL, 0, 0, 0 FROM findings WHERE \"group\" = ?"
            self._connection.execute(f"INSERT INTO places {copy}", (made, group))
        return _run(self._row(_RUNS + "WHERE id = ?", made)), True

    def name(self, run: int, ids: Iterable[bytes]) -> None:
        """Names the entities that a run is to look at."""
        insert = "INSERT OR IGNORE INTO places VALUES (?, ?, ?, '', NULL, 0, 0, 0)"
        for id in ids:
            self._connection.execute(insert, (run, id.decode().strip('"'), id))

    def next_run(self) -> Run | None:
        """The oldest run under way."""
        row = self._row(_RUNS + _NEXT)
        return None if row is None else _run(row)

    def newest_runs(self, group: str, what: What, limit: int = 10) -> list[Run]:
        """The group's runs, the newest first."""
        where = 'WHERE "group" = ? AND what = ? ORDER BY id DESC LIMIT ?'
        return [_run(row) for row in self._connection.execute(_RUNS + where, (group, what.value, limit))]

    def go_on(self, run: int, progress: Mapping[str, Any]) -> None:
        """Notes how far a run is."""
        update = "UPDATE runs SET progress = ?, updated = ? WHERE id = ? AND state = 'running'"
        self._connection.execute(update, (orjson.dumps(progress), time.time(), run))

    def end(self, run: Run, state: RunState, reason: str = "") -> None:
        """Ends a run and wipes what it held. A sweep that is done has looked at everything: what was found before it,
        and not by it, is no more."""
        now = time.time()
        update = "UPDATE runs SET state = ?, reason = ?, updated = ?, ended = ? WHERE id = ?"
        self._connection.execute(update, (state.value, reason, now, now, run.id))
        self._connection.execute("DELETE FROM places WHERE run = ?", (run.id,))
        if state is RunState.DONE and run.what is What.SWEEP:
            self._connection.execute('DELETE FROM findings WHERE "group" = ? AND found < ?', (run.group, run.began))

    # ── what a run is to look at ─────────────────────────────────────────────────────────────────────────────

    def places(self, run: int, entities: Sequence[str]) -> dict[str, tuple[Place, bool]]:
        """Those of these entities that the run knows, and whether it is done with each."""
        found: dict[str, tuple[Place, bool]] = {}
        query = "SELECT entity, id, side, body, tries, over FROM places WHERE run = ? AND entity = ?"
        for entity in entities:
            row = self._row(query, run, entity)
            if row is not None:
                found[entity] = Place._make(row[:5]), bool(row[5])
        return found

    def put(self, run: Run, places: Iterable[tuple[Place, Look | None]], progress: Mapping[str, Any]) -> bool:
        """Keeps what a page brought, and how far the run is; an entity with a look is done with. False: there is no
        room for more."""
        if self._full:
            return False
        insert = "INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?, ?, 0, ?)"
        for place, look in places:
            body = place.body if look is None else None
            values = (run.id, place.entity, place.id, place.side, body, place.tries, int(look is not None))
            self._connection.execute(insert, values)
            if look is not None:
                self.found(run.group, place.entity, place.id, look)
        self.go_on(run.id, progress)
        return True

    def due_places(self, run: int, limit: int) -> list[Place]:
        """What is to be looked at now."""
        where = "WHERE run = ? AND over = 0 AND due <= ? ORDER BY due LIMIT ?"
        return [Place._make(row) for row in self._connection.execute(_PLACE + where, (run, time.time(), limit))]

    def left(self, run: int) -> int:
        """How many entities aren't done with."""
        return int(self._one("SELECT count(*) FROM places WHERE run = ? AND over = 0", run))

    def later(self, run: int, place: Place, pause: float) -> None:
        """An entity is to be looked at once more, `pause` seconds from now."""
        update = "UPDATE places SET tries = tries + 1, due = ? WHERE run = ? AND entity = ?"
        self._connection.execute(update, (time.time() + pause, run, place.entity))

    def looked(self, run: Run, place: Place, look: Look, progress: Mapping[str, Any]) -> None:
        """The run is done with an entity."""
        wipe = "UPDATE places SET over = 1, body = NULL WHERE run = ? AND entity = ?"
        self._connection.execute(wipe, (run.id, place.entity))
        self.found(run.group, place.entity, place.id, look)
        self.go_on(run.id, progress)

    def found(self, group: str, entity: str, id: bytes, look: Look) -> None:
        """Notes what was found of an entity; one that is well is no finding."""
        if look.kind not in UNCLEAN:
            self._connection.execute('DELETE FROM findings WHERE "group" = ? AND entity = ?', (group, entity))
            return
        known = self._one('SELECT count(*) FROM findings WHERE "group" = ? AND entity <> ?', group, entity)
        if known < MOST_FOUND:
            sample = None if look.sample is None else orjson.dumps(look.sample, default=str)
            values = (group, entity, id, look.kind.value, look.why, sample, time.time())
            self._connection.execute(_FIND, values)

    def findings(self, group: str, limit: int) -> list[tuple[str, bytes, str, str, bytes | None, float]]:
        """What was found: (entity, id, kind, why, sample, when), the newest first."""
        query = (
            'SELECT entity, id, kind, why, sample, found FROM findings WHERE "group" = ? ORDER BY found DESC LIMIT ?'
        )
        return self._connection.execute(query, (group, limit)).fetchall()

    def counted(self, group: str) -> dict[str, int]:
        """How many findings of each kind a group has."""
        query = 'SELECT kind, count(*) FROM findings WHERE "group" = ? GROUP BY kind'
        return dict(self._connection.execute(query, (group,)).fetchall())

    # ── entities that were written ───────────────────────────────────────────────────────────────────────────

    def check(self, group: str, entity: str, path: bytes, who: bytes) -> None:
        """An entity is to be looked at, as both sides have been told of a write of it; with too many, it isn't."""
        if self._one("SELECT count(*) FROM checks") < MOST_CHECKS:
            now = time.time()
            self._connection.execute(_CHECK, (group, entity, path, who, now, now, now))

    def due_checks(self, limit: int) -> list[Check]:
        """The entities that are to be looked at now, the oldest first."""
        query = (
            'SELECT "group", entity, path, who, since, written, tries FROM checks WHERE due <= ? ORDER BY due LIMIT ?'
        )
        return [Check._make(row) for row in self._connection.execute(query, (time.time(), limit))]

    def check_later(self, check: Check, pause: float) -> None:
        """An entity is to be looked at once more, `pause` seconds from now."""
        update = 'UPDATE checks SET tries = tries + 1, due = ? WHERE "group" = ? AND entity = ?'
        self._connection.execute(update, (time.time() + pause, check.group, check.entity))

    def check_over(self, check: Check, id: bytes, look: Look | None) -> None:
        """An entity was looked at; None: it can't be. One that was written meanwhile is to be looked at again."""
        delete = 'DELETE FROM checks WHERE "group" = ? AND entity = ? AND written = ?'
        self._connection.execute(delete, (check.group, check.entity, check.written))
        if look is not None:
            self.found(check.group, check.entity, id, look)
            counts, _ = self.checked(check.group)
            counts[look.kind.value] = counts.get(look.kind.value, 0) + 1
            replace = "INSERT OR REPLACE INTO checked VALUES (?, ?, ?)"
            self._connection.execute(replace, (check.group, orjson.dumps(counts), time.time()))

    def checked(self, group: str) -> tuple[dict[str, int], float]:
        """How entities that were written were found, counted; and when last (0: never)."""
        row = self._row('SELECT counts, last FROM checked WHERE "group" = ?', group)
        return ({kind.value: 0 for kind in Kind}, 0.0) if row is None else (orjson.loads(row[0]), row[1])

    def waiting(self, group: str) -> tuple[int, float | None]:
        """How many entities that were written wait to be looked at, and since when the oldest does."""
        query = 'SELECT count(*), min(since) FROM checks WHERE "group" = ?'
        count, oldest = self._connection.execute(query, (group,)).fetchone()
        return count, oldest

    def _row(self, query: str, *values: Any) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._connection.execute(query, values).fetchone()
        return row

    def _one(self, query: str, *values: Any) -> Any:
        row = self._row(query, *values)
        return None if row is None else row[0]


def _run(row: tuple[Any, ...] | None) -> Run:
    assert row is not None
    found = Run._make(row)
    return found._replace(what=What(found.what), state=RunState(found.state))
