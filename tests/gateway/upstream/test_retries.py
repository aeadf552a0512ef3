"""Retries: reads only, within a budget."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapters.contract import Context, Effect, Result
from adapters.errors import (
    AdapterError,
    BadReply,
    Conflict,
    Invalid,
    NotFound,
    Refused,
    Retry,
    Unavailable,
    UnknownOutcome,
)
from gateway.upstream import Upstream


@pytest.mark.parametrize("error", [Retry("busy"), Unavailable("down"), UnknownOutcome("reset")])
async def test_only_reads_are_retried(lab: Any, error: AdapterError) -> None:
    for effect, calls in ((Effect.READ, 3), (Effect.WRITE, 1), (Effect.IDEMPOTENT_WRITE, 1)):
        adapter = lab.Scripted(lab.fail(error))
        with pytest.raises(type(error)):
            await Upstream(adapter, lab.limits(retries=2)).call("get", {}, effect=effect, context=lab.context())
        assert adapter.calls == calls


@pytest.mark.parametrize(
    "error", [NotFound("no"), Invalid("bad"), Conflict("moved"), Refused("401"), BadReply("<html>")]
)
async def test_what_will_fail_again_is_not_retried(lab: Any, error: AdapterError) -> None:
    adapter = lab.Scripted(lab.fail(error))
    with pytest.raises(type(error)):
        await lab.read(Upstream(adapter, lab.limits(retries=2)))
    assert adapter.calls == 1


async def test_a_retry_that_succeeds_is_the_answer(lab: Any) -> None:
    failures = [Unavailable("down"), Retry("busy")]

    async def flaky(_: Context) -> Result:
        if failures:
            raise failures.pop()
        return lab.DONE

    upstream = Upstream(lab.Scripted(flaky), lab.limits(retries=2))
    assert (await lab.read(upstream)).value == "done"
    assert upstream.state()["retries"] == 2


async def test_no_retry_that_the_deadline_or_the_upstream_does_not_allow(lab: Any) -> None:
    for error, seconds in ((Unavailable("down"), 0.01), (Retry("later", retry_after=30.0), 5.0)):
        adapter = lab.Scripted(lab.fail(error))
        with pytest.raises(type(error)):
            await lab.read(Upstream(adapter, lab.limits(retries=2)), seconds)
        assert adapter.calls == 1


async def test_retries_never_exceed_a_tenth_of_the_calls_and_five(lab: Any) -> None:
    adapter = lab.Scripted(lab.fail(Unavailable("down")))
    upstream = Upstream(adapter, lab.limits(retries=3, concurrency=100))
    for _ in range(4):
        await asyncio.gather(*(lab.read(upstream) for _ in range(100)), return_exceptions=True)
    retries = upstream.state()["retries"]
    assert adapter.calls == 400 + retries
    assert 5 <= retries <= 0.1 * 400 + 5
