"""Age is honest: random histories of a source's changes, captures, failures and hung calls, of writes through the
gateway, and of callers with all kinds of bounds. No answer claims to be newer than it is, none is older than its caller
accepts, and who wrote reads what it wrote."""

from __future__ import annotations

import asyncio
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SLOW = bool(os.environ.get("FIGWAY_SLOW"))
SEEDS = 10 if SLOW else 1
SECONDS = 8.0 if SLOW else 3.0
READERS, WRITERS, PAPERS = 30, 4, 12
FRESH, BEHIND, ON_ERROR = 0.15, 0.4, 2.0
FRESHNESS = "{mode: cached, fresh: 150ms, stale_while_revalidate: 250ms, stale_if_error: 1850ms}"
POLICY = "permit (principal, action, resource);"
BOUNDS = ("", "", "", "max-age=0", "max-age=1", "max-age=2", "max-age=1, max-stale=1", "max-stale", "max-stale=0",
          "no-cache", "no-store", "only-if-cached", "only-if-cached, max-age=1", "max-age=0, max-stale")  # fmt: skip
PATIENCE = 30.0
EXACT = 0.002
"""Seconds to which ages are told."""


class History:
    """One history, and what is counted of it."""

    def __init__(self, gateway: Any, world: Any, chance: random.Random) -> None:
        self.gateway, self.world, self.chance = gateway, world, chance
        self.end = time.monotonic() + SECONDS
        self.seen: Counter[str] = Counter()

    async def pause(self, most: float) -> bool:
        """Lets others go on; whether the history does: longer, where troubles have let no writer read yet."""
        await asyncio.sleep(self.chance.random() * most)
        return time.monotonic() < self.end + (0 if self.seen["own writes read"] else PATIENCE)

    async def changes(self) -> None:
        """What happens at the source."""
        while await self.pause(0.02):
            self.world.change(self.chance.choice(sorted(self.world.rows)), name="changed at the source")

    async def captures(self) -> None:
        while await self.pause(1.5):
            self.world.capture()

    async def troubles(self) -> None:
        while await self.pause(0.3):
            self.world.failing = self.chance.random() < 0.15
            self.world.hanging = self.chance.random() < 0.05
            self.world.slowest = self.chance.choice((0.0, 0.005, 0.05))
        self.world.failing = self.world.hanging = False

    async def writes(self, key: str) -> None:
        """One caller that writes, and then reads."""
        while await self.pause(0.1):
            id = self.chance.choice(sorted(self.world.rows))
            written = await self.gateway.call("PUT", f"/papers/{id}", key, body={"name": "written"})
            if written.status != 200:
                continue
            version = written.body["version"]
            path = self.chance.choice(("papers", "both", "list"))
            if path == "list":
                answer = await self.gateway.call("GET", "/papers?limit=100", key)
                rows = {row["id"]: row for row in answer.body["items"]} if answer.status == 200 else {}
                got = rows.get(id)
            else:
                answer = await self.gateway.call("GET", f"/{path}/{id}", key)
                got = answer.body if answer.status == 200 else None
                got = got["one"] if got and path == "both" else got
            if got is not None:
                self.seen["own writes read"] += 1
                assert got["version"] >= version, (path, got, version, answer)

    async def reads(self, key: str) -> None:
        while await self.pause(0.03):
            id, said = self.chance.choice(sorted(self.world.rows)), self.chance.choice(BOUNDS)
            path = self.chance.choice(("papers", "papers", "papers", "live", "batch", "both"))
            arrived = time.time()
            answer = await self.gateway.call("GET", f"/{path}/{id}", key, said)
            if answer.status == 200:
                self.judge(path, said, arrived, answer)
            else:
                self.refused(path, said, arrived, answer)

    def judge(self, path: str, said: str, arrived: float, answer: Any) -> None:
        status = answer.headers.get("cache-status", "none")
        self.seen[re.sub(r"=-?\d+", "", status.replace("ttl=-", "stale ttl="))] += 1
        told = datetime.fromisoformat(answer.headers["figway-as-of"]).timestamp()
        assert int(answer.headers["age"]) >= int(time.time() - told) - 1
        parts = {"": answer.body}
        times = {"": told}
        if path == "both":
            spelt = re.findall(r'(\w+)="([^"]+)"', answer.headers["figway-parts-as-of"])
            times = {name: datetime.fromisoformat(at).timestamp() for name, at in spelt}
            parts = answer.body
            assert told == min(times.values())
        for name, row in parts.items():
            until, at = self.world.until(row["id"], row["version"]), times[name]
            assert until >= at - EXACT, f"claims to be newer than it is by {at - until} s: {path} {said} {answer}"
            batch = path == "batch" or name == "batch"
            oldest = _oldest(said, batch=batch, live=path == "live")
            assert min(until, at if batch else until) >= arrived - oldest - EXACT, (
                f"{arrived - until} s old, accepted {oldest}: {path} {said} {answer}"
            )

    def refused(self, path: str, said: str, arrived: float, answer: Any) -> None:
        slug = answer.body["type"].rpartition(":")[2]
        self.seen[slug] += 1
        assert slug in ("stale", "upstream-unavailable", "deadline-exceeded", "upstream-busy"), answer
        if slug == "stale":
            assert said, answer
            if "figway-as-of" in answer.headers:
                told = datetime.fromisoformat(answer.headers["figway-as-of"]).timestamp()
                assert re.search(r"was true \d+ s ago", answer.body["detail"])
                assert told <= time.time()


def _oldest(said: str, *, batch: bool, live: bool) -> float:
    """How long ago, before the call, the value may have ceased to be true."""
    numbers = {name: int(number) for name, number in re.findall(r"(max-\w+)=(\d+)", said)}
    if "max-age" in numbers:
        if "max-stale" in said and "max-stale" not in numbers:
            return float("inf")
        return numbers["max-age"] + numbers.get("max-stale", 0)
    if batch:
        return float("inf")
    if live or said in ("no-cache", "no-store"):
        return 0.0
    if "max-stale" in numbers:
        return FRESH + numbers["max-stale"]
    return max(BEHIND, ON_ERROR)


@pytest.mark.parametrize("number", range(SEEDS))
async def test_no_answer_is_older_than_it_says_or_than_is_accepted(
    number: int, inside: Callable[..., Any], source: ModuleType, running: ModuleType, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    world = source.World(chance=chance)
    for paper in range(PAPERS):
        world.rows[f"P{paper}"] = {"id": f"P{paper}", "region": "north", "name": "first", "version": 1}
    world.capture()
    async with inside(world, FRESHNESS, POLICY, "deadline: 1s, concurrency: 200") as gateway:
        readers = [running.create_key(tmp_path, "reader", principal=f"r{each}") for each in range(3)]
        writers = [running.create_key(tmp_path, "writer", principal=f"w{each}") for each in range(WRITERS)]
        history = History(gateway, world, chance)
        async with asyncio.TaskGroup() as tasks:
            for work in (history.changes(), history.captures(), history.troubles()):
                tasks.create_task(work)
            for each in range(READERS):
                tasks.create_task(history.reads(readers[each % 3]))
            for key in writers:
                tasks.create_task(history.writes(key))
        print(sum(history.seen.values()), dict(history.seen))
        assert history.seen["own writes read"]
        assert gateway.hits
