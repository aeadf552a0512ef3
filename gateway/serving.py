"""A compiled workspace made ready to serve: one handler a route, with the filters that the route needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from adapters.contract import Effect
from gateway.audit.arguments import Keeps
from gateway.audit.log import AuditLog
from gateway.cache.cache import Cache
from gateway.call import Principal
from gateway.compose.trying import trial as trial_of_composite
from gateway.compose.undoing import Undoing
from gateway.dispatch import bound, previewed
from gateway.events.replicas import Replicas
from gateway.filters.approve import Desk, gate, needs_of
from gateway.filters.authenticate import authenticate
from gateway.filters.authorize import authorize, authorize_call
from gateway.filters.cache import cached, marking
from gateway.filters.content import ContentFilters
from gateway.filters.dry_run import dry_run
from gateway.filters.idempotency import Gate as Admit
from gateway.filters.idempotency import idempotency
from gateway.filters.intent import intent
from gateway.filters.materialized import materialized
from gateway.filters.plan import Plans, config_of
from gateway.filters.rate_limit import limited, limited_by_side
from gateway.filters.redact import redact
from gateway.filters.rows import visible_rows
from gateway.filters.stopped import stopped
from gateway.filters.stream import media_of
from gateway.filters.sunset import sunset
from gateway.handlers import Handlers, handlers, judging
from gateway.identity.bearer import CallerVerifier
from gateway.identity.keyrings import Keyrings
from gateway.ingress.http import Endpoint
from gateway.limits.limiter import Limiter
from gateway.limits.stops import Stops
from gateway.migration.apply import Writable
from gateway.migration.outbox import Outbox
from gateway.migration.reads import Migrating, Reads
from gateway.migration.received import received
from gateway.migration.trial import Trial
from gateway.migration.trials import Trials, trying
from gateway.migration.writing import Gate, Writes
from gateway.operations.service import Operations
from gateway.pipeline import Filter, Handler, chain
from gateway.policy.decide import Policies
from gateway.policy.sight import Sights
from gateway.routing.audit_schema import Audit
from gateway.routing.groups import Side
from gateway.routing.model import Compiled, Route
from gateway.routing.table import Table
from gateway.stand_in import mock
from gateway.upstream import Upstream


@dataclass(slots=True)
class Serving:
    """One snapshot as it is served. It never changes, but for `calls` and `writes`: how many are in flight on it."""

    version: int
    compiled: Compiled
    table: Table[Endpoint]
    policies: Policies
    upstreams: Mapping[str, Upstream]
    limiter: Limiter
    reads: Reads
    migrating_writes: Writes
    trials: Trials
    undoing: Undoing
    calls: int = 0
    writes: int = 0

    @asynccontextmanager
    async def held(self) -> AsyncIterator[tuple[int, Mapping[str, Writable]]]:
        """Its version and what either side may be told, all of which lives meanwhile."""
        self.calls += 1
        try:
            yield self.version, self.migrating_writes.writables
        finally:
            self.calls -= 1

    @asynccontextmanager
    async def undone(self) -> AsyncIterator[tuple[int, Undoing]]:
        """Its version and what undoes composites, all of which lives meanwhile."""
        async with self.held() as (version, _):
            yield version, self.undoing


@dataclass(frozen=True, slots=True)
class Governance:
    """What a snapshot's filters work with, and what outlives the snapshot."""

    verifier: CallerVerifier
    keyrings: Keyrings
    operations: Operations
    limiter: Limiter
    stops: Stops
    audit: AuditLog
    migrating: Migrating
    outbox: Outbox
    gate: Gate
    desk: Desk
    cache: Cache
    replicas: Replicas
    mocking: bool = False
    """Examples answer all routes (`serve --mock`): no upstream is opened, and nothing is kept where what is real is."""


