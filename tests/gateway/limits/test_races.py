"""Several workers, sixty-four callers: nothing is let through twice, whatever store counts."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest

SLOW = bool(os.environ.get("FIGWAY_SLOW"))
CALLERS, WORKERS = 64, "4" if SLOW else "2"
BUDGET = 5000 if SLOW else 500
RATE, BURST, SECONDS = (200, 100, 20.0) if SLOW else (100, 50, 1.0)
RULES = f"""
rules:
  - {{match: {{principal: "*", route: dear}}, budget: {BUDGET}/day}}
  - {{match: {{principal: "*", route: cheap}}, rate: {RATE}/s, burst: {BURST}}}
  - {{match: {{route: slow}}, concurrency: 4}}
"""


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("redis_server").url if request.param == "redis" else "memory:"


async def _all(gateway: Any, path: str, going: Callable[[Counter[int]], bool]) -> Counter[int]:
    """The statuses that all callers together got, each calling as fast as it can while `going`."""
    seen: Counter[int] = Counter()

    async def caller(session: aiohttp.ClientSession) -> None:
        while going(seen):
            async with session.get(path) as response:
                await response.read()
                seen[response.status] += 1

    # A connection each, so that all of the workers get some.
    connector = aiohttp.TCPConnector(limit=CALLERS)
    headers = {"authorization": gateway.reader}
    async with aiohttp.ClientSession(gateway.url, headers=headers, connector=connector) as session:
        await asyncio.gather(*(caller(session) for _ in range(CALLERS)))
    return seen


async def test_a_budget_is_never_overspent_and_a_rate_is_kept(
    workspace: Callable[..., Path], running: ModuleType, store: str
) -> None:
    with running.serving(workspace(RULES, store), "--workers", WORKERS) as gateway:
        spent = await _all(gateway, "/dear/A", lambda seen: seen[429] < 2 * CALLERS)
        assert set(spent) == {200, 429}
        assert spent[200] == BUDGET // 5
        started = time.monotonic()
        seen = await _all(gateway, "/cheap/A", lambda _: time.monotonic() < started + SECONDS)
        elapsed = time.monotonic() - started
        most = BURST + RATE * elapsed
        kept = f"{spent[200] * 5} of {BUDGET} spent, {seen[200]} of {most:.0f} let through in {elapsed:.2f} s"
        print(f"\n{store.split(':')[0]}: {kept}, {seen[429]} refused")
        assert set(seen) == {200, 429}
        assert seen[200] <= most
        assert "answer" not in gateway.logged()  # the store was never away


async def test_what_a_killed_worker_held_comes_back(
    workspace: Callable[..., Path], running: ModuleType, until: Callable[[Callable[[], Any]], None]
) -> None:
    with running.serving(workspace(RULES), "--workers", "2") as gateway:
        headers = {"authorization": gateway.reader}
        # A connection each: on one that was used before, aiohttp would send the call again.
        once = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(gateway.url, headers=headers, connector=once) as session:

            async def call(seconds: float) -> int:
                async with session.get(f"/slow?seconds={seconds}") as response:
                    return response.status

            async def hold() -> None:
                while await call(20) == 429:  # noqa: ASYNC110 - nor here
                    await asyncio.sleep(0.01)

            held = [asyncio.create_task(hold()) for _ in range(4)]
            async with asyncio.timeout(10):
                while await call(0) != 429:  # noqa: ASYNC110 - a gateway has no event
                    await asyncio.sleep(0.02)
            for pid in gateway.workers():
                os.kill(pid, signal.SIGKILL)
            for task in held:
                task.cancel()
            await asyncio.gather(*held, return_exceptions=True)
        async with aiohttp.ClientSession(gateway.url, headers=headers) as session:
            async with asyncio.timeout(20):
                while True:
                    try:
                        assert await asyncio.gather(*(call(0.1) for _ in range(4))) == [200] * 4
                    except (aiohttp.ClientError, AssertionError):
                        await asyncio.sleep(0.1)
                    else:
                        break
