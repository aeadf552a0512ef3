"""One gateway for the tests of tools, over the lab adapter, and the official client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

GATEWAY = """
upstreams:
  lab: {{kind: lab, journal: "{journal}", deadline: 8s, concurrency: 64}}
  faulty: {{kind: lab}}
  closed: {{kind: lab, down: true}}
defaults: {{max_body: 64KiB, max_reply: 48KiB}}
"""
Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture(scope="package")
def workspace(tmp_path_factory: pytest.TempPathFactory, running: ModuleType) -> Path:
    folder = tmp_path_factory.mktemp("tools")
    contract = (Path(__file__).parent.parent / "ingress" / "lab.yaml").read_text()
    files = {"gateway.yaml": GATEWAY.format(journal=folder / "journal.txt"), "openapi/lab.yaml": contract}
    return running.write_workspace(folder, files)


@pytest.fixture(scope="package")
def gateway(workspace: Path, running: ModuleType) -> Iterator[Any]:
    """A `running.Running`."""
    with running.serving(workspace) as gateway:
        yield gateway


@pytest.fixture
def connect(gateway: Any) -> Connect:
    """`connect(key=None, mode="auto")`: the official client as a caller, who may write unless another key is given."""

    @asynccontextmanager
    async def connected(key: str | None = None, mode: str = "auto") -> AsyncIterator[Client]:
        async with httpx2.AsyncClient(headers={"authorization": key or gateway.writer}, timeout=30) as http:
            transport = streamable_http_client(f"{gateway.url}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                yield client

    return connected
