"""Totals as runs meet them: several workers, many callers, and nothing is overspent, whatever is counted."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import httpx
import pytest

from gateway.identity.development import NAME, DevelopmentKey
from gateway.identity.signing import Keyring

SLOW = bool(os.environ.get("FIGWAY_SLOW"))
CALLERS, WORKERS = (64, "4") if SLOW else (16, "2")
CALLS, WRITES, COST, ROWS = (5000, 500, 5000, 49_999) if SLOW else (60, 20, 420, 397)
SEED = 20261121
GATEWAY = """
upstreams: {{lab: {{kind: lab, journal: "{journal}", deadline: 8s, concurrency: 64}}}}
stores: {{limits: "{store}"}}
"""
RULES = f"""
rules:
  - {{match: {{run: "*", route: get_item}}, total: {{calls: {CALLS}}}}}
  - {{match: {{run: "*", route: put_item}}, total: {{writes: {WRITES}}}}}
  - {{match: {{run: "*", route: fixed}}, total: {{cost: {COST}}}}}
  - {{match: {{run: "*", route: dear}}, total: {{cost: {COST}}}}}
  - {{match: {{run: "*", route: list_items}}, total: {{rows: {ROWS}}}}}
"""


@dataclass
class Estate:
    """A workspace with runs, and what its upstream was told to write."""

    folder: Path
    journal: Path

    def token(self, run: str | None, **more: Any) -> str:
        key = DevelopmentKey(Keyring.open(self.folder / ".figway" / "keys", NAME))
        text, _ = key.mint("alice", via=["bot"], roles=["reader", "writer"], run=run, **more)
        return f"Bearer {text}"

    def written(self) -> int:
        return len(self.journal.read_text().splitlines()) if self.journal.exists() else 0


@pytest.fixture
def estate(tmp_path: Path, running: ModuleType) -> Callable[..., Estate]:
    def write(limits: str, store: str = "memory:") -> Estate:
        journal = tmp_path / "journal.txt"
        files = {
            "gateway.yaml": GATEWAY.format(journal=journal, store=store),
            "openapi/runs.yaml": Path(__file__).with_name("runs.yaml").read_text(),
            "policies/limits.yaml": limits,
        }
        return Estate(running.write_workspace(tmp_path, files), journal)

    return write


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("redis_server").url if request.param == "redis" else "memory:"


async def test_nothing_of_a_run_is_overspent(estate: Callable[..., Estate], running: ModuleType, store: str) -> None:
    made = estate(RULES, store)
    with running.serving(made.folder, "--dev", "--workers", WORKERS) as gateway:
        connector = aiohttp.TCPConnector(limit=CALLERS)  # a connection each, so that all of the workers get some
        headers = {"authorization": made.token("r1")}
        async with aiohttp.ClientSession(gateway.url, headers=headers, connector=connector) as session:
            reads = await _race(session, lambda _: ("GET", "/items/A", None))
            writes = await _race(session, lambda number: ("POST", "/items", {"sku": f"S{number}"}))
            fixed = await _race(session, lambda _: ("GET", "/fixed/A", None))
            dear = await _race(session, lambda _: ("GET", "/dear/A", None))
            rows = await _rows(session)
        assert len(reads) == CALLS
        assert (len(writes), made.written()) == (WRITES, WRITES)
        assert len(fixed) == COST // 7
        # 5 is reserved, 42 it comes to: the calls in flight when the last was let through may add the rest once each.
        assert COST - 5 < 42 * len(dear) <= COST + 37 * CALLERS
        assert rows == ROWS
        told = f"{len(reads)} calls, {len(writes)} writes, {rows} rows, {7 * len(fixed)} of {COST} cost"
        print(f"\n{store.split(':')[0]}, seed {SEED}: {told}")


async def _race(session: aiohttp.ClientSession, request: Callable[[int], tuple[str, str, Any]]) -> list[dict[str, Any]]:
    """What all callers got together, each calling until it was refused twice."""
    got: list[dict[str, Any]] = []
    numbers = iter(range(10**9))

    async def caller() -> None:
        refused = 0
        while refused < 2:
            method, path, body = request(next(numbers))
            async with session.request(method, path, json=body) as response:
                found = await response.json()
                if (
                    response.status == 503
                ):  # a worker is kept from its turn while it holds the counters: nothing counted
                    assert found["type"] == "urn:figway:problem:overloaded"
                    continue
                assert response.status in (200, 403), found
                if response.status == 403:
                    assert found["type"] == "urn:figway:problem:run-exhausted"
                    assert not found["retryable"]
                    refused += 1
                else:
                    got.append(found)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return got


async def _rows(session: aiohttp.ClientSession) -> int:
    """The rows that they are told together, each asking for as many as it likes or, once that's too many, as it's
    told that are left."""
    chance, told = random.Random(SEED), 0

    async def caller() -> None:
        nonlocal told
        asked = chance.randint(1, 90)
        while True:
            async with session.get(f"/items?limit={asked}") as response:
                found = await response.json()
                if response.status == 200:
                    told += len(found["items"])
                    assert len(found["items"]) == asked
                    asked = chance.randint(1, 90)
                elif response.status == 503:
                    assert found["type"] == "urn:figway:problem:overloaded"
                elif "errors" in found:
                    asked = found["errors"][0]["expected"]
                else:
                    assert "0 are left" in found["detail"]
                    return

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return told


def slug(reply: httpx.Response) -> str:
    return str(reply.json()["type"]).rpartition(":")[2]


def test_what_a_call_came_to_is_told_and_only_that_has_counted(
    estate: Callable[..., Estate], running: ModuleType
) -> None:
    made = estate('rules: [{match: {run: "*"}, total: {calls: 20, writes: 3, rows: 60}}]')
    with running.serving(made.folder, "--dev", "--workers", "2") as gateway:
        with gateway.client(made.token("r1")) as run:
            reply = run.get("/items?limit=10")
            assert reply.headers["ratelimit"] == '"run-total-calls";r=19, "run-total-writes";r=3, "run-total-rows";r=50'
            assert '"run-total-writes";q=3;qu="writes"' in reply.headers["ratelimit-policy"]
            assert slug(run.get("/items?limit=99")) == "run-exhausted"
            assert run.post("/items", json={}).status_code == 400  # it never reached its system
            key = {"idempotency-key": "one"}
            assert [run.post("/items", json={"sku": "A"}, headers=key).status_code for _ in range(2)] == [200, 200]
            tried = run.post("/items", json={"sku": "B"}, headers={"prefer": "dry-run"})
            assert tried.headers["ratelimit"].split(", ")[1] == '"run-total-writes";r=2'
            assert run.get("/items", headers={"accept": "application/x-ndjson"}).status_code == 406
            _composite(run, made)
        with gateway.client(made.token("r2")) as other, gateway.client(gateway.reader) as person:
            assert '"run-total-calls";r=19' in other.get("/items/A").headers["ratelimit"]
            assert "ratelimit" not in person.get("/items/A").headers
        asked = ("audit", "query", "--workspace", str(made.folder), "--effect", "write", "--json", "--run")
        found = json.loads(running.figway(*asked, "r1", check=True).stdout)
        assert {each["run"] for each in found} == {"r1"}
        assert json.loads(running.figway(*asked, "r3", check=True).stdout) == []


def _composite(run: httpx.Client, made: Estate) -> None:
    """One call of the run's; two writes, and the rows of a page of seven."""
    before = run.get("/items/A").headers["ratelimit"]
    assert run.post("/work").status_code == 200
    after = run.get("/items/A").headers["ratelimit"]
    assert [_left(after, each) - _left(before, each) for each in ("calls", "writes", "rows")] == [-2, -2, -8]
    assert made.written() == 3
    refused = run.post("/items", json={"sku": "C"})
    assert slug(refused) == "run-exhausted"
    assert "reads are let through" in refused.json()["fix"]
    assert run.get("/items/A").status_code == 200
    assert made.written() == 3


def _left(header: str, unit: str) -> int:
    return int(header.partition(f'"run-total-{unit}";r=')[2].partition(",")[0])


def test_a_restart_gives_nothing_back(estate: Callable[..., Estate], running: ModuleType) -> None:
    made = estate('rules: [{match: {run: "*", agent: "*"}, total: {calls: 2}}]')
    statuses = []
    for _ in range(3):
        with running.serving(made.folder, "--dev") as gateway, gateway.client(made.token("r1")) as run:
            statuses.append(run.get("/items/A").status_code)
    assert statuses == [200, 200, 403]
