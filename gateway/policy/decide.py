"""Decisions: default deny, and any error denies.

A route is decided on twice. Before the call is read, by who calls: that decision is remembered for the snapshot's life,
and it also says what is listed. Where a policy waits for arguments or the time it only says that the call *may* be
allowed; then every policy is evaluated again, over the whole call.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cedarpy

from gateway.call import Call, Principal
from gateway.policy import entities
from gateway.policy.arguments import Unfit, reader
from gateway.policy.grants import Grant
from gateway.routing.cedar import Node, Policy, names_read, split
from gateway.routing.model import Route
from gateway.routing.policies import decides
from gateway.routing.rules import Rules

# Decisions kept per snapshot, and per route by the caller's identity; beyond it the oldest go.
_KEPT, _KEPT_CALLERS, _KEPT_GRANTS = 20_000, 512, 2_000
_ERRED = re.compile(r"policy `([^`]*)`")
SCOPES = "scopes"
"""What decides when a credential was narrowed to other operations."""
UNREADABLE = "unreadable"
"""What decides when Cedar can't read the question."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a call is allowed, and the names of the policies that decided; none: nothing allowed it."""

    allowed: bool
    policies: tuple[str, ...]
    grant: Grant | None = None
    """What of the replies may be seen; None: everything."""
    waits: bool = False
    """It may be allowed: that depends on the call's arguments or its time."""
    differing: tuple[str, ...] = ()
    """The trial sets that would decide otherwise, such as `strict:deny`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What Cedar says: the ids of the policies that decided, or of those that erred."""

    allowed: bool
    ids: tuple[str, ...]


