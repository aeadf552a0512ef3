"""Every way in which a step can fail, with everything that a contract can say of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapters.contract import Effect, Json
from gateway.call import Call, Principal, Reply, new_id
from gateway.compose.handler import compose
from gateway.compose.step_call import is_true
from gateway.errors import (
    BadUpstreamReply,
    Conflict,
    DeadlineExceeded,
    Forbidden,
    InvalidRequest,
    NotBuilt,
    NotFound,
    Problem,
    Rejected,
    StateUnavailable,
    UnknownOutcome,
    UpstreamBusy,
    UpstreamRefused,
    UpstreamUnavailable,
)
from gateway.limit_errors import RateLimited
from gateway.pipeline import Handler
from gateway.routing.mapping import expression
from gateway.routing.model import Composite, Parameter, Route, Step
from gateway.routing.scope import scope_builder

MODES = (
    NotFound,
    Conflict,
    Rejected,
    Forbidden,
    InvalidRequest,
    UpstreamUnavailable,
    UpstreamBusy,
    UpstreamRefused,
    DeadlineExceeded,
    BadUpstreamReply,
    RateLimited,
    StateUnavailable,
    NotBuilt,
    UnknownOutcome,
)
SKU = Parameter("sku", "query", {})


def _route(name: str, effect: Effect = Effect.READ, compose_: Composite | None = None) -> Route:
    method = "GET" if effect is Effect.READ else "POST"
    return Route(name, method, f"/{name}", effect, "a", (SKU,), None, 200, None, compose=compose_)


def _composite(steps: tuple[Step, ...], handlers: dict[str, Handler], effect: Effect, output: str = "@") -> Handler:
    whole = _route("whole", effect, Composite(steps, expression(output)))
    routes = {name: _route(name, effect) for name in handlers}
    return compose(whole, routes, handlers)


def _call(**given: Json) -> Call:
    call = Call("id", "whole", 1, "POST", "/whole", 1e12, "", {}, principal=Principal("ann"), idempotency_key="k")
    call.body = given
    return call


async def _other(call: Call) -> Reply:
    return Reply(200, {"fine": True})


@pytest.mark.parametrize("effect", [Effect.READ, Effect.WRITE])
@pytest.mark.parametrize("on_error", ["fail", "omit", "default"])
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.slug)
async def test_a_step_that_fails(mode: type[Problem], on_error: Any, effect: Effect) -> None:
    async def failing(call: Call) -> Reply:
        raise mode("No.")

    step = Step("part", "failing", {}, on_error, {"n": 0})
    handler = _composite((step, Step("other", "other", {})), {"failing": failing, "other": _other}, effect)
    unknown = mode is UnknownOutcome and effect is Effect.WRITE
    if on_error == "fail" or unknown:
        # A step that was asked wrongly is no fault of the caller's.
        with pytest.raises(BadUpstreamReply if mode is InvalidRequest else mode):
            await handler(_call())
        return
    reply = await handler(_call())
    assert reply.body == {"other": {"fine": True}} | ({"part": {"n": 0}} if on_error == "default" else {})
    assert (b"figway-partial", b"part") in reply.headers
    assert (b"cache-control", b"no-store") in reply.headers
    assert reply.warnings == (f"The part 'part' is missing: {mode.title.lower()}.",)


@pytest.mark.parametrize("effect", [Effect.READ, Effect.WRITE])
@pytest.mark.parametrize("on_error", ["fail", "omit", "default"])
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.slug)
async def test_an_item_that_fails(mode: type[Problem], on_error: Any, effect: Effect) -> None:
    async def sometimes(call: Call) -> Reply:
        if call.query["sku"] == "b":
            raise mode("No.")
        return Reply(200, call.query["sku"])

    step = Step("parts", "each", {"sku": expression("item")}, on_error, "?", for_each=expression("body.skus"))
    handler = _composite((step,), {"each": sometimes}, effect)
    if on_error == "fail" or (mode is UnknownOutcome and effect is Effect.WRITE):
        with pytest.raises(BadUpstreamReply if mode is InvalidRequest else mode):
            await handler(_call(skus=["a", "b", "c"]))
        return
    reply = await handler(_call(skus=["a", "b", "c", "b"]))
    left = "?" if on_error == "default" else None
    assert reply.body == {"parts": ["a", left, "c", left]}  # each stands where its item does
    assert reply.warnings == (f"Of the part 'parts' 2 of 4 are missing: {mode.title.lower()}.",)
    assert (b"figway-partial", b"parts") in reply.headers


@pytest.mark.parametrize("on_error", ["fail", "omit", "default"])
@pytest.mark.parametrize(
    ("skus", "why"),
    [("abc", "there is none"), ({"a": 1}, "there is none"), ([0] * 501, "at most 500 items")],
    ids=["text", "object", "too-many"],
)
async def test_what_a_composite_itself_gets_wrong_fails_it(on_error: Any, skus: Json, why: str) -> None:
    step = Step("parts", "other", {"sku": expression("item")}, on_error, for_each=expression("body.skus"))
    with pytest.raises(BadUpstreamReply, match=why):
        await _composite((step,), {"other": _other}, Effect.READ)(_call(skus=skus))


async def test_no_list_is_no_items() -> None:
    step = Step("parts", "other", {"sku": expression("item")}, for_each=expression("body.skus"))
    reply = await _composite((step,), {"other": _other}, Effect.READ)(_call())
    assert reply.body == {"parts": []}
    assert reply.headers == []


@pytest.mark.parametrize("concurrency", [1, 7, 50])
async def test_two_hundred_items_obey_their_bound(concurrency: int) -> None:
    running = most = 0

    async def counting(call: Call) -> Reply:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return Reply(200, call.query["sku"])

    input = {"sku": expression("join('-', [item, to_string(index)])")}
    step = Step("parts", "each", input, for_each=expression("body.skus"), concurrency=concurrency)
    reply = await _composite((step,), {"each": counting}, Effect.READ)(_call(skus=["x"] * 200))
    assert reply.body == {"parts": [f"x-{number}" for number in range(200)]}
    assert most == concurrency


@pytest.mark.parametrize("value", [None, False, "", [], {}, 0, "no", [0], {"a": 0}, True], ids=repr)
async def test_a_condition_is_what_jmespath_takes_for_true(value: Json) -> None:
    call, step = _call(go=value), Step("part", "other", {}, when=expression("body.go"))
    reply = await _composite((step,), {"other": _other}, Effect.READ)(call)
    true = value is not None and value is not False and value not in ("", [], {})
    assert reply.body == ({"part": {"fine": True}} if true else {})
    assert is_true(value) == true
    assert reply.headers == []  # what isn't wanted isn't missing
    assert call.noted["steps"][0]["outcome"] == ("ok" if reply.body else "skipped")


async def test_the_same_items_have_keys_of_their_own_wherever_they_stand() -> None:
    seen: list[str] = []

    async def noting(call: Call) -> Reply:
        seen.append(call.step)
        return Reply(200, None)

    step = Step("parts", "each", {"sku": expression("item")}, for_each=expression("body.skus"))
    handler = _composite((step,), {"each": noting}, Effect.WRITE)
    await handler(_call(skus=["a", "b", "a"]))
    await handler(_call(skus=["b", "a", "a", "c"]))
    assert len(set(seen[:3])) == 3
    assert set(seen[:3]) < set(seen[3:])


async def test_what_is_missing_within_is_told_of_the_whole() -> None:
    async def partly(call: Call) -> Reply:
        return Reply(200, {}, headers=[(b"figway-partial", b"stock, tasks"), (b"cache-control", b"no-store")])

    reply = await _composite((Step("inner", "part", {}),), {"part": partly}, Effect.READ)(_call())
    assert reply.headers == [(b"figway-partial", b"inner.stock, inner.tasks"), (b"cache-control", b"no-store")]


async def test_what_steps_make_has_ids_of_its_own() -> None:
    facts = scope_builder(frozenset({"call"}))
    seen: list[str] = []

    async def making(call: Call) -> Reply:
        seen.append(facts(call)["call"]["id"])
        return Reply(200, None)

    each = Step("each", "make", {"sku": expression("item")}, for_each=expression("body.skus"))
    handler = _composite((each, Step("one", "make", {"sku": expression("'a'")})), {"make": making}, Effect.WRITE)
    call = _call(skus=["a", "a", "b"])
    call.id = new_id()
    await handler(call)
    assert len(set(seen)) == 4
    assert {(len(id), id[:10]) for id in seen} == {(26, call.id[:10])}
    first, seen[:] = sorted(seen), []
    await handler(call)
    assert sorted(seen) == first
