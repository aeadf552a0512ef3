"""Reads of migrating groups, put together for one snapshot: who answers, what is noted, and what is asked aside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple, TypeAlias

from adapters.contract import Context, Effect, Json, Result
from gateway.call import Call, Reply
from gateway.identity.keyrings import Keyrings
from gateway.invoker import Invoker
from gateway.migration.budget import RATE, Budget, Claim, Strained
from gateway.migration.choose import BOTH, choose
from gateway.migration.compare.comparer import Comparer, compile_parity
from gateway.migration.compare.model import Comparison, Observed
from gateway.migration.entity import entity_in
from gateway.migration.evidence import Evidence
from gateway.migration.missing import Quiet
from gateway.migration.model import MILLION, Group, Served, Side
from gateway.migration.override import Ring
from gateway.migration.proofs import Proofs
from gateway.migration.samples import Samples
from gateway.migration.shadow import Aside, Judge, Shadows, Skipped
from gateway.migration.split import narrowed
from gateway.migration.stages import authority
from gateway.migration.switch import CursorSide, Exceptions, Watching, switch
from gateway.migration.tally import Tally
from gateway.pipeline import Filter, Handler, chain
from gateway.routing.gates_schema import GatesModel
from gateway.routing.migration_schema import Migration
from gateway.routing.model import Compiled, Route
from gateway.routing.parity_schema import ParityModel
from gateway.routing.splits import joined_by
from gateway.store.place import StateFolder
from gateway.store.shared import Shared
from gateway.upstream import Upstream

_BIG = 20


@dataclass(frozen=True, slots=True)
class Migrating:
    """What migrating groups work with in this process, whichever snapshot is served."""

    ring: Ring
    notes: Evidence
    budget: Budget
    samples: Samples
    tally: Tally
    """What the legacy systems are asked."""
    proofs: Proofs
    """Whether dry runs are proven to be ones."""
    pending: Callable[[str, str | None], bool] | None = None
    """Whether an entity of a group (None: any) has a write that one side hasn't seen."""
    rates: dict[str, float] = field(default_factory=dict)
    """Extra calls a second that upstreams may be asked, by name, as the snapshot that is served says."""

    @classmethod
    def open(
        cls,
        folder: StateFolder,
        shared: Shared,
        rings: Keyrings,
        pending: Callable[[str, str | None], bool] | None = None,
    ) -> Migrating:
        """Opens the host's evidence and budgets, and this process's samples; raises `StoreError` or `KeyFileError`."""
        samples = Samples(folder.parity, shared.claim(), rings["parity"].current.secret)
        notes = Evidence.open(folder.path / "evidence", shared)
        budget, tally = Budget.open(folder.path / "budget"), Tally(folder.path / "legacy.db")
        proofs = Proofs(folder.parity)
        return cls(rings["side"], notes, budget, samples, tally, proofs, pending)

    def refreshing(self, upstream: Strained, seconds: float) -> Claim | None:
        """A claim to one call that gets an answer ahead of who will ask for it; None: not now."""
        return self.budget.take(upstream, "refresh", seconds, self.rates.get(upstream.name, RATE))

    def close(self) -> None:
        """Writes what isn't written, and unmaps the files."""
        self.samples.close()
        self.tally.close()
        self.budget.close()
        self.notes.close()


SideHandler: TypeAlias = Callable[[Route, Served, Mapping[str, Invoker]], Handler]
"""Makes the handler of a route's one side, or of both where the replacement answers some fields only, with all that
judges its reply, over the given upstreams."""


Limits: TypeAlias = Callable[[Route, Side], Sequence[Filter]]


class _Once:
    """An upstream as jobs see it that may add nothing to its work: one attempt, and no place in the queue."""

    def __init__(self, upstream: Upstream, purpose: str = "shadow") -> None:
        self._upstream, self._purpose = upstream, purpose

    def call(self, operation: str, input: Mapping[str, Json], *, effect: Effect, context: Context) -> Awaitable[Result]:
        return self._upstream.once(operation, input, context=context, purpose=self._purpose)

    resume = look = call


class Both(NamedTuple):
    """What asks either side of a read beside its callers, legacy only as its budget allows: `extra` calls a second.
    `deadline` in seconds."""

    sides: Mapping[Side, Handler]
    legacy: Upstream
    extra: float
    deadline: float
    judge: Judge


