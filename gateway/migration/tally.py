"""Who asks the legacy systems for what, day by day, and the brown-outs in which they refuse.

Counted where an upstream hands a call to its adapter, whatever for: also one that then finds no free connection. So
zero is zero. Each process counts in memory and adds to one file, `legacy.db` in the state folder, within `_PULSE`;
what a process that is killed counted in that time is lost.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

from adapters.contract import Context
from adapters.errors import Unavailable
from gateway.routing.model import Route
from gateway.store.contract import StoreError
from gateway.upstream import Upstream

logger = logging.getLogger("figway")

_K = TypeVar("_K")

DAY = 86_400
_PULSE = 0.25
_MOST = 10_000
"""Callers that are told apart between two writes; others are counted together."""
OTHERS = "(others)"
"""What stands for the names that aren't told apart."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (day INTEGER NOT NULL, upstream TEXT NOT NULL, operation TEXT NOT NULL,
    purpose TEXT NOT NULL, principal TEXT NOT NULL, agent TEXT NOT NULL, count INTEGER NOT NULL, last REAL NOT NULL,
    PRIMARY KEY (day, upstream, operation, purpose, principal, agent)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fields (day INTEGER NOT NULL, upstream TEXT NOT NULL, operation TEXT NOT NULL,
    principal TEXT NOT NULL, agent TEXT NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL, last REAL NOT NULL,
    PRIMARY KEY (day, upstream, operation, principal, agent, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS brownouts (id INTEGER PRIMARY KEY, "group" TEXT NOT NULL, begun REAL NOT NULL,
    until REAL NOT NULL, author TEXT NOT NULL, reason TEXT NOT NULL, operations TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS counting (since REAL NOT NULL);
"""
_ADD = """
INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET count = count + excluded.count, last = max(last, excluded.last)
"""
_ADD_FIELD = _ADD.replace("INTO calls", "INTO fields")

Operations = Collection[tuple[str, str]]
"""Of which upstream, which operation; an empty one stands for its probes."""
Watcher = Callable[[str, str, Context], None]
"""(operation, purpose, context): counts a call, and raises `Unavailable` in a brown-out."""


class Caller(NamedTuple):
    """How often somebody asked, for what purpose, and when last (seconds since the epoch)."""

    upstream: str
    operation: str
    purpose: str
    principal: str
    agent: str
    calls: int
    last: float


class Field(NamedTuple):
    """How often somebody got a field of what an operation answers."""

    upstream: str
    operation: str
    principal: str
    agent: str
    name: str
    calls: int


_Key: TypeAlias = tuple[int, str, str, str, str, str]
_FieldsKey: TypeAlias = tuple[int, str, str, str, str, tuple[str, ...]]
_Counted: TypeAlias = tuple[Mapping[_Key, tuple[int, float]], Mapping[_FieldsKey, tuple[int, float]]]


@dataclass(frozen=True, slots=True)
class Brownout:
    """A time in which a group's legacy side refuses; times in seconds since the epoch."""

    group: str
    begun: float
    until: float
    author: str
    reason: str
    operations: frozenset[tuple[str, str]]

    def document(self) -> dict[str, Any]:
        """It as JSON."""
        return {name: getattr(self, name) for name in ("group", "begun", "until", "author", "reason")}


class Tally:
    """One process's. `watcher` and what it makes belong to one event loop; the rest blocks, and goes on a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._counted: dict[_Key, tuple[int, float]] = {}
        self._received: dict[_FieldsKey, tuple[int, float]] = {}
        self._out: tuple[Brownout, ...] = ()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with closing(self._connected()) as db, db:
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(_SCHEMA)
                if db.execute("SELECT count(*) FROM counting").fetchone()[0] == 0:
                    db.execute("INSERT INTO counting VALUES (?)", (time.time(),))
            self._out = self.brownouts()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"what legacy systems are asked can't be counted in {path}: {error}") from error

    # ── counting ─────────────────────────────────────────────────────────────────────────────────────────────

    def watcher(self, upstream: str) -> Watcher:
        """What an upstream calls before each call of its adapter."""

        def watch(operation: str, purpose: str, context: Context) -> None:
            now = time.time()
            if self._out:
                self._refuse(upstream, operation, now)
            key = (int(now // DAY), upstream, operation, purpose, context.principal or "", context.agent or "")
            found = self._counted.get(key)
            if found is None and len(self._counted) >= _MOST:
                key = (*key[:4], OTHERS, "")
                found = self._counted.get(key)
            self._counted[key] = (1 if found is None else found[0] + 1, now)

        return watch

    def received(self, upstream: str, operation: str, principal: str, agent: str, names: tuple[str, ...]) -> None:
        """Counts the fields that a caller got of what the operation answered."""
        now = time.time()
        key: _FieldsKey = (int(now // DAY), upstream, operation, principal, agent, names)
        found = self._received.get(key)
        if found is None and len(self._received) >= _MOST:
            key = (*key[:3], OTHERS, "", (OTHERS,))
            found = self._received.get(key)
        self._received[key] = (1 if found is None else found[0] + 1, now)

    def _refuse(self, upstream: str, operation: str, now: float) -> None:
        for each in self._out:
            if each.begun <= now < each.until and (upstream, operation) in each.operations:
                raise Unavailable("The legacy system refuses for a while, to see who still needs it; nothing was sent.")

    async def pulse(self) -> None:
        """Writes what was counted and looks for brown-outs, until it's cancelled."""
        while True:
            await asyncio.sleep(_PULSE)
            try:
                self._out = await asyncio.to_thread(self._exchange, self._taken())
            except sqlite3.Error as error:
                logger.error("what legacy systems are asked isn't written, which is tried again: %s", error)

    def close(self) -> None:
        """Writes what isn't written yet."""
        try:
            self._exchange(self._taken())
        except sqlite3.Error as error:
            logger.error("what legacy systems were asked last isn't written: %s", error)

    def _taken(self) -> _Counted:
        taken = self._counted, self._received
        self._counted, self._received = {}, {}
        return taken

    def _exchange(self, counted: _Counted) -> tuple[Brownout, ...]:
        calls, received = counted
        try:
            if calls or received:
                with closing(self._connected()) as db, db:
                    db.executemany(_ADD, ((*key, *value) for key, value in calls.items()))
                    rows = ((*key[:-1], name, *value) for key, value in received.items() for name in key[-1])
                    db.executemany(_ADD_FIELD, rows)
        except sqlite3.Error:  # it is written next time
            _give_back(self._counted, calls)
            _give_back(self._received, received)
            raise
        return self.brownouts()

    # ── what people ask ──────────────────────────────────────────────────────────────────────────────────────

    def callers(self, operations: Operations, since: float = 0.0) -> list[Caller]:
        """Who asked for any of these, the last one first; counts are those of the days since then."""
        query = (
            "SELECT upstream, operation, purpose, principal, agent, sum(count), max(last) FROM calls "
            "WHERE day >= ? GROUP BY 1, 2, 3, 4, 5 HAVING max(last) >= ? ORDER BY 7 DESC"
        )
        with closing(self._connected()) as db:
            found = [Caller(*row) for row in db.execute(query, (int(since // DAY), since))]
        return [each for each in found if (each.upstream, each.operation) in operations]

    def fields(self, operations: Operations, since: float = 0.0) -> list[Field]:
        """The fields that callers of any of these got, in the days since then."""
        query = (
            "SELECT upstream, operation, principal, agent, name, sum(count) FROM fields WHERE day >= ? "
            "GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC, 5"
        )
        with closing(self._connected()) as db:
            found = [Field(*row) for row in db.execute(query, (int(since // DAY),))]
        return [each for each in found if (each.upstream, each.operation) in operations]

    def since(self) -> float:
        """When this host began to count."""
        with closing(self._connected()) as db:
            return float(db.execute("SELECT since FROM counting").fetchone()[0])

    def brown_out(self, out: Brownout) -> None:
        """From then until then the legacy side refuses, in every process on the host within half a second."""
        operations = json.dumps(sorted(out.operations))
        row = (out.group, out.begun, out.until, out.author, out.reason, operations)
        with closing(self._connected()) as db, db:
            db.execute("INSERT INTO brownouts VALUES (NULL, ?, ?, ?, ?, ?, ?)", row)

    def brownouts(self, *, over: bool = False) -> tuple[Brownout, ...]:
        """Those that aren't over, or, if so asked, all that there were."""
        query = 'SELECT "group", begun, until, author, reason, operations FROM brownouts WHERE until > ? ORDER BY begun'
        with closing(self._connected()) as db:
            rows = db.execute(query, (0.0 if over else time.time(),)).fetchall()
        return tuple(_brownout(*row) for row in rows)

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=5.0)


def _give_back(counts: dict[_K, tuple[int, float]], taken: Mapping[_K, tuple[int, float]]) -> None:
    for key, (count, last) in taken.items():
        before = counts.get(key, (0, 0.0))
        counts[key] = (before[0] + count, max(before[1], last))


def _brownout(group: str, begun: float, until: float, author: str, reason: str, operations: str) -> Brownout:
    pairs = frozenset((upstream, operation) for upstream, operation in json.loads(operations))
    return Brownout(group, begun, until, author, reason, pairs)


def count_legacy(routes: Iterable[Route], upstreams: Mapping[str, Upstream], tally: Tally) -> None:
    """From now on what the legacy systems of routes with a replacement are asked is counted, and of no others."""
    replaced = (each for each in routes if (each.replacement is not None or each.missing) and each.legacy)
    watched = {each.legacy.upstream for each in replaced if each.legacy is not None}
    for name, upstream in upstreams.items():
        upstream.watcher = tally.watcher(name) if name in watched else None
