"""Which rules a call meets, and with whom it shares their counters."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.contract import Effect
from gateway.call import Principal
from gateway.limits.plan import Entry, costs, plans
from gateway.routing.limits_schema import Limits
from gateway.routing.model import Binding, Composite, Route, Step

ALICE, BOB = Principal("alice"), Principal("bob")
BOT, OTHER_BOT = Principal("alice", agent="bot"), Principal("alice", agent="other")


def route(name: str, upstream: str = "erp", effect: Effect = Effect.READ, **more: Any) -> Route:
    binding = None if "compose" in more else Binding(upstream, "op", None, None)
    return Route(name, "GET", f"/{name}", effect, "things", (), None, 200, None, legacy=binding, **more)


def composite(name: str, *steps: str, **more: Any) -> Route:
    made: Any = Composite(tuple(Step(each, each, {}) for each in steps), None)  # type: ignore[arg-type]
    return route(name, compose=made, **more)


def entry(match: dict[str, str], who: Principal, on: Route, *, step: bool = False, **rule: Any) -> Entry:
    limits = Limits.model_validate({"rules": [{"match": match, **({"rate": "1/s"} | rule)}]})
    return plans(limits, [on])[on.operation_id][step].entry(who)


def keys(match: dict[str, str], who: Principal, on: Route, **more: Any) -> list[bytes]:
    return [each.identity for each in entry(match, who, on, **more).buckets]


def shares(match: dict[str, str], one: Principal, other: Principal, there: Route | None = None) -> bool:
    here = route("here")
    first, second = keys(match, one, here), keys(match, other, there or here)
    assert len(first) == len(second) == 1
    return first == second


def test_a_star_tells_apart_and_what_is_left_out_does_not() -> None:
    assert not shares({"principal": "*"}, ALICE, BOB)
    assert shares({"principal": "*"}, BOT, OTHER_BOT)  # never by what the caller can choose anew
    assert not shares({"principal": "*", "agent": "*"}, BOT, OTHER_BOT)
    assert shares({}, ALICE, BOB)
    assert shares({}, ALICE, ALICE, route("there"))
    assert not shares({"route": "*"}, ALICE, ALICE, route("there"))
    assert shares({"upstream": "*"}, ALICE, BOB, route("there"))
    assert not shares({"upstream": "*"}, ALICE, BOB, route("there", "crm"))


def test_who_has_the_same_name_elsewhere_is_somebody_else() -> None:
    there = Principal("alice", agent="bot", tenant="acme", teams=("ops",), roles=("r",))
    elsewhere = Principal("alice", agent="bot", tenant="umbrella", teams=("ops",), roles=("r",))
    issued = Principal("alice", agent="bot", tenant="acme", teams=("ops",), roles=("r",), issuer="https://id.example")
    for key in ("principal", "agent", "team", "role"):
        assert not shares({key: "*"}, there, elsewhere)
        assert not shares({key: "*"}, there, issued)


@pytest.mark.parametrize(
    ("match", "who", "matches"),
    [
        ({"principal": "alice"}, ALICE, True),
        ({"principal": "alice"}, BOB, False),
        ({"agent": "*"}, ALICE, False),
        ({"agent": "bot"}, BOT, True),
        ({"agent": "bot"}, OTHER_BOT, False),
        ({"tenant": "*"}, ALICE, False),
        ({"role": "clerk"}, Principal("a", roles=("clerk", "boss")), True),
        ({"role": "clerk"}, ALICE, False),
        ({"upstream": "erp"}, ALICE, True),
        ({"upstream": "crm"}, ALICE, False),
        ({"effect": "read"}, ALICE, True),
        ({"effect": "write"}, ALICE, False),
        ({"group": "things", "route": "here", "principal": "*"}, ALICE, True),
    ],
)
def test_each_key_of_a_match_must_match(match: dict[str, str], who: Principal, matches: bool) -> None:
    assert len(keys(match, who, route("here"))) == matches


def test_a_call_counts_for_each_team_of_its_principal() -> None:
    assert len(keys({"team": "*"}, Principal("a", teams=("x", "y", "x")), route("here"))) == 2


def test_a_rule_that_changes_starts_anew_but_not_for_its_windows() -> None:
    here = route("here")
    first = keys({"principal": "*"}, ALICE, here)
    assert keys({"principal": "*"}, ALICE, here, closed=["02:00-04:00"]) == first
    assert keys({"principal": "*"}, ALICE, here, rate="2/s") != first


def test_a_step_counts_where_a_rule_names_a_route_group_or_upstream() -> None:
    here = route("here")
    for match in ({"route": "here"}, {"group": "*"}, {"upstream": "erp", "principal": "*"}):
        assert len(keys(match, ALICE, here, step=True)) == 1
    for match in ({}, {"principal": "*"}, {"effect": "read"}):
        assert keys(match, ALICE, here, step=True) == []


def test_what_is_remembered_of_a_principal_is_that_principals() -> None:
    made = plans(Limits.model_validate({"rules": [{"match": {"principal": "*"}, "rate": "1/s"}]}), [route("here")])
    plan = made["here"][0]
    assert plan.entry(ALICE) is plan.entry(ALICE)
    for number in range(5000):
        who = Principal(f"p{number}")
        assert plan.entry(who).principal is who
    assert len(plan._entries) == 4096


def test_the_classes_of_calls() -> None:
    here, points = route("here"), {"interactive": 9, "agent": 5, "batch": 2}

    def seen(who: Principal, *rules: dict[str, Any]) -> tuple[int, int]:
        limits = Limits.model_validate({"rules": list(rules)})
        return plans(limits, [here])["here"][0].entry(who).points

    assert (seen(ALICE), seen(BOT)) == ((3, 1), (2, 1))
    of_erp = {"match": {"upstream": "erp"}, "priority": points}
    nightly = {"match": {"agent": "bot"}, "priority": "batch"}
    assert (seen(ALICE, of_erp), seen(BOT, of_erp), seen(BOT, of_erp, nightly)) == ((9, 2), (5, 2), (2, 2))
    assert seen(ALICE, {"match": {"upstream": "*"}, "priority": points}) == (9, 2)


def test_a_composite_costs_what_its_steps_do() -> None:
    routes = [route("a"), route("b", cost=5), composite("c", "a", "b", "b"), composite("d", "c", cost=0)]
    assert costs([*routes, composite("e", "c", "d")]) == {"a": 1, "b": 5, "c": 11, "d": 0, "e": 11}


def test_a_class_of_calls_holds_within_composites_too() -> None:
    nightly = Principal("job", roles=("nightly",))
    for step in (False, True):
        assert entry({"role": "nightly"}, nightly, route("here"), step=step, priority="batch").points == (1, 1)
        assert entry({"role": "nightly"}, ALICE, route("here"), step=step, priority="batch").points == (3, 1)