class Reads:
    """The reads of one snapshot's migrating groups."""

    def __init__(self, means: Migrating, compiled: Compiled, upstreams: Mapping[str, Upstream]) -> None:
        self._means, self._groups, self._upstreams = means, compiled.groups, upstreams
        self._deadline = compiled.defaults.deadline
        policy = compiled.policy_files.get("migration.yaml", Migration())
        assert isinstance(policy, Migration)
        self._rates = {name: rate.calls / rate.seconds for name, rate in policy.extra_calls.items()}
        self._shadows = Shadows(means.budget, means.notes)
        self._aside: dict[str, Invoker] = {name: _Once(each) for name, each in upstreams.items()}
        self._reconciling: dict[str, Invoker] = {name: _Once(each, "reconcile") for name, each in upstreams.items()}
        self._made: SideHandler | None = None

    def handler(
        self, route: Route, made: SideHandler, side_of_cursor: CursorSide, limits: Limits = lambda *_: ()
    ) -> Handler | None:
        """The end of a read's chain; None: its group's stage leaves it to legacy, or it has one side only. `limits`
        makes the filters that only calls of a side meet, not what is asked aside."""
        self._made = made
        group = self._groups.get(route.group)
        if group is None or route.effect is not Effect.READ:
            return None
        if group.stage.reads == "legacy" and group.stage.writes not in ("dual_new", "new_only"):
            return None
        if route.legacy is None or (route.replacement is None and route.missing is None):
            return None
        owns = () if route.replacement is None else route.replacement.owns
        replaced = made(route, "both" if owns else "replacement", self._upstreams)
        sides: dict[Side, Handler] = {"replacement": chain(limits(route, "replacement"), replaced)}
        if _is_warm(group):
            sides["legacy"] = chain(limits(route, "legacy"), made(route, "legacy", self._upstreams))
        deadline = route.deadline or self._deadline
        gates = group.gates or GatesModel()
        over = None if gates.slow is None else gates.slow.over
        there = route.missing is None
        sample = self._shadows.sampler(self._asides(route, group, made, deadline, over)) if there else None
        notes = self._means.notes if there else Quiet(self._means.notes)
        watching = Watching(group.name, deadline, over, notes, sample)
        exceptions = Exceptions(
            side_of_cursor if route.is_list else None,
            self._unseen(group, route),
            "replacement" if authority(group.stage) == "replacement" else "legacy",
        )
        return switch(group.stage, choose(group, self._means.ring), sides, exceptions, watching)

    def both(self, route: Route) -> Both:
        """What asks either side of a read that has both, so that the group can be reconciled."""
        made, group = self._made, self._groups[route.group]
        assert made is not None
        assert route.legacy is not None
        name = route.legacy.upstream
        return Both(
            sides={
                "legacy": made(route, "legacy", self._reconciling),
                "replacement": made(route, "replacement", self._upstreams),
            },
            legacy=self._upstreams[name],
            extra=self._rates.get(name, RATE),
            deadline=route.deadline or self._deadline,
            judge=judging(route, group, group.parity or ParityModel()),
        )

    def _unseen(self, group: Group, route: Route) -> Callable[[Call], bool] | None:
        """Whether what a call is about has a write that one side hasn't seen; None: there can't be any."""
        pending = self._means.pending
        if pending is None or group.stage.writes not in ("dual_legacy", "dual_new"):
            return None
        entity_of, name = entity_in(group, route), group.name
        return lambda call: pending(name, entity_of(call))

    def _asides(self, route: Route, group: Group, made: SideHandler, deadline: float, over: float | None) -> Aside:
        stage, parity = group.stage.reads, group.parity or ParityModel()
        assert route.legacy is not None
        compares: set[Side] = {"legacy"} if stage == "shadow" or stage in BOTH else set()
        if stage == "live":
            compares.add("replacement")
        return Aside(
            group=group.name,
            operation=route.operation_id,
            asides={
                "legacy": made(route, "legacy", self._aside),
                "replacement": _in_part(route, made(route, "replacement", self._upstreams)),
            },
            legacy=self._upstreams[route.legacy.upstream],
            rate=group.sample / MILLION,
            extra=self._rates.get(route.legacy.upstream, RATE),
            deadline=deadline,
            slow_over=over,
            compares=frozenset(compares),
            counts_replacement=stage == "shadow",
            judge=judging(route, group, parity),
            keep=self._means.samples.keeping(group, parity),
        )

    def begin(self, version: int, before: Reads | None) -> None:
        """From now on this is served: evidence of groups whose stage has changed starts anew, and what was asked aside
        `before` ends, and isn't noted."""
        self._means.rates.clear()
        self._means.rates.update(self._rates)
        for name, group in self._groups.items():
            self._means.notes.begin(name, version, group.stage)
        if before is not None:
            before._shadows.end()


def _is_warm(group: Group) -> bool:
    """Whether legacy may answer reads: those of an entity that it alone knows a write of among them."""
    stage = group.stage
    if stage.reads == "retired":
        return False
    return stage.reads != "new_only" or stage.probe or stage.writes == "dual_legacy"


def judging(route: Route, group: Group, parity: ParityModel) -> Judge:
    """Compares a route's answers by its group's rules, those of the day; big ones on a thread."""
    comparer_of = _of_this_day(
        lambda today: compile_parity(parity, route.reply, today, owner=group.owner, expires=group.expires)
    )

    owns = () if route.replacement is None else route.replacement.owns
    key = joined_by(group)

    async def judge(legacy: Observed, replacement: Observed, again: Observed | None) -> Comparison:
        compare = comparer_of().compare
        if owns:
            told = (legacy, replacement, again or legacy)
            legacy, replacement, last = (narrowed(each, owns, key, is_list=route.is_list) for each in told)
            again = None if again is None else last
        if _is_big(legacy.body) or _is_big(replacement.body):
            return await asyncio.to_thread(compare, legacy, replacement, again)
        return compare(legacy, replacement, again)

    return judge


def _in_part(route: Route, handler: Handler) -> Handler:
    """What is asked aside of a replacement that answers some fields only. Rows of a caller who may not see all of them
    may be told apart by fields that it doesn't have: those calls aren't compared."""
    if route.replacement is None or not route.replacement.owns:
        return handler

    async def asked(call: Call) -> Reply:
        if call.grant is not None and call.grant.narrows:
            raise Skipped("narrowed")
        return await handler(call)

    return asked


def _of_this_day(make: Callable[[date], Comparer]) -> Callable[[], Comparer]:
    made: dict[date, Comparer] = {}

    def of_today() -> Comparer:
        today = datetime.now(UTC).date()
        if today not in made:
            made.clear()
            made[today] = make(today)
        return made[today]

    return of_today


def _is_big(value: Any) -> bool:
    """Whether comparing it may hold up the event loop."""
    members = value.values() if isinstance(value, dict) else [value]
    return any(len(each) > _BIG for each in members if isinstance(each, list | dict))
