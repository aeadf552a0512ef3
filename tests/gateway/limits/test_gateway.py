"""Limits as callers meet them: a gateway that runs, over the lab adapter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import httpx

RULES = """
rules:
  - {match: {principal: "*", route: cheap}, rate: 1/h, burst: 3}
  - {match: {principal: wendy}, budget: 60/day}
  - {match: {principal: alice}, quota: 5/day}
  - {match: {agent: "*", upstream: lab}, rate: 1/h}
"""


def test_each_rule_refuses_with_a_problem_of_its_own(workspace: Callable[..., Path], running: ModuleType) -> None:
    with running.serving(workspace(RULES)) as gateway:
        with gateway.client() as wendy, gateway.client(gateway.reader) as alice:
            _rate(wendy)
            _budget(wendy)
            _quota(alice)
            assert wendy.get("/-/ready").json()["limits"] == "memory"
        bot = running.create_key(gateway.folder, "reader", principal="nobody", agent="bot")
        with gateway.client(bot) as client:
            assert [client.get("/dear/A").status_code for _ in range(2)] == [200, 429]


def _rate(wendy: httpx.Client) -> None:
    replies = [wendy.get("/cheap/A") for _ in range(4)]
    assert [each.status_code for each in replies] == [200, 200, 200, 429]
    assert [each.headers["ratelimit"].split(";")[1] for each in replies] == ["r=2", "r=1", "r=0", "r=0"]
    assert {each.headers["ratelimit-policy"] for each in replies} == {'"principal-route";q=3;w=10800'}
    problem, retry = replies[3].json(), int(replies[3].headers["retry-after"])
    assert problem["type"] == "urn:figway:problem:rate-limited"
    assert 3590 <= retry == problem["retry_after"] <= 3600
    assert problem["retryable"]
    assert str(retry) in problem["fix"]


def _budget(wendy: httpx.Client) -> None:
    # Three cheap calls were counted, the refused one wasn't: 57 are left.
    assert wendy.get("/measured/A").status_code == 200  # 5 beforehand, 42 in the end: 15 are left
    replies = [wendy.get("/dear/A") for _ in range(4)]
    assert [each.status_code for each in replies] == [200, 200, 200, 429]
    assert replies[0].headers["ratelimit-policy"] == '"principal-budget";q=60;qu="cost";w=86400'
    assert replies[0].headers["ratelimit"].startswith('"principal-budget";r=10;t=')
    assert replies[3].json()["type"] == "urn:figway:problem:budget-exhausted"


def _quota(alice: httpx.Client) -> None:
    # A composite is one call of its caller's; its steps count where a rule names their route: the three cheap ones.
    assert [alice.get("/pair/A").status_code for _ in range(3)] == [200, 200, 200]
    assert alice.get("/pair/A").json()["type"] == "urn:figway:problem:rate-limited"
    assert alice.get("/dear/A").status_code == 200
    reply = alice.get("/dear/A")
    assert reply.json()["type"] == "urn:figway:problem:quota-exhausted"
    assert int(reply.headers["retry-after"]) <= 86_400


async def test_no_more_calls_are_in_flight_than_allowed(workspace: Callable[..., Path], running: ModuleType) -> None:
    rule = '{match: {principal: "*", route: slow}, concurrency: 2}'
    with running.serving(workspace(f"rules: [{rule}]")) as gateway:
        async with aiohttp.ClientSession(gateway.url, headers={"authorization": gateway.reader}) as session:

            async def call(seconds: float) -> int:
                async with session.get(f"/slow?seconds={seconds}") as response:
                    return response.status

            assert sorted(await asyncio.gather(call(1.5), call(1.5), call(1.5))) == [200, 200, 429]
            assert await asyncio.gather(call(0.2), call(0.2)) == [200, 200]

            async def hold() -> None:
                while await call(20) == 429:  # noqa: ASYNC110 - nor here
                    await asyncio.sleep(0.01)

            leaving = [asyncio.create_task(hold()) for _ in range(2)]
            while await call(0) == 200:  # noqa: ASYNC110 - a gateway has no event
                await asyncio.sleep(0.05)
            for task in leaving:
                task.cancel()  # whoever leaves gives back what it held
            while await call(0) == 429:  # noqa: ASYNC110 - nor here
                await asyncio.sleep(0.05)


def test_a_closed_window_is_told_with_its_end(workspace: Callable[..., Path], running: ModuleType) -> None:
    today = time.strftime("%a", time.gmtime()).lower()
    rules = f'rules: [{{match: {{route: cheap}}, closed: ["{today} 00:00-24:00"]}}]'
    with running.serving(workspace(rules)) as gateway, gateway.client() as client:
        reply = client.get("/cheap/A")
        if time.strftime("%a", time.gmtime()).lower() == today:
            assert (reply.status_code, reply.json()["type"]) == (503, "urn:figway:problem:closed")
            left = 86_400 - time.time() % 86_400
            assert abs(int(reply.headers["retry-after"]) - left) < 5
        assert client.get("/dear/A").status_code == 200


def test_a_reload_keeps_the_counters_of_rules_that_stay(workspace: Callable[..., Path], running: ModuleType) -> None:
    kept, changed = "{match: {route: cheap}, rate: 1/h, burst: 2}", "{match: {route: dear}, rate: %s}"
    folder = workspace(f"rules: [{kept}, {changed % '1/h'}]")
    with running.serving(folder, "--watch") as gateway, gateway.client() as client:
        assert [client.get(path).status_code for path in ("/cheap/A", "/dear/A", "/dear/A")] == [200, 200, 429]
        running.write_workspace(folder, {"policies/limits.yaml": f"rules: [{changed % '2/h'}, {kept}]"})
        gateway.wait_logged("serving snapshot 2 ")
        assert [client.get("/cheap/A").status_code for _ in range(2)] == [200, 429]
        assert [client.get("/dear/A").status_code for _ in range(3)] == [200, 200, 429]


async def test_a_busy_upstream_serves_people_before_agents_before_batches(
    workspace: Callable[..., Path], running: ModuleType
) -> None:
    rules = "rules: [{match: {principal: nightly}, priority: batch}]"
    with running.serving(workspace(rules)) as gateway:
        nightly = running.create_key(gateway.folder, "reader", principal="nightly")
        bot = running.create_key(gateway.folder, "reader", principal="alice", agent="bot")
        order: list[str] = []
        async with aiohttp.ClientSession(gateway.url) as session:

            async def call(who: str, key: str, seconds: float = 0.05) -> int:
                async with session.get(f"/narrow?seconds={seconds}", headers={"authorization": key}) as response:
                    order.append(who if response.status == 200 else f"{who} refused")
                    return response.status

            tasks = [asyncio.create_task(call("first", gateway.reader, 1.5))]
            for who, key in (("batch", nightly), ("batch", nightly), ("agent", bot), ("person", gateway.reader)):
                await asyncio.sleep(0.1)
                tasks.append(asyncio.create_task(call(who, key)))
            await asyncio.sleep(0.1)
            tasks.append(asyncio.create_task(call("person", gateway.reader)))
            await asyncio.gather(*tasks)
        assert order == ["batch refused", "first", "person", "person", "agent", "batch"]


def test_the_control_routes_are_bounded_too(workspace: Callable[..., Path], running: ModuleType) -> None:
    with running.serving(workspace("rules: []")) as gateway, gateway.client() as client:
        replies: list[Any] = []
        while not replies or replies[-1].status_code != 429:
            replies.append(client.get("/docs"))
            assert len(replies) < 6000
        assert replies[-1].json()["type"] == "urn:figway:problem:rate-limited"
        assert replies[-1].headers["retry-after"] == "60"
        assert len(replies) > 2000
        assert client.get("/-/live").status_code == 200
        assert client.get("/openapi.json").status_code == 200
