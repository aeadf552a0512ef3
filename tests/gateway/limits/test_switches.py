"""Kill switches of a gateway that runs: the verb, the control route, and how soon every worker obeys."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import httpx

SLOW = bool(os.environ.get("FIGWAY_SLOW"))

OPERATOR = """
permit (principal in Role::"reader", action in Action::"read", resource);
permit (principal in Role::"writer", action, resource);
permit (principal in Role::"operator", action == Action::"gateway:stop_agents", resource);
"""


def slug(reply: httpx.Response) -> str:
    return str(reply.json()["type"]).rpartition(":")[2]


def test_the_verb_stops_a_running_gateway_and_a_restart_lets_nobody_go(
    workspace: Callable[..., Path], running: ModuleType
) -> None:
    folder = workspace("rules: []")
    at = ("--workspace", str(folder))
    with running.serving(folder, "--workers", "2") as gateway:
        bot = running.create_key(folder, "reader", agent="bot")
        with gateway.client(bot) as client:
            assert client.get("/cheap/A").status_code == 200
            running.figway("agent", "stop", "bot", *at, "--reason", "it pays twice", check=True)
            reply = client.get("/cheap/A")
            assert (reply.status_code, slug(reply), reply.json()["retryable"]) == (403, "stopped", False)
            assert "it pays twice" in reply.json()["detail"]
        with gateway.client(gateway.reader) as person:
            assert person.get("/cheap/A").status_code == 200
    with running.serving(folder) as gateway, gateway.client(bot) as client:
        assert slug(client.get("/cheap/A")) == "stopped"
        listed = running.figway("agent", "list", *at, check=True).stdout
        assert "bot" in listed
        assert "it pays twice" in listed
        running.figway("agent", "resume", "bot", *at, check=True)
        assert client.get("/cheap/A").status_code == 200
        again = running.figway("agent", "resume", "bot", *at)
        assert (again.returncode, "isn't stopped" in again.stderr) == (1, True)
        asked = running.figway("audit", "query", *at, "--kind", "control", "--json", check=True).stdout
        assert "agent_stop" in asked
        assert "agent_resume" in asked


def test_a_tool_is_stopped_for_all_and_a_composite_ends_at_its_step(
    workspace: Callable[..., Path], running: ModuleType
) -> None:
    folder = workspace("rules: []")
    with running.serving(folder) as gateway, gateway.client() as wendy:
        wrong = running.figway("agent", "stop", "--workspace", str(folder), "--tool", "deer", "--reason", "x")
        assert (wrong.returncode, "no contract" in wrong.stderr) == (1, True)
        asked = ("--workspace", str(folder), "--tool", "dear", "--reason", "wrong totals")
        running.figway("agent", "stop", *asked, check=True)
        assert slug(wendy.get("/dear/A")) == "stopped"
        assert wendy.get("/cheap/A").status_code == 200
        reply = wendy.get("/pair/A")
        assert (reply.status_code, slug(reply)) == (403, "stopped")


def test_the_control_route_is_for_operators_and_no_stopped_agent_resumes_itself(
    workspace: Callable[..., Path], running: ModuleType
) -> None:
    folder = workspace("rules: []")
    running.write_workspace(folder, {"policies/access.cedar": OPERATOR})
    with running.serving(folder) as gateway:
        operator = running.create_key(folder, "operator", principal="olga")
        bot = running.create_key(folder, "reader", "operator", agent="bot")
        with gateway.client(operator) as olga, gateway.client(bot) as agent, gateway.client(gateway.reader) as alice:
            assert alice.post("/-/admin/stops", json={"agent": "bot", "reason": "x"}).status_code == 403
            body: dict[str, Any] = {"agent": "bot", "reason": "it pays twice"}
            made = olga.post("/-/admin/stops", json=body)
            assert made.status_code == 201
            id = made.json()["id"]
            assert made.json()["author"] == "olga"
            assert slug(agent.get("/cheap/A")) == "stopped"
            assert slug(agent.delete(f"/-/admin/stops/{id}")) == "stopped"
            assert [each["id"] for each in olga.get("/-/admin/stops").json()["items"]] == [id]
            assert olga.delete(f"/-/admin/stops/{id}").status_code == 200
            assert slug(olga.delete(f"/-/admin/stops/{id}")) == "not-found"
            assert agent.get("/cheap/A").status_code == 200
            _refused(olga)
    asked = ("audit", "query", "--workspace", str(folder), "--operation", "gateway:stop_agents", "--json")
    told = [each.get("noted", {}) for each in json.loads(running.figway(*asked, check=True).stdout)]
    assert [each["resumed"]["agent"] for each in told if "resumed" in each] == ["bot"]


def _refused(olga: httpx.Client) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"reason": "x"}, "/body/agent"),
        ({"agent": "bot"}, "/body/reason"),
        ({"agent": "bot", "reason": " "}, "/body/reason"),
        ({"agent": "bot", "reason": "a\nb"}, "/body/reason"),
        ({"agent": "", "reason": "x"}, "/body/agent"),
        ({"operation": "deer", "reason": "x"}, "/body/operation"),
    ]
    for body, pointer in wrong:
        reply = olga.post("/-/admin/stops", json=body)
        assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (400, pointer)
    assert "'dear'" in reply.json()["detail"]


async def test_a_stop_is_obeyed_on_every_worker_at_once(workspace: Callable[..., Path], running: ModuleType) -> None:
    """How long that takes is told; what is judged is that no call gets through which began behind the answer."""
    folder = workspace("rules: []")
    running.write_workspace(folder, {"policies/access.cedar": OPERATOR})
    rounds, took = 100 if SLOW else 5, []
    with running.serving(folder, "--workers", "2") as gateway:
        operator = running.create_key(folder, "operator", principal="olga")
        headers = {"authorization": running.create_key(folder, "reader", agent="bot")}
        # A connection each, so that both workers get some.
        connector = aiohttp.TCPConnector(limit=16)
        async with (
            aiohttp.ClientSession(gateway.url, headers=headers, connector=connector) as bot,
            aiohttp.ClientSession(gateway.url, headers={"authorization": operator}) as olga,
        ):
            for _ in range(rounds):
                took.append(await _one_stop(bot, olga))
    took.sort()
    told = f"{took[len(took) // 2] * 1000:.1f} ms in the middle, {took[-1] * 1000:.1f} ms at most"
    print(f"\n{rounds} stops were obeyed by both workers after {told}")


async def _one_stop(bot: aiohttp.ClientSession, olga: aiohttp.ClientSession) -> float:
    """Seconds from asking for a stop to the last call that got through, of sixteen callers that never rest."""
    going, last = True, 0.0

    async def caller() -> None:
        nonlocal last
        while going:
            started = time.monotonic()
            async with bot.get("/cheap/A") as response:
                assert response.status in (200, 403)
                if response.status == 200:
                    last = max(last, started)

    callers = [asyncio.create_task(caller()) for _ in range(16)]
    await asyncio.sleep(0.02)
    asked = time.monotonic()
    async with olga.post("/-/admin/stops", json={"agent": "bot", "reason": "x"}) as made:
        id = (await made.json())["id"]
    obeyed = time.monotonic()
    await asyncio.sleep(0.05)
    going = False
    await asyncio.gather(*callers)
    assert last <= obeyed, "a call that began behind the stop's answer got through"
    async with olga.delete(f"/-/admin/stops/{id}") as lifted:
        assert lifted.status == 200
    return max(0.0, last - asked)
