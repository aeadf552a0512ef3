"""What the deadline does to a call, and how an upstream is opened and looked at."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from adapters.contract import Context, Effect, Result
from adapters.errors import (
    Unavailable,
    UnknownOutcome,
)
from gateway.bulkhead import Busy
from gateway.upstream import Upstream


@pytest.mark.parametrize(("own", "callers", "least"), [(5.0, 60.0, 5.0), (60.0, 5.0, 5.0)])
async def test_the_shorter_deadline_reaches_the_adapter(lab: Any, own: float, callers: float, least: float) -> None:
    seen: list[Context] = []

    async def note(given: Context) -> Result:
        seen.append(given)
        return lab.DONE

    for call in (lab.read, lab.write):
        await call(Upstream(lab.Scripted(note), lab.limits(deadline=own)), callers)
    for given in seen:
        assert least - 1 < given.remaining() <= least
        assert given == Context(given.deadline, "00-trace", "key", "ann", "bot", Effect.IDEMPOTENT_WRITE)


@pytest.mark.parametrize("call", ["read", "write"])
async def test_an_adapter_that_ignores_its_deadline_is_cut_off(lab: Any, call: str) -> None:
    adapter = lab.Scripted(lab.hang)
    upstream = Upstream(adapter, lab.limits(deadline=0.2))
    started = time.monotonic()
    with pytest.raises(UnknownOutcome):
        await getattr(lab, call)(upstream)
    assert time.monotonic() - started >= 0.2
    assert adapter.running == 0
    assert upstream.state()["in_flight"] == 0


async def test_the_adapters_own_word_on_the_deadline_counts(lab: Any) -> None:
    async def obey(given: Context) -> Result:
        await asyncio.sleep(given.remaining())
        raise Unavailable("never connected")

    with pytest.raises(Unavailable):
        await lab.write(Upstream(lab.Scripted(obey), lab.limits(deadline=0.1)))


async def test_an_expired_deadline_calls_nothing(lab: Any) -> None:
    adapter = lab.Scripted(lab.answer)
    with pytest.raises(UnknownOutcome):
        await lab.read(Upstream(adapter, lab.limits()), -1)
    with pytest.raises(Busy):
        await lab.write(Upstream(adapter, lab.limits()), -1)
    assert adapter.calls == 0


async def test_a_caller_that_is_cancelled_stays_cancelled_when_the_guard_strikes_too(lab: Any) -> None:
    async def stubborn(_: Context) -> Result:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            asyncio.current_task().cancel()  # type: ignore[union-attr]
            await asyncio.sleep(0)
        return lab.DONE

    task = asyncio.create_task(lab.read(Upstream(lab.Scripted(stubborn), lab.limits(deadline=0.1))))
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_failing_open_is_remembered_and_a_call_makes_it_good(lab: Any) -> None:
    adapter = lab.Scripted(lab.answer)
    adapter.opens = lab.fail(Unavailable("It is down."))
    upstream = Upstream(adapter, lab.limits())
    await upstream.open()
    assert (upstream.state()["opened"], upstream.state()["last_error"]) == (False, "It is down.")
    await lab.read(upstream)
    assert upstream.state()["opened"]


async def test_a_hanging_open_ends(lab: Any) -> None:
    adapter = lab.Scripted(lab.answer)
    adapter.opens = lab.hang
    upstream = Upstream(adapter, lab.limits(deadline=0.05))
    await upstream.open()
    assert not upstream.state()["opened"]


async def test_a_hanging_probe_ends(lab: Any) -> None:
    upstream = Upstream(lab.Scripted(lab.hang), lab.limits())
    assert not (await upstream.probe(lab.context(0.05))).ok
    assert (await Upstream(lab.Scripted(lab.answer), lab.limits()).probe(lab.context())).ok
