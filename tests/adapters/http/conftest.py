"""An adapter on the scripted server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Context, Workspace
from adapters.http import KIND
from adapters.http.adapter import HttpAdapter


@pytest.fixture
async def built(tmp_path: Path) -> AsyncIterator[Callable[..., HttpAdapter]]:
    """`built(base_url=…, auth=…)`: an adapter called "next", as the gateway builds it; `files` are the workspace's."""
    made: list[HttpAdapter] = []

    def build(files: dict[str, bytes] | None = None, **config: Any) -> HttpAdapter:
        adapter = KIND.build("next", KIND.config.model_validate(config), Workspace(files or {}, tmp_path))
        assert isinstance(adapter, HttpAdapter)
        made.append(adapter)
        return adapter

    yield build
    for each in made:
        await each.close()


@pytest.fixture
def adapter(built: Any, wire: Any) -> Callable[..., Any]:
    """`await adapter(answer, **config)` starts a server that answers so, and an adapter on it: (adapter, server)."""

    async def start(answer: Any, **config: Any) -> tuple[HttpAdapter, Any]:
        server = await wire(answer)
        return built(base_url=server.url + "/api/", **config), server

    return start


@pytest.fixture
def context() -> Context:
    return Context(
        time.monotonic() + 10, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "key-1", "ann", "bot"
    )
