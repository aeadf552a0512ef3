"""Limits in a real Redis: the same as in memory while it answers, and what is declared while it doesn't."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gateway.limits.bucket import BUDGET, CONCURRENCY, QUOTA, RATE, Bucket, Refusal
from gateway.limits.calendar import Day
from gateway.limits.fleet import Fleet
from gateway.limits.ledger import Ledger
from gateway.limits.limiter import MEMORY, Limiter, Mode, Taken, Unavailable

SLOW = bool(os.environ.get("FIGWAY_SLOW"))
UTC = Day("UTC")


@pytest.fixture
async def limiter(redis_server: Any, ledger: Ledger) -> AsyncIterator[Limiter]:
    limiter = Limiter(ledger, Fleet(redis_server.url))
    yield limiter
    await limiter.fleet.close()  # type: ignore[union-attr]


def take(limiter: Limiter, *buckets: Bucket, cost: int = 1, member: str = "m", mode: Mode = "local") -> Awaitable[Any]:
    return limiter.take_there(buckets, cost, member, time.monotonic() + 10, mode)


async def test_it_counts_as_memory_does(limiter: Limiter) -> None:
    rate = Bucket(b"rate", "r", rate=(1, 3600), burst=3, day=UTC)
    day = Bucket(b"day", "d", quota=4, budget=25, day=UTC)
    flight = Bucket(b"flight", "f", concurrency=9, day=UTC)
    numbers: dict[str, list[Any]] = {"memory": [], "redis": []}
    for name in numbers:
        outcomes: list[Any] = []
        for cost in (1, 1, 20, 1):
            if name == "memory":
                outcome: Any = limiter.ledger.take((flight, day, rate), cost)
            else:
                taken = await take(limiter, flight, day, rate, cost=cost)
                outcome = taken.standing if isinstance(taken, Taken) else taken
            outcomes.append((outcome[0].identity, *(round(each / 10) * 10 for each in outcome[1:])))
        numbers[name] = outcomes
    assert numbers["memory"] == numbers["redis"]


async def test_each_kind_refuses_and_nothing_is_counted_by_halves(limiter: Limiter) -> None:
    free = Bucket(b"free", "f", quota=100, day=UTC)
    for kind, tight in (
        (RATE, Bucket(b"a", "a", rate=(1, 3600), burst=1, day=UTC)),
        (CONCURRENCY, Bucket(b"b", "b", concurrency=1, day=UTC)),
        (QUOTA, Bucket(b"c", "c", quota=1, day=UTC)),
        (BUDGET, Bucket(b"d", "d", budget=1, day=UTC)),
    ):
        before = (await take(limiter, free)).standing[2]
        assert isinstance(await take(limiter, free, tight, member="1"), Taken)
        refusal = await take(limiter, free, tight, member="2")
        assert isinstance(refusal, Refusal)
        assert (refusal.bucket, refusal.kind) == (tight, kind)
        assert (await take(limiter, free)).standing[2] == before - 2


async def test_what_is_held_comes_back_when_the_call_ends_or_its_lease_does(limiter: Limiter) -> None:
    one = Bucket(b"one", "o", concurrency=1, day=UTC)
    assert limiter.fleet is not None
    taken = await take(limiter, one, member="first")
    assert isinstance(await take(limiter, one, member="second"), Refusal)
    limiter.release((one,), taken)
    async with asyncio.timeout(10):
        while isinstance(await take(limiter, one, member="third"), Refusal):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    brief = Bucket(b"brief", "o", concurrency=1, day=UTC)
    await limiter.fleet.take((brief,), 1, "killed", 0.2)
    async with asyncio.timeout(10):
        while isinstance(await limiter.fleet.take((brief,), 1, "next", 10), Refusal):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_what_was_measured_is_settled(limiter: Limiter) -> None:
    budget = Bucket(b"budget", "b", budget=100, day=UTC)
    taken = await take(limiter, budget, cost=10)
    await limiter.settle((budget,), taken, 60)
    async with asyncio.timeout(10):
        while not isinstance(await take(limiter, budget, cost=31), Refusal):
            await asyncio.sleep(0.01)
            await limiter.settle((budget,), taken, -31)
    assert (await take(limiter, budget, cost=0)).standing[2] <= 30


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _runnable() -> float:
    """Seconds that this thread has waited for a processor (/proc/PID/schedstat, second field)."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


