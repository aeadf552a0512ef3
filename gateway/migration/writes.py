"""How a group's writes are done at each stage.

At a dual stage the write is kept in the outbox, the side that has the last word is asked and answers the caller, and
the other side is told of it afterwards (`gateway.migration.apply`), in the order of the entity's writes. A definite
failure is returned, and there is no second write. An outcome that nobody knows is never tried on the other side.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from adapters.contract import Effect
from gateway.call import Call, Reply, new_id
from gateway.control_errors import PlanRefused, PreconditionFailed
from gateway.errors import (
    AuditUnavailable,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    Overloaded,
    Problem,
    Rejected,
    UnknownOutcome,
    UpstreamBusy,
    UpstreamRefused,
    UpstreamUnavailable,
)
from gateway.migration.entity import EntityOf, entity_in, learner
from gateway.migration.entries import Begun, Entry, EntryState, StoredEntry
from gateway.migration.model import Group, Side
from gateway.migration.outbox import Outbox
from gateway.migration.requests import of_call
from gateway.migration.stages import authority
from gateway.operations.service import Operations, told_unknown
from gateway.pipeline import Handler
from gateway.routing.model import Route
from gateway.upstream import NeverHappened

DUAL = ("dual_legacy", "dual_new")
REFUSED = (NotFound, Conflict, Rejected, InvalidRequest, PreconditionFailed, PlanRefused)
"""A side's definite no: nothing has changed."""
NOT_SENT = (UpstreamBusy, UpstreamUnavailable, UpstreamRefused, Forbidden, AuditUnavailable, Overloaded)
"""Nothing has reached the side."""


@dataclass(frozen=True, slots=True)
class WriteSide:
    """One side's way of doing a route's write. `tells`: its upstream can say what became of one."""

    handler: Handler
    tells: bool


@dataclass(frozen=True, slots=True)
class Means:
    """What writes are done with. `patience`: seconds after which a write of the route can't be under way any more."""

    outbox: Outbox
    operations: Operations
    patience: float


def write_handler(
    route: Route, group: Group, sides: Mapping[Side, WriteSide], means: Means, routes: Sequence[Route]
) -> Handler:
    """The end of the chain of a write that has two sides; `routes` are the snapshot's."""
    first = first_side(group)
    if group.stage.writes in DUAL:
        if group.state == "shared":  # `figway check` has refused this
            raise ValueError(f"{group.name} is on shared data, where dual writes would apply twice")
        last: Handler = _Dual(route, group, first, sides[first], means, routes).handler
    else:
        last = sides[first].handler
    return _pinned(route, first, sides, means, last, dual=group.stage.writes in DUAL)


def first_side(group: Group) -> Side:
    """The side that has the last word on the group's writes, and answers them."""
    return "legacy" if authority(group.stage) == "legacy" else "replacement"


def needs_key(group: Group, route: Route) -> bool:
    """Whether a write of the route must bring an idempotency key: one that can't be repeated, from dual_legacy on."""
    return route.effect is Effect.WRITE and group.stage.writes not in ("legacy", "dry_run")


def _pinned(
    route: Route, first: Side, sides: Mapping[Side, WriteSide], means: Means, last: Handler, *, dual: bool
) -> Handler:
    """A write that had no known outcome before stays with the side that had it."""
    repeatable = route.effect is Effect.IDEMPOTENT_WRITE

    def handler(call: Call) -> Awaitable[Reply]:
        if not call.pinned:
            return last(call)
        if call.pinned != first:
            return elsewhere(call)
        if not dual:
            if not sides[first].tells and not repeatable:
                raise _unknown(call)
            call.resuming = sides[first].tells
        return last(call)

    async def elsewhere(call: Call) -> Reply:
        side = sides.get("legacy" if call.pinned == "legacy" else "replacement")
        if side is None or not side.tells:
            raise _unknown(call)
        call.looking = True
        try:
            return await side.handler(call)
        except Problem as problem:
            if not isinstance(problem.__cause__, NeverHappened):
                raise _unknown(call) from problem
        # It never happened where it was sent, so that it's done where writes are done now.
        await means.operations.repin(call, first)
        call.looking = call.resuming = False
        call.pinned = ""
        return await last(call)

    return handler


def _unknown(call: Call, detail: str = "What became of the first request with this key isn't known.") -> Problem:
    problem = UnknownOutcome(detail)
    return told_unknown(problem, call.kept) if call.kept else problem


class _Dual:
    """A write that both sides are to see."""

    def __init__(
        self, route: Route, group: Group, first: Side, side: WriteSide, means: Means, routes: Sequence[Route]
    ) -> None:
        self._route, self._group, self._first, self._side, self._means = route, group.name, first, side, means
        self._entity: EntityOf = entity_in(group, route)
        self._learn: Callable[[Call, object], tuple[str, Call] | None] = learner(group, route, routes)

    async def handler(self, call: Call) -> Reply:
        return await self._means.outbox.run(self._do(call), call.snapshot)

    async def _do(self, call: Call) -> Reply:
        outbox, entity = self._means.outbox, self._entity(call)
        id = call.kept or (call.id if call.parent is None else new_id())
        key = call.idempotency_key = call.idempotency_key or id
        entry = Entry(
            id=id,
            group=self._group,
            entity=entity or f"new {id}",
            route=self._route.operation_id,
            authority=self._first,
            fence=call.snapshot,
            key=key,
            request=of_call(call),
            patience=self._means.patience,
        )
        async with outbox.turn(entry, call.deadline) as begun:
            found = begun.entry
            assert found is not None
            if begun.what == "made":
                return await self._told_again(call)
            if begun.what == "resumed" and not self._may_resume(call):
                await outbox.unknown(found._replace(state=EntryState.SENT), self._side.tells, found.problem)
                raise _unknown(call)
            return await self._send(call, begun, found._replace(state=EntryState.SENT), entity)

    def _may_resume(self, call: Call) -> bool:
        call.resuming = self._side.tells
        return self._side.tells or self._route.effect is Effect.IDEMPOTENT_WRITE

    async def _send(self, call: Call, begun: Begun, found: StoredEntry, entity: str | None) -> Reply:
        outbox = self._means.outbox
        try:
            reply = await self._side.handler(call)
        except Problem as problem:
            if self._nothing_changed(call, problem, resumed=begun.what == "resumed"):
                await outbox.move(found, EntryState.VOID, problem=problem.slug)
            else:
                await outbox.unknown(found, self._side.tells, problem.slug)
            raise
        except Exception:
            await outbox.unknown(found, self._side.tells, "internal-error")
            raise
        learnt = None if entity is not None else self._learn(call, reply.body)
        if learnt is None:
            await outbox.move(found, EntryState.OWED)
        else:
            await outbox.move(found, EntryState.OWED, entity=learnt[0], request=of_call(learnt[1]))
        return reply

    @staticmethod
    def _nothing_changed(call: Call, problem: Problem, *, resumed: bool) -> bool:
        if isinstance(problem, REFUSED):
            return True
        return not resumed and (isinstance(problem, NOT_SENT) or not call.upstream_calls)

    async def _told_again(self, call: Call) -> Reply:
        """The reply to a write that was made, and whose reply was lost."""
        lost = "The change was made, but its answer is lost: read the entity to see it."
        if not self._side.tells:
            raise _unknown(call, lost)
        call.looking = True
        try:
            return await self._side.handler(call)
        except Problem as problem:
            raise _unknown(call, lost) from problem