def build(version: int, compiled: Compiled, upstreams: Mapping[str, Upstream], governance: Governance) -> Serving:
    """Compiles every route into its handler and its place in the table."""
    policies = Policies(compiled.rules, governance.keyrings["tokens"].current.secret)
    sights = Sights(policies, compiled)
    keeps = keeps_of(compiled, governance.audit)
    looking = ContentFilters(compiled)
    routes = {route.operation_id: route for route in compiled.routes}

    def keeping(route: Route) -> list[Filter]:
        filters: list[Filter] = [*looking.of(route)]
        filters += [authorize_call(policies, route)] if policies.waits_for(route) else []
        # What is kept of a write may be asked for again, so it is kept as the caller may see it.
        shaped: list[Filter] = [redact(route)] if policies.narrowed(route) else []
        if route.effect is Effect.READ:
            # All of a list ends, too, when it's stopped: each of its pages asks again.
            again = [stopped(governance.stops, route.operation_id)] if media_of(route) else []
            return [*again, *filters, *shaped]
        tried, admitted = tries.safety(route, _first(route, writes), shaped)
        filters += [tried, _keeping_write(route, governance.operations, sights, writes, admitted)]
        return [*filters, *shaped, *tries.sampled(route, writes.deadline(route))]

    def narrowing(route: Route) -> list[Filter]:
        if not policies.narrowed(route):
            return []
        return [visible_rows(route, compiled.defaults.max_page, governance.keyrings["cursor"])]

    def seeing(route: Route) -> list[Filter]:
        if route.compose is not None or governance.mocking or route.absent:
            return narrowing(route)
        return [*narrowing(route), *_innermost(route, compiled, upstreams, governance, keeps[route.operation_id])]

    def write_side(route: Route, side: Side) -> Handler:
        return chain(seeing(route), bound(route, side, upstreams))

    answers: dict[str, Handler] = {}
    tries = _Tries(compiled, upstreams, governance, narrowing, Trials(governance.migrating.proofs), answers)
    reads = Reads(governance.migrating, compiled, upstreams)
    writes = Writes(governance.outbox, governance.gate, governance.operations, compiled, upstreams, write_side)
    cursors, by_side = governance.keyrings["cursor"], limited_by_side(compiled, governance.limiter)
    parts = (_admission(compiled, governance, policies), cursors, keeping, seeing, reads, writes, by_side)
    undoing = Undoing(governance.operations.parts, routes, answers, _may(policies), writes.tells, writes.deadline)
    made = handlers(compiled, upstreams, *parts, mocking=governance.mocking, undoing=undoing)
    answers |= made.answers
    table: Table[Endpoint] = Table()
    for route in compiled.routes:
        table.add(route.method, route.path, _endpoint(route, compiled, made, keeps[route.operation_id]))
    served = (upstreams, governance.limiter, reads, writes, tries.trials, undoing)
    return Serving(version, compiled, table, policies, *served)


def _admission(compiled: Compiled, governance: Governance, policies: Policies) -> Callable[[Route], list[Filter]]:
    """What decides who may come in, by route."""
    limits = limited(compiled, governance.limiter)

    def admission(route: Route) -> list[Filter]:
        group = compiled.groups.get(route.group)
        told: list[Filter] = [] if group is None or (going := sunset(group)) is None else [going]
        counted = received(route, governance.migrating.tally)
        told += [] if counted is None else [counted]
        told += [authenticate(governance.verifier), stopped(governance.stops, route.operation_id)]
        return [*told, *limits[route.operation_id], authorize(policies, route)]

    return admission


def _innermost(
    route: Route, compiled: Compiled, upstreams: Mapping[str, Upstream], governance: Governance, keeps: Keeps
) -> list[Filter]:
    """The filters right before a system is asked."""
    if route.effect is not Effect.READ:
        return [intent(governance.audit, route, keeps), marking(route, compiled, governance.cache)]
    stored = materialized(route, compiled, upstreams, governance.cache, governance.replicas) or cached(
        route, compiled, upstreams, governance.cache
    )
    return [] if stored is None else [stored]


