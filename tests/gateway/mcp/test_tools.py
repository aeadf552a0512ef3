"""Tools as agents find and call them, with the official client, in both revisions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

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
    assert set(read.input_schema["properties"]["_gateway"]["properties"]) == {"max_age"}
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


@pytest.mark.parametrize("mode", MODES)
async def test_how_a_write_is_made_belongs_in_its_place(connect: Any, mode: str) -> None:
    async with connect(mode=mode) as client:
        result = await client.call_tool("put_item", {"sku": "A-1", "idempotency_key": "one"})
    problem = json.loads(result.content[0].text)
    assert problem["fix"].startswith("Leave out /idempotency_key, or send it as _gateway.idempotency_key.")
    assert problem["errors"][0]["detail"] == "isn't known here; it belongs in '_gateway'"


@pytest.mark.parametrize("mode", MODES)
async def test_a_write_that_is_sent_again_happens_once(connect: Any, workspace: Any, mode: str) -> None:
    how = {"idempotency_key": f'key "{mode}"'}
    async with connect(mode=mode) as client:
        first, again = [await client.call_tool("put_item", {"sku": f"ONCE-{mode}", "_gateway": how}) for _ in range(2)]
        other = await client.call_tool("put_item", {"sku": "OTHER", "_gateway": how})
    assert again.structured_content == first.structured_content
    assert "figway/replayed" not in first.meta
    assert "figway/replayed" in again.meta
    assert json.loads(other.content[0].text)["type"] == "urn:figway:problem:idempotency-mismatch"
    assert (workspace / "journal.txt").read_text().count(f"ONCE-{mode}") == 1


@pytest.mark.parametrize("mode", MODES)
async def test_what_is_to_be_tried_isnt_made(connect: Any, workspace: Any, mode: str) -> None:
    async with connect(mode=mode) as client:
        result = await client.call_tool("put_item", {"sku": f"TRIED-{mode}", "_gateway": {"dry_run": True}})
    assert result.is_error
    assert "nothing was sent" in result.content[0].text
    journal = workspace / "journal.txt"
    assert not journal.exists() or f"TRIED-{mode}" not in journal.read_text()


async def test_a_cursor_that_no_list_gave_is_refused(connect: Any) -> None:
    async with connect(mode="2026-07-28") as client:
        with pytest.raises(MCPError, match="cursor"):
            await client.list_tools(cursor="é")
