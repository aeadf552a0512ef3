"""Slots and queue: nobody but the upstream's own callers waits; a write outlives its caller."""

from __future__ import annotations

import asyncio
import gc
import random
from contextlib import suppress
from typing import Any

import pytest

from adapters.contract import Context, Effect, Result
from adapters.errors import (
    NotFound,
    UnknownOutcome,
)
from gateway.bulkhead import Busy
from gateway.upstream import Upstream


async def test_no_more_calls_at_once_than_allowed_and_no_more_waiting(lab: Any) -> None:
    adapter = lab.Scripted(lab.hang)
    upstream = Upstream(adapter, lab.limits(concurrency=3, queue=4))
    tasks = [asyncio.create_task(lab.read(upstream)) for _ in range(7)]
    await lab.settled(lambda: upstream.state()["queued"] == 4)
    with pytest.raises(Busy) as caught:
        await lab.read(upstream)
    assert caught.value.retry_after is not None
    assert (adapter.most, upstream.state()["rejected"]) == (3, 1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (upstream.state()["in_flight"], upstream.state()["queued"], adapter.most) == (0, 0, 3)


async def test_the_queue_is_first_come_first_served(lab: Any) -> None:
    order: list[str] = []
    upstream = Upstream(lab.Scripted(lab.answer), lab.limits(concurrency=1))

    def noting(name: str) -> Any:
        async def work(_: Context) -> Result:
            order.append(name)
            await asyncio.sleep(0)
            return lab.DONE

        return work

    names = [f"{index}" for index in range(20)]
    effects = [Effect.READ, Effect.WRITE]
    calls = [upstream.run(noting(name), effect=effects[int(name) % 2], context=lab.context()) for name in names]
    await asyncio.gather(*calls)
    assert order == names


async def test_waiting_counts_against_the_deadline(lab: Any) -> None:
    adapter = lab.Scripted(lab.hang)
    upstream = Upstream(adapter, lab.limits(concurrency=1))
    blocker = asyncio.create_task(lab.read(upstream))
    await lab.settled(lambda: adapter.running == 1)
    with pytest.raises(UnknownOutcome):
        await lab.read(upstream, 0.05)
    with pytest.raises(Busy):
        await lab.write(upstream, 0.05)
    assert adapter.calls == 1
    blocker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await blocker


@pytest.mark.parametrize("seed", range(5))
async def test_slots_are_neither_lost_nor_doubled_whatever_happens(lab: Any, seed: int) -> None:
    dice = random.Random(seed)

    async def work(given: Context) -> Result:
        await asyncio.sleep(dice.choice([0, 0, 0.001, 0.003]))
        if dice.random() < 0.3:
            raise NotFound("gone")
        return lab.DONE

    adapter = lab.Scripted(work)
    upstream = Upstream(adapter, lab.limits(concurrency=3, queue=10))
    tasks: list[asyncio.Task[Result]] = []
    for _ in range(400):
        call = dice.choice([lab.read, lab.write])
        tasks.append(asyncio.create_task(call(upstream, dice.choice([0.002, 1.0]))))
        if dice.random() < 0.4:
            await asyncio.sleep(dice.choice([0, 0.001]))
        if dice.random() < 0.3:
            dice.choice(tasks).cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await upstream.close()
    assert adapter.most == 3
    assert (upstream.state()["in_flight"], upstream.state()["queued"]) == (0, 0)


async def test_a_hung_upstream_slows_nobody_else(lab: Any) -> None:
    hung = Upstream(lab.Scripted(lab.hang), lab.limits(deadline=60.0, queue=500))
    fine = Upstream(lab.Scripted(lab.answer), lab.limits())
    stuck = [asyncio.create_task(lab.read(hung)) for _ in range(200)]
    await lab.settled(lambda: hung.state()["in_flight"] == 8)
    for _ in range(1000):
        assert (await lab.read(fine)).value == "done"
    assert not any(task.done() for task in stuck)
    for task in stuck:
        task.cancel()
    await asyncio.gather(*stuck, return_exceptions=True)


async def test_a_caller_that_leaves_cancels_its_read(lab: Any) -> None:
    adapter = lab.Scripted(lab.hang)
    task = asyncio.create_task(lab.read(Upstream(adapter, lab.limits())))
    await lab.settled(lambda: adapter.running == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert adapter.running == 0


@pytest.mark.parametrize("effect", [Effect.WRITE, Effect.IDEMPOTENT_WRITE])
async def test_a_write_survives_its_caller_and_close_waits_for_it(lab: Any, effect: Effect) -> None:
    go = asyncio.Event()
    finished: list[str] = []

    async def slowly(_: Context) -> Result:
        await go.wait()
        await asyncio.sleep(0.02)
        finished.append("done")
        return lab.DONE

    adapter = lab.Scripted(slowly)
    upstream = Upstream(adapter, lab.limits())
    task = asyncio.create_task(upstream.call("put", {}, effect=effect, context=lab.context()))
    await lab.settled(lambda: adapter.running == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert upstream.state()["in_flight"] == 1
    closing = asyncio.create_task(upstream.close())
    await asyncio.sleep(0.02)
    assert not adapter.closed
    go.set()
    await closing
    assert finished == ["done"]
    assert adapter.closed


async def test_a_write_whose_caller_left_still_ends_at_its_deadline(lab: Any, caplog: pytest.LogCaptureFixture) -> None:
    adapter = lab.Scripted(lab.hang)
    upstream = Upstream(adapter, lab.limits(deadline=0.2))
    task = asyncio.create_task(lab.write(upstream))
    await lab.settled(lambda: adapter.running == 1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await upstream.close()
    assert adapter.running == 0
    gc.collect()
    assert caplog.records == []


async def test_a_defect_is_told_when_nobody_waits_for_it(lab: Any, caplog: pytest.LogCaptureFixture) -> None:
    go = asyncio.Event()

    async def defect(_: Context) -> Result:
        await go.wait()
        raise ZeroDivisionError

    adapter = lab.Scripted(defect)
    upstream = Upstream(adapter, lab.limits())
    task = asyncio.create_task(lab.write(upstream))
    await lab.settled(lambda: adapter.running == 1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    go.set()
    await upstream.close()
    await asyncio.sleep(0)
    assert [record.exc_info is not None for record in caplog.records] == [True]
