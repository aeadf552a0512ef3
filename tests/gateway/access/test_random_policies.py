"""Random policies against random callers: what is listed and what is allowed, judged by an oracle of its own.

The oracle knows nothing of remembered decisions, of policies that wait or of their parts. It has Cedar evaluate each
policy alone over each whole call, and then: any error denies, any satisfied forbid denies, else a satisfied permit
allows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cedarpy
import pytest

from adapters.contract import Effect
from gateway.call import Call, Principal
from gateway.policy import entities
from gateway.policy.decide import Policies
from gateway.routing.cedar import Policy, policies_of
from gateway.routing.model import Binding, Body, Parameter, Route
from gateway.routing.rules import Rules

PAIRS = 1_200
BODY = {
    "type": "object",
    "properties": {"amount": {"type": "integer"}, "price": {"type": "string", "format": "decimal"}},
}


def _route(name: str, effect: Effect, group: str, *, body: bool) -> Route:
    parameters = (Parameter("mode", "query", {"type": "string"}), Parameter("id", "path", {"type": "string"}, True))
    taken = Body(False, {"application/json": BODY}) if body else None
    binding = Binding("crm", "op", None, None)
    return Route(name, "POST", f"/{name}/{{id}}", effect, group, parameters, taken, 200, None, legacy=binding)


ROUTES = (
    _route("get_a", Effect.READ, "a", body=False),
    _route("put_a", Effect.WRITE, "a", body=True),
    _route("put_b", Effect.IDEMPOTENT_WRITE, "b", body=True),
)
PRINCIPALS = [
    Principal(id, agent, roles, tenant, "", teams, scopes, "", (agent,) if agent else ())
    for id, agent in (("ann", None), ("ann", "bot"), ("bob", None), ("bob", "rogue"))
    for roles in ((), ("reader",), ("reader", "writer"))
    for tenant, teams in ((None, ()), ("acme", ("red",)))
    for scopes in (None, ("read",), ("b", "get_a"))
]
SETTLED = (
    'principal in Role::"reader"', 'principal in Role::"writer"', 'principal == User::"ann"', "principal has agent",
    'principal.agent == "bot"', 'principal.tenant == "acme"', 'principal in Team::"red"', 'principal in Tenant::"acme"',
    'context has agent && context.agent == Agent::"rogue"', "context.delegation_depth > 0", "true", "false",
    'context.agents.contains(Agent::"bot")', 'resource in Group::"a"', 'resource in Upstream::"crm"',
    "principal.agent > 3", 'context.scopes.contains("read")',
)  # fmt: skip
# Each can be true and can be false, or err, within CALLS.
WAITING = (
    "context.time.hour >= 12", "context.time.weekday < 6", 'context.arguments.query has mode',
    'context.arguments.query.mode == "fast"', 'context.arguments.path.id == "1"',
    "context.arguments has body && context.arguments.body.amount > 5", "context.arguments.body.amount < 5",
    'context.arguments.body has price && context.arguments.body.price.greaterThan(decimal("10.0"))',
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One call: its time and arguments."""

    hour: int
    weekday: int
    path: dict[str, Any]
    query: dict[str, Any]
    body: Any

    def context(self, route: Route) -> dict[str, Any]:
        arguments: dict[str, Any] = {"path": self.path, "query": self.query, "header": {}}
        if route.body is not None and self.body is not None:
            arguments["body"] = {
                name: value if name == "amount" else {"__extn": {"fn": "decimal", "arg": value}}
                for name, value in self.body.items()
            }
        return {
            "time": {"hour": self.hour, "weekday": self.weekday, "epoch": 1},
            "arguments": arguments,
        }


CALLS = [
    Asked(9, 1, {"id": "1"}, {}, None),
    Asked(15, 7, {"id": "2"}, {"mode": "fast"}, {}),
    Asked(15, 1, {"id": "1"}, {"mode": "slow"}, {"amount": 1, "price": "5.5"}),
    Asked(9, 7, {"id": "1"}, {"mode": "fast"}, {"amount": 9, "price": "99.0"}),
    Asked(15, 3, {"id": "1"}, {"mode": "fast"}, {"amount": 2}),
    Asked(9, 2, {"id": "2"}, {}, {"price": "99.0"}),
    Asked(15, 1, {"id": "2"}, {}, {"amount": 1, "price": "99.0"}),
]


def _policies(chance: random.Random) -> Iterator[str]:
    for _ in range(chance.randint(1, 5)):
        effect = chance.choices(["permit", "forbid"], [3, 1])[0]
        principal = chance.choice(["principal", 'principal in Role::"reader"', 'principal == User::"ann"'])
        action = chance.choice(
            [
                "action",
                'action in Action::"read"',
                'action == Action::"put_a"',
                'action in [Action::"put_b", Action::"read"]',
            ]
        )
        resource = chance.choice(
            ["resource", 'resource in Group::"a"', 'resource == Route::"put_b"', "resource is Route"]
        )
        parts = chance.choices(SETTLED, k=chance.randint(0, 2))
        if chance.random() < 0.5:
            parts.insert(chance.randint(0, len(parts)), chance.choice(WAITING))
        chance_of_unless = chance.random() < 0.2
        if chance_of_unless:
            condition = " || ".join(f"!({part})" for part in parts)
            written = f" unless {{ {condition} }}" if parts else ""
        else:
            written = f" when {{ {' && '.join(f'({part})' for part in parts)} }}" if parts else ""
        yield f"{effect} ({principal}, {action}, {resource}){written};"


