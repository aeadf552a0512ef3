"""The rule about changes that an adapter tells: whoever stores what it is told, and its position, misses nothing.

The reader behind a capture can be killed at any time. So the rule reads a little, forgets it, and reads again with
another adapter from the position that it had stored; and it holds what it was told against what really happened.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from adapters.capabilities import SupportsChanges, SupportsInstall
from adapters.changes import Batch, Capture, Change, PositionLost, What
from adapters.contract import Json
from adapters.errors import AdapterError
from adapters.testing.bench import Bench, NotAsked, broken, told
from adapters.testing.subject import SECONDS, Changing

_T = TypeVar("_T")
Row = Mapping[str, Json] | None

_LIMIT = 2
_MOST = 2 * _LIMIT + 1
"""A portion may go beyond its limit a little, as one change may be told as several."""
_SETTLED = 30.0
"""Seconds within which what was changed must be told, however slow the machine."""
_PAUSE = 0.05
_FIRST = ((6, 1), (1, 1), (2, 1), (1, 2), (3, None), (7, 1), (1, 3))
_THEN = ((3, 5), (3, 6), (3, 7), (2, None), (8, 1), (6, None), (6, 2), (9, 4))
_LATER = ((1, 9), (4, None))
_STRANGE = "no such position"
_BEGUN = "begun "


@dataclass
class _Store:
    """What is stored of a capture: its position and the changes that were told, by id."""

    position: str
    changes: dict[str, Change] = field(default_factory=dict)

    def take(self, batch: Batch) -> None:
        for each in batch.changes:
            known = self.changes.setdefault(each.id, each)
            if (known.what, known.key, known.after) != (each.what, each.key, each.after):
                broken(f"the id {each.id} stands for two changes")
        self.position = batch.position


class _World:
    """What really happened, and the capture under trial."""

    def __init__(self, bench: Bench, changing: Changing) -> None:
        self._bench, self.changing = bench, changing
        self.begun: dict[tuple[Json, ...], Row] = {changing.key(n): changing.row(n, 0) for n in range(1, 6)}
        self.history: dict[tuple[Json, ...], list[Row]] = {key: [row] for key, row in self.begun.items()}
        self.capture = self.opened()

    def opened(self) -> Capture:
        adapter = self._bench.build()
        if not isinstance(adapter, SupportsChanges):
            raise NotAsked("it tells no changes")
        self.capture = adapter.capture(self.changing.asked)
        return self.capture

    async def reopened(self) -> Capture:
        """Another reader, of another process as it were."""
        await self.capture.close()
        return self.opened()

    async def make(self, changes: tuple[tuple[int, int | None], ...]) -> None:
        for number, value in changes:
            await asyncio.to_thread(self.changing.change, number, value)
            row = None if value is None else self.changing.row(number, value)
            self.history.setdefault(self.changing.key(number), []).append(row)

    def now(self) -> dict[tuple[Json, ...], Row]:
        return {key: rows[-1] for key, rows in self.history.items() if rows[-1] is not None}


async def changes(bench: Bench) -> None:
    """Captures some rows while they change, as readers do that are killed in between."""
    if bench.subject.changing is None:
        if isinstance(bench.build(), SupportsChanges):
            broken("it tells changes, and the subject doesn't say what is changing")
        raise NotAsked("it tells no changes")
    world = _World(bench, await asyncio.to_thread(bench.subject.changing))
    installed = world.capture
    if isinstance(installed, SupportsInstall):
        await installed.install(_soon())
    try:
        await _captured(world)
    finally:
        await _done("close", world.capture.close)
        if isinstance(installed, SupportsInstall):
            await installed.remove(_soon())


async def _captured(world: _World) -> None:
    store = _Store(await _done("begin", lambda: world.capture.begin(_soon())))
    await world.make(_FIRST[:2])
    rows = await _loaded(world)
    await world.make(_FIRST[2:])
    await _until(world, store, rows)
    unstored = await _check_again(world, store)
    await world.make(_THEN)
    if await _check_resumed(world, store):
        await _until(world, store, rows)
        if unstored - store.changes.keys():
            broken("what was told and not stored isn't told again by the same id")
        _check_history(world, store)
    await _check_strange(world)
    await world.capture.close()
    await _done("close, a second time,", world.capture.close)


async def _loaded(world: _World) -> dict[tuple[Json, ...], Row]:
    """The rows as pages show them, each once."""
    rows: dict[tuple[Json, ...], Row] = {}
    after: Json = None
    while True:
        page = await _done("page", partial(world.capture.page, after, _LIMIT, _soon()))
        if len(page.rows) > _LIMIT:
            broken(f"a page has {len(page.rows)} rows where {_LIMIT} were asked for")
        for key, row in page.rows:
            if key in rows:
                broken(f"pages show the row {key} twice")
            rows[key] = row
        after = page.after
        if after is None:
            return rows


async def _batch(world: _World, position: str) -> Batch:
    batch = await _done("changes", partial(world.capture.changes, position, _LIMIT, _soon()))
    if len(batch.changes) > _MOST:
        broken(f"a portion has {len(batch.changes)} changes where {_LIMIT} were asked for")
    if type(batch.position) is not str:
        broken("a position is no text")
    return batch


async def _until(world: _World, store: _Store, rows: dict[tuple[Json, ...], Row]) -> None:
    """Stores what is told, and tells of that, until it comes to what is at the source."""
    end = time.monotonic() + _SETTLED
    while True:
        batch = await _batch(world, store.position)
        store.take(batch)
        await _done("release", lambda: world.capture.release(store.position, _soon()))
        found = _folded(world, store, rows)
        if found == world.now() and not batch.more:
            return
        if time.monotonic() >= end:
            lost = sorted(str(key) for key in found.keys() ^ world.now().keys() | _others(found, world.now()))
            broken(f"what it told in {_SETTLED:.0f} s doesn't come to what is at the source, of the rows {lost}")
        if not batch.more:
            await asyncio.sleep(_PAUSE)


def _others(one: Mapping[tuple[Json, ...], Row], other: Mapping[tuple[Json, ...], Row]) -> set[tuple[Json, ...]]:
    return {key for key in one.keys() & other.keys() if one[key] != other[key]}


def _folded(world: _World, store: _Store, rows: dict[tuple[Json, ...], Row]) -> dict[tuple[Json, ...], Row]:
    """The rows that were loaded, with what was told of them since."""
    found = dict(rows)
    promised = world.capture.guarantee.deletes != "found by reconciliation"
    for each in store.changes.values():
        if each.what == What.TRUNCATE:
            found.clear()
        elif each.what != What.SCHEMA and each.after is None:
            found.pop(each.key, None)
        elif each.what != What.SCHEMA:
            found[each.key] = each.after
    return found if promised else {key: row for key, row in found.items() if key in world.now()}


async def _check_again(world: _World, store: _Store) -> set[str]:
    """Reads what it doesn't store, is cancelled, and reads on as another one; the ids that are to be told again."""
    await world.make(_LATER)
    first = await _some(world, store.position)
    reading = asyncio.ensure_future(world.capture.changes(store.position, _LIMIT, _soon()))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait({reading}, timeout=SECONDS)
    if not reading.done():
        broken("a cancelled reader doesn't end")
    await world.reopened()
    try:
        await _some(world, store.position)
    except PositionLost:
        _check_comparing(world)
        await world.reopened()
        store.position = await _done("begin", lambda: world.capture.begin(_soon()))
        store.changes = {f"{_BEGUN}{number}": each for number, each in enumerate(_as_states(world))}
        return set()
    return {each.id for each in first.changes}


