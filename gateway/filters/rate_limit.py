"""How often, how many at once, how much a day, and when not at all: every rule that matches a call must let it through.

It runs behind `authenticate`, since rules are about who calls, and before `authorize`, so that asking for what one
may not have isn't free.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from adapters.contract import Json
from gateway.call import Call, Reply
from gateway.errors import Overloaded, Problem
from gateway.filters.totals import Taking, tell_left, tell_refused, undoes
from gateway.limit_errors import BudgetExhausted, Closed, QuotaExhausted, RateLimited
from gateway.limits.bucket import CONCURRENCY, NO_KIND, QUOTA, RATE, Bucket, Full, Refusal, Standing
from gateway.limits.limiter import MEMORY, Limiter, Mode, Taken, Unavailable
from gateway.limits.plan import Entry, Plan, costs, plans, side_plans
from gateway.limits.totals import FREE, NOTHING, Charge
from gateway.pipeline import Filter, Handler
from gateway.pipeline import Stage as Look
from gateway.routing.groups import Group, Side, Stage
from gateway.routing.limits_schema import Limits
from gateway.routing.model import Compiled, Expression, MappingFailed, Route
from gateway.routing.stages import answering

logger = logging.getLogger("figway")

_MOST = 10**12
_HERE = Taken(None, MEMORY)


def rate_limit(
    plans: tuple[Plan, Plan],
    limiter: Limiter,
    mode: Mode,
    cost: int,
    measured: Expression | None = None,
    taking: Taking | None = None,
) -> Sequence[Filter]:
    """The filter of one route; `taking` says what its calls take of runs' totals, where there are such."""
    if not plans[0]:
        return ()
    gate = _Gate(plans, limiter, mode, cost)
    totalled = plans[0].totalled and taking is not None
    if totalled or plans[0].holds or (plans[0].budgeted and measured is not None):
        return (_Around(gate, limiter, cost, measured, taking),)
    return (Look(gate.before),)


def limited(compiled: Compiled, limiter: Limiter) -> Mapping[str, Sequence[Filter]]:
    """The filter of every route, by operationId; none where no rule is for it. Where it depends on the call which side
    answers, an upstream's rules wait for `limited_by_side`."""
    limits = compiled.policy_files["limits.yaml"]
    assert isinstance(limits, Limits)
    answered = {route.operation_id: _upstreams(compiled, route) for route in compiled.routes}
    made, cost = plans(limits, compiled.routes, answered), costs(compiled.routes)
    return {
        name: rate_limit(
            *(made[name], limiter, limits.on_store_failure, cost[name], route.measured),
            Taking(route, cost[name], compiled.defaults),
        )
        for name, route in ((each.operation_id, each) for each in compiled.routes)
    }


def limited_by_side(compiled: Compiled, limiter: Limiter) -> Callable[[Route, Side], Sequence[Filter]]:
    """A function that makes the filter of one side of a route: the rules that name upstreams, where only the call says
    which one answers."""
    limits = compiled.policy_files["limits.yaml"]
    assert isinstance(limits, Limits)
    cost = costs(compiled.routes)

    def of(route: Route, side: Side) -> Sequence[Filter]:
        if _upstreams(compiled, route) is not None:
            return ()
        made = side_plans(limits, route, _behind(route, side))
        own = cost[route.operation_id]
        taking = Taking(route, own, compiled.defaults)
        return rate_limit(made, limiter, limits.on_store_failure, own, route.measured, taking)

    return of


def _upstreams(compiled: Compiled, route: Route) -> Sequence[str] | None:
    """The upstreams that answer calls of the route; None: it depends on the call."""
    group = compiled.groups.get(route.group) or Group(route.group, Stage())
    behind = [_behind(route, side) for side in answering(route, group)] or [()]
    return behind[0] if all(each == behind[0] for each in behind) else None