@dataclass(frozen=True, slots=True)
class _Tries:
    """What tries the writes of a snapshot, and makes none. `narrowing` holds them to the rows that callers may see."""

    compiled: Compiled
    upstreams: Mapping[str, Upstream]
    governance: Governance
    narrowing: Callable[[Route], list[Filter]]
    trials: Trials
    answers: Mapping[str, Handler]

    def handler(self, route: Route, side: Side) -> Handler | None:
        """What tries a write at one side; None: it can't be tried there."""
        if route.compose is not None:
            return trial_of_composite(route, self.compiled.routes, self.answers)
        filters = judging(route, self.compiled, self.governance.keyrings["cursor"], side)
        if self.governance.mocking or route.absent == "mock":  # which changes nothing anyway
            return chain([*filters, *self.narrowing(route)], mock(route))
        binding = route.legacy if side == "legacy" else route.replacement
        if binding is None or not binding.dry_run:
            return None
        upstream = Trial(
            self.upstreams[binding.upstream], self.governance.migrating.proofs, self.compiled.groups[route.group]
        )
        return chain([*filters, *self.narrowing(route)], bound(route, side, {binding.upstream: upstream}))

    def shown(self, route: Route, side: Side) -> Handler | None:
        """The same or, where a write can't be tried, what shows how it would be sent; None: neither can be done."""
        binding, trial = route.legacy if side == "legacy" else route.replacement, self.handler(route, side)
        if trial is not None or binding is None or not binding.previews:
            return trial
        return chain(self.narrowing(route), previewed(route, side, self.upstreams))

    def safety(self, route: Route, side: Side, shaped: list[Filter]) -> tuple[Filter, Admit]:
        """What tries a write that a side does, and what lets it through."""
        binding, trial = route.legacy if side == "legacy" else route.replacement, self.shown(route, side)
        trial = None if trial is None else chain(shaped, trial)
        routes = {each.operation_id: each for each in self.compiled.routes}
        config, needs = config_of(route, side, routes, self.compiled.upstreams), needs_of(route, routes)
        plans = Plans(self.governance.keyrings["plan"], config, "" if binding is None else binding.upstream)
        admitted = gate(route, needs, plans, config, self.governance.desk, trial)
        return dry_run(route, trial, plans, needs.asked), admitted

    def sampled(self, route: Route, deadline: float) -> list[Filter]:
        """What has a share of the writes that legacy does tried at the replacement, too; `deadline` in seconds."""
        if route.compose is not None:
            return []
        group, trial = self.compiled.groups.get(route.group), self.handler(route, "replacement")
        if self.governance.mocking or group is None or group.stage.writes != "dry_run" or trial is None:
            return []
        return [self.trials.filter(trying(self.governance.migrating, route, group, trial, deadline))]


def _may(policies: Policies) -> Callable[[Principal, Route], bool]:
    return lambda principal, route: policies.decide(principal, route).allowed


def _first(route: Route, writes: Writes) -> Side:
    """The side that does a write."""
    if writes.first(route):
        return "legacy" if writes.first(route) == "legacy" else "replacement"
    return "legacy" if route.legacy is not None else "replacement"


def _keeping_write(route: Route, operations: Operations, sights: Sights, writes: Writes, admitted: Admit) -> Filter:
    return idempotency(
        route,
        operations,
        sights,
        tells=writes.tells(route),
        deadline=writes.deadline(route),
        side=writes.first(route),
        needs_key=writes.needs_key(route),
        gate=admitted,
    )


def keeps_of(compiled: Compiled, audit: AuditLog) -> dict[str, Keeps]:
    """What the audit keeps of the arguments of each route, by operationId."""
    policy = compiled.policy_files.get("audit.yaml", Audit())
    assert isinstance(policy, Audit)
    return {route.operation_id: Keeps(policy.arguments_of(route), audit.hasher) for route in compiled.routes}


def _endpoint(route: Route, compiled: Compiled, made: Handlers, keeps: Keeps) -> Endpoint:
    defaults, name = compiled.defaults, route.operation_id
    return Endpoint(
        operation_id=route.operation_id,
        path=route.path,
        effect=route.effect.value,
        writes=route.effect is not Effect.READ,
        handler=made.answers[name],
        deadline=route.deadline or defaults.deadline,
        max_body=defaults.max_body,
        max_reply=defaults.max_reply,
        takes_body=route.body is not None,
        keeps=keeps,
        pages=made.pages.get(name),
        streamed=made.streams.get(name),
        streams=media_of(route) if name in made.streams else (route.content,) if route.content else (),
    )
