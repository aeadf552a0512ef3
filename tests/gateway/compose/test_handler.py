"""What a composite's steps are told of their call, and what is told of theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from adapters.contract import Effect
from gateway.call import Call, Principal, Reply, UpstreamCall
from gateway.compose.handler import compose
from gateway.errors import Conflict, Forbidden, Problem, UnknownOutcome
from gateway.pipeline import Handler
from gateway.routing.mapping import expression
from gateway.routing.model import Composite, Route, Step

WRITE = Route("change", "PUT", "/things", Effect.WRITE, "a", (), None, 200, None)


def _composite(on_error: str, handler: Handler) -> Handler:
    step = Step("part", "change", {}, on_error)  # type: ignore[arg-type]
    composite = Composite((step,), expression("@"))
    route = Route("both", "POST", "/both", Effect.WRITE, "a", (), None, 200, None, compose=composite)
    return compose(route, {"change": WRITE}, {"change": handler})


def _both(handlers: Mapping[str, Handler]) -> Handler:
    """Two parts at once, each a write."""
    steps = tuple(Step(name, name, {}) for name in handlers)
    composite = Composite(steps, expression("@"))
    route = Route("both", "POST", "/both", Effect.WRITE, "a", (), None, 200, None, compose=composite)
    return compose(route, {name: replace(WRITE, operation_id=name) for name in handlers}, handlers)


def _call() -> Call:
    call = Call("id", "both", 1, "POST", "/both", 1e12, "", {}, principal=Principal("ann"), peer="192.0.2.7")
    call.writes = True
    return call


async def test_a_step_knows_what_it_is() -> None:
    seen: list[Call] = []

    async def handler(call: Call) -> Reply:
        seen.append(call)
        return Reply(200, {})

    await _composite("fail", handler)(_call())
    assert (seen[0].writes, seen[0].effect, seen[0].route, seen[0].peer) == (True, "write", "/things", "192.0.2.7")


@pytest.mark.parametrize("on_error", ["omit", "fail"])
async def test_a_step_that_is_denied_is_noted_of_the_call(on_error: str) -> None:
    async def handler(call: Call) -> Reply:
        call.decision, call.policies = "deny", ("nobody",)
        raise Forbidden("No.")

    call = _call()
    try:
        reply = await _composite(on_error, handler)(call)
        assert (on_error, reply.status) == ("omit", 200)
    except Problem:
        assert on_error == "fail"
    assert call.noted["denied"] == {"change": ["nobody"]}
    assert [each["outcome"] for each in call.noted["steps"]] == ["failed" if on_error == "fail" else "omitted"]


async def test_steps_at_the_same_time_see_their_own_calls_of_upstreams_only() -> None:
    both, seen = asyncio.Barrier(2), []

    async def handler(call: Call) -> Reply:
        call.upstream_calls.append(UpstreamCall("crm", call.operation, 0.0, "ok"))
        await both.wait()
        seen.append([each.operation for each in call.upstream_calls])
        return Reply(200, {})

    call = _call()
    await _both({"one": handler, "two": handler})(call)
    assert sorted(seen) == [["one"], ["two"]]
    assert sorted(each.operation for each in call.upstream_calls) == ["one", "two"]


@pytest.mark.parametrize("key", [None, "key"])
async def test_what_was_changed_before_a_part_failed_is_told(key: str | None) -> None:
    noted, failed = asyncio.Event(), asyncio.Event()

    async def done(call: Call) -> Reply:
        noted.set()
        await failed.wait()  # a write that is under way is never cut off
        call.upstream_calls.append(UpstreamCall("crm", "x", 0.0, "ok"))
        return Reply(200, {})

    async def refused(call: Call) -> Reply:
        await noted.wait()
        asyncio.get_running_loop().call_soon(failed.set)
        raise Conflict("No.")

    call = _call()
    call.idempotency_key = key
    # With a key it can be sent again, and goes on where it failed.
    with pytest.raises(UnknownOutcome if key is None else Conflict):
        await _both({"one": done, "two": refused})(call)


async def test_a_part_that_fails_before_anything_was_changed_is_told_as_it_is() -> None:
    async def refused(call: Call) -> Reply:
        call.upstream_calls.append(UpstreamCall("crm", "x", 0.0, "Conflict"))
        raise Conflict("No.")

    with pytest.raises(Conflict):
        await _both({"one": refused})(_call())
