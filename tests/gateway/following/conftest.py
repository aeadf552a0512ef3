"""A gateway over a database whose changes are captured, and its callers as clients of MCP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import pytest
from beside import beside
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

feeds = beside(__file__, "../feeds/conftest")
Connect = Callable[..., AbstractAsyncContextManager[Client]]


class World(feeds.World):  # type: ignore[misc, name-defined]
    """The workspace of events, its route keeping answers, and callers who ask it by MCP."""

    @asynccontextmanager
    async def connected(self, key: str, mode: str = "2026-07-28") -> AsyncIterator[Client]:
        async with httpx2.AsyncClient(headers={"authorization": key}, timeout=30) as http:
            transport = streamable_http_client(f"{self.gateway.url}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                yield client

    async def read(self, client: Client, uri: str) -> Any:
        return json.loads((await client.read_resource(uri)).contents[0].text)


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory, running: Any, servers: Any) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("followed"), running, servers)
    contract = made.workspace / "openapi/stock.yaml"
    kept = contract.read_text().replace(
        "effect: read\n", "effect: read\n        freshness: {mode: cached, fresh: 60s}\n"
    )
    contract.write_text(kept)
    with running.serving(made.workspace, extra=made.environment) as gateway:
        made.gateway = gateway
        made.loaded(made.key("all"))
        yield made
