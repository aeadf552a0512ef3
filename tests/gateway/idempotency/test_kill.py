"""Retry, race and SIGKILL between a write's intent and its outcome: one effect each, or an explicit "unknown"."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import httpx
import pytest

SLOW = bool(os.environ.get("FIGWAY_SLOW"))
ROUNDS = 1000 if SLOW else 60
AT_ONCE = 10 if SLOW else 15
"""Writes that one kill cuts."""
_AGAIN = (409, 503)


@dataclass
class Killable:
    """A gateway that is killed and comes back; `told` counts how its writes ended."""

    running: ModuleType
    folder: Path
    workers: int
    port: int
    key: str
    process: Any = None
    told: Counter[str] = field(default_factory=Counter)

    def start(self) -> None:
        command = ["serve", "--workspace", str(self.folder), "--port", str(self.port)]
        command += ["--workers", str(self.workers)]
        with (self.folder / "log.txt").open("ab") as sink:
            self.process = self.running.start(*command, output=sink)
        until = time.monotonic() + 30
        while not self._ready():
            assert time.monotonic() < until
            assert self.process.poll() is None, (self.folder / "log.txt").read_text()[-2000:]
            time.sleep(0.02)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/-/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """Kills the one process, or one of the workers."""
        if self.workers == 1:
            self.process.kill()
            self.process.wait()
            return
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        if children:
            os.kill(int(random.choice(children)), signal.SIGKILL)

    def cut_some(self) -> bool:
        """Whether some writes' outcomes are unknown and others' aren't."""
        return len({name.split(",")[0] for name in self.told}) == 2

    def revive(self) -> None:
        """Starts it again, where no supervisor does."""
        if self.process.poll() is not None:
            self.start()


@contextmanager
def killable(running: ModuleType, folder: Path, workers: int) -> Iterator[Killable]:
    key = running.create_key(folder, "writer")
    gateway = Killable(running, folder, workers, running.free_port(), key)
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.process.send_signal(signal.SIGTERM)
        try:
            gateway.process.wait(20)
        except subprocess.TimeoutExpired:
            gateway.process.kill()
            gateway.process.wait()


class Client:
    """Sends writes as callers do that need to know what became of them."""

    def __init__(self, gateway: Killable, session: aiohttp.ClientSession) -> None:
        self.gateway, self._session = gateway, session

    async def once(self, body: dict[str, Any], key: str) -> tuple[int, dict[str, Any]] | None:
        """One attempt; None: the connection broke."""
        headers = {"authorization": self.gateway.key, "idempotency-key": key}
        try:
            url = f"http://127.0.0.1:{self.gateway.port}/items"
            async with self._session.post(url, json=body, headers=headers) as response:
                return response.status, await response.json()
        except (aiohttp.ClientError, ConnectionError, ValueError):
            return None

    async def until_told(self, body: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
        """Tries again until the answer is final."""
        async with asyncio.timeout(60):
            while True:
                reply = await self.once(body, key)
                if reply is not None and reply[0] not in _AGAIN:
                    return reply
                await asyncio.sleep(0.02)


async def cut(client: Client, first: int, chance: random.Random) -> list[tuple[int, dict[str, Any]]]:
    """Writes that a kill cuts somewhere between intent and outcome; then each is sent until its end is told."""
    gateway = client.gateway
    bodies = [
        {"sku": "s", "n": first + each, "seconds": chance.uniform(0, 0.15), "after": chance.uniform(0, 0.15)}
        for each in range(AT_ONCE)
    ]
    # Some are raced by a second caller with the same key.
    attempts = [client.once(body, f"k{body['n']}") for body in bodies + bodies[: AT_ONCE // 3]]
    sent = asyncio.gather(*attempts)
    await asyncio.sleep(chance.uniform(0.02, 0.3))
    await asyncio.to_thread(gateway.kill)
    early = await sent
    await asyncio.to_thread(gateway.revive)
    told = await asyncio.gather(*(client.until_told(body, f"k{body['n']}") for body in bodies))
    again = await asyncio.gather(*(client.until_told(body, f"k{body['n']}") for body in bodies))
    for one, other, before in zip(told, again, early, strict=False):
        assert _same(one) == _same(other)
        # Whoever was told of success at once is told the same now.
        assert before is None or before[0] in _AGAIN or _same(before) == _same(one)
    return told


def _same(reply: tuple[int, dict[str, Any]]) -> tuple[int, Any]:
    status, body = reply
    return status, body.get("operation") if status == 504 else body


def judge(gateway: Killable, lab: Any, told: list[tuple[int, dict[str, Any]]], first: int) -> None:
    effects = Counter(each["n"] for each in lab.effects())
    for number, (status, _) in enumerate(told, first):
        assert status in (201, 504)
        assert effects[number] <= 1, f"write {number} happened {effects[number]} times"
        assert status == 504 or effects[number] == 1, f"write {number} was told to have happened and didn't"
        gateway.told[f"{'done' if status == 201 else 'unknown'}, {effects[number]} effects"] += 1


async def race(client: Client, lab: Any, first: int) -> None:
    """Of callers that race with one key, all are told of the one effect."""
    numbers = range(first, first + ROUNDS // 2)
    for number in numbers:
        body = {"sku": "s", "n": number}
        told = await asyncio.gather(*(client.until_told(body, f"k{number}") for _ in range(4)))
        assert {status for status, _ in told} == {201}
    effects = Counter(each["n"] for each in lab.effects())
    assert [effects[number] for number in numbers] == [1] * len(numbers)


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_write_that_is_cut_has_one_effect_or_is_told_to_be_unknown(
    workers: int, tmp_path: Path, running: ModuleType, lab_in: Callable[[Path], Any]
) -> None:
    lab, chance = lab_in(tmp_path), random.Random(workers)
    with killable(running, tmp_path, workers) as gateway:
        async with aiohttp.ClientSession() as session:
            client, first = Client(gateway, session), 0
            # Until the kills did cut something, and not everything.
            while first < ROUNDS // 2 or not gateway.cut_some():
                judge(gateway, lab, await cut(client, first, chance), first)
                first += AT_ONCE
            await race(client, lab, first)
    print(f"\n{first} writes, {workers} workers, {first // AT_ONCE} kills: {dict(gateway.told)}")
