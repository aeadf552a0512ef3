"""The criteria, one by one: what is known, what isn't, and what to do next."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Effect
from gateway.call import Call, Reply
from gateway.errors import BadUpstreamReply, Forbidden, NotFound, Problem, UpstreamBusy, UpstreamUnavailable
from gateway.readiness import judging
from gateway.readiness.model import Answer, Burst, Probed, Timing, worst
from gateway.readiness.probing import Asking, burst, probed
from gateway.readiness.samples import NoSample, Sample, sample
from gateway.routing.model import Binding, Parameter, Route

TEXT = {"type": "string"}


def route(**changes: Any) -> Route:
    binding = Binding("old", "GetIt", None, None)
    given = {"operation_id": "get_it", "method": "GET", "path": "/it/{id}", "effect": Effect.READ, "group": "its",
             "parameters": (), "body": None, "status": 200, "reply": {}, "legacy": binding}  # fmt: skip
    return Route(**{**given, **changes})


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50))
def test_percentiles_are_times_that_were_measured(seconds: list[float]) -> None:
    timing = Timing(tuple(seconds))
    half, most = timing.at(0.5), timing.at(0.95)
    assert half in seconds
    assert most in seconds
    assert half <= most <= max(seconds)
    assert sum(each <= most for each in seconds) >= 0.95 * len(seconds)


@pytest.mark.parametrize(
    ("shown", "verdict", "said"),
    [
        (Probed(Timing((0.1,) * 19 + (5.0,))), "yes", "p95 100 ms over 20 calls"),
        (Probed(Timing((0.1, 1.0))), "no", "too slow: p50 100 ms, p95 1.00 s over 2 calls"),
        (Probed(None, "call 1: bad reply"), "no", "no answer at call 1: bad reply"),
        (Probed(Timing((0.1,)), "call 2: too late"), "no", "no answer at call 2"),
        (Probed(None, "call 1: not found", excused=True, next="mend it"), "unchecked", "call 1: not found"),
        (Probed(), "unchecked", "nothing was measured"),
    ],
    ids=["all but one in twenty", "a second is too long", "a failure", "a later failure", "no fault", "nothing"],
)
def test_in_under_a_second(shown: Probed, verdict: str, said: str) -> None:
    answer = judging.fast(shown, route(), "old")
    assert answer.verdict == verdict
    assert said in answer.why
    assert bool(answer.next) == (verdict == "no" or bool(shown.next))


@pytest.mark.parametrize(
    ("took", "failed", "verdict"),
    [((0.5, 0.5, 0.6, 1.2), 0, "yes"), ((0.5, 1.0, 1.5, 2.0), 0, "no"), ((0.5,), 3, "no"), ((), 4, "no"),
     ((0.01, 0.02, 0.05, 0.09), 0, "yes")],
    ids=["two behind each other", "one behind another", "some refused", "all refused", "too quick to tell"],
)  # fmt: skip
def test_it_scales(took: tuple[float, ...], failed: int, verdict: str) -> None:
    alone = Timing((took[0] if took else 0.5,))
    shown = Burst(4, 4, Timing(took) if took else None, failed)
    assert judging.scales(shown, alone, 8).verdict == verdict
    assert judging.scales(Burst(1, 1, alone, 0), alone, 1).verdict == "no"


def test_not_checked_is_no_no() -> None:
    yes, no, open_ = (Answer(each, "") for each in ("yes", "no", "unchecked"))
    assert worst([yes, open_, no]) == "no"
    assert worst([yes, open_]) == "unchecked"
    assert worst([yes]) == "yes"
    assert worst([]) == "unchecked"
    assert judging.fast_of_all({"a": yes, "b": open_}, "old").verdict == "yes"
    assert judging.fast_of_all({"a": open_}, "old").verdict == "unchecked"
    assert judging.fast_of_all({}, "old").verdict == "unchecked"
    assert judging.fast_of_all({"a": yes, "b": no}, "old").verdict == "no"


def test_actions() -> None:
    write = route(operation_id="set_it", effect=Effect.WRITE)
    assert judging.acts_of(route(), [route(), write]).verdict == "yes"
    assert judging.acts_of(write, [write]).verdict == "yes"
    assert judging.acts_of(route(), [route()]).verdict == "no"


# ── probing ──────────────────────────────────────────────────────────────────────────────────────────────────


def asking(*outcomes: Problem | None) -> tuple[Asking, list[Call]]:
    """A read that ends so, one call after the other, and the calls that were made."""
    calls: list[Call] = []
    waiting = list(outcomes)

    async def handler(call: Call) -> Reply:
        calls.append(call)
        outcome = waiting.pop(0) if waiting else None
        if outcome is not None:
            raise outcome
        return Reply(200, {"id": "1"})

    return Asking(route(), handler, Sample(path={"id": "1"}), 1.0), calls


async def test_it_asks_as_often_as_it_was_told_and_in_its_own_name() -> None:
    one, calls = asking()
    found = await probed(one, 4, time.monotonic() + 60)
    assert found.timing is not None
    assert len(found.timing.seconds) == len(calls) == 4
    assert {each.principal.id for each in calls if each.principal} == {"figway:readiness"}
    one, calls = asking()
    await probed(one, 4, time.monotonic() - 1)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("problem", "excused"),
    [(NotFound("x"), True), (Forbidden("x"), True), (UpstreamBusy("x"), True), (UpstreamUnavailable("x"), False),
     (BadUpstreamReply("x"), False)],
    ids=["not there", "not mapped", "busy", "down", "breaks the contract"],
)  # fmt: skip
async def test_whose_fault_a_failure_is(problem: Problem, excused: bool) -> None:
    found = await probed(asking(problem)[0], 4, time.monotonic() + 60)
    assert (found.excused, found.timing) == (excused, None)
    assert bool(found.next) == excused
    later = await probed(asking(None, problem)[0], 4, time.monotonic() + 60)
    assert not later.excused


async def test_a_slow_system_is_spared() -> None:
    one, calls = asking()
    assert (await burst(one, 8, 0.1)).at_once == 4
    assert len(calls) == 8
    one, calls = asking()
    assert (await burst(one, 8, 3.0)).at_once == len(calls) == 2
    assert (await burst(asking()[0], 1, 0.1)).at_once == 1
    assert (await burst(asking(UpstreamBusy("x"))[0], 8, 3.0)).failed == 1


# ── samples ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_samples_are_the_contracts_own() -> None:
    referred = {"$ref": "#/$defs/Id", "$defs": {"Id": {"type": "string", "examples": ["I-1"]}}}
    parameters = (
        Parameter("id", "path", referred, required=True),
        Parameter("all", "query", {"type": "boolean", "default": True}, required=True),
        Parameter("x-by", "header", TEXT, required=True),
        Parameter("limit", "query", {"type": "integer", "default": 50}),
    )
    stated = [{"$ref": "#/components/parameters/By"}, {"name": "id", "in": "path", "schema": TEXT}]
    document = {
        "paths": {"/it/{id}": {"get": {"parameters": stated}}},
        "components": {"parameters": {"By": {"name": "x-by", "in": "header", "examples": {"a": {"value": 7}}}}},
    }
    found = sample(route(parameters=parameters), document)
    assert (found.path, found.query, found.header, found.body) == ({"id": "I-1"}, {"all": "true"}, {"x-by": "7"}, None)


def test_nothing_is_invented() -> None:
    with pytest.raises(NoSample, match="the path parameter 'id'"):
        sample(route(parameters=(Parameter("id", "path", TEXT, required=True),)), {})