def _as_states(world: _World) -> list[Change]:
    """The rows as a new load would show them, and those that are gone."""
    return [
        Change(str(key), What.DELETE if rows[-1] is None else What.STATE, key, rows[-1])
        for key, rows in world.history.items()
    ]


def _check_comparing(world: _World) -> None:
    """Only what is compared may be lost with the reader; all else is told from where it was stored."""
    if world.capture.guarantee.deletes != "found by comparison":
        broken("another reader can't go on from the position that was stored: it raises PositionLost")


async def _some(world: _World, position: str) -> Batch:
    """The first portion behind a position that has changes."""
    end = time.monotonic() + _SETTLED
    while time.monotonic() < end:
        batch = await _raising(partial(world.capture.changes, position, _LIMIT, _soon()))
        if batch.changes:
            return batch
        position = batch.position
        await asyncio.sleep(_PAUSE)
    return broken("what was changed isn't told")


async def _check_resumed(world: _World, store: _Store) -> bool:
    """Another reader goes on behind what was stored; whether it could."""
    batch = await _some(world, store.position)
    store.take(batch)
    await _done("release", lambda: world.capture.release(store.position, _soon()))
    await world.reopened()
    try:
        await _raising(lambda: world.capture.changes(store.position, _LIMIT, _soon()))
    except PositionLost:
        _check_comparing(world)
        return False
    return True


def _check_history(world: _World, store: _Store) -> None:
    """What was told of each key is its history, in order: all of it where every change is promised."""
    guarantee = world.capture.guarantee
    for key, rows in world.history.items():
        seen = [each.after for each in store.changes.values() if each.key == key and each.what in _OF_ROWS]
        begun = any(id.startswith(_BEGUN) for id in store.changes)
        if guarantee.order != "none" and not _within(seen, rows):
            broken(f"the changes of the row {key} aren't told in the order in which they were made")
        made = rows[1:] if rows[0] == world.begun.get(key) else rows
        if guarantee.every and not begun and seen != made:
            broken(f"not every change of the row {key} is told, each once")


_OF_ROWS = frozenset({What.INSERT, What.UPDATE, What.DELETE, What.STATE})


def _within(seen: list[Row], rows: list[Row]) -> bool:
    rest = iter(rows)
    return all(any(row == each for row in rest) for each in seen)


async def _check_strange(world: _World) -> None:
    try:
        await _raising(lambda: world.capture.changes(_STRANGE, _LIMIT, _soon()))
    except PositionLost:
        return
    broken("a position that it never gave is taken for one: it should raise PositionLost")


async def _done(what: str, call: Callable[[], Awaitable[_T]]) -> _T:
    """What a call gives that must succeed."""
    try:
        return await _raising(call)
    except AdapterError as error:
        return broken(f"{what} fails with {told(error)}")


async def _raising(call: Callable[[], Awaitable[_T]]) -> _T:
    """What a call gives, or an `AdapterError`; whatever else it raises breaks the rule, as does one that never ends."""
    task = asyncio.ensure_future(call())
    done, _ = await asyncio.wait({task}, timeout=2 * SECONDS)
    if not done:
        task.cancel()
        broken("a call of the capture doesn't end by its deadline")
    error = task.exception()
    if isinstance(error, AdapterError):
        raise error
    if error is not None:
        broken(f"a call of the capture raises {told(error)}, which adapters.errors doesn't define")
    return task.result()


def _soon() -> float:
    return time.monotonic() + SECONDS