def _behind(route: Route, side: Side) -> Sequence[str]:
    """The upstreams that are asked where this side answers: legacy too, where the replacement has some fields only."""
    owns = route.replacement is not None and bool(route.replacement.owns)
    names: tuple[Side, ...] = ("legacy", "replacement") if side == "replacement" and owns else (side,)
    bindings = [route.legacy if each == "legacy" else route.replacement for each in names]
    return list(dict.fromkeys(each.upstream for each in bindings if each is not None))


class _Gate:
    """Lets calls of a route through, or raises."""

    def __init__(self, plans: tuple[Plan, Plan], limiter: Limiter, mode: Mode, cost: int) -> None:
        self._plan, self._of_steps = plans
        self._limiter, self._mode, self._cost = limiter, mode, cost
        self._take = limiter.ledger.take
        self._here = limiter.fleet is None

    def before(self, call: Call) -> Awaitable[None] | None:
        """For a route on which nothing has to be given back."""
        entry = self.entry(call)
        buckets = entry.buckets
        return None if not buckets or self.at_once(call, buckets) else self._waited(call, entry)

    def at_once(self, call: Call, buckets: Sequence[Bucket], charge: Charge = FREE) -> bool:
        """Counts the call in this host's memory; False when that isn't where it is counted, or must be waited for."""
        if not self._here:
            return False
        try:
            outcome = self._take(buckets, self._cost, charge)
        except Full:
            return False
        if outcome is None:
            return False
        told(call, outcome)
        return True

    async def _waited(self, call: Call, entry: Entry) -> None:
        await self.taken(call, entry)

    def entry(self, call: Call) -> Entry:
        """What the call's principal meets here; raises `Closed`."""
        principal = call.principal
        assert principal is not None
        entry = (self._plan if call.parent is None else self._of_steps).entry(principal)
        if entry.closings:
            _check_open(entry)
        call.priority = entry.points[call.batch]
        return entry

    async def taken(self, call: Call, entry: Entry, charge: Charge = FREE) -> Taken:
        """Counts the call; raises when a rule doesn't let it through."""
        buckets, limiter = entry.buckets, self._limiter
        try:
            if self._here:
                outcome = await limiter.take_here(buckets, self._cost, charge)
                taken = outcome if isinstance(outcome, Refusal) else Taken(outcome, MEMORY)
            else:
                member = f"{call.id}-{id(call):x}"  # a composite's steps have their call's id
                taken = await limiter.take_there(buckets, self._cost, member, call.deadline, self._mode, charge)
        except Unavailable as error:
            raise Overloaded("The limits can't be checked now.", retry_after=1, note=str(error)) from error
        if isinstance(taken, Refusal):
            raise refused(call, taken)
        if taken.standing is not None:
            told(call, taken.standing)
        return taken


class _Around:
    """The same for a route on which a call holds something until it has ended, or tells afterwards what it cost."""

    def __init__(
        self, gate: _Gate, limiter: Limiter, cost: int, measured: Expression | None, taking: Taking | None
    ) -> None:
        self._gate, self._limiter = gate, limiter
        self._cost, self._measured, self._taking = cost, measured, taking
        self._ending: set[asyncio.Task[None]] = set()

    async def __call__(self, call: Call, rest: Handler) -> Reply:
        entry = self._gate.entry(call)
        totals = () if undoes(call) else entry.totals
        if not entry.buckets and not totals:
            return await rest(call)
        charge = FREE if self._taking is None or not totals else self._taking.charge(call, totals)
        taken = await self._taken(call, entry, charge)
        try:
            reply = await rest(call)
            if call.later is None:
                await self._settle(call, entry, taken, charge, reply)
            return reply
        except Problem as problem:
            if call.later is None:
                await self._settle(call, entry, taken, charge, problem)
            raise
        finally:
            if call.later is not None:
                self._spawn(self._after(call.later, call, entry, taken, charge))
            elif entry.holds:
                self._limiter.release(entry.holds, taken)

    async def _taken(self, call: Call, entry: Entry, charge: Charge) -> Taken:
        try:
            return (
                _HERE
                if self._gate.at_once(call, entry.buckets, charge)
                else await self._gate.taken(call, entry, charge)
            )
        except _OfTotal as refused:
            assert self._taking is not None
            tell_refused(call, refused.refusal)
            raise self._taking.refused(refused.refusal) from None

    async def _after(self, later: asyncio.Task[Reply], call: Call, entry: Entry, taken: Taken, charge: Charge) -> None:
        """The same for a call that was answered before it has ended: until then it holds what it took."""
        try:
            await asyncio.wait((later,))
            error = None if later.cancelled() else later.exception()
            if not later.cancelled() and (error is None or isinstance(error, Problem)):
                await self._settle(call, entry, taken, charge, later.result() if error is None else error)
        finally:
            if entry.holds:
                self._limiter.release(entry.holds, taken)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _settle(self, call: Call, entry: Entry, taken: Taken, charge: Charge, ended: Reply | Problem) -> None:
        """What the call really came to, in place of what was reserved."""
        more, amounts = 0, NOTHING
        if self._measured is not None and isinstance(ended, Reply):
            cost = await _measure(call, ended.body, self._measured)
            more = 0 if cost is None else cost - self._cost
        if self._taking is not None and charge.totals:
            writes, rows = await self._taking.really(charge, call, ended)
            amounts = (0, writes, more, rows)
            tell_left(call, charge, amounts)
        if more or any(amounts):
            await self._limiter.settle(entry.buckets, taken, more, charge.totals, amounts)


