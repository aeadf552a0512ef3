"""Composite writes that were left behind: by a process that is gone, or as something couldn't be undone yet.

Every worker looks for them; what one has taken is its own. All that was done of them is undone, as nobody has been told
that they succeeded.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from gateway.audit.log import AuditLog
from gateway.audit.record import record_of
from gateway.audit.sink import AuditError
from gateway.call import Call
from gateway.compose.undoing import Undoing, Undone, told
from gateway.errors import Problem, UnknownOutcome, UpstreamUnavailable
from gateway.operations import outcome
from gateway.operations import parts as kept
from gateway.operations.parts import GIVE_UP_SECONDS
from gateway.operations.record import OperationState
from gateway.operations.undoable import told_left
from gateway.store.contract import StoreError

logger = logging.getLogger("figway")

_LOOK = 1.0
"""Seconds between looks."""
_PATIENCE = 60.0
"""Seconds that one of them may take before it waits for its next turn."""
_CUT_SHORT = "Not all of the change was made."
"""Whether a process ended or a part was refused: which of them isn't kept."""


async def recover(held: Callable[[], AbstractAsyncContextManager[tuple[int, Undoing]]], audit: AuditLog) -> None:
    """Looks for them for ever. `held` gives the number and the undoing of the snapshot that is served, which lives
    meanwhile."""
    while True:
        async with held() as (version, undoing):
            try:
                found = await undoing.ledger.take_undoing()
            except StoreError as error:
                logger.warning("what is to be undone can't be read: %s", error)
                found = []
            await asyncio.gather(*(_undo(undoing, each, version, audit) for each in found))
        await asyncio.sleep(_LOOK)


async def _undo(undoing: Undoing, taken: kept.Undoing, version: int, audit: AuditLog) -> None:
    began, started, id = time.time(), time.monotonic(), taken.operation.id
    whole, undone = _call(undoing, taken, version), None
    try:
        undone = await undoing.undo(whole, started + _PATIENCE)
    except Problem as problem:
        logger.error("composite %s can't be undone now: %s", id, problem.note or problem.detail)
        return
    finally:
        again = undone is None or (undone.again and began - taken.operation.created < GIVE_UP_SECONDS)
        if again:
            await undoing.ledger.wait(id, taken.tries)
    status, slug = (504, UnknownOutcome.slug) if again else await _end(undoing, taken, undone)
    whole.noted["undone"] = sentences = told(undone.parts, again=again)
    logger.warning("composite %s of %s was left behind. %s", id, whole.operation, sentences)
    _record(audit, whole, began, time.monotonic() - started, status, slug)


async def _end(undoing: Undoing, taken: kept.Undoing, undone: Undone) -> tuple[int, str]:
    """Notes how it ended; the status and slug of what its caller would be told."""
    sentences = told(undone.parts, again=False)
    problem: Problem
    if undone.clean:
        problem, state = UpstreamUnavailable(f"{_CUT_SHORT} {sentences}".strip()), OperationState.FAILED
    else:
        left = UnknownOutcome(f"{_CUT_SHORT} {sentences}".strip())
        problem, state = told_left(left, taken.operation.id), OperationState.UNKNOWN
    kept_outcome = outcome.of_problem(problem, taken.sight)
    await undoing.ledger.ended(taken.operation.id, state, kept_outcome, free=undone.clean)
    return problem.status, problem.slug


def _call(undoing: Undoing, taken: kept.Undoing, version: int) -> Call:
    """A call that stands for the one that was cut off."""
    found = taken.operation
    route = undoing.routes.get(found.route)
    return Call(
        id=found.id,
        operation=found.route,
        snapshot=version,
        method="POST" if route is None else route.method,
        target="" if route is None else route.path,
        deadline=time.monotonic() + _PATIENCE,
        traceparent="",
        path={},
        principal=kept.principal_of(taken.who),
        route="" if route is None else route.path,
        effect="write" if route is None else route.effect.value,
        writes=True,
        kept=found.id,
        idempotency_key=found.id,
        batch=True,
    )


def _record(audit: AuditLog, whole: Call, time: float, seconds: float, status: int, slug: str) -> None:
    try:
        audit.append(
            record_of(
                whole,
                time=time,
                seconds=seconds,
                status=status,
                route=whole.route,
                effect=whole.effect,
                served_by=None,
                problem=slug,
            )
        )
    except AuditError as error:
        logger.error("how composite %s was undone can't be recorded: %s", whole.id, error)
