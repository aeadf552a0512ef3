"""The company's workspace, compiled and served, and others to rank in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from beside import beside

from gateway.ingress.mcp_tools import Tools, tools_of
from gateway.routing.load import compile_workspace, read_workspace

HEADERS = {
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2025-11-25",
    "content-type": "application/json",
}


@pytest.fixture(scope="session")
def company() -> ModuleType:
    """company.py."""
    return beside(__file__, "company")


@pytest.fixture(scope="session")
def tools_in() -> Callable[[Path], Tools]:
    """`tools_in(folder)`: the tools of a workspace."""

    def compiled(folder: Path) -> Tools:
        files, cache = read_workspace(folder), folder / ".figway" / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        loaded = compile_workspace(files, cache=cache, environment=os.environ, strict_secrets=False)
        return tools_of(loaded.compiled)

    return compiled


@pytest.fixture(scope="module")
def gateway(company: ModuleType, running: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A `running.Running` that serves the company's mocks; its writer may use all 52 tools."""
    files = {**company.files(), "policies/toolsets.yaml": TOOLSETS}
    with running.serving(running.write_workspace(tmp_path_factory.mktemp("company"), files)) as gateway:
        yield gateway


TOOLSETS = """
toolsets:
  support: {for: [{agent: support-bot}], tools: [get_customer, cancel_order], groups: [tasks]}
  looking: {for: [{agent: "*", role: writer, tenant: nowhere}, {agent: looker}], groups: [crm], effect: read}
"""


@pytest.fixture(scope="session")
def ask() -> Callable[..., Any]:
    """`ask(client, method, params)`: the answer to one message of MCP; `called(…)` the result of a tool's call."""
    return asked


def asked(client: httpx.Client, method: str, params: Mapping[str, Any]) -> Any:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return client.post("/mcp", json=message, headers=HEADERS).json()
