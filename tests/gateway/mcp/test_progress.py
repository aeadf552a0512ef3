"""Calls that take long: told while they last, ended by a caller that leaves, unless they change something."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.audit.verify import records

MODES = ["2026-07-28", pytest.param("legacy", marks=pytest.mark.slow)]
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}


@pytest.mark.parametrize("mode", MODES)
async def test_a_long_call_tells_its_progress(connect: Any, mode: str) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def progress(gone: float, total: float | None, message: str | None) -> None:
        told.append((gone, total, message))

    async with connect(mode=mode) as client:
        slow = await client.call_tool("wait", {"seconds": 2.5}, progress_callback=progress)
        quick = await client.call_tool("get_item", {"sku": "A"}, progress_callback=progress)
    assert slow.structured_content["sku"], slow.content
    assert not quick.is_error
    assert len(told) >= 2
    assert [gone for gone, _, _ in told] == sorted({gone for gone, _, _ in told})
    assert {total for _, total, _ in told} == {10.0}
    assert told[0][2] == "1 s of at most 10 s."


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
async def test_a_long_calls_failure_comes_in_its_stream(connect: Any, mode: str) -> None:
    told = []

    async def progress(gone: float, *_: Any) -> None:
        told.append(gone)

    async with connect(mode=mode) as client:
        failed = await client.call_tool("wait", {"seconds": 9}, progress_callback=progress)
    assert json.loads(failed.content[0].text)["type"] == "urn:figway:problem:deadline-exceeded"
    assert told


def left(gateway: Any, name: str, arguments: dict[str, Any], version: str, events: int) -> str:
    """Calls a tool, reads `events` notifications and leaves; what was read."""
    modern = version == "2026-07-28"
    params = {"name": name, "arguments": arguments, "_meta": {"progressToken": 7, **(META if modern else {})}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    fields = {
        "Host": "localhost",
        "Authorization": gateway.writer,
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": version,
        "Mcp-Method": "tools/call",
        "Mcp-Name": name,
        "Content-Length": str(len(body)),
    }
    head = "".join(f"{field}: {value}\r\n" for field, value in fields.items())
    text = ""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as caller:
        caller.sendall(f"POST /mcp HTTP/1.1\r\n{head}\r\n{body}".encode())
        while text.count("notifications/progress") < events:
            piece = caller.recv(65536)
            assert piece, text
            text += piece.decode()
    return text


async def recorded(gateway: Any, operation: str, id: str) -> dict[str, Any]:
    """The record of a call, once it is there."""
    until = time.monotonic() + 20
    while True:
        for each in records(gateway.folder / ".figway" / "audit"):
            if each["id"] == id and each["operation"] == operation and each["kind"] == "call":
                return each
        assert time.monotonic() < until
        await asyncio.sleep(0.1)


def id_in(text: str) -> str:
    return next(line.partition(": ")[2] for line in text.split("\r\n") if line.startswith("figway-lineage: "))


@pytest.mark.parametrize("version", ["2026-07-28", "2025-11-25"])
async def test_a_read_ends_when_its_caller_leaves(gateway: Any, version: str) -> None:
    text = await asyncio.to_thread(left, gateway, "wait", {"seconds": 7}, version, 1)
    assert (await recorded(gateway, "wait", id_in(text)))["status"] == 499


@pytest.mark.parametrize("version", ["2026-07-28", "2025-11-25"])
async def test_a_write_goes_on_and_can_be_looked_up(gateway: Any, connect: Any, workspace: Path, version: str) -> None:
    how = {"idempotency_key": f"left-{version}"}
    arguments = {"sku": f"LEFT-{version}", "seconds": 2.5, "_gateway": how}
    text = await asyncio.to_thread(left, gateway, "put_item", arguments, version, 1)
    uri = f"figway://operation/{id_in(text)}"
    assert f"The change goes on if you stop waiting: {uri} says what became of it." in text
    async with connect() as client:
        assert json.loads((await client.read_resource(uri)).contents[0].text)["state"] in ("running", "succeeded")
        assert (await recorded(gateway, "put_item", id_in(text)))["status"] in (201, 202, 200)
        assert json.loads((await client.read_resource(uri)).contents[0].text)["state"] == "succeeded"
    assert (workspace / "journal.txt").read_text().count(f"LEFT-{version}") == 1


@contextmanager
def session(gateway: Any) -> Iterator[tuple[httpx.Client, str]]:
    """A client of revision 2025-11-25, and the session id that it was given."""
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2025-11-25",
        "authorization": gateway.writer,
    }
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
    with httpx.Client(base_url=gateway.url, headers=headers, timeout=30) as client:
        opened = client.post("/mcp", json={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello})
        yield client, opened.headers["mcp-session-id"]


async def test_a_message_cancels_a_read_of_its_own_session_only(gateway: Any) -> None:
    call = {"name": "wait", "arguments": {"seconds": 5}}
    with session(gateway) as (client, own), session(gateway) as (_, other):

        def sent(to: str, **message: Any) -> httpx.Response:
            return client.post("/mcp", json={"jsonrpc": "2.0", **message}, headers={"mcp-session-id": to})

        waiting = [
            asyncio.create_task(asyncio.to_thread(sent, each, id=1, method="tools/call", params=call))
            for each in (own, other)
        ]
        cancelled = {"requestId": 1, "reason": "enough"}
        while not waiting[0].done():
            assert sent(own, method="notifications/cancelled", params=cancelled).status_code == 202
            await asyncio.sleep(0.2)
        stopped, whole = [(await each).json()["result"] for each in waiting]
    assert (stopped["isError"], whole["isError"]) == (True, False)
