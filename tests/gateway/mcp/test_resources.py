"""Resources: contracts, lineage and the state of writes, each for those who may see it by REST, too."""

from __future__ import annotations

import asyncio
import json
import time
from types import ModuleType
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from gateway.audit.verify import records

MODES = ["2026-07-28", "legacy"]
NOT_FOUND = {"2026-07-28": -32602, "legacy": -32002}


def content(result: Any) -> Any:
    return json.loads(result.contents[0].text)


@pytest.mark.parametrize("mode", MODES)
async def test_contracts_are_listed_as_the_document_has_them(connect: Any, gateway: Any, mode: str) -> None:
    async with connect(key=gateway.reader, mode=mode) as client:
        listed = (await client.list_resources()).resources
        document = content(await client.read_resource("figway://contract/get_item"))
        templates = (await client.list_resource_templates()).resource_templates
    with gateway.client(gateway.reader) as rest:
        whole = rest.get("/openapi.json").json()
    names = sorted(each["operationId"] for item in whole["paths"].values() for each in item.values())
    assert [each.uri for each in listed] == [f"figway://contract/{name}" for name in names]
    assert "put_item" not in names
    assert document["paths"] == {"/items/{sku}": whole["paths"]["/items/{sku}"]}
    assert "Item" in document["components"]["schemas"]
    assert [each.uri_template for each in templates] == [
        "figway://contract/{operationId}",
        "figway://lineage/{id}",
        "figway://operation/{id}",
    ]


@pytest.mark.parametrize("mode", MODES)
async def test_a_call_is_traced_and_a_write_looked_up(connect: Any, mode: str) -> None:
    how = {"idempotency_key": f"resource-{mode}"}
    async with connect(mode=mode) as client:
        read = await client.call_tool("get_item", {"sku": "A"})
        written = await client.call_tool("put_item", {"sku": "LOOK", "_gateway": how})
        lineage = content(await client.read_resource(f"figway://lineage/{read.meta['figway/lineage']}"))
        operation = content(await client.read_resource(f"figway://operation/{written.meta['figway/lineage']}"))
    assert (lineage["id"], lineage["operation"]) == (read.meta["figway/lineage"], "get_item")
    assert (operation["state"], operation["reply"]["body"]) == ("succeeded", written.structured_content)


@pytest.mark.parametrize("mode", MODES)
async def test_what_isnt_the_callers_doesnt_differ_from_what_isnt_there(
    connect: Any, gateway: Any, running: ModuleType, mode: str
) -> None:
    async with connect(mode=mode) as client:
        written = await client.call_tool("put_item", {"sku": "MINE", "_gateway": {"idempotency_key": f"mine-{mode}"}})
    id = written.meta["figway/lineage"]
    uris = [f"figway://lineage/{id}", f"figway://operation/{id}", "figway://contract/put_item"]
    unknown = ["figway://lineage/0", "figway://operation/0/../1", "figway://contract/nothing", "file:///etc/passwd", ""]
    told = set()
    stranger = running.create_key(gateway.folder, "reader", principal="mallory")
    async with connect(key=stranger, mode=mode) as client:
        for uri in uris + unknown:
            with pytest.raises(MCPError) as refused:
                await client.read_resource(uri)
            assert refused.value.data == {"uri": uri}
            told.add((refused.value.code, refused.value.message))
    assert len(told) == 1
    assert told.pop()[0] == NOT_FOUND[mode]


async def test_what_is_read_is_on_record_once(connect: Any, gateway: Any, running: ModuleType) -> None:
    key = running.create_key(gateway.folder, "reader", "writer", principal="rosa")
    async with connect(key=key, mode="2026-07-28") as client:
        called = await client.call_tool("get_item", {"sku": "A"})
        await client.read_resource(f"figway://lineage/{called.meta['figway/lineage']}")
        await client.read_resource("figway://contract/get_item")
    until = time.monotonic() + 20
    while True:  # a read's record is on the disk a little later
        told = [each for each in records(gateway.folder / ".figway" / "audit") if each.get("principal") == "rosa"]
        reads = [each for each in told if (each["noted"] or {}).get("mcp") == "resources/read"]
        if len(reads) == 2:
            break
        assert time.monotonic() < until, told
        await asyncio.sleep(0.1)
    assert [(each["route"], each["status"]) for each in reads] == [("/-/lineage/{id}", 200), ("/mcp", 200)]
    assert len({each["id"] for each in told}) == len(told)


@pytest.mark.parametrize("version", ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"])
def test_a_write_of_unknown_outcome_says_where_to_look_it_up(gateway: Any, version: str) -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {}}
    params = {"name": "fail_write", "arguments": {"error": "UnknownOutcome"}, "_meta": meta}
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": version,
        "mcp-method": "tools/call",
        "mcp-name": "fail_write",
    }
    with gateway.client() as client:
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        result = client.post("/mcp", json=message, headers=headers).json()["result"]
    problem, *links = result["content"]
    id = json.loads(problem["text"])["operation"]
    assert [each["uri"] for each in links] == ([f"figway://operation/{id}"] if version > "2025-03-26" else [])


@pytest.mark.parametrize("name", ["call", "describe"])
def test_lineage_tells_nobody_which_tools_are_hidden(gateway: Any, running: ModuleType, name: str) -> None:
    told = []
    key = running.create_key(gateway.folder, "reader", principal="rita")
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
    with gateway.client(key) as client:
        for tool in ("put_item", "no_such_tool"):
            describing = {"name": "describe_tool", "arguments": {"name": tool}}
            params = {"name": tool, "arguments": {"sku": "A"}} if name == "call" else describing
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            id = client.post("/mcp", json=message, headers=headers).headers["figway-lineage"]
            found = client.get(f"/-/lineage/{id}")
            told.append((found.status_code, {**found.json(), "instance": ""}))
    assert told[0] == told[1]
    assert told[0][0] == 404


def test_lineage_of_a_refused_call_tells_nothing_of_what_is_behind_the_route(gateway: Any, running: ModuleType) -> None:
    key = running.create_key(gateway.folder, "reader", principal="rita")
    with gateway.client(key) as client:
        refused = client.post("/items", json={"sku": "A"})
        found = client.get(f"/-/lineage/{refused.headers['figway-lineage']}").json()
    assert refused.status_code == 403
    assert (found["operation"], found["status"]) == ("put_item", 403)
    assert (found["mappings"], found["fields"]) == ([], [])
    assert "lab" not in json.dumps(found)
