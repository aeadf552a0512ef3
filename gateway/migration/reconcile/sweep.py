"""A run, from where it stands to its end: both lists are walked page by page, then entities are looked at one by one.

The lists' items are held against each other, in whatever order the sides have them: an item waits on the disk for the
other side's, so that memory is bounded and, where both sort alike, hardly anything waits. What differs, or is on one
side alone, is then read by its own route. With details every entity is, and the lists only tell which there are.

How far it is stands in the file, with what each page brought: a process that dies is replaced by one that goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson

from adapters.contract import Json
from gateway.migration.model import Side
from gateway.migration.reconcile.asking import UNDER_WAY, Asking, CannotAsk, id_bytes
from gateway.migration.reconcile.ledger import Reconciliations
from gateway.migration.reconcile.model import Kind, Look, Place, Run, RunState, What, read_who
from gateway.migration.reconcile.repairs import mended

LONGEST = 24 * 3600.0
"""Seconds after which a run is ended, as what it began with says nothing any more."""
_TRIES, _PAGE_TRIES = 8, 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 8.0
_AT_ONCE = 100
_SIDES: tuple[Side, Side] = ("legacy", "replacement")


class RunEnded(Exception):
    """The run can't go on; the message says why."""


def fresh_progress(sequence: int, *, details: bool) -> dict[str, Any]:
    """How far a run is that has just begun; `sequence` is the number of the newest write in the outbox."""
    sides = {side: {"cursor": None, "walked": 0, "over": False} for side in _SIDES}
    return {
        "sides": sides,
        "counts": {kind.value: 0 for kind in Kind},
        "verdicts": {},
        "sequence": sequence,
        "details": details,
    }


