"""A source that is only imagined: a table with a history, read as captures are read, and cut off at any moment."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from adapters.changes import Batch, Change, Guarantee, Page, PositionLost, Retained, What


class Cut(Exception):
    """The process is gone."""


class Table:
    """Rows by key, and all that ever happened to them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.rows: dict[int, dict[str, Any]] = {}
        self.history: list[Change] = []
        self.forgotten = 0
        self.count = 0

    def happen(self, times: int) -> None:
        """Some random changes."""
        for _ in range(times):
            self._one()

    def _one(self) -> None:
        self.count += 1
        key, roll = self.random.randrange(40), self.random.random()
        if roll < 0.01:
            self.rows.clear()
            self._told(What.TRUNCATE, ())
        elif roll < 0.25 and key in self.rows:
            del self.rows[key]
            self._told(What.DELETE, (key,))
        elif roll < 0.35 and key in self.rows:
            other = self.random.randrange(40)
            if other not in self.rows:
                row = self.rows.pop(key)
                self._told(What.DELETE, (key,))
                self._put(other, What.INSERT, row["value"])
        else:
            self._put(key, What.UPDATE if key in self.rows else What.INSERT, self.count)

    def _put(self, key: int, what: What, value: int) -> None:
        self.rows[key] = {"id": key, "value": value}
        self._told(what, (key,), dict(self.rows[key]))

    def _told(self, what: What, key: tuple[int, ...], after: dict[str, Any] | None = None) -> None:
        self.history.append(Change(f"c{len(self.history)}", what, key, after, datetime.now(UTC)))


class Imagined:
    """A capture of a `Table`, which changes while it is read. `cuts` says how likely each question ends in a `Cut`."""

    guarantee = Guarantee("all", "commit", True, "none")

    def __init__(self, table: Table, busy: int, cuts: float) -> None:
        self._table, self._busy, self._cuts = table, busy, cuts

    def _meanwhile(self) -> None:
        if self._table.random.random() < self._cuts:
            raise Cut
        self._table.happen(self._table.random.randrange(self._busy + 1))

    async def begin(self, deadline: float) -> str:
        self._meanwhile()
        return str(len(self._table.history))

    async def changes(self, after: str, limit: int, deadline: float) -> Batch:
        self._meanwhile()
        start = int(after)
        if start < self._table.forgotten:
            raise PositionLost("forgotten")
        found = self._table.history[start : start + self._table.random.randrange(1, 6)]
        end = start + len(found)
        return Batch(found, str(end), end < len(self._table.history))

    async def release(self, position: str, deadline: float) -> None:
        self._meanwhile()
        self._table.forgotten = max(self._table.forgotten, int(position))

    async def page(self, after: Any, limit: int, deadline: float) -> Page:
        self._meanwhile()
        keys = sorted(key for key in self._table.rows if after is None or key > after)[:3]
        rows: Sequence[Any] = [((key,), json.loads(json.dumps(self._table.rows[key]))) for key in keys]
        self._table.happen(self._table.random.randrange(self._busy + 1))
        return Page(rows, keys[-1] if len(keys) == 3 else None)

    async def retained(self, deadline: float) -> Retained:
        return Retained()

    async def pause(self, seconds: float) -> None: ...

    async def close(self) -> None: ...
