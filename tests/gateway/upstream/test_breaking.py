"""The breaker around calls: what opens it, and who may find out whether the upstream is back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapters.contract import Context, Result
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
from gateway.breaker import BreakerLimits, BreakerOpen
from gateway.upstream import Upstream

QUICK = BreakerLimits(minimum=4, open_for=0.2)


async def opened(lab: Any, adapter: Any, **given: Any) -> Upstream:
    """An upstream whose breaker just opened."""
    upstream = Upstream(adapter, lab.limits(**{"breaker": QUICK, **given}))
    script, adapter.script = adapter.script, lab.fail(Unavailable("down"))
    for _ in range(4):
        with pytest.raises(Unavailable):
            await lab.read(upstream)
    assert upstream.state()["breaker"] == "open"
    adapter.script, adapter.calls = script, 0
    return upstream


async def test_an_open_breaker_calls_nothing(lab: Any) -> None:
    adapter = lab.Scripted(lab.answer)
    upstream = await opened(lab, adapter, breaker=BreakerLimits(minimum=4, open_for=60))
    for call in (lab.read, lab.write):
        with pytest.raises(BreakerOpen) as caught:
            await call(upstream)
        assert caught.value.retry_after > 0
    assert adapter.calls == 0


@pytest.mark.parametrize("queue", [0, 64])
async def test_fifty_callers_at_half_open_make_one_call(lab: Any, queue: int) -> None:
    go = asyncio.Event()

    async def wait(_: Context) -> Result:
        await go.wait()
        return lab.DONE

    adapter = lab.Scripted(wait)
    upstream = await opened(lab, adapter, concurrency=50 if queue == 0 else 2, queue=queue)
    await lab.settled(lambda: upstream.state()["breaker"] == "half_open")
    tasks = [asyncio.create_task((lab.read, lab.write)[index % 2](upstream)) for index in range(50)]
    await lab.settled(lambda: sum(task.done() for task in tasks) == 49)
    assert adapter.calls == 1
    go.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(outcome is lab.DONE for outcome in outcomes) == 1
    assert sum(isinstance(outcome, BreakerOpen) for outcome in outcomes) == 49
    assert upstream.state()["breaker"] == "closed"


async def test_a_cancelled_probe_leaves_the_place_to_the_next(lab: Any) -> None:
    adapter = lab.Scripted(lab.hang)
    upstream = await opened(lab, adapter)
    await lab.settled(lambda: upstream.state()["breaker"] == "half_open")
    probe = asyncio.create_task(lab.read(upstream))
    await lab.settled(lambda: adapter.running == 1)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    adapter.script = lab.answer
    assert (await lab.read(upstream)).value == "done"
    assert upstream.state()["breaker"] == "closed"


@pytest.mark.parametrize("error", [NotFound("no"), Invalid("bad"), Conflict("moved"), Refused("401")])
async def test_a_callers_faults_do_not_open_it(lab: Any, error: AdapterError) -> None:
    upstream = Upstream(lab.Scripted(lab.fail(error)), lab.limits(breaker=QUICK))
    for _ in range(20):
        with pytest.raises(type(error)):
            await lab.read(upstream)
    assert upstream.state()["breaker"] == "closed"


@pytest.mark.parametrize("error", [Retry("busy"), Unavailable("down"), UnknownOutcome("reset"), BadReply("<html>")])
async def test_the_upstreams_faults_open_it(lab: Any, error: AdapterError) -> None:
    upstream = Upstream(lab.Scripted(lab.fail(error)), lab.limits(breaker=QUICK))
    for _ in range(4):
        with pytest.raises(type(error)):
            await lab.read(upstream)
    assert upstream.state()["breaker"] == "open"
    assert upstream.state()["last_error"] == error.message


async def test_callers_in_a_hurry_do_not_open_it_for_all(lab: Any) -> None:
    upstream = Upstream(lab.Scripted(lab.hang), lab.limits(breaker=QUICK, deadline=60.0))
    for _ in range(6):
        with pytest.raises(UnknownOutcome):
            await lab.read(upstream, 0.01)
    assert upstream.state()["breaker"] == "closed"


async def test_a_defect_of_the_adapter_passes_through_and_frees_its_slot(lab: Any) -> None:
    async def defect(_: Context) -> Result:
        raise ZeroDivisionError

    upstream = Upstream(lab.Scripted(defect), lab.limits())
    for call in (lab.read, lab.write):
        with pytest.raises(ZeroDivisionError):
            await call(upstream)
    assert upstream.state()["in_flight"] == 0