def _world(principal: Principal, route: Route) -> list[dict[str, Any]]:
    """The entities, built apart from the gateway's own."""
    above = [{"type": "Role", "id": role} for role in principal.roles]
    above += [{"type": "Team", "id": team} for team in principal.teams]
    above += [{"type": "Tenant", "id": principal.tenant}] if principal.tenant else []
    attributes = {"agent": principal.agent} if principal.agent else {}
    attributes |= {"tenant": principal.tenant} if principal.tenant else {}
    return [
        {"uid": {"type": "User", "id": principal.id}, "attrs": attributes, "parents": above},
        {"uid": {"type": "Action", "id": route.operation_id}, "attrs": {},
         "parents": [{"type": "Action", "id": route.effect.value}]},
        {"uid": {"type": "Route", "id": route.operation_id}, "attrs": {},
         "parents": [{"type": "Group", "id": route.group}, {"type": "Upstream", "id": "crm"}]},
    ]  # fmt: skip


def _oracle(texts: list[str], principal: Principal, route: Route) -> list[tuple[bool, bool]]:
    """For each of CALLS: whether it is allowed, and whether some permit is satisfied."""
    who: dict[str, Any] = {"agents": [], "delegation_depth": 0}
    if principal.agent:
        agent = {"__entity": {"type": "Agent", "id": principal.agent}}
        who = {"agent": agent, "agents": [agent], "delegation_depth": 1}
    if principal.scopes is not None:
        who["scopes"] = list(principal.scopes)
        if not {route.operation_id, route.effect.value, route.group} & set(principal.scopes):
            return [(False, False)] * len(CALLS)
    requests = [
        {"principal": {"type": "User", "id": principal.id}, "action": {"type": "Action", "id": route.operation_id},
         "resource": {"type": "Route", "id": route.operation_id}, "context": {**who, **asked.context(route)}}
        for asked in CALLS
    ]  # fmt: skip
    world = _world(principal, route)
    erred, forbidden, permitted = (set[int](), set[int](), set[int]())
    for text in texts:
        for number, result in enumerate(cedarpy.is_authorized_batch(requests, text, world)):
            if result.diagnostics.errors:
                erred.add(number)
            elif result.diagnostics.reasons:
                (permitted if text.startswith("permit") else forbidden).add(number)
    return [(n in permitted and n not in forbidden | erred, n in permitted) for n in range(len(CALLS))]


def _call(asked: Asked, principal: Principal, route: Route) -> Call:
    call = Call("1", route.operation_id, 1, "POST", "/", 0.0, "", dict(asked.path), query=dict(asked.query))
    call.body, call.principal = (asked.body if route.body is not None else None), principal
    return call


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def test_what_is_listed_may_be_called_and_nothing_else(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    seen = {"pairs": 0, "allowed": 0, "denied": 0, "waits": 0, "erred": 0}
    for _ in range(PAIRS // 4):
        texts, principal = list(_policies(chance)), chance.choice(PRINCIPALS)
        read = [each for each in policies_of("policies/a.cedar", "\n".join(texts)) if isinstance(each, Policy)]
        assert len(read) == len(texts)
        policies = Policies(Rules(tuple(read)))
        for route in ROUTES:
            _compare(policies, texts, principal, route, seen, monkeypatch)
        seen["pairs"] += 1
    assert seen["pairs"] == PAIRS // 4
    # The generator reaches all that is to be shown.
    assert min(seen.values()) > 50, seen


def _compare(
    policies: Policies,
    texts: list[str],
    principal: Principal,
    route: Route,
    seen: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = (texts, principal, route.operation_id)
    decision = policies.decider(route)(principal)
    expected = _oracle(texts, principal, route)
    assert not decision.waits or policies.waits_for(route), told
    if not decision.allowed:
        seen["denied"] += 1
        assert not any(allowed for allowed, _ in expected), told
        return
    if not decision.waits:
        assert all(allowed for allowed, _ in expected), told
        seen["allowed"] += 1
        return
    seen["waits"] += 1
    # Listed: some call satisfies a permit; whether none is forbidden or errs can't be told without it. (A workspace
    # whose policies ask for the body of a route that has none isn't accepted by `figway check`.)
    if route.body is not None or not any("body" in text for text in texts):
        assert any(permitted for _, permitted in expected), told
    judge = policies.judge(route)
    for asked, (allowed, permitted) in zip(CALLS, expected, strict=True):
        moment = {"hour": asked.hour, "weekday": asked.weekday, "epoch": 1}
        monkeypatch.setattr(entities, "moment", lambda _, moment=moment: moment)
        assert judge(_call(asked, principal, route)).allowed is allowed, (told, asked)
        seen["erred"] += permitted and not allowed
