"""What is wrong with a tool's arguments is told as what is wrong with its route's request, with pointers into them."""

from __future__ import annotations

import json
from typing import Any

import pytest

MODES = ["2026-07-28", "legacy"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_tool_and_its_route_tell_the_same(connect: Any, gateway: Any, mode: str) -> None:
    body = {"skuu": "A", "seconds": "x"}
    async with connect(mode=mode) as client:
        result = await client.call_tool("put_item", body)
    with gateway.client() as rest:
        problem = rest.post("/items", json=body).json()
    told = json.loads(result.content[0].text)
    assert result.is_error
    assert (told["type"], told["retryable"]) == (problem["type"], problem["retryable"])
    mine = {each["pointer"]: (each["rule"], each.get("expected")) for each in told["errors"]}
    theirs = {each["pointer"].removeprefix("/body"): (each["rule"], each.get("expected")) for each in problem["errors"]}
    assert mine == theirs
    assert mine["/skuu"] == ("additionalProperties", ["sku"])
    assert mine["/sku"] == ("required", {"type": "string", "minLength": 1})
    assert mine["/seconds"] == ("type", "number")
    for fix in (told["fix"], problem["fix"]):
        assert fix.partition("/")[0] in ("Leave out ", "Send ", "Send at ")
        assert "and mend the 2 others that errors names" in fix


@pytest.mark.parametrize("mode", MODES)
async def test_doing_what_is_told_makes_the_call(connect: Any, mode: str) -> None:
    arguments: dict[str, Any] = {"limt": 3, "sort": "colour"}
    async with connect(mode=mode) as client:
        for _ in range(5):
            result = await client.call_tool("list_items", arguments)
            if not result.is_error:
                break
            (error,) = json.loads(result.content[0].text)["errors"]
            name = error["pointer"].removeprefix("/")
            value = arguments.pop(name)
            if error.get("rule") == "additionalProperties":
                arguments[error["expected"][0]] = value
    assert not result.is_error, result.content
    assert len(result.structured_content["items"]) == 3


@pytest.mark.parametrize("mode", MODES)
async def test_a_stopped_agent_sees_its_tools_and_is_told_why_it_cant_call_them(
    connect: Any, gateway: Any, running: Any, mode: str
) -> None:
    bot = running.create_key(gateway.folder, "reader", agent=f"halted-{mode}")
    stop = ("agent", "stop", f"halted-{mode}", "--workspace", str(gateway.folder), "--reason", "it pays twice")
    running.figway(*stop, check=True)
    async with connect(key=bot, mode=mode) as client:
        tools = (await client.list_tools()).tools
        result = await client.call_tool("get_item", {"sku": "A"})
    assert tools
    assert result.is_error
    problem = json.loads(result.content[0].text)
    assert (problem["type"], problem["retryable"]) == ("urn:figway:problem:stopped", False)
    assert "it pays twice" in problem["detail"]
