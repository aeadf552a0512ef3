"""Telling the other side: the elected worker takes the first open write of each entity and applies it, until all agree.

A write that the other side can't take now is tried again, ever later; one that it refuses for good is parked, and the
entity's later writes wait behind it, for people to decide. Before the other side hears of a write, that it may have is
on the disk: after a crash it's asked first, where it can tell; what may be repeated is repeated; else people decide.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from adapters.contract import Effect
from gateway.audit.log import AuditLog
from gateway.audit.record import record_of
from gateway.audit.sink import AuditError
from gateway.call import Call, Reply
from gateway.errors import Problem
from gateway.migration.entries import EntryState, StoredEntry
from gateway.migration.model import Side
from gateway.migration.outbox import Outbox
from gateway.migration.outbox_file import NEVER
from gateway.migration.requests import call_of
from gateway.migration.writes import NOT_SENT, REFUSED, WriteSide
from gateway.routing.model import Route
from gateway.store.contract import StoreError
from gateway.store.leader import Leader
from gateway.upstream import NeverHappened

logger = logging.getLogger("figway")

_AT_ONCE = 16
_LEAD_POLL, _POLL, _RECOUNT = 1.0, 0.05, 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 60.0
_LAST_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Writable:
    """A route's write, as it is told to either side. `patience`: seconds that one attempt has."""

    route: Route
    sides: Mapping[Side, WriteSide]
    patience: float


Current = Callable[[], AbstractAsyncContextManager[tuple[int, Mapping[str, Writable]]]]
"""Gives the snapshot that is served and its writes, which live while they are held."""
Told = Callable[[StoredEntry, Call], None]
"""Hears of each write that the other side has taken."""


class Applier:
    """One process's worker; it works while it leads."""

    def __init__(self, outbox: Outbox, current: Current, audit: AuditLog, lock: Path, told: Told) -> None:
        self._outbox, self._current, self._audit, self._leader = outbox, current, audit, Leader(lock)
        self._told = told
        self._under_way: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def work(self) -> None:
        """Tells the other side of what is due, until it's cancelled."""
        while not self._leader.try_lead():  # noqa: ASYNC110 - the lock is another process's: nothing here tells
            await asyncio.sleep(_LEAD_POLL)
        try:
            await self._lead()
        finally:
            # What is under way ends by itself: nobody would know what became of it otherwise.
            if self._under_way:
                await asyncio.wait(tuple(self._under_way.values()), timeout=_LAST_SECONDS)
            self._leader.resign()

    async def _lead(self) -> None:
        recount_at = 0.0
        while True:
            self._outbox.woken.clear()
            try:
                if time.monotonic() >= recount_at:
                    await self._outbox.recount()
                    recount_at = time.monotonic() + _RECOUNT
                if self._outbox.pending.any:
                    await self._begin_due()
            except StoreError as error:
                logger.error("the outbox can't be read, which is tried again: %s", error)
                await asyncio.sleep(_LEAD_POLL)
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL):
                    await self._outbox.woken.wait()

    async def _begin_due(self) -> None:
        room = _AT_ONCE - len(self._under_way)
        if room <= 0:
            return
        # Those under way are due again only when their time is over, and none is begun twice.
        for found in await self._outbox.due(_AT_ONCE + room):
            place = (found.group, found.entity)
            if place not in self._under_way and len(self._under_way) < _AT_ONCE:
                task = self._under_way[place] = asyncio.create_task(self._go_on(found))
                task.add_done_callback(partial(self._ended, place))

    def _ended(self, place: tuple[str, str], task: asyncio.Task[None]) -> None:
        del self._under_way[place]
        self._outbox.woken.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a write of %s couldn't be told to the other side", place[0], exc_info=error)

    async def _go_on(self, found: StoredEntry) -> None:
        async with self._current() as (snapshot, writables):
            writable = writables.get(found.route)
            first: Side = "legacy" if found.authority == "legacy" else "replacement"
            other: Side = "replacement" if first == "legacy" else "legacy"
            if writable is None or other not in writable.sides:
                return  # the route is gone from the snapshot: what is owed stays visible
            taken = await self._outbox.take(found)
            if taken is None:
                return
            call = call_of(taken, snapshot, writable.patience)
            if taken.state is EntryState.UNKNOWN:
                await self._look(taken, call, writable.sides[first])
            else:
                await self._apply(taken, call, writable, writable.sides[other])

    async def _look(self, taken: StoredEntry, call: Call, side: WriteSide) -> None:
        """Asks the first side what became of a write of unknown outcome."""
        if not side.tells:
            await self._outbox.move(taken, EntryState.UNKNOWN, due=NEVER, problem=taken.problem)
            return
        call.looking = True
        try:
            await self._recorded(call, side)
        except Problem as problem:
            if isinstance(problem.__cause__, NeverHappened):
                await self._outbox.move(taken, EntryState.VOID, problem=taken.problem)
            else:
                await self._outbox.move(taken, EntryState.UNKNOWN, due=_later(taken), problem=problem.slug)
        else:
            await self._outbox.move(taken, EntryState.OWED, attempts=0)

    async def _apply(self, taken: StoredEntry, call: Call, writable: Writable, side: WriteSide) -> None:
        move, found = self._outbox.move, taken._replace(state=EntryState.APPLYING, tried=1)
        if taken.tried:
            if not side.tells and writable.route.effect is not Effect.IDEMPOTENT_WRITE:
                await move(found, EntryState.UNSETTLED, problem=taken.problem or "unknown-outcome")
                return
            call.resuming = side.tells
        try:
            await self._recorded(call, side)
        except Problem as problem:
            if isinstance(problem, REFUSED):
                await move(found, EntryState.PARKED, problem=problem.slug, tried=False)
            elif isinstance(problem, NOT_SENT):
                await move(found, EntryState.OWED, due=_later(taken), problem=problem.slug, tried=bool(taken.tried))
            else:
                await move(found, EntryState.OWED, due=_later(taken, found.patience), problem=problem.slug)
        else:
            self._told(found, call)
            await move(found, EntryState.DONE)

    async def _recorded(self, call: Call, side: WriteSide) -> Reply:
        """The side's answer, the audit being told how the call ended."""
        began, started = time.time(), time.monotonic()
        status, slug, reply = 500, "internal-error", None
        try:
            reply = await side.handler(call)
            status, slug = reply.status, ""
            return reply
        except Problem as problem:
            status, slug = problem.status, problem.slug
            raise
        finally:
            seconds = time.monotonic() - started
            served = None if reply is None else reply.served_by
            told = {"route": call.route, "effect": call.effect, "served_by": served, "problem": slug or None}
            try:
                self._audit.append(record_of(call, time=began, seconds=seconds, status=status, **told))  # type: ignore[arg-type]
            except AuditError as error:
                logger.error("how call %s ended can't be recorded: %s", call.id, error)


def _later(taken: StoredEntry, least: float = 0.0) -> float:
    """When to try again: ever later, and not before the attempt can't be under way any more (`least` seconds)."""
    pause = min(_FIRST_PAUSE * 2.0 ** min(taken.attempts, 20), _LONGEST_PAUSE)
    return time.time() + max(pause * random.uniform(0.5, 1.0), least)  # noqa: S311 - it spreads load, guards nothing
