"""Writes that are kept: begun once, ended once, and told truthfully meanwhile."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Self

from gateway.audit.log import AuditLog
from gateway.audit.record import record_of
from gateway.audit.sink import AuditError
from gateway.call import Call, Reply, new_id
from gateway.control_errors import PlanRefused, PreconditionFailed
from gateway.errors import (
    AuditUnavailable,
    Conflict,
    Forbidden,
    InternalError,
    NotFound,
    Overloaded,
    Problem,
    Rejected,
    StateUnavailable,
    UnknownOutcome,
    UpstreamBusy,
    UpstreamRefused,
    UpstreamUnavailable,
)
from gateway.operations import outcome
from gateway.operations.parts import PartFile
from gateway.operations.parts_ledger import PartLedger
from gateway.operations.record import Begun, Intent, OperationState, StoredOperation, caller_digest
from gateway.operations.undoable import Undoable
from gateway.store.contract import StoreError

logger = logging.getLogger("figway")

MOST_RUNNING = 1024
"""Kept writes that run at once in one process."""
_REFUSED_FOR_GOOD = (NotFound, Conflict, Rejected, PreconditionFailed)
_NOTHING_SENT = (
    PlanRefused,
    UpstreamBusy,
    UpstreamUnavailable,
    UpstreamRefused,
    Forbidden,
    AuditUnavailable,
    Overloaded,
)
_LAST_WRITES = 15.0


class Operations:
    """One process's kept writes. Belongs to one event loop."""

    def __init__(self, ledger: PartLedger, audit: AuditLog) -> None:
        self._ledger, self._audit = ledger, audit
        self._running: dict[asyncio.Task[Reply], int] = {}

    @classmethod
    def open(cls, path: Path, audit: AuditLog) -> Self:
        """Opens the operations' file; blocks; raises `StoreError`."""
        return cls(PartLedger(PartFile(path)), audit)

    async def begin(self, intent: Intent) -> Begun:
        """Keeps an intent durably; raises `StateUnavailable` or `Overloaded`, and then nothing may be sent."""
        if len(self._running) >= MOST_RUNNING:
            raise Overloaded("Too many writes are under way.", retry_after=1)
        try:
            return await self._ledger.begin(intent)
        except StoreError as error:
            raise _unavailable(error) from error

    @property
    def parts(self) -> PartLedger:
        """The parts of composite writes that can be undone."""
        return self._ledger

    def run(
        self, call: Call, begun: Begun, work: Awaitable[Reply], sight: str, composite: bool, *, undoes: bool = False
    ) -> asyncio.Task[Reply]:
        """Does the write in a task of its own, so that its end is noted even when its caller has left. `sight`: what
        the caller may see of the reply, which is kept with it. `undoes`: a composite that undoes what it has done."""

        async def release(problem: Problem) -> None:
            await self._release(begun, False, outcome.of_problem(problem, sight))

        if undoes:
            assert call.principal is not None
            id, who = begun.operation.id, call.principal
            doing = Undoable(self._ledger, id, who, sight, release, _REFUSED_FOR_GOOD).run(work)
        else:
            doing = self._run(call, begun, work, sight, composite)
        task = asyncio.create_task(doing)
        self._running[task] = call.snapshot
        task.add_done_callback(self._ended)
        return task

    async def _run(self, call: Call, begun: Begun, work: Awaitable[Reply], sight: str, composite: bool) -> Reply:
        id, ledger = begun.operation.id, self._ledger
        try:
            reply = await work
            kept = outcome.of_reply(reply, sight)
        except Problem as problem:
            if isinstance(problem, _REFUSED_FOR_GOOD) and not composite:
                await ledger.end(id, OperationState.FAILED, outcome.of_problem(problem, sight))
                raise
            # A composite's steps are kept each by itself: sent again, it goes on where it failed.
            if composite or isinstance(problem, _NOTHING_SENT) or not call.upstream_calls:
                await self._release(begun, composite and bool(call.upstream_calls), outcome.of_problem(problem, sight))
                raise
            await ledger.end(id, OperationState.UNKNOWN)
            raise told_unknown(problem, id) from problem
        except Exception:
            if composite or not call.upstream_calls:
                await self._release(
                    begun,
                    composite and bool(call.upstream_calls),
                    outcome.of_problem(InternalError("The gateway failed."), sight),
                )
            else:
                await ledger.end(id, OperationState.UNKNOWN)
            raise
        await ledger.end(id, OperationState.SUCCEEDED, kept)
        return reply

    async def _release(self, begun: Begun, parts: bool, told: bytes) -> None:
        """Gives the key back. Who may have been told to ask later finds the operation all the same; of one with `parts`
        that were called, they know what was done."""
        id = begun.operation.id
        if begun.resumed or (begun.promised and parts):
            await self._ledger.end(id, OperationState.UNKNOWN)
        elif begun.promised:
            await self._ledger.refuse(id, told)
        else:
            await self._ledger.forget(id)

    async def withdraw(self, begun: Begun) -> None:
        """Gives the key of a write back of which nothing was sent, and nothing promised."""
        await self._release(begun._replace(promised=False), False, b"")

    def _ended(self, task: asyncio.Task[Reply]) -> None:
        del self._running[task]
        if not task.cancelled():
            task.exception()  # told to whoever waits; a caller that has left isn't there to hear it

    def record_late(self, task: asyncio.Task[Reply], call: Call) -> None:
        """Has the audit record how a write ends whose caller has been answered before: a second record of the call."""
        began, started = time.time(), time.monotonic()

        def ended(task: asyncio.Task[Reply]) -> None:
            if task.cancelled():
                return
            problem = task.exception()
            slug = problem.slug if isinstance(problem, Problem) else None if problem is None else InternalError.slug
            status = problem.status if isinstance(problem, Problem) else 500 if problem else task.result().status
            try:
                self._audit.append(
                    record_of(
                        call,
                        time=began,
                        seconds=time.monotonic() - started,
                        status=status,
                        route=call.route,
                        effect=call.effect,
                        served_by=None if problem else task.result().served_by,
                        problem=slug,
                    )
                )
            except AuditError as error:
                logger.error("how call %s ended can't be recorded: %s", call.id, error)

        task.add_done_callback(ended)

    def busy(self, snapshot: int) -> bool:
        """Whether writes that a snapshot admitted are under way."""
        return snapshot in self._running.values()

    async def note_unknown(self, call: Call, problem: Problem) -> Problem:
        """Keeps a write that had no key and whose outcome is unknown; the problem then names the operation."""
        made = intent_of(call)
        try:
            await self._ledger.add(made, OperationState.UNKNOWN)
        except StoreError as error:
            logger.error("a write of unknown outcome, call %s, can't be kept: %s", call.id, error)
            return problem
        return told_unknown(problem, made.id)

    async def repin(self, call: Call, side: str) -> None:
        """Has a kept write done by another side than before, durably; raises `StateUnavailable`."""
        try:
            await self._ledger.pin(call.kept, side, call.snapshot)
        except StoreError as error:
            raise _unavailable(error) from error

    async def read(self, id: str) -> StoredOperation | None:
        """An operation as it stands; raises `StateUnavailable`."""
        try:
            return await self._ledger.read(id)
        except StoreError as error:
            raise _unavailable(error) from error

    async def finish(self) -> None:
        """Waits for the writes under way: each ends at its deadline."""
        if self._running:
            await asyncio.wait(tuple(self._running), timeout=_LAST_WRITES)

    def close(self) -> None:
        """Writes what is to be kept, and ends the thread; blocks."""
        self._ledger.close()


def intent_of(call: Call) -> Intent:
    """The call as an intent without a key. A call and its operation share their id; a composite's steps have theirs."""
    who = call.principal
    assert who is not None
    id = call.id if call.parent is None else new_id()
    return Intent(id, call.operation, who.id, who.agent, who.tenant, caller_digest(who))


def told_unknown(problem: Problem, id: str) -> UnknownOutcome:
    """The problem of a write whose outcome is unknown, with where to ask what became of it."""
    detail = problem.detail if isinstance(problem, UnknownOutcome) else "What became of the change isn't known."
    return UnknownOutcome(
        detail,
        fix=f"Ask GET /-/operations/{id}, or read the entity, to learn what became of it before you send it anew.",
        headers=[(b"location", f"/-/operations/{id}".encode())],
        operation=id,
        note=problem.note,
    )


def _unavailable(error: StoreError) -> StateUnavailable:
    return StateUnavailable("Writes can't be kept at present; nothing was sent.", retry_after=5, note=str(error))
