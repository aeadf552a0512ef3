"""Tools as agents find and call them, with the official client, in both revisions."""

from __future__ import annotations

import json
from typing import Any

import pytest

MODES = ["2026-07-28", "legacy"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_caller_finds_its_tools(connect: Any, gateway: Any, mode: str) -> None:
    async with connect(mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(tools) == sorted(tools)
    put, read = tools["put_item"], tools["get_item"]
    assert set(put.input_schema["properties"]) == {"sku", "seconds", "serial", "note", "_gateway"}
    assert put.input_schema["required"] == ["sku"]
    assert put.annotations.read_only_hint is False
    assert read.annotations.read_only_hint is True
    assert "_gateway" not in read.input_schema["properties"]
    assert "$ref" not in json.dumps(read.output_schema)
    async with connect(key=gateway.reader, mode=mode) as client:
        fewer = {tool.name for tool in (await client.list_tools()).tools}
    assert fewer == {name for name, tool in tools.items() if tool.annotations.read_only_hint}


@pytest.mark.parametrize("mode", MODES)
async def test_a_tool_answers_as_its_route_does(connect: Any, gateway: Any, mode: str) -> None:
    async with connect(mode=mode) as client:
        result = await client.call_tool("get_item", {"sku": "A/1 ?ü"})
    with gateway.client() as rest:
        same = rest.get("/items/A%2F1%20%3F%C3%BC").json()
    assert result.structured_content == same, result.content
    assert result.meta["figway/served-by"] == "legacy"


@pytest.mark.parametrize("mode", MODES)
async def test_what_is_wrong_is_told_so_that_an_agent_can_mend_it(connect: Any, mode: str) -> None:
    async with connect(mode=mode) as client:
        result = await client.call_tool("put_item", {"sku": 5})
    assert result.is_error
    problem = json.loads(result.content[0].text)
    assert problem["type"] == "urn:figway:problem:invalid-request"
    assert problem["errors"][0]["pointer"] == "/sku"