@asynccontextmanager
async def heartbeat() -> AsyncIterator[list[float]]:
    """The seconds between looks of a task that sleeps for a millisecond between them, less what this process had to
    wait for a processor."""
    gaps: list[float] = []

    async def beat() -> None:
        last, waited = time.monotonic(), _runnable()
        while True:
            await asyncio.sleep(0.001)
            now, so_far = time.monotonic(), _runnable()
            gaps.append(now - last - (so_far - waited))
            last, waited = now, so_far

    task = asyncio.create_task(beat())
    try:
        yield gaps
    finally:
        task.cancel()


@pytest.mark.parametrize("mode", ["local", "deny", "allow"])
async def test_a_frozen_store_stalls_nobody_and_what_is_declared_holds(
    limiter: Limiter, redis_server: Any, mode: Mode
) -> None:
    rule = Bucket(b"rule", "r", rate=(1, 3600), burst=100, day=UTC)
    fleet = limiter.fleet
    assert fleet is not None
    assert isinstance(await take(limiter, rule), Taken)
    outcomes: list[Any] = []

    async def caller(rounds: int, after: float = 0.0) -> None:
        await asyncio.sleep(after)
        for _ in range(rounds):
            await asyncio.sleep(0)  # as between the calls of a gateway
            try:
                outcomes.append(await take(limiter, rule, mode=mode))
            except Unavailable as error:
                outcomes.append(error)

    await asyncio.gather(*(take(limiter, Bucket(b"first", "f", quota=100, day=UTC)) for _ in range(64)))
    async with heartbeat() as gaps:
        with stopped(redis_server.pid):
            await asyncio.gather(*(caller(50 if SLOW else 5, number / 1000) for number in range(64)))
            async with asyncio.timeout(10):
                while fleet.up:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            began = time.monotonic()
            await caller(1)
            assert time.monotonic() - began < 10
    print(f"\n{mode}: longest stall of the event loop {max(gaps) * 1000:.1f} ms")
    assert len(gaps) > 50
    if SLOW:
        assert max(gaps) < 0.05
    taken = [each for each in outcomes if isinstance(each, Taken)]
    if mode == "local":
        assert len(taken) == 100  # as much as one host may let through by itself
        assert {each.by for each in taken} == {MEMORY}
        assert sum(isinstance(each, Refusal) for each in outcomes) == len(outcomes) - 100
    elif mode == "deny":
        assert all(isinstance(each, Unavailable) for each in outcomes)
    else:
        assert len(taken) == len(outcomes)
    async with asyncio.timeout(10):
        while not fleet.up:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    back = await take(limiter, rule, member="back")
    assert isinstance(back, Refusal) or back.by == "back"


def test_a_gateway_tells_of_it_and_comes_back(
    workspace: Callable[..., Path], running: ModuleType, redis_server: Any, until: Callable[[Callable[[], Any]], None]
) -> None:
    rules = "{rules: [{match: {principal: wendy}, rate: 1000/s}], on_store_failure: deny}"
    with running.serving(workspace(rules, redis_server.url)) as gateway, gateway.client() as client:
        state = lambda: client.get("/-/ready").json()["limits"]  # noqa: E731
        assert (client.get("/cheap/A").status_code, state()) == (200, "up")
        with stopped(redis_server.pid):
            until(lambda: client.get("/cheap/A").status_code == 503 and state() == "away")
            assert client.get("/cheap/A").json()["type"] == "urn:figway:problem:overloaded"
        until(lambda: state() == "up")
        assert client.get("/cheap/A").status_code == 200
        assert "the limits' store doesn't answer" in gateway.logged()
        assert "the limits' store answers again" in gateway.logged()
