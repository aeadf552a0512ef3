"""Random policies against random changes: of what subscribers are told, judged by an oracle that knows no grants."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from beside import beside
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.exceptions import MCPError

from gateway.call import Principal
from gateway.feeds.feed import Feed
from gateway.feeds.positions import Positions
from gateway.feeds.sources import sources_of
from gateway.following.entities import Entities
from gateway.following.listening import folded, touched
from gateway.identity.signing import Keyring
from gateway.policy.decide import Policies
from gateway.routing.load import compile_workspace

judged = beside(__file__, "../feeds/judged")
oracle = beside(__file__, "../feeds/test_random_policies")
_LIST = judged.CONTRACT.index("  /t:\n")
_ROW = """{type: object, required: [id], properties: {id: {type: integer}, region: {type: [string, "null"]},
                n: {type: [integer, "null"]}, note: {type: [string, "null"]}}}"""
_GATEWAY = """
upstreams: {erp: {kind: odbc, dsn: env:ERP_DSN, read_only: false, changes: {t: {method: outbox}}}}
"""
CONTRACT = f"""{judged.CONTRACT[:_LIST]}  /t/{{id}}:
    get:
      operationId: list_t
      tags: [t]
      parameters: [{{name: id, in: path, required: true, schema: {{type: integer}}}}]
      responses: {{"200": {{description: One., content: {{application/json: {{schema: {_ROW}}}}}}}}}
      x-gateway:
        effect: read
        legacy: {{upstream: erp, operation: t.get, input: {{id: path.id}},
          output: "{{id: id, region: area, n: n, note: note}}"}}
"""


@pytest.mark.parametrize("count", [3, pytest.param(300, marks=pytest.mark.slow)])
async def test_nobody_is_told_of_what_their_policies_hide(tmp_path: Path, count: int) -> None:
    chance, told, kept = random.Random(oracle.SEED), 0, 0
    positions = Positions(Keyring.open(tmp_path / "keys", "cursor"))
    print(f"FIGWAY_SEED={oracle.SEED}")
    for number in range(count):
        permits = [judged.Permit(chance) for _ in range(chance.choice((1, 2, 3)))]
        files = {
            "gateway.yaml": _GATEWAY,
            "openapi/t.yaml": CONTRACT,
            "openapi/sources/erp/tables.yaml": judged.TABLES,
            "policies/access.cedar": "\n".join(each.cedar() for each in permits),
        }
        loaded = compile_workspace(
            {name: text.encode() for name, text in files.items()},
            cache=tmp_path / str(number),
            environment={"ERP_DSN": "Driver=SQLite3"},
            strict_secrets=False,
        )
        sources, policies = sources_of(loaded.compiled, loaded.adapters), Policies(loaded.compiled.rules)
        changes = judged.changes(chance, oracle.CHANGES)
        assert list(sources) == ["erp.t"]
        for who in judged.CALLERS:
            feed = Feed(sources, policies, who, positions)
            watched = await _watched(sources if feed.sources else {}, who)
            assert bool(watched) == bool(feed.sources)
            for at, (before, after) in enumerate(changes, 1):
                uris = touched(feed, watched, [oracle._event(at, before, after)])
                visible = judged.seen(permits, who, before) != judged.seen(permits, who, after)
                key = (before or after)["id"]
                wanted = {"figway://changes/erp.t"} | ({f"figway://entity/list_t/{key}"} if key < 6 else set())
                assert set(uris) == (wanted if visible else set()), (oracle.SEED, number, who, before, after)
                told, kept = told + visible, kept + (not visible)
    print(f"{count} policies, {told} changes told of, {kept} kept back, 0 leaks")
    assert min(told, kept) > 400


async def _watched(followed: Any, who: Principal) -> list[Any]:
    async def same(_: Any) -> Any:
        return followed

    entities = Entities(None, SimpleNamespace(followed=same))  # type: ignore[arg-type]
    uris = ["figway://changes/erp.t", *(f"figway://entity/list_t/{id}" for id in range(6))]
    return await entities.watched(None, uris)  # type: ignore[arg-type]


@given(st.integers(-(2**63), 2**63), st.sampled_from(["", " ", "00", "+"]))
def test_a_number_is_the_same_however_it_is_spelt(value: int, before: str) -> None:
    sign, digits = ("-" if value < 0 else ""), str(abs(value))
    assert folded(value) == folded(f"{sign}{'' if before == '+' and sign else before.strip(' ')}{digits}")
    assert folded(value) != folded(value + 1)


def test_reads_of_random_callers_are_what_their_policies_show(world: Any, running: Any) -> None:
    chance = random.Random(oracle.SEED)
    regions = ("north", "south", "east")
    world.sql("".join(f"INSERT INTO stock VALUES ('L{n}', '{chance.choice(regions)}', 's', 'i');" for n in range(12)))
    rows = {f"L{n}": None for n in range(12)}
    whole = world.key("all")

    async def asked(key: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        async with world.connected(key) as client:
            for sku in rows:
                try:
                    found[sku] = await world.read(client, f"figway://entity/get_stock/{sku}")
                except MCPError:  # there is none for it
                    found[sku] = None
        return found

    everything = asyncio.run(asked(whole))
    for tenant in ("south", None):
        seen = asyncio.run(asked(world.key("narrow", tenant)))
        for sku, row in everything.items():
            shown = {name: value for name, value in row.items() if name != "secret"}
            assert seen[sku] == (shown if row["region"] == tenant else None)