class PolicySet:
    """Some policies, parsed once, in the shapes in which they are evaluated."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(policies)
        waiting = [each for each in self.policies if each.waits()]
        self.waiting = tuple(waiting)
        self._whole = _parsed({each.id: each.node for each in self.policies})
        self._settled = _parsed({each.id: each.node for each in self.policies if each not in waiting})
        parts = {each.id: split(each) for each in waiting}
        self._permits = frozenset(each.id for each in waiting if each.permits)
        # As permits, whatever they are: Cedar then names all those that are satisfied.
        self._first = _parsed({id: {**part.first, "effect": "permit"} for id, part in parts.items()})
        self._known = _parsed({id: {**part.known, "effect": "permit"} for id, part in parts.items()})

    def decide(self, request: dict[str, Any], about: cedarpy.Entities) -> Verdict:
        """The decision over a whole request."""
        return _verdict(cedarpy.is_authorized(request, self._whole, about))

    def foresee(self, request: dict[str, Any], about: cedarpy.Entities) -> tuple[Verdict, bool]:
        """The decision while only the caller is known, and whether it waits for the call.

        One that doesn't wait is what `decide` says of every call. One that waits is allowed when some call may be, as
        far as what policies say of the caller tells.
        """
        if not self.waiting:
            return self.decide(request, about), False
        settled = cedarpy.is_authorized(request, self._settled, about)
        verdict = _verdict(settled)
        if settled.diagnostics.errors or (not verdict.allowed and verdict.ids):
            return verdict, False
        reached = cedarpy.is_authorized(request, self._first, about)
        if reached.diagnostics.errors:
            return _verdict(reached), False
        if not reached.diagnostics.reasons:
            return verdict, False
        known = cedarpy.is_authorized(request, self._known, about)
        may = self._permits & set(reached.diagnostics.reasons) & set(known.diagnostics.reasons)
        return (Verdict(True, verdict.ids), True) if verdict.allowed or may else (verdict, False)


def _parsed(nodes: Mapping[str, Node]) -> cedarpy.PolicySet:
    return cedarpy.PolicySet.from_json_str(
        json.dumps({"staticPolicies": dict(nodes), "templates": {}, "templateLinks": []})
    )


def _verdict(result: cedarpy.AuthzResult) -> Verdict:
    errors = result.diagnostics.errors
    # Cedar skips a policy that errors, so an erring forbid would allow: any error denies.
    if errors:
        return Verdict(False, tuple(sorted({id for error in errors for id in _ERRED.findall(str(error))})))
    return Verdict(bool(result.allowed), tuple(sorted(result.diagnostics.reasons)))


class Policies:
    """A snapshot's policies. Decisions are remembered, since a snapshot never changes."""

    def __init__(self, rules: Rules, key: bytes = b"") -> None:
        """`key` makes the tokens that stand for what `@tokenise` names."""
        self._rules, self._key = rules, key
        self._set = PolicySet(rules.policies)
        self._names = {each.id: each.name for each in rules.policies}
        self._narrowed = frozenset(operation for id, operation in rules.marks if id in self._names)
        self._trials = {name: PolicySet((*rules.policies, *tried)) for name, tried in rules.trials.items()}
        self._decisions: dict[tuple[Any, ...], Decision] = {}
        self.differed: Counter[str] = Counter()
        """How many calls each set on trial would have decided otherwise, such as `strict:deny`, in this process."""
        self._grants: dict[tuple[Any, ...], Grant | None] = {}

    def narrowed(self, route: Route) -> bool:
        """Whether a permit may narrow what of this route's replies is seen."""
        return route.operation_id in self._narrowed

    def waits_for(self, route: Route) -> bool:
        """Whether a policy may wait for a call of this route."""
        return any(decides(each, route) for each in self._set.waiting)

    def decide(self, principal: Principal, route: Route) -> Decision:
        """What can be said before a call of `route` is read; a decision that `waits` is settled by a `judge`."""
        key = (*_identity(principal), route.operation_id)
        decision = self._decisions.get(key)
        if decision is None:
            decision = self._foreseen(principal, route)
            _remember(self._decisions, key, decision, _KEPT)
        return decision

    def listed(self, principal: Principal, routes: Mapping[str, Route]) -> dict[str, Decision]:
        """The routes that `principal` may use, by operationId, with what was decided: a composite only if it may use
        every route without which there is no answer."""
        decisions = {name: self.decide(principal, route) for name, route in routes.items()}

        def usable(name: str) -> bool:
            needed = routes[name].compose
            return decisions[name].allowed and all(map(usable, () if needed is None else needed.needed()))

        return {name: decision for name, decision in decisions.items() if usable(name)}

    def decider(self, route: Route) -> Callable[[Principal], Decision]:
        """`decide` for one route, a look-up by the caller's identity: verifiers give the same object for every call."""
        known: dict[int, tuple[Principal, Decision]] = {}

        def decided(principal: Principal) -> Decision:
            found = known.get(id(principal))
            # Whoever is remembered is held, so that no other caller can have its identity meanwhile.
            if found is not None:
                return found[1]
            decision = self.decide(principal, route)
            _remember(known, id(principal), (principal, decision), _KEPT_CALLERS)
            return decision

        return decided

    def judge(self, route: Route, now: float | None = None) -> Callable[[Call], Decision]:
        """Decides over a whole call, for routes that a policy waits for; `now` in seconds since 1970, else the time."""
        waiting = [each for each in self._set.waiting if decides(each, route)]
        mentioned = frozenset(name for each in waiting for name in names_read(each))
        read = reader(route, mentioned) if "arguments" in mentioned else None
        known: dict[tuple[Any, ...], cedarpy.Entities] = {}

        def about(principal: Principal) -> cedarpy.Entities:
            key = _identity(principal)
            if key not in known:
                _remember(known, key, entities.of_route(principal, route), _KEPT_CALLERS)
            return known[key]

        def judged(call: Call) -> Decision:
            principal = call.principal
            assert principal is not None
            context = {**entities.caller(principal), "time": entities.moment(now)}
            try:
                if read is not None:
                    context["arguments"] = read(call)
            except Unfit:
                return Decision(False, ("arguments",))
            asked = entities.request(principal, route.operation_id, ("Route", route.operation_id), context)
            try:
                verdict = self._set.decide(asked, about(principal))
            except ValueError:
                return Decision(False, (UNREADABLE,))
            return self._decision(verdict, principal, route)

        return judged

    def permits(self, principal: Principal, permission: str) -> Decision:
        """Whether `principal` has one of `routing.permissions.PERMISSIONS`. Not remembered: such calls are rare."""
        if principal.scopes is not None and permission not in principal.scopes:
            return Decision(False, (SCOPES,))
        context = {**entities.caller(principal), "time": entities.moment()}
        asked = entities.request(principal, permission, ("Gateway", entities.GATEWAY), context)
        try:
            verdict = self._set.decide(asked, entities.of_gateway(principal, permission))
        except ValueError:
            return Decision(False, (UNREADABLE,))
        return Decision(verdict.allowed, self._named(verdict))

    def _foreseen(self, principal: Principal, route: Route) -> Decision:
        if not in_scope(principal, route):
            return Decision(False, (SCOPES,))
        asked = entities.request(
            principal, route.operation_id, ("Route", route.operation_id), entities.caller(principal)
        )
        try:
            about = entities.of_route(principal, route)
            verdict, waits = self._set.foresee(asked, about)
            differing = tuple(_differing(verdict, waits, self._trials, asked, about))
        except ValueError:  # Cedar can't even read who asks
            return Decision(False, (UNREADABLE,))
        if waits:
            return Decision(True, self._named(verdict), None, waits=True, differing=differing)
        return self._decision(verdict, principal, route, differing)

    def _decision(
        self, verdict: Verdict, principal: Principal, route: Route, differing: tuple[str, ...] = ()
    ) -> Decision:
        grant = self._grant(verdict.ids, principal, route) if verdict.allowed else None
        return Decision(verdict.allowed, self._named(verdict), grant, differing=differing)

    def _grant(self, ids: tuple[str, ...], principal: Principal, route: Route) -> Grant | None:
        """What these permits show together; None: everything."""
        marks = [self._rules.marks.get((id, route.operation_id)) for id in ids]
        if not all(mark is not None for mark in marks):
            return None
        key = (*_identity(principal), route.operation_id, ids)
        if key not in self._grants:
            grant = Grant([mark for mark in marks if mark is not None], principal, self._key)
            _remember(self._grants, key, grant if grant.narrows or grant.redacts else None, _KEPT_GRANTS)
        return self._grants[key]

    def _named(self, verdict: Verdict) -> tuple[str, ...]:
        return tuple(sorted(self._names.get(id, id) for id in verdict.ids))


