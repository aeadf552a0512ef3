"""Who waits for a system: all for one call, and for none that hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

POLICY = "permit (principal, action, resource);"
KEPT = "{mode: cached, fresh: 1h}"
BRIEF = "{mode: cached, fresh: 10ms, stale_while_revalidate: 1h, stale_if_error: 1h}"
ON_ERROR = "{mode: cached, fresh: 10ms, stale_if_error: 1h}"
PATH = "/papers/P"


@pytest.fixture
def gateway(
    inside: Callable[..., Any], source: ModuleType, running: ModuleType, tmp_path: Path
) -> Callable[[str], Any]:
    @asynccontextmanager
    async def start(freshness: str) -> AsyncIterator[tuple[Any, Any, str]]:
        world = source.World()
        world.rows["P"] = {"id": "P", "region": "north", "name": "first", "version": 1}
        async with inside(world, freshness, POLICY, "deadline: 2s, concurrency: 4, queue: 0") as gateway:
            yield gateway, world, running.create_key(tmp_path, "reader")

    return start


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the world tells nobody
            await asyncio.sleep(0.005)


async def test_a_thousand_callers_of_a_cold_key_are_one_call(gateway: Callable[[str], Any]) -> None:
    async with gateway(KEPT) as (inside, world, key):
        world.gate = asyncio.Event()
        calls = [asyncio.create_task(inside.call("GET", PATH, key)) for _ in range(1_000)]
        await _until(lambda: inside.app.control.runtime.current().calls == 1_000)
        world.gate.set()
        answers = await asyncio.gather(*calls)
        assert {answer.status for answer in answers} == {200}
        assert world.asked == 1


async def test_who_leaves_takes_nothing_from_those_who_wait(gateway: Callable[[str], Any]) -> None:
    async with gateway(KEPT) as (inside, world, key):
        world.gate = asyncio.Event()
        first = asyncio.create_task(inside.call("GET", PATH, key))
        await _until(lambda: world.asked == 1)
        second = asyncio.create_task(inside.call("GET", PATH, key))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        world.gate.set()
        assert (await second).status == 200
        assert world.asked == 1


async def test_a_hung_call_holds_nobody_up_until_the_deadline(gateway: Callable[[str], Any]) -> None:
    async with gateway(KEPT) as (inside, world, key):
        assert (await inside.call("GET", PATH, key)).status == 200  # so it is known how long that takes
        world.hung = 1
        answers = await asyncio.gather(*(inside.call("GET", PATH, key, "no-cache") for _ in range(1)))
        # Alone it would have ended in a 504 at the deadline, as a live call does.
        assert [answer.status for answer in answers] == [200]
        assert world.asked == 3


async def test_stale_is_told_while_its_successor_hangs(gateway: Callable[[str], Any]) -> None:
    async with gateway(BRIEF) as (inside, world, key):
        await inside.call("GET", PATH, key)
        world.hung = 100
        await asyncio.sleep(0.02)
        for _ in range(50):
            answer = await inside.call("GET", PATH, key)
            assert answer.status == 200
            assert answer.headers["cache-status"].startswith("figway; hit; ttl=-")
        await _until(lambda: world.asked == 2)


async def test_where_the_system_hangs_or_fails_what_is_kept_is_told(gateway: Callable[[str], Any]) -> None:
    async with gateway(ON_ERROR) as (inside, world, key):
        first = await inside.call("GET", PATH, key)
        await asyncio.sleep(0.02)
        world.hung = 1
        hung = await inside.call("GET", PATH, key)
        await asyncio.sleep(0.02)
        world.failing = True
        failed = await inside.call("GET", PATH, key)
        assert (hung.status, failed.status) == (200, 200)
        assert failed.headers["cache-status"] == "figway; hit; fwd=stale; fwd-status=503"
        assert failed.headers["figway-as-of"] == first.headers["figway-as-of"]
        refused = await inside.call("GET", PATH, key, "max-age=0")
        assert (refused.status, refused.body["type"]) == (504, "urn:figway:problem:stale")
        assert refused.headers["figway-as-of"] == first.headers["figway-as-of"]
        now = await inside.call("GET", PATH, key, "no-cache")
        assert (now.status, now.body["type"]) == (504, "urn:figway:problem:stale")


async def test_what_is_not_there_any_more_is_not_told_for_a_failure(gateway: Callable[[str], Any]) -> None:
    async with gateway(ON_ERROR) as (inside, world, key):
        await inside.call("GET", PATH, key)
        await asyncio.sleep(0.02)
        row = world.rows.pop("P")
        assert (await inside.call("GET", PATH, key)).status == 404
        world.rows["P"] = row
        await asyncio.sleep(0.02)
        assert (await inside.call("GET", PATH, key)).status == 200


async def test_what_is_told_often_has_its_successor_in_time(gateway: Callable[[str], Any]) -> None:
    async with gateway("{mode: cached, fresh: 2s}") as (inside, world, key):
        async with asyncio.timeout(20):
            while world.asked < 2:
                answer = await inside.call("GET", PATH, key)
                assert answer.status == 200
                # The system isn't asked by any caller but the first: its successor is fetched behind one that serves.
                assert world.asked == 1 or "hit" in answer.headers["cache-status"]
                await asyncio.sleep(0.01)


async def test_who_may_not_ask_twice_at_once_is_told_by_the_budget(gateway: Callable[[str], Any]) -> None:
    async with gateway(KEPT) as (inside, _, key):
        assert (await inside.call("GET", PATH, key)).status == 200
        claim = inside.app.control.runtime.means.governance.cache.claim
        upstream = inside.app.control.runtime.current().upstreams["source"]
        first = claim(upstream, 5.0)
        assert first is not None
        assert claim(upstream, 5.0) is None
        first.release()
