"""Nothing crosses: random callers who see different rows and fields share one cache, and each gets its own."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from gateway.cli.key import Desk

REQUESTS = 10_000 if os.environ.get("FIGWAY_SLOW") else 1_000
AT_ONCE = 50
REGIONS = ("north", "south", "east")
POLICY = """
permit (principal in Role::"all", action, resource);
permit (principal, action, resource in Group::"whole");
@rows("region = principal.tenant")
permit (principal in Role::"narrow", action in Action::"read", resource in Group::"docs");
@mask("name")
permit (principal in Role::"masked", action in Action::"read", resource in Group::"docs");
@tokenise("name")
permit (principal in Role::"tokens", action in Action::"read", resource in Group::"docs");
@rows("region = principal.tenant")
@mask("region")
permit (principal in Role::"little", action in Action::"read", resource in Group::"docs");
"""
ROLES = ("all", "narrow", "masked", "tokens", "little")
FRESHNESS = "{mode: cached, fresh: 1h}"


class Oracle:
    """What a caller may see of a row."""

    def __init__(self, rows: dict[str, dict[str, Any]]) -> None:
        self._rows, self._tokens = rows, dict[tuple[str, str], str]()

    def shown(self, row: dict[str, Any], role: str, region: str, got: Any) -> dict[str, Any] | None:
        if role in ("narrow", "little") and row["region"] != region:
            return None
        seen = dict(row)
        if role == "masked":
            del seen["name"]
        if role == "little":
            del seen["region"]
        if role == "tokens" and got is not None:
            # The same for the same name, within a tenant.
            assert got["name"].startswith("tok-")
            seen["name"] = self._tokens.setdefault((row["name"], region), got["name"])
        return seen


async def test_each_caller_gets_its_own_alone(inside: Callable[..., Any], source: ModuleType, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    world = source.World(chance=chance)
    for number in range(30):
        id = f"D{number:02}"
        world.rows[id] = {"id": id, "region": chance.choice(REGIONS), "name": f"name of {id}", "version": 1}
    world.capture()
    async with inside(world, FRESHNESS, POLICY) as gateway:
        callers = [
            (role, region, name, _key(tmp_path, role, name, region))
            for role in ROLES
            for region in REGIONS
            for name in (f"{role}-{region}-1", f"{role}-{region}-2")
        ]
        oracle = Oracle(world.rows)
        while gateway.calls < REQUESTS:
            if chance.random() < 0.3:
                id, (*_, key) = chance.choice(sorted(world.rows)), callers[0]
                written = await gateway.call(
                    "PUT", f"/papers/{id}", key, body={"name": f"name {gateway.calls} of {id}"}
                )
                assert written.status == 200, written
            batch = [_ask(gateway, oracle, world, chance, *chance.choice(callers)) for _ in range(AT_ONCE)]
            await asyncio.gather(*batch)
        print(f"{gateway.calls} requests, {gateway.hits} hits, {world.asked} calls of the system")
        assert gateway.hits > gateway.calls / 10


def _key(folder: Path, role: str, name: str, region: str) -> str:
    with Desk.open(folder) as desk:
        return f"Bearer {desk.create(expires=None, principal=name, tenant=region, roles=(role,))[0]}"


async def _ask(
    gateway: Any, oracle: Oracle, world: Any, chance: random.Random, role: str, region: str, name: str, key: str
) -> None:
    id = chance.choice(sorted(world.rows))
    kind = chance.choice(("papers", "plain", "get", "get", "who", "both", "live"))
    cache = chance.choice(("", "", "", "", "no-cache", "max-age=60", "max-stale", "no-store"))
    if kind in ("papers", "plain"):
        await _walk(gateway, oracle, world, kind, chance.choice((3, 10, 100)), role, region, key, cache)
        return
    path = {"get": "papers"}.get(kind, kind)
    answer = await gateway.call("GET", f"/{path}/{id}", key, cache)
    got = answer.body if answer.status == 200 else None
    row = world.rows[id]
    if kind == "both":
        if oracle.shown(row, role, region, None) is None:
            assert answer.status == 404, (role, id, answer)
        else:
            assert got is not None, answer
            assert got["one"] == oracle.shown(row, role, region, got["one"]), (role, region, got)
        return
    expected = oracle.shown({**row, "name": name} if kind == "who" else row, role, region, got)
    assert got == expected, (kind, role, region, name, answer)
    assert answer.status == (200 if expected is not None else 404)


async def _walk(
    gateway: Any, oracle: Oracle, world: Any, kind: str, limit: int, role: str, region: str, key: str, cache: str
) -> None:
    path: str | None = f"/{kind}?limit={limit}"
    items = []
    while path is not None:
        answer = await gateway.call("GET", path, key, cache)
        assert answer.status == 200, answer
        items += answer.body["items"]
        path = answer.body["next"]
    got = {item["id"]: item for item in items}
    assert len(got) == len(items)
    shown = {id: oracle.shown(row, role, region, got.get(id)) for id, row in world.rows.items()}
    assert got == {id: row for id, row in shown.items() if row is not None}, (kind, role, region)
