"""A snapshot's rules as one route meets them: what the route decides is decided once, the rest once a principal.

A rule's counters are told apart by the rule itself, so a rule that stays as it is keeps them over a reload, and by
what its match says `"*"` of. A principal, agent, role or team is one of its tenant and issuer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import product
from typing import TypeAlias

import orjson

from gateway.call import Principal
from gateway.limits.bucket import Bucket
from gateway.limits.calendar import Closing, Day
from gateway.limits.totals import Total
from gateway.routing.compose_schema import MOST_ITEMS
from gateway.routing.limits_schema import Limits, Match, Points, PriorityClass, Rule
from gateway.routing.model import Route

_KEPT = 4096
"""Principals whose buckets a route remembers; beyond it the oldest go."""
_OF_ROUTE = ("route", "group", "upstream", "effect")
_OF_CALLER = ("principal", "agent", "run", "tenant", "role", "team")


@dataclass(frozen=True, slots=True)
class _Applied:
    """A rule that is for a route; `parts` are the route's own values where the rule says `"*"`."""

    rule: Rule
    parts: tuple[str, ...]
    digest: bytes
    day: Day
    closing: Closing | None
    inner: bool = False
    """It is for the steps of composites, which have counted as a call: only a total's writes and rows are looked at."""


class Entry:
    """What one principal meets on one route."""

    __slots__ = ("buckets", "closings", "holds", "points", "principal", "totals")

    def __init__(
        self,
        principal: Principal,
        buckets: tuple[Bucket, ...],
        closings: tuple[Closing, ...],
        points: tuple[int, int],
        totals: tuple[Total, ...] = (),
    ) -> None:
        self.principal = principal
        """Kept so that its `id` stays its own."""
        self.buckets, self.closings, self.points = buckets, closings, points
        self.holds, self.totals = tuple(each for each in buckets if each.concurrency), totals


class Plan:
    """The rules for one route, and what every principal of late meets there."""

    def __init__(self, applied: Sequence[_Applied], points: Points, classing: Sequence[_Applied]) -> None:
        """`classing`: the rules that say of which class calls are; a step's are the whole's, whatever counts it."""
        self._applied, self._classing = tuple(applied), tuple(classing)
        self._points = points
        self._entries: dict[int, Entry] = {}
        self.holds = any(each.rule.concurrency for each in applied)
        self.budgeted = any(each.rule.budget for each in applied)
        self.totalled = any(each.rule.total for each in applied)

    def __bool__(self) -> bool:
        return bool(self._applied)

    def entry(self, principal: Principal) -> Entry:
        """What the principal meets. Costs a look-up for a principal who was here before."""
        entry = self._entries.get(id(principal))
        if entry is None or entry.principal is not principal:
            entry = self._entries[id(principal)] = self._made(principal)
            if len(self._entries) > _KEPT:
                del self._entries[next(iter(self._entries))]
        return entry

    def _made(self, principal: Principal) -> Entry:
        buckets: list[Bucket] = []
        totals: list[Total] = []
        closings: list[Closing] = []
        said: PriorityClass = "agent" if principal.agent else "interactive"
        for each in self._applied:
            keys = list(_keys(each.rule.match, principal))
            if each.rule.total is not None:
                totals += [_total(each, key, principal) for key in keys]
            if each.inner:
                continue
            if keys and each.closing is not None:
                closings.append(each.closing)
            if _counts(each.rule):
                buckets += [_bucket(each, key) for key in keys]
        for each in self._classing:
            if isinstance(each.rule.priority, str) and next(_keys(each.rule.match, principal), None) is not None:
                said = each.rule.priority
        points = getattr(self._points, said)
        return Entry(principal, tuple(buckets), tuple(closings), (points, self._points.batch), tuple(totals))


Plans: TypeAlias = tuple[Plan, Plan]
"""What calls of a route meet, and what steps of composites do: those that name a route, a group or an upstream.
Whatever else counts the caller's calls has counted the composite, but for a run's writes and rows: those are steps'."""


def plans(
    limits: Limits, routes: Sequence[Route], upstreams: Mapping[str, Sequence[str] | None] | None = None
) -> dict[str, Plans]:
    """The plans of each route, by operationId. `upstreams` are those that answer its calls, legacy's where it is left
    out; None: that isn't known yet, and rules that name upstreams are left to `side_plans`."""
    rules = _read(limits)
    made = {}
    for route in routes:
        named = _legacy_first(route) if upstreams is None else upstreams[route.operation_id]
        late = named is None
        applied = [
            each for each in _applied(rules, route, named or ()) if not (late and each.rule.match.upstream is not None)
        ]
        made[route.operation_id] = _planned(applied, applied)
    return made


def side_plans(limits: Limits, route: Route, upstreams: Sequence[str]) -> Plans:
    """What calls of `route` meet besides once it is known that these upstreams answer them."""
    applied = _applied(_read(limits), route, upstreams)
    return _planned([each for each in applied if each.rule.match.upstream is not None], applied)


