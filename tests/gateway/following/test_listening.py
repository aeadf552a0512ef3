"""Streams of `subscriptions/listen`: who is told of what, and when they end."""

from __future__ import annotations

import time
from typing import Any

import anyio
import httpx
import pytest
from mcp.client.subscriptions import SubscriptionLost
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated, ToolsListChanged

from gateway.following.listening import folded

CHANGES = "figway://changes/erp.stock"
ENTITY = "figway://entity/get_stock/"
META = "io.modelcontextprotocol/"


def put(sku: str, region: str = "north", secret: str = "s", internal: str = "i") -> str:
    return f"INSERT OR REPLACE INTO stock VALUES ('{sku}', '{region}', '{secret}', '{internal}');"


def test_any_text_may_be_a_key() -> None:
    assert folded("9E9999999") == folded(" 9e9999999")
    assert folded("1.0") == folded(1) == folded("1")
    assert [folded(each) for each in ("sNaN", "-", "A ")] == ["snan", "-", "a"]


async def following(stream: Any, count: int) -> list[Any]:
    with anyio.fail_after(30):
        return [await anext(stream) for _ in range(count)]


async def test_a_subscriber_is_told_of_what_it_may_see(world: Any) -> None:
    uris = [f"{ENTITY}one", f"{ENTITY}two", CHANGES, "figway://changes/erp.untold", f"{ENTITY}a/b", "file:///etc"]
    async with (
        world.connected(world.key("narrow", "north")) as client,
        client.listen(resource_subscriptions=uris, prompts_list_changed=True) as stream,
    ):
        assert stream.honored.resource_subscriptions == uris[:3]
        assert stream.honored.prompts_list_changed is None
        world.sql(put("three") + put("one", "south"))
        assert await following(stream, 1) == [ResourceUpdated(CHANGES)]
        # What the caller doesn't see isn't told: another region, a masked field, a field that no route shows.
        world.sql(put("one", "south", "t") + put("ONE "))
        assert set(await following(stream, 2)) == {ResourceUpdated(CHANGES), ResourceUpdated(f"{ENTITY}one")}
        world.sql(put("two"))
        assert set(await following(stream, 2)) == {ResourceUpdated(CHANGES), ResourceUpdated(f"{ENTITY}two")}
        world.sql(put("two", secret="u", internal="j") + "DELETE FROM stock WHERE sku = 'two';")
        assert set(await following(stream, 2)) == {ResourceUpdated(CHANGES), ResourceUpdated(f"{ENTITY}two")}
        with anyio.move_on_after(1.5):
            raise AssertionError(await anext(stream))


async def test_who_may_not_follow_has_nothing_acknowledged(world: Any) -> None:
    for role in ("routes", "events"):
        uris = [CHANGES, f"{ENTITY}one"]
        async with (
            world.connected(world.key(role)) as client,
            client.listen(resource_subscriptions=uris) as stream,
        ):
            assert stream.honored.resource_subscriptions is None


@pytest.mark.parametrize(("mode", "has"), [("auto", True), ("legacy", False)])
async def test_what_is_declared_is_true(world: Any, mode: str, has: bool) -> None:
    async with world.connected(world.key("all"), mode) as client:
        declared = client.server_capabilities
        assert declared.resources.subscribe is has
        assert bool(declared.resources.list_changed) is bool(declared.tools.list_changed) is has
        if not has:
            with pytest.warns(MCPDeprecationWarning), pytest.raises(MCPError):
                await client.session.subscribe_resource(CHANGES)


async def test_a_stream_ends_with_its_credential_and_at_a_stop(world: Any, running: Any) -> None:
    key = world.key("all")
    async with world.connected(key) as client, client.listen(resource_subscriptions=[CHANGES]) as stream:
        world.revoke(key)
        with anyio.fail_after(20), pytest.raises(SubscriptionLost):
            await anext(stream)


async def test_one_has_so_many_streams_and_no_more(world: Any) -> None:
    key = world.key("routes", "bounded")
    meta = {f"{META}protocolVersion": "2026-07-28", f"{META}clientCapabilities": {}}
    headers = {
        "authorization": key,
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "subscriptions/listen",
    }
    params = {"notifications": {"toolsListChanged": True}, "_meta": meta}
    body = {"jsonrpc": "2.0", "id": "l", "method": "subscriptions/listen", "params": params}
    async with httpx.AsyncClient(trust_env=False, timeout=30, limits=httpx.Limits(max_connections=None)) as client:
        opened = []
        try:
            for _ in range(32):
                request = client.build_request("POST", f"{world.gateway.url}/mcp", json=body, headers=headers)
                opened.append(await client.send(request, stream=True))
            assert {each.headers["content-type"] for each in opened} == {"text/event-stream"}
            refused = (await client.post(f"{world.gateway.url}/mcp", json=body, headers=headers)).json()
            assert refused["error"]["data"]["problem"]["type"] == "urn:figway:problem:overloaded"
        finally:
            for each in opened:
                await each.aclose()
        until = time.monotonic() + 20
        while True:  # who has left is counted no more
            async with client.stream("POST", f"{world.gateway.url}/mcp", json=body, headers=headers) as response:
                if response.headers["content-type"] == "text/event-stream":
                    break
            assert time.monotonic() < until
            await anyio.sleep(0.1)
        params["notifications"] = {"resourceSubscriptions": [CHANGES] * 257}
        assert "at most 256" in (await client.post(f"{world.gateway.url}/mcp", json=body, headers=headers)).text


async def test_lists_are_told_when_the_callers_own_are_others(world: Any, running: Any) -> None:
    policy = world.workspace / "policies/access.cedar"
    before = policy.read_text()

    def applied(text: str) -> None:
        policy.write_text(text)
        apply = ("apply", "--reason", "other", "--workspace", str(world.workspace))
        running.figway(*apply, extra=world.environment, check=True)

    async with world.connected(world.key("routes")) as some, world.connected(world.key("all")) as client:
        asked = {"tools_list_changed": True, "resources_list_changed": True}
        uris = {"resource_subscriptions": [CHANGES]}
        async with (
            some.listen(**uris, **asked) as theirs,
            client.listen(resource_subscriptions=[CHANGES], **asked) as ours,
        ):
            try:
                applied(before.replace('Role::"routes", action in Action::"read"', 'Role::"nobody", action'))
                assert set(await following(theirs, 2)) == {ToolsListChanged(), ResourcesListChanged()}
                world.sql(put("after"))
                # The other caller's lists are as they were, and its stream goes on.
                assert await following(ours, 1) == [ResourceUpdated(CHANGES)]
                # It is told of the lists alone, as was acknowledged, even when it may follow the source now.
                applied(before + 'permit (principal in Role::"routes", action, resource);')
                assert set(await following(theirs, 2)) == {ToolsListChanged(), ResourcesListChanged()}
                with anyio.move_on_after(1.5):
                    raise AssertionError(await anext(theirs))
            finally:
                applied(before)
