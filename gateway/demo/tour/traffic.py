"""Light load while the customers move: agents read, the platform team writes, and each reads what it wrote."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

READERS = 4
_READS_PAUSE = 0.01
_WRITES_PAUSE = 0.25
_CUSTOMERS = range(10_002, 12_001)
# What a replica answers tells nothing of the two systems: these readers want it as it is now.
_NOW = {"cache-control": "no-cache"}


@dataclass
class Traffic:
    """What callers have seen. `written`: the credit limit that each customer was last given."""

    calls: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    written: dict[str, str] = field(default_factory=dict)
    _seed: random.Random = field(default_factory=lambda: random.Random(66))  # noqa: S311 (load, no secret)
    _over: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def read(self, url: str, headers: Mapping[str, str]) -> None:
        """Readers begin, with that credential."""
        self._tasks += [asyncio.create_task(self._read(url, headers)) for _ in range(READERS)]

    def write(self, url: str, headers: Mapping[str, str]) -> None:
        """A writer begins, with that credential."""
        self._tasks.append(asyncio.create_task(self._write(url, headers)))

    async def stop(self) -> None:
        """Ends; calls under way are waited for."""
        self._over = True
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _read(self, url: str, headers: Mapping[str, str]) -> None:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
            while not self._over:
                number = self._seed.choice(_CUSTOMERS)
                path = f"/customers/C-{number}" if self._seed.random() < 0.95 else "/customers?city=Bergen&limit=20"
                self._count("read", await client.get(path, headers=_NOW))
                await asyncio.sleep(_READS_PAUSE)

    async def _write(self, url: str, headers: Mapping[str, str]) -> None:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
            turn = 0
            while not self._over:
                await self._one_write(client, turn)
                await asyncio.sleep(_WRITES_PAUSE)
                turn += 1

    async def _one_write(self, client: httpx.AsyncClient, turn: int) -> None:
        customer, limit = f"C-{self._seed.choice(_CUSTOMERS)}", f"{1000 + turn}.00"
        path = f"/customers/{customer}"
        answer = await client.patch(path, json={"credit_limit": limit}, headers={"idempotency-key": f"tour-{turn}"})
        self._count("write", answer)
        if answer.is_success:
            self.written[customer] = limit
            seen = await client.get(path)
            if not seen.is_success or seen.json()["credit_limit"] != limit:
                self.failed[f"wrote {limit}, read {seen.text[:200]}"] += 1

    def _count(self, what: str, answer: httpx.Response) -> None:
        self.calls[f"{what} by {answer.headers.get('figway-served-by', 'nobody')}"] += 1
        if not answer.is_success:
            self.failed[f"{what}: {answer.status_code} {answer.text[:200]}"] += 1

    def words(self) -> str:
        """What callers have seen, as a sentence."""
        served = ", ".join(f"{count} {what}" for what, count in sorted(self.calls.items()))
        return f"{served}; {sum(self.failed.values())} failed"
