"""The same idempotency key across flips, forward and back: one effect, and the same reply.

Groups of two kinds walk through their stages at the same time, on two workers: those on dual writes, and those whose
systems can't run side by side, which are switched. What happens is drawn by a seed.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import httpx

SEED = int(os.environ.get("FIGWAY_SEED", "20261121"))
EACH, STEPS = (10, 120) if os.environ.get("FIGWAY_SLOW") else (2, 25)
ROUTE = """
  /{group}/{{sku}}:
    put:
      operationId: put_{group}
      tags: [lab]
      summary: A write
      parameters: [{{name: sku, in: path, required: true, schema: {{type: string}}}}]
      requestBody: {{required: true, content: {{application/json: {{schema: {{type: object}}}}}}}}
      responses:
        "200": {{description: Done., content: {{application/json: {{schema: {{type: object}}}}}}}}
      x-gateway:
        effect: write
        group: {group}
        deadline: 500ms
        legacy: {{upstream: old, operation: item.put, input: {input}}}
        replacement: {{upstream: new, operation: item.put, input: {input}}}
"""
INPUT = "{sku: path.sku, n: body.n, error: body.error, refuse: body.refuse, once: body.once}"
POLICY = """
permit (principal in Role::"writer", action, resource);
permit (principal in Role::"approver", action == Action::"gateway:approve", resource);
"""
SAID: tuple[dict[str, Any], ...] = (
    *({},) * 6,
    {"error": "UnknownOutcome"},
    {"refuse": "UnknownOutcome", "once": True},
    {"refuse": "Conflict"},
)
"""What a write does: it is made (mostly), made but its answer lost, not made but nobody knows, refused."""
STEPS_OF = {
    "dual": {"legacy": ("dual_legacy",), "dual_legacy": ("dual_new", "legacy"), "dual_new": ("new_only", "legacy")},
    "switch": {"legacy": ("new_only",)},
}


@dataclass
class Write:
    """One change: its place, what it says, and the last word on it."""

    path: str
    body: dict[str, Any]
    last: tuple[int, Any] | None = None


@dataclass
class World:
    """The gateway, and those who may change it."""

    anna: httpx.AsyncClient
    approvers: list[httpx.AsyncClient]
    log: Any
    counts: Counter[str] = field(default_factory=Counter)

    async def send(self, write: Write) -> None:
        """Sends a change with its key; whatever was said of it once for good is said again."""
        self.counts["sent"] += 1
        answer = await self.anna.put(write.path, json=write.body, headers={"idempotency-key": f"k{write.path}"})
        body = answer.json()
        kind = "" if answer.status_code == 200 else body["type"].rpartition(":")[2]
        if answer.status_code == 200 or kind == "conflict":
            said = (answer.status_code, body if answer.status_code == 200 else body["detail"])
            assert write.last in (None, said), (write, said)
            write.last = said
            return
        passing = ["idempotency-in-progress", "state-unavailable", "upstream-busy", "upstream-unavailable"]
        assert kind in (passing if write.last else [*passing, "unknown-outcome", "deadline-exceeded"]), (write, body)

    async def send_other(self, write: Write) -> None:
        """Another change with the same key is refused, wherever the group is."""
        other = {**write.body, "n": -1}
        answer = await self.anna.put(write.path, json=other, headers={"idempotency-key": f"k{write.path}"})
        kind = answer.json().get("type", "").rpartition(":")[2]
        assert kind in ("idempotency-mismatch", "state-unavailable", "upstream-unavailable"), answer.text

    async def flip(self, group: str, to: str) -> bool:
        """Takes the group on, with the approvals that it needs; False: not now."""
        for _ in range(60):
            version = (await self.anna.get(f"/-/admin/groups/{group}")).headers["etag"]
            body, headers = {"writes": to, "reason": "walk"}, {"if-match": version}
            answer = await self.anna.post(f"/-/admin/groups/{group}/flip", json=body, headers=headers)
            if answer.status_code == 403:
                place = answer.json()["errors"][0]["pointer"]
                for each in self.approvers:
                    assert (await each.post(f"{place}/approve", json={})).status_code == 200
            elif answer.status_code != 412:
                assert answer.status_code in (200, 409, 503), answer.text
                self.counts["flips"] += answer.status_code == 200
                return answer.status_code == 200
        raise AssertionError(f"{group} never got its turn")

    async def walk(self, kind: str, number: int) -> list[Write]:
        """One group's way, and the changes of it."""
        dice, group, stage = Random(f"{SEED} {kind} {number}"), f"{kind}{number}", "legacy"
        writes: list[Write] = []
        for step in range(STEPS):
            action = dice.choice(("new", "new", "again", "again", "twice", "other", "flip"))
            if action == "new" or not writes:
                writes.append(Write(f"/{group}/{group}-{step}", {"n": step, **dice.choice(SAID)}))
                await self.send(writes[-1])
            elif action == "flip" and stage in STEPS_OF[kind]:
                # Not much sooner than others: the switch, which is for good, comes in the middle.
                to = dice.choice(STEPS_OF[kind][stage])
                if to != "new_only" or step > STEPS // 2:
                    during = asyncio.create_task(self.send(dice.choice(writes)))
                    stage = to if await self.flip(group, to) else stage
                    await during
            elif action == "other":
                await self.send_other(dice.choice(writes))
            else:
                write = dice.choice(writes)
                await asyncio.gather(*(self.send(write) for _ in range(2 if action == "twice" else 1)))
        return writes

    async def settle(self, write: Write) -> None:
        """Sends it until there is a last word, and once more."""
        for _ in range(300):
            await self.send(write)
            if write.last is not None:
                break
            await asyncio.sleep(0.1)
        assert write.last is not None, (write, self.log()[-2000:])
        await self.send(write)