class Sweep:
    """One run being carried out."""

    def __init__(self, run: Run, asking: Asking, kept: Reconciliations) -> None:
        self._run, self._asking, self._kept = run, asking, kept
        self._who = read_who(run.who)
        self._progress: dict[str, Any] = orjson.loads(run.progress)
        self._fresh: list[tuple[Place, Look | None]] = []

    async def go_on(self) -> None:
        """To its end; raises `StoreError`."""
        run, kept = self._run, self._kept
        try:
            if run.what is What.SWEEP:
                await self._walk()
            await self._look()
        except RunEnded as ended:
            await kept.do(partial(kept.file.end, run, RunState.CANCELLED, str(ended)))
        else:
            await kept.do(partial(kept.file.end, run, RunState.DONE))

    # ── the lists ────────────────────────────────────────────────────────────────────────────────────────────

    async def _walk(self) -> None:
        sides = self._progress["sides"]
        while behind := [side for side in _SIDES if not sides[side]["over"]]:
            side = min(behind, key=lambda each: sides[each]["walked"])
            page = await self._page(side, sides[side]["cursor"])
            if page.cursor is not None and page.cursor == sides[side]["cursor"]:
                raise RunEnded(f"{side}'s list doesn't go on")
            await self._take(side, page.items)
            sides[side] |= {"cursor": page.cursor, "over": page.cursor is None}
            sides[side]["walked"] += len(page.items)
            await self._put()

    async def _page(self, side: Side, cursor: str | None) -> Any:
        for attempt in range(_PAGE_TRIES):
            self._in_time()
            try:
                return await self._asking.page(side, cursor, self._who)
            except CannotAsk as why:
                if attempt == _PAGE_TRIES - 1:
                    raise RunEnded(f"its list can't be read: {why}") from why
            await asyncio.sleep(_pause(attempt))
        raise AssertionError

    async def _take(self, side: Side, items: Sequence[Json]) -> None:
        """What a page brought: entities to be looked at, or items that wait for the other side's."""
        run, kept, asking = self._run, self._kept, self._asking
        named: dict[str, tuple[Json, Json]] = {}
        for item in items:
            id = asking.ways.identity(item)
            if id is None:
                raise RunEnded(f"an item of {side}'s list has no '{asking.ways.parameter}', nor an 'id'")
            named[asking.entity_of(id, self._who)] = (id, item)
        known = await kept.ask(partial(kept.file.places, run.id, tuple(named)))
        for entity, (id, item) in named.items():
            before, over = known.get(entity, (None, False))
            if over or (before is not None and (before.body is None or before.side == side)):
                continue  # it was named before, and more isn't to be had of it
            place = Place(entity, id_bytes(id), side, None if self._progress["details"] else orjson.dumps(item), 0)
            if before is None:
                self._fresh.append((place, None))
            else:
                self._fresh.append(await self._paired(place, before))

    async def _paired(self, place: Place, before: Place) -> tuple[Place, Look | None]:
        """Both lists have named the entity; None: it is to be looked at."""
        mine, other = orjson.loads(place.body or b"null"), orjson.loads(before.body or b"null")
        legacy, replacement = (mine, other) if place.side == "legacy" else (other, mine)
        look = await self._asking.compared(legacy, replacement)
        if look.kind is not Kind.SAME and self._asking.ways.detail is not None:
            return place._replace(side="both", body=None), None
        if look.kind is not Kind.SAME and await self._was_written(place.entity):
            look = Look(Kind.UNKNOWN, UNDER_WAY)
        self._count(look)
        return place, look

    async def _put(self) -> None:
        fresh, self._fresh = self._fresh, []
        if not await self._kept.ask(partial(self._kept.file.put, self._run, fresh, self._progress)):
            raise RunEnded("the lists go in such different orders that too much waits on the disk: try --details")

    # ── entities ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _look(self) -> None:
        run, kept = self._run, self._kept
        while await kept.ask(partial(kept.file.left, run.id)):
            self._in_time()
            due: list[Place] = await kept.ask(partial(kept.file.due_places, run.id, _AT_ONCE))
            for place in due:
                await self._one(place)
            if not due:
                await asyncio.sleep(_FIRST_PAUSE)

    async def _one(self, place: Place) -> None:
        run, kept, progress = self._run, self._kept, self._progress
        look = await self._looked(place)
        if look.passing and place.tries + 1 < _TRIES:
            await kept.ask(partial(kept.file.later, run.id, place, _pause(place.tries)))
            return
        self._count(look)
        if run.what is What.PROPOSE:
            repair = mended(self._asking, orjson.loads(place.id), look)
            if repair is not None:
                about = (run.group, place.entity, place.id, repair, run.who, run.author)
                await kept.ask(partial(kept.file.propose, *about))
        await kept.ask(partial(kept.file.looked, run, place, look, progress))

    async def _looked(self, place: Place) -> Look:
        if self._asking.ways.detail is not None:
            id = orjson.loads(place.id)
            return await self._asking.look(id, self._asking.entity_of(id, self._who), self._who)
        if await self._was_written(place.entity):
            return Look(Kind.UNKNOWN, UNDER_WAY)
        return Look(Kind.MISSING if place.side == "legacy" else Kind.EXTRA)

    async def _was_written(self, entity: str) -> bool:
        """Whether the lists alone can't tell: a write may have come between their pages."""
        sequence, waiting = await self._asking.newest(entity)
        return bool(waiting) or sequence > self._progress["sequence"]

    def _count(self, look: Look) -> None:
        counts, verdicts = self._progress["counts"], self._progress["verdicts"]
        counts[look.kind.value] += 1
        if look.kind is Kind.SAME:
            verdicts[look.why] = verdicts.get(look.why, 0) + 1

    def _in_time(self) -> None:
        if time.time() - self._run.began > LONGEST:
            raise RunEnded("it took longer than 24 hours: raise extra_calls of the legacy upstream")


def _pause(tries: int) -> float:
    return float(min(_FIRST_PAUSE * 2**tries, _LONGEST_PAUSE))
