"""The elected worker of the reconciliations: runs, entities that were written, and repairs that were approved.

Whatever it is at stands in the file, so that a process that dies is replaced by one that goes on. A run belongs to one
snapshot, as another may compare otherwise: it is cancelled when another one is served.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import orjson

from gateway.call import Call
from gateway.migration.apply import Writable
from gateway.migration.entries import StoredEntry
from gateway.migration.reads import Migrating, Reads
from gateway.migration.reconcile.applying import Repairs
from gateway.migration.reconcile.asking import Asking, Means, id_bytes
from gateway.migration.reconcile.model import Check, Run, RunState, read_who, spelt_who
from gateway.migration.reconcile.proof import why_not
from gateway.migration.reconcile.service import Reconciling
from gateway.migration.reconcile.sweep import Sweep
from gateway.migration.reconcile.ways import Ways, ways_of
from gateway.routing.model import Compiled, Route
from gateway.routing.parity_schema import ParityModel
from gateway.store.contract import StoreError
from gateway.store.leader import Leader

logger = logging.getLogger("figway")

LOCK = "reconcile.leader"
"""The lock in the state folder that the worker holds."""
_LEAD_POLL, _POLL, _LOOK = 1.0, 0.25, 0.1
_TRIES = 8
_AT_ONCE = 20


class Served(Protocol):
    """The snapshot that a process serves (`gateway.serving.Serving`)."""

    @property
    def version(self) -> int: ...

    @property
    def compiled(self) -> Compiled: ...

    @property
    def reads(self) -> Reads: ...

    def held(self) -> AbstractAsyncContextManager[tuple[int, Mapping[str, Writable]]]: ...


class Reconciler:
    """One process's worker; it works while it leads."""

    def __init__(self, service: Reconciling, migrating: Migrating, current: Callable[[], Served], lock: Path) -> None:
        self._kept, self._outbox, self._migrating = service.kept, service.outbox, migrating
        self._current, self._leader = current, Leader(lock)
        self._asking: dict[str, tuple[int, Asking]] = {}
        self._repairs = Repairs(service.kept, service.outbox)

    def told(self, entry: StoredEntry, call: Call) -> None:
        """Both sides have a write: its entity is to be looked at."""
        if call.principal is not None:
            path, who = orjson.dumps(call.path), spelt_who(call.principal)
            self._kept.written(entry.group, entry.entity, path, who)

    async def work(self) -> None:
        """Does what there is to do, until it's cancelled."""
        while not self._leader.try_lead():  # noqa: ASYNC110 - the lock is another process's: nothing here tells
            await asyncio.sleep(_LEAD_POLL)
        try:
            async with asyncio.TaskGroup() as group:
                for each in (self._next_run, self._due_checks, self._open_repairs):
                    group.create_task(_again(each))
        finally:
            self._leader.resign()

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _next_run(self) -> bool:
        run: Run | None = await self._kept.ask(self._kept.file.next_run)
        if run is None or self._current().version < run.snapshot:
            return False
        async with self._held(run.group) as asking:
            if asking is None or asking.snapshot != run.snapshot:
                await self._cancel(run)
            else:
                await self._carry_out(run, asking)
        return True

    async def _carry_out(self, run: Run, asking: Asking) -> None:
        sweep = asyncio.create_task(Sweep(run, asking, self._kept).go_on())
        try:
            while not (await asyncio.wait((sweep,), timeout=_LOOK))[0]:
                if self._current().version != run.snapshot:
                    break
        finally:
            # Also when this process stops: the run goes on where it stands.
            sweep.cancel()
            await asyncio.wait((sweep,))
        if sweep.cancelled():
            await self._cancel(run)
        else:
            sweep.result()

    async def _cancel(self, run: Run) -> None:
        reason = f"snapshot {self._current().version} is served since"
        await self._kept.do(partial(self._kept.file.end, run, RunState.CANCELLED, reason))

    # ── entities that were written ───────────────────────────────────────────────────────────────────────────

    async def _due_checks(self) -> bool:
        due: list[Check] = await self._kept.ask(partial(self._kept.file.due_checks, _AT_ONCE))
        for check in due:
            async with self._held(check.group) as asking:
                await self._check(check, asking)
        return bool(due)

    async def _check(self, check: Check, asking: Asking | None) -> None:
        kept, path = self._kept, orjson.loads(check.path)
        id = None if asking is None or asking.ways.detail is None else path.get(asking.ways.parameter)
        if asking is None or id is None:
            await kept.ask(partial(kept.file.check_over, check, b"null", None))
            return
        look = await asking.look(id, check.entity, read_who(check.who))
        if look.passing and check.tries + 1 < _TRIES:
            await kept.ask(partial(kept.file.check_later, check, 0.25 * 2.0**check.tries))
        else:
            await kept.ask(partial(kept.file.check_over, check, id_bytes(id), look))

    # ── repairs ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _open_repairs(self) -> bool:
        moved = False
        for repair in await self._kept.ask(partial(self._kept.file.open_repairs, _AT_ONCE)):
            async with self._held(repair.group) as asking:
                moved |= await self._repairs.go_on(repair, asking, self._patience(asking, repair.route))
        return moved

    def _patience(self, asking: Asking | None, operation: str) -> float:
        """Seconds that the route's write has."""
        compiled = self._current().compiled
        route = next((each for each in compiled.routes if each.operation_id == operation), None)
        return (compiled.defaults.deadline if route is None or route.deadline is None else route.deadline) + 1.0

    # ── what either side is asked by ─────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def _held(self, group: str) -> AsyncIterator[Asking | None]:
        """What asks a group's sides in the snapshot that is served, which lives meanwhile; None: they can't be
        reconciled."""
        served = self._current()
        async with served.held():
            yield self._asking_of(served, group)

    def _asking_of(self, served: Served, name: str) -> Asking | None:
        known = self._asking.get(name)
        if known is not None and known[0] == served.version:
            return known[1]
        group, ways = served.compiled.groups.get(name), ways_of(served.compiled, name)
        if group is None or why_not(group, ways) is not None:
            return None
        parity = group.parity or ParityModel()
        redactor = self._migrating.samples.redactor(parity)
        means = Means(self._migrating.budget, self._outbox, redactor, lambda: self._current().version)
        both = {each.operation_id: served.reads.both(each) for each in _asked(ways)}
        asking = Asking(group, ways, both, means, served.version, served.compiled.defaults.max_page)
        self._asking[name] = (served.version, asking)
        return asking


def _asked(ways: Ways) -> list[Route]:
    return [each for each in (ways.detail, ways.listing) if each is not None]


async def _again(work: Callable[[], Awaitable[bool]]) -> None:
    """Does some work again and again, at once while there is more of it."""
    while True:
        try:
            more = await work()
        except StoreError as error:
            logger.error("what is reconciled can't be read or written, which is tried again: %s", error)
            more = False
        if not more:
            await asyncio.sleep(_POLL)