@asynccontextmanager
async def world(running: ModuleType, folder: Path, groups: list[str]) -> AsyncIterator[World]:
    """The gateway with these groups."""
    sides = "".join(
        f'  {name}: {{kind: lab, label: {name}, tells: true, concurrency: 64, journal: "{folder}/{name}.txt"}}\n'
        for name in ("old", "new")
    )
    state = {"dual": "replicated", "switch": "shared"}
    stages = "".join(f"  {each}: {{state: {state[each.rstrip('0123456789')]}, key: path.sku}}\n" for each in groups)
    head = 'openapi: 3.1.0\ninfo: {title: Lab, version: "1"}\npaths:'
    files = {
        "gateway.yaml": "upstreams:\n" + sides,
        "openapi/lab.yaml": head + "".join(ROUTE.format(group=each, input=INPUT) for each in groups),
        "policies/access.cedar": POLICY,
        "policies/migration.yaml": "groups:\n" + stages,
    }
    running.write_workspace(folder, files)
    for name in ("old", "new"):
        (folder / f"{name}.txt").touch()
    with running.serving(folder, "--workers", "2") as gateway:
        keys = [running.create_key(folder, "approver", principal=name) for name in ("bob", "carol")]
        clients = [
            httpx.AsyncClient(base_url=gateway.url, headers={"authorization": key}, timeout=60)
            for key in (gateway.writer, *keys)
        ]
        try:
            yield World(clients[0], clients[1:], gateway.logged)
        finally:
            for each in clients:
                await each.aclose()


def _made(folder: Path, side: str) -> Counter[str]:
    lines = (folder / f"{side}.txt").read_text().splitlines()
    return Counter(json.loads(line)["sku"] for line in lines if line.startswith("{"))


async def test_a_key_has_one_effect_and_one_reply_across_flips(running: ModuleType, tmp_path: Path) -> None:
    kinds = [(kind, number) for kind in STEPS_OF for number in range(EACH)]
    async with world(running, tmp_path, [f"{kind}{number}" for kind, number in kinds]) as at:
        walks = await asyncio.gather(*(at.walk(kind, number) for kind, number in kinds))
        writes = [write for walk in walks for write in walk]
        await asyncio.gather(*(at.settle(write) for write in writes))
        for _ in range(300):
            waiting = [(await at.anna.get(f"/-/admin/groups/{kind}{number}/writes")).json() for kind, number in kinds]
            if not any(each["writes"] for each in waiting):
                break
            await asyncio.sleep(0.1)
        assert not any(each["writes"] for each in waiting), waiting
    old, new = _made(tmp_path, "old"), _made(tmp_path, "new")
    for write in writes:
        sku = write.path.rpartition("/")[2]
        made = write.last is not None and write.last[0] == 200
        assert max(old[sku], new[sku]) <= 1, write
        assert (old[sku] + new[sku] > 0) == made, write
        if sku.startswith("switch"):  # the two systems are one database
            assert old[sku] + new[sku] == made, write
    told = f"{len(writes)} keys sent {at.counts['sent']} times across {at.counts['flips']} flips"
    print(f"{told} (seed {SEED}): one effect and one reply each")
    assert at.counts["flips"] >= EACH
