"""The agent's calls through the gateway: the same four again and again, and keys that nobody has asked for yet."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from gateway.demo.latency.figures import Figures, figures

ROUNDS = KEYS = 100
SEED = 31
CALLS = ("customer", "stock", "invoices", "tasks")
"""What the agent asks, one after the other."""
_COLD = {"customer": ("/customers", "id"), "stock": ("/inventory", "sku"), "invoice": ("/invoices", "invoice_number")}
"""Lists whose entities are asked for one by one: (path, the member that names one)."""
_PAGES = 5
_REPLICA = "detail=replica"


@dataclass
class Told:
    """What the gateway said to one of the calls, over all rounds."""

    seconds: list[float] = field(default_factory=list)
    oldest: int = 0
    """The greatest `Age` that it stated."""
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    """Of the last answer."""


@dataclass(frozen=True)
class Cold:
    """Keys that nobody had asked for. `replica`: how many were answered by one."""

    route: str
    figures: Figures
    replica: int


class Agent:
    """One agent's client; `samples` is what `.figway/demo.json` says to ask for."""

    def __init__(self, client: httpx.AsyncClient, samples: Mapping[str, str]) -> None:
        self._client, self._samples = client, samples
        self.told = {name: Told() for name in CALLS}
        self.answers: dict[str, Any] = {}

    async def round(self) -> float:
        """The four calls once, each with what the one before answered; the seconds that they took in all."""
        began = time.perf_counter()
        id = self._samples["customer_id"]
        customer = await self._ask("customer", f"/customers/{id}")
        stock = await self._ask("stock", f"/inventory/{customer['favourite_sku']}")
        invoices = await self._ask("invoices", f"/invoices?customer_id={id}&sort=-issue_date")
        tasks = await self._ask("tasks", f"/tasks?customer_id={id}")
        took = time.perf_counter() - began
        self.answers = {
            "customer": customer["name"],
            "stock": stock["on_hand"],
            "invoices": sorted(each["invoice_number"] for each in invoices["items"]),
            "tasks": sorted(each["id"] for each in tasks["items"] if each["status"] != "queued"),
        }
        return took

    async def _ask(self, name: str, path: str) -> Any:
        began = time.perf_counter()
        reply = (await self._client.get(path)).raise_for_status()
        told = self.told[name]
        told.seconds.append(time.perf_counter() - began)
        told.oldest = max(told.oldest, int(reply.headers.get("age", "0")))
        told.headers = reply.headers
        return reply.json()

    def forget(self) -> None:
        """What was asked until now was for warming up."""
        self.told = {name: Told() for name in CALLS}

    async def cold(self, what: str) -> Cold:
        """Keys of one route that nobody has asked for, each once."""
        path, member = _COLD[what]
        keys = await self._keys(path, member)
        times, replica = [], 0
        for key in keys:
            began = time.perf_counter()
            reply = (await self._client.get(f"{path}/{key}")).raise_for_status()
            times.append(time.perf_counter() - began)
            replica += _REPLICA in reply.headers.get("cache-status", "")
        return Cold(f"GET {path}/{{{member}}}", figures(times), replica)

    async def _keys(self, path: str, member: str) -> list[str]:
        following, found = f"{path}?limit=200", list[str]()
        for _ in range(_PAGES):
            page = (await self._client.get(following)).raise_for_status().json()
            found += [each[member] for each in page["items"]]
            following = page["next"]
            if following is None:
                break
        known = [each for each in found if each not in self._samples.values()]
        return random.Random(SEED).sample(known, min(KEYS, len(known)))  # noqa: S311 (which to ask, no secret)


COLD = tuple(_COLD)
"""What has keys to ask for."""
