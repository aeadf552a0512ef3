"""Flips under load: what `flip` says is done is done on every worker, and of several at once exactly one is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import aiohttp

SLOW = bool(os.environ.get("FIGWAY_SLOW"))
FLIPS, WORKERS, CLIENTS, PAIRS = (200, 4, 16, 10) if SLOW else (8, 3, 4, 4)


class Load:
    """Callers who ask all the time; each notes the newest snapshot that was known to be served when it asked."""

    def __init__(self) -> None:
        self.known, self.done = 0, False
        self.asked = 0
        self.stale: list[tuple[int, int]] = []
        self.seen: set[int] = set()

    async def run(self, gateway: Any) -> None:
        headers = {"authorization": gateway.reader}
        # Connections of its own for each request now and then, so that each worker is met.
        async with aiohttp.ClientSession(gateway.url, headers=headers) as session:
            while not self.done:
                known = self.known
                close = {"connection": "close"} if self.asked % 5 == 0 else {}
                async with session.get("/items/A", headers=close) as response:
                    assert response.status == 200, await response.text()
                    served = int(response.headers["figway-snapshot"])
                self.asked += 1
                self.seen.add(served)
                await asyncio.sleep(0 if SLOW else 0.005)
                if served < known:
                    self.stale.append((known, served))


async def test_no_request_after_a_flip_is_served_by_an_older_snapshot(administer: Callable[..., Any]) -> None:
    with administer(WORKERS) as control:
        await _flips_under_load(control)
        await _two_at_once(control)


async def _flips_under_load(control: Any) -> None:
    load = Load()
    callers = [asyncio.create_task(load.run(control.gateway)) for _ in range(CLIENTS)]
    await asyncio.to_thread(_shadow, control)
    for number in range(FLIPS):
        weight = 1 + number % 99
        body = {"reads": "canary", "weight": weight}
        answer = await asyncio.to_thread(control.flip, body)
        assert answer.status_code == 200, answer.text
        load.known = answer.json()["snapshot"]["version"]
        await asyncio.sleep(0.01)
    load.done = True
    await asyncio.gather(*callers)
    assert load.stale == []
    assert load.asked > FLIPS * 5
    assert len(load.seen) > FLIPS // 2, "the load met the flips"
    assert load.known == FLIPS + 2
    print(f"{load.asked} requests over {FLIPS} flips on {WORKERS} workers: {len(load.stale)} by an older snapshot")


def _shadow(control: Any) -> None:
    assert control.flip({"reads": "shadow"}).status_code == 200


async def _two_at_once(control: Any) -> None:
    """Exactly one wins, and the other learns who did."""
    for number in range(PAIRS):
        version = await asyncio.to_thread(control.version)
        bodies = [{"reads": "canary", "weight": 1 + 2 * number + at} for at in range(2)]
        answers = await asyncio.gather(*(asyncio.to_thread(control.flip, body, version) for body in bodies))
        assert sorted(each.status_code for each in answers) == [200, 412]
        lost = next(each for each in answers if each.status_code == 412).json()
        won = next(each for each in answers if each.status_code == 200).json()
        assert lost["type"] == "urn:figway:problem:precondition-failed"
        assert f"Snapshot {won['snapshot']['version']} is active: anna" in lost["detail"]
        weight = won["plan"]["stages"][0]["after"]["weight"]
        assert control.stage()["weight"] == weight
