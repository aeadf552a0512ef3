"""Plans and approvals by tools, with the official client, which holds results against the tools' output schemas."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx2
import jsonschema_rs
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

MODES = ("2026-07-28", pytest.param("legacy", marks=pytest.mark.slow))


@asynccontextmanager
async def connected(shop: Any, key: str, mode: str) -> AsyncIterator[Client]:
    async with httpx2.AsyncClient(headers={"authorization": key}, timeout=30) as http:
        transport = streamable_http_client(f"{shop.gateway.url}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


@pytest.mark.parametrize("mode", MODES)
async def test_a_tool_is_tried_and_then_made_by_its_plan(shop: Any, mode: str) -> None:
    number = 40 if mode == "legacy" else 41
    async with connected(shop, shop.key(f"mcp{number}", "writer"), mode) as client:
        tools = {each.name: each for each in (await client.list_tools()).tools}
        schema = tools["change_part"].output_schema
        assert schema is not None
        takes = jsonschema_rs.Draft202012Validator(schema)
        given = {"id": number, "title": "tool"}
        refused = await client.call_tool("change_part", given)
        assert refused.is_error
        assert json.loads(refused.content[0].text)["type"].endswith("plan-required")
        tried = await client.call_tool("change_part", {**given, "_gateway": {"dry_run": True}})
        assert (tried.is_error, shop.row(number)) == (False, "one")
        document = tried.structured_content
        takes.validate(document)
        assert (document["dry_run"], document["after"]["title"]) == (True, "tool")
        how = {"plan_token": document["plan_token"], "idempotency_key": str(uuid4())}
        made = await client.call_tool("change_part", {**given, "_gateway": how})
        assert (made.is_error, shop.row(number)) == (False, "tool")
        takes.validate(made.structured_content)


@pytest.mark.parametrize("mode", MODES)
async def test_a_tool_waits_for_a_person(shop: Any, boss: Any, mode: str) -> None:
    sku = f"tool {mode}"
    async with connected(shop, shop.key("mcp", "writer", agent="helper"), mode) as client:
        how = {"idempotency_key": str(uuid4())}
        asked = await client.call_tool("make_item", {"sku": sku, "_gateway": how})
        assert asked.is_error
        problem = json.loads(asked.content[0].text)
        assert (problem["type"], problem["status"]) == ("urn:figway:problem:approval-pending", 202)
        assert "same _gateway.idempotency_key" in problem["fix"]
        id = asked.meta["figway/approval"]
        assert asked.meta["figway/location"] == f"/-/approvals/{id}"
        assert shop.decide(boss, id).status_code == 200
        made = await client.call_tool("make_item", {"sku": sku, "_gateway": {**how, "approval": id}})
    assert not made.is_error, made.content
    assert [each["sku"] for each in shop.items()].count(sku) == 1
