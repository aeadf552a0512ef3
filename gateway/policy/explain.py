"""Why a caller may do something or not: every policy that could decide, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import cedarpy

from gateway.call import Call, Principal
from gateway.policy import entities
from gateway.policy.arguments import Unfit, reader
from gateway.policy.decide import SCOPES, Policies, in_scope
from gateway.routing.cedar import Policy, names_read
from gateway.routing.model import Compiled, Route
from gateway.routing.permissions import PERMISSIONS
from gateway.routing.policies import decides
from gateway.routing.rules import Rules


@dataclass(frozen=True, slots=True)
class Weighed:
    """One policy and what became of it: `satisfied`, `not satisfied`, `waits for the call`, or the error it ends in."""

    policy: Policy
    outcome: str
    trial: str | None = None
    """The set on trial that it belongs to; None: it is enforced."""

    def told(self) -> dict[str, Any]:
        policy = self.policy
        return {
            "name": policy.name,
            "effect": policy.node["effect"],
            "file": policy.file,
            "line": policy.line,
            "outcome": self.outcome,
            "trial": self.trial,
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be explained; `call` None: before any call, as lists see it. `now` in seconds since 1970."""

    principal: Principal
    action: str
    call: Call | None = None
    now: float | None = None


class UnknownAction(ValueError):
    """Nothing is called so; the message is one sentence."""


def explain(compiled: Compiled, asked: Asked) -> dict[str, Any]:
    """The decision, the policies that made it and what they narrow, as JSON; raises `UnknownAction`."""
    routes = {route.operation_id: route for route in compiled.routes}
    route = routes.get(asked.action)
    if route is None and asked.action not in PERMISSIONS:
        raise UnknownAction(f"there is no operation and no permission '{asked.action}'")
    weighed = list(_weighed(compiled.rules, asked, route))
    decision, deciding = _decision(compiled.rules, asked, route)
    lacking = _lacking(compiled.rules, asked.principal, route, routes) if decision != "deny" else ()
    if lacking:
        decision, deciding = "deny", ()
    narrowing = _narrowing(compiled.rules, weighed, route) if decision != "deny" else []
    return {
        "decision": decision,
        "principal": asked.principal.id,
        "agent": asked.principal.agent,
        "action": asked.action,
        "deciding": list(deciding),
        "lacking": list(lacking),
        "narrowing": narrowing,
        "policies": [each.told() for each in weighed],
    }


def _decision(rules: Rules, asked: Asked, route: Route | None) -> tuple[str, tuple[str, ...]]:
    policies = Policies(rules)
    if route is None:
        decision = policies.permits(asked.principal, asked.action)
    else:
        decision = policies.decide(asked.principal, route)
        if decision.waits and asked.call is not None:
            decision = policies.judge(route, asked.now)(replace(asked.call, principal=asked.principal))
    word = "depends" if decision.waits else "allow" if decision.allowed else "deny"
    return word, decision.policies


def _lacking(rules: Rules, principal: Principal, route: Route | None, routes: Mapping[str, Route]) -> tuple[str, ...]:
    """The routes without which a composite can't be called, of those that `principal` may not call."""
    if route is None or route.compose is None:
        return ()
    usable = Policies(rules).listed(principal, routes)
    return tuple(dict.fromkeys(name for name in route.compose.needed() if name not in usable))


def _weighed(rules: Rules, asked: Asked, route: Route | None) -> Iterable[Weighed]:
    if route is not None and not in_scope(asked.principal, route):
        return
    sets: list[tuple[str | None, tuple[Policy, ...]]] = [(None, rules.policies), *rules.trials.items()]
    for trial, policies in sets:
        for policy in policies:
            if route is None or decides(policy, route):
                yield Weighed(policy, _outcome(policy, asked, route), trial)


def _outcome(policy: Policy, asked: Asked, route: Route | None) -> str:
    waits = policy.waits()
    if waits and asked.call is None and route is not None:
        return "waits for the call"
    context = {**entities.caller(asked.principal), "time": entities.moment(asked.now)}
    if waits and asked.call is not None and route is not None:
        try:
            context["arguments"] = reader(route, names_read(policy))(asked.call)
        except Unfit:
            return "error: an argument has no place in Cedar's types"
    resource = ("Gateway", entities.GATEWAY) if route is None else ("Route", route.operation_id)
    question = entities.request(asked.principal, asked.action, resource, context)
    about = (
        entities.of_gateway(asked.principal, asked.action)
        if route is None
        else entities.of_route(asked.principal, route)
    )
    alone = {"staticPolicies": {policy.id: {**policy.node, "effect": "permit"}}, "templates": {}, "templateLinks": []}
    result = cedarpy.is_authorized(question, cedarpy.PolicySet.from_json_str(json.dumps(alone)), about)
    errors = result.diagnostics.errors
    if errors:
        return f"error: {str(errors[0]).partition(': ')[2] or errors[0]}"
    return "satisfied" if result.diagnostics.reasons else "not satisfied"


def _narrowing(rules: Rules, weighed: list[Weighed], route: Route | None) -> list[Mapping[str, str]]:
    """What the permits that let the call in show, unless one of them shows everything."""
    permits = [
        each.policy for each in weighed if each.policy.permits and each.outcome == "satisfied" and not each.trial
    ]
    if route is None or not all((each.id, route.operation_id) in rules.marks for each in permits):
        return []
    names = ("rows", "mask", "tokenise")
    return [
        {"name": each.name, **{name: each.annotations[name] for name in names if name in each.annotations}}
        for each in permits
    ]


def sentence(explained: Mapping[str, Any]) -> str:
    """The decision in one sentence."""
    who = explained["principal"] + (f" via {explained['agent']}" if explained["agent"] else "")
    said = {"allow": "may call", "deny": "may not call", "depends": "may call, depending on the call,"}
    why = ", ".join(explained["deciding"])
    if explained["deciding"] == [SCOPES]:
        why = "the credential is narrowed to other operations"
    elif explained["lacking"]:
        why = f"it can't do without {', '.join(explained['lacking'])}, which no policy lets this caller use"
    elif not why and explained["decision"] == "deny":
        why = "no policy permits it"
    return f"{who} {said[explained['decision']]} {explained['action']}{f' ({why})' if why else ''}"
