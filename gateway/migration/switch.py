"""The end of a migrating read's chain: one side answers, what it did is noted, and of some calls the other is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from gateway.call import Call, Reply
from gateway.control_errors import Stale
from gateway.errors import BadRequest, DeadlineExceeded, Overloaded, Problem
from gateway.limit_errors import BudgetExhausted, Closed, QuotaExhausted, RateLimited, RunExhausted
from gateway.migration.choose import BOTH, Choose
from gateway.migration.model import Side, Stage
from gateway.pipeline import Handler

_IN_A_HURRY = 0.5
"""A call that ran out of time says something of the side only when it had this share of its route's time."""


_LIMITS = (RateLimited, QuotaExhausted, BudgetExhausted, RunExhausted, Closed, Overloaded)


class Notes(Protocol):
    """Where what became of calls is counted, for the gates."""

    def note(self, group: str, side: Side, *, error: bool, slow: bool, key: int = -1, signature: str = "") -> None: ...

    def note_parity(self, group: str, verdict: str, signature: str = "", key: int = -1) -> None: ...

    def stopped(self, group: str) -> bool:
        """Whether the replacement is to serve nobody at the moment."""
        ...


Sampler: TypeAlias = Callable[[Call, Side, int, Reply | Problem], None]
"""Asks the other side of some calls, off their path."""
CursorSide: TypeAlias = Callable[[Call], Side | None]
"""Whose cursor a call shows; None: it shows none."""
Note: TypeAlias = Callable[[Side, int, float, Problem | None], None]


@dataclass(frozen=True, slots=True)
class Watching:
    """What is looked at when a call has been answered. Times in seconds."""

    group: str
    deadline: float
    slow_over: float | None
    notes: Notes
    sample: Sampler | None


@dataclass(frozen=True, slots=True)
class Exceptions:
    """What goes before the choice. `side_of_cursor` is for lists: a page continues on the side that its cursor is of.
    `unseen` is for groups whose writes reach one side first: what a call is about has one that the other side hasn't
    seen; then `authority` answers, so that a caller reads what it wrote."""

    side_of_cursor: CursorSide | None = None
    unseen: Callable[[Call], bool] | None = None
    authority: Side = "legacy"


def switch(
    stage: Stage, choose: Choose, sides: Mapping[Side, Handler], exceptions: Exceptions, watching: Watching
) -> Handler:
    """The handler of a read with two sides. `sides` has only those that the stage lets answer."""
    side_of_cursor, unseen = exceptions.side_of_cursor, exceptions.unseen
    note, sample = _noting(watching), watching.sample
    stopped, group = watching.notes.stopped, watching.group

    async def handler(call: Call) -> Reply:
        side, bucket = choose(call)
        if side_of_cursor is not None and (begun := side_of_cursor(call)) is not None:
            side = _continued(begun, side, stage)
        if side == "replacement" and stopped(group) and "legacy" in sides:
            side = "legacy"
        told = sample
        if unseen is not None and unseen(call):
            # The two sides differ until the write has reached both, which says nothing of the replacement.
            told, side = None, exceptions.authority
        call.side = side
        started = time.perf_counter()
        try:
            reply = await sides[side](call)
        except Problem as problem:
            # Neither a limit nor the half of a split read that isn't under trial says anything of the side.
            idle = isinstance(problem, Stale) and problem.__cause__ is None  # the side wasn't asked
            if idle or isinstance(problem, _LIMITS) or (side == "replacement" and call.side == "legacy"):
                raise
            note(side, bucket, time.perf_counter() - started, problem)
            if told is not None:
                told(call, side, bucket, problem)
            raise
        if reply.stored:  # which says nothing of the side as it is now, unless that failed
            if isinstance(reply.failed, Problem):
                note(side, bucket, time.perf_counter() - started, reply.failed)
            return reply
        note(side, bucket, time.perf_counter() - started, None)
        if told is not None:
            told(call, side, bucket, reply)
        return reply

    return handler


def _continued(begun: Side, side: Side, stage: Stage) -> Side:
    """The side that answers a list's next page: the one that began it, while the stage lets it answer anybody."""
    if begun != side and stage.reads not in BOTH:
        raise BadRequest(
            "The list has moved to another system since it was begun.",
            fix="Leave the cursor out to start again.",
        )
    return begun


def _noting(watching: Watching) -> Note:
    group, over, deadline, noted = watching.group, watching.slow_over, watching.deadline, watching.notes.note

    def note(side: Side, bucket: int, seconds: float, problem: Problem | None) -> None:
        error = problem is not None and is_its_fault(problem, seconds, deadline)
        noted(group, side, error=error, slow=over is not None and seconds > over, key=bucket)

    return note


def is_its_fault(problem: Problem, seconds: float, deadline: float) -> bool:
    """Whether a problem is of the side's making, rather than of its caller's, who may also be in a hurry."""
    if isinstance(problem, DeadlineExceeded) and seconds < deadline * _IN_A_HURRY:
        return False
    return problem.status >= 500