def in_scope(principal: Principal, route: Route) -> bool:
    """Whether the credential reaches as far as this route: it may be narrowed to operations, effects or groups."""
    scopes = principal.scopes
    return scopes is None or not {route.operation_id, route.effect.value, route.group}.isdisjoint(scopes)


def _differing(
    verdict: Verdict,
    waits: bool,
    trials: Mapping[str, PolicySet],
    asked: dict[str, Any],
    about: cedarpy.Entities,
) -> Iterable[str]:
    """The trial sets that would decide otherwise: allow, deny, or `depends` on the call."""
    ours = "depends" if waits else "allow" if verdict.allowed else "deny"
    for name, tried in trials.items():
        other, depends = tried.foresee(asked, about)
        theirs = "depends" if depends else "allow" if other.allowed else "deny"
        if theirs != ours:
            yield f"{name}:{theirs}"


def _identity(principal: Principal) -> tuple[Any, ...]:
    """All of a principal that policies may see."""
    return (
        principal.id,
        principal.agent,
        principal.roles,
        principal.tenant,
        principal.teams,
        principal.scopes,
        principal.issuer,
        principal.delegation,
        principal.run is not None,
    )


def _remember(kept: dict[Any, Any], key: Any, value: Any, most: int) -> None:
    if len(kept) >= most:
        kept.pop(next(iter(kept)))
    kept[key] = value
