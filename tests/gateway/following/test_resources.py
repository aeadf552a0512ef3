"""Entities and changes as resources: read as by their routes, and nothing else."""

from __future__ import annotations

import json
import time
from typing import Any

import anyio
import httpx
import pytest
from mcp.shared.exceptions import MCPError

MODES = ["2026-07-28", "legacy"]
CHANGES = "figway://changes/erp.stock"
ENTITY = "figway://entity/get_stock/"


def put(sku: str, region: str = "north", secret: str = "s") -> str:
    return f"INSERT OR REPLACE INTO stock VALUES ('{sku}', '{region}', '{secret}', 'i');"


@pytest.mark.parametrize("mode", MODES)
async def test_what_is_listed_is_what_the_caller_may_read(world: Any, mode: str) -> None:
    told: dict[str, Any] = {}
    for role in ("all", "narrow", "routes", "events"):
        async with world.connected(world.key(role, "north"), mode) as client:
            names = [each.uri for each in (await client.list_resources()).resources]
            templates = [each.uri_template for each in (await client.list_resource_templates()).resource_templates]
            told[role] = (CHANGES in names, [each for each in templates if "entity" in each or "changes" in each])
    template = f"{ENTITY}{{code}}{{?max_age}}"
    both = [f"{CHANGES.rpartition('/')[0]}/{{source}}{{?after}}", template]
    assert told == {"all": (True, both), "narrow": (True, both), "routes": (False, [template]), "events": (False, [])}


@pytest.mark.parametrize("mode", MODES)
async def test_an_entity_is_what_its_route_answers(world: Any, mode: str) -> None:
    world.sql(put("A/1 é") + put("S", "south"))
    for role in ("all", "narrow"):
        key = world.key(role, "north")
        async with world.connected(key, mode) as client, httpx.AsyncClient(trust_env=False) as asking:
            rest = await asking.get(f"{world.gateway.url}/stock/A%2F1%20%C3%A9", headers={"authorization": key})
            assert await world.read(client, f"{ENTITY}A%2F1%20%C3%A9") == rest.json()
            missing = [f"{ENTITY}none", f"{ENTITY}", f"{ENTITY}A/1", f"{ENTITY}A?limit=1", f"{ENTITY}A?max_age=-1"]
            missing += ["figway://entity/no_such/A", f"{ENTITY}%FF", f"{ENTITY}%00", f"{ENTITY}A?max_age=1&max_age=2"]
            missing += [f"{ENTITY}S"] if role == "narrow" else []
            errors = set()
            for uri in missing:
                with pytest.raises(MCPError) as refused:
                    await client.read_resource(uri)
                errors.add((refused.value.code, refused.value.message))
            assert len(errors) == 1
    async with world.connected(world.key("events"), mode) as client:
        with pytest.raises(MCPError) as refused:
            await client.read_resource(f"{ENTITY}S")
        assert (refused.value.code, refused.value.message) in errors


async def test_an_entity_says_how_old_it_is_and_may_be(world: Any) -> None:
    world.sql(put("OLD"))
    key = world.key("all")
    # The official client itself keeps an answer for its ttlMs.
    async with world.connected(key) as client, world.connected(key) as other:
        first = await client.read_resource(f"{ENTITY}OLD")
        kept = await other.read_resource(f"{ENTITY}OLD")
        await anyio.sleep(1.1)
        aged = await client.read_resource(f"{ENTITY}OLD?max_age=30")
        world.sql(put("OLD", secret="new"))
        assert (await client.read_resource(f"{ENTITY}OLD")).contents[0].text == first.contents[0].text
        newest = await client.read_resource(f"{ENTITY}OLD?max_age=0")
    assert first.meta["figway/as-of"] == kept.meta["figway/as-of"] == aged.meta["figway/as-of"]
    assert kept.meta["figway/cache-status"].startswith("figway; hit")
    assert kept.contents[0].text == first.contents[0].text
    assert int(aged.meta["figway/age"]) >= 1
    assert json.loads(newest.contents[0].text)["secret"] == "new"
    assert newest.meta["figway/as-of"] > kept.meta["figway/as-of"]
    assert [each.cache_scope for each in (first, kept, aged, newest)] == ["private"] * 4
    assert 50_000 < kept.ttl_ms <= 60_000
    assert 20_000 < aged.ttl_ms <= 29_000
    assert newest.ttl_ms == 0
    assert first.meta["figway/untrusted"] == ["/contents/0"]


@pytest.mark.parametrize("mode", MODES)
async def test_changes_can_be_polled_from_where_one_stopped(world: Any, mode: str) -> None:
    whole, narrow = world.key("all"), world.key("narrow", "north")
    async with world.connected(whole, mode) as client, world.connected(narrow, mode) as some:
        place, shown = [(await world.read(each, CHANGES))["after"] for each in (client, some)]
        world.sql(put(f"P-{mode}") + put(f"Q-{mode}", "south"))
        items, hidden = [], []
        until = time.monotonic() + 20
        while len(items) < 2:
            assert time.monotonic() < until
            page = await world.read(client, f"{CHANGES}?after={place}")
            items, place = items + page["items"], page["after"]
        page = await world.read(some, f"{CHANGES}?after={shown}")
        hidden += page["items"]
        assert [each["data"]["after"]["code"] for each in items] == [f"P-{mode}", f"Q-{mode}"]
        assert [each["data"]["after"] for each in hidden] == [{"code": f"P-{mode}", "region": "north"}]
        assert (await world.read(client, f"{CHANGES}?after={place}"))["items"] == []
        recent = (await world.read(client, CHANGES))["items"]
        assert [each["id"] for each in items] == [each["id"] for each in recent][-2:]
        with pytest.raises(MCPError) as bad:
            await client.read_resource(f"{CHANGES}?after=7")
        assert bad.value.data["problem"]["status"] == 400
    for key in (world.key("events"), world.key("routes")):
        async with world.connected(key, mode) as client:
            with pytest.raises(MCPError, match="Unknown resource"):
                await client.read_resource(CHANGES)


def test_a_page_of_changes_is_bounded(world: Any) -> None:
    key = world.key("all")
    with httpx.Client(base_url=world.gateway.url, headers={"authorization": key}, trust_env=False) as client:

        def page(place: str) -> Any:
            return client.get("/-/events/page", params={"source": "erp.stock", "after": place}).json()

        begun = client.get("/-/events/page").json()
        world.sql("".join(put(f"N{number}") for number in range(250)))
        until, place, sizes = time.monotonic() + 30, begun["after"], []
        while sum(sizes) < 250:
            assert time.monotonic() < until, sizes
            found = page(place)
            sizes.append(len(found["items"]))
            place = found["after"]
            assert found["more"] or sum(sizes) <= 250
        assert max(sizes) <= 100
        assert page("first")["more"] is True
        assert client.get("/-/events/page", params={"from": "1"}).status_code == 400