def _legacy_first(route: Route) -> list[str]:
    binding = route.legacy or route.replacement
    return [] if binding is None else [binding.upstream]


def _read(limits: Limits) -> list[tuple[Rule, bytes, Day, Closing | None]]:
    return [(rule, _digest(rule), Day(rule.time_zone), _closing(rule)) for rule in limits.rules]


def _applied(
    rules: Sequence[tuple[Rule, bytes, Day, Closing | None]], route: Route, upstreams: Sequence[str]
) -> list[_Applied]:
    return [
        _Applied(rule, parts, digest, day, closing)
        for rule, digest, day, closing in rules
        for parts in _parts(rule.match, route, upstreams)
    ]


def _planned(applied: Sequence[_Applied], classing: Sequence[_Applied]) -> Plans:
    of_steps = [
        each if _of_place(each.rule.match) else replace(each, inner=True)
        for each in applied
        if _of_place(each.rule.match) or each.rule.total is not None
    ]
    points = next((each.rule.priority for each in applied if isinstance(each.rule.priority, Points)), Points())
    return Plan(applied, points, classing), Plan(of_steps, points, classing)


def costs(routes: Sequence[Route]) -> dict[str, int]:
    """What a call of each route costs, by operationId: what the route says; else a composite costs what its steps
    do, those for each item of a list as often as there may be items, and another route 1."""
    known = {route.operation_id: route for route in routes}

    def of(name: str) -> int:
        route = known[name]
        if route.cost is not None:
            return route.cost
        steps = () if route.compose is None else route.compose.steps
        times = ((of(step.route), 1 if step.for_each is None else MOST_ITEMS) for step in steps)
        return sum(cost * often for cost, often in times) if steps else 1

    return {name: of(name) for name in known}


def _parts(match: Match, route: Route, upstreams: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The route's own values where the rule says `"*"`; none at all when the rule isn't for the route."""
    own: Mapping[str, Sequence[str]] = {
        "route": [route.operation_id],
        "group": [route.group],
        "upstream": upstreams,
        "effect": [route.effect.value],
    }
    yield from product(*(_values(getattr(match, key), own[key]) for key in _OF_ROUTE))


def _keys(match: Match, principal: Principal) -> Iterator[tuple[str, ...]]:
    """The same of a principal."""
    home = f"{principal.issuer}\0{principal.tenant or ''}\0"
    own: Mapping[str, Sequence[str]] = {
        "principal": [principal.id],
        "agent": [principal.agent] if principal.agent else [],
        "run": [principal.run] if principal.run else [],
        "tenant": [principal.tenant] if principal.tenant else [],
        "role": sorted(set(principal.roles)),
        "team": sorted(set(principal.teams)),
    }
    for values in product(*(_values(getattr(match, key), own[key]) for key in _OF_CALLER)):
        yield (home, *values) if any(values) else values


def _values(wanted: str | None, own: Sequence[str]) -> Sequence[str]:
    """What of `own` tells counters apart: nothing where the rule names one or none."""
    if wanted == "*":
        return own
    return [""] if wanted is None or wanted in own else []


def _of_place(match: Match) -> bool:
    return any((match.route, match.group, match.upstream))


def _counts(rule: Rule) -> bool:
    return any((rule.rate, rule.concurrency, rule.quota, rule.budget))


def _closing(rule: Rule) -> Closing | None:
    return Closing(rule.closed) if rule.closed else None


def _digest(rule: Rule) -> bytes:
    """What a rule counts by; its windows and priorities count nothing, so they may change."""
    said = rule.model_dump(mode="json", exclude={"closed", "priority"})
    return blake2b(orjson.dumps(said, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def _identity(applied: _Applied, key: tuple[str, ...]) -> tuple[bytes, str]:
    """What tells a rule's counters apart, and what callers are told that they are."""
    identity = blake2b(applied.digest, digest_size=16)
    identity.update(orjson.dumps([applied.parts, key]))
    keys = [key for key in (*_OF_CALLER, *_OF_ROUTE) if getattr(applied.rule.match, key) is not None]
    return identity.hexdigest().encode(), "-".join(keys) or "all"


def _total(applied: _Applied, key: tuple[str, ...], principal: Principal) -> Total:
    said = applied.rule.total
    assert said is not None
    identity, name = _identity(applied, key)
    most = (said.calls or 0, said.writes or 0, said.cost or 0, said.rows or 0)
    return Total(identity, name, most, expires=principal.expires, of_steps=applied.inner)


def _bucket(applied: _Applied, key: tuple[str, ...]) -> Bucket:
    rule = applied.rule
    identity, name = _identity(applied, key)
    return Bucket(
        identity,
        name,
        rate=rule.rate,
        burst=rule.burst or 0,
        concurrency=rule.concurrency or 0,
        quota=rule.quota or 0,
        budget=rule.budget or 0,
        day=applied.day,
    )
