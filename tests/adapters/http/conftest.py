"""An adapter on the scripted server, or on one that misbehaves; documents of one operation."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
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


PATH = "openapi/sources/next/api.yaml"


@pytest.fixture
def described(adapter: Any) -> Any:
    """`await described(answer, text)`: an adapter with this document on a server that answers so."""

    async def start(answer: Any, text: str, **config: Any) -> Any:
        return await adapter(answer, files={PATH: text.encode()}, openapi=PATH, **config)

    return start


def _document(path: str, method: str, parameters: str = "[]", body: str = "", responses: str = "{}") -> str:
    inner = f"operationId: op, parameters: {parameters}, responses: {responses}"
    inner += f", requestBody: {{required: true, content: {body}}}" if body else ""
    return f"openapi: 3.1.0\ninfo: {{title: API, version: '1'}}\npaths:\n  {path}: {{{method}: {{{inner}}}}}\n"


@pytest.fixture
def document() -> Callable[..., str]:
    """`document(path, method, parameters=…, body=…, responses=…)`: a document with one operation, `op`."""
    return _document


Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A server that misbehaves in one way; `connections` counts those that were made to it."""

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._behave(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def end(self) -> None:
        """Ends what still waits."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def chaos() -> AsyncIterator[Callable[[Behaviour], Awaitable[Server]]]:
    """`await chaos(behave)`: a server that behaves so on each connection."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(behave: Behaviour) -> Server:
            server = Server(behave)
            listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
            server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            stack.push_async_callback(server.end)
            stack.callback(listening.close)
            return server

        yield start