async def _measure(call: Call, body: Json, measured: Expression) -> int | None:
    """What the call really cost; None when its reply doesn't say."""
    try:
        value = measured(body) if measured.compiled else await asyncio.to_thread(measured, body)
    except MappingFailed as error:
        value, body = None, str(error)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MOST:
        return math.ceil(value)
    logger.warning("call %s of %s doesn't say what it cost: its estimate counts", call.id, call.operation)
    return None


def told(call: Call, outcome: Standing | Refusal) -> None:
    """Tells the caller how the tightest rule stands; raises the problem when it refuses."""
    if isinstance(outcome, Refusal):
        raise refused(call, outcome)
    bucket, kind, remaining, reset = outcome
    if kind == NO_KIND:
        return
    policy, form = bucket.fields[kind]
    call.reply_headers += (policy, (b"ratelimit", form % (remaining, reset + 1)))


class _OfTotal(Exception):
    """A total doesn't let the call through."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__()
        self.refusal = refusal


def refused(call: Call, refusal: Refusal) -> Problem:
    """The problem of a call that a rule doesn't let through; raises `_OfTotal` where it is a run's total."""
    bucket, kind, wait = refusal
    if not isinstance(bucket, Bucket):
        raise _OfTotal(refusal)
    seconds = max(1, math.ceil(wait))
    policy, form = bucket.fields[kind]
    call.reply_headers += (policy, (b"ratelimit", form % (0, seconds)))
    if kind == RATE:
        fix = f"Wait {seconds} s, then call more slowly: the header RateLimit says how many calls are left."
        return RateLimited("The calls come faster than the limit allows.", fix=fix, retry_after=seconds)
    if kind == CONCURRENCY:
        fix = "Wait for a call of yours to end before you make the next."
        detail = f"The most that may be in flight at once, {bucket.concurrency}, are."
        return RateLimited(detail, fix=fix, retry_after=seconds)
    if kind == QUOTA:
        fix = f"Come back in {seconds} s, when the day ends, or ask the owner of the gateway's policies for more."
        return QuotaExhausted(f"The {bucket.quota} calls of this day are spent.", fix=fix, retry_after=seconds)
    fix = f"Make calls that cost less, come back in {seconds} s, when the day ends, or ask for a larger budget."
    detail = "What is left of this day's budget is less than the call costs."
    return BudgetExhausted(detail, fix=fix, retry_after=seconds)


def _check_open(entry: Entry) -> None:
    now = until = time.time()
    for closing in entry.closings:
        until = max(until, closing.until(now))
    if until > now:
        seconds = math.ceil(until - now)
        fix = f"Come back in {seconds} s; nothing was sent."
        raise Closed("The system behind the route takes no calls at this time of day.", fix=fix, retry_after=seconds)
