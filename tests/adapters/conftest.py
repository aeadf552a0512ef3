"""A scripted HTTP server on a raw socket: it answers exactly the bytes that a test gives it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

import pytest
from beside import beside

from adapters.changes import Capture, Change
from adapters.client import ClientOptions, HttpClient, http_client
from adapters.errors import AdapterError


@dataclass
class Seen:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Wire:
    """The server: what it saw, and how it answers. `answer` returns the reply's bytes, or None to say nothing and
    close the connection; `closes` closes it after a reply as well."""

    answer: Callable[[Seen], Awaitable[bytes | None]]
    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    closes: bool = False
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a request has been read."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client closed its connection."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._answers(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await self._request(reader):
            self.seen.append(request)
            self.arrived.set()
            answering = asyncio.ensure_future(self.answer(request))
            leaving = asyncio.ensure_future(reader.read(1))
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                answering.cancel()
                self.left.set()
                return
            leaving.cancel()
            await asyncio.wait({leaving})
            reply = answering.result()
            if reply is None:
                return
            writer.write(reply)
            await writer.drain()
            if self.closes:
                return

    async def _request(self, reader: asyncio.StreamReader) -> Seen | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except asyncio.IncompleteReadError:
            self.left.set()
            return None
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        return Seen(method, target, headers, await reader.readexactly(int(headers.get("content-length", 0))))


Start = Callable[..., Awaitable[Wire]]


@pytest.fixture
async def wire() -> AsyncIterator[Start]:
    """Starts a server: `await wire(answer)`, where `answer` is bytes, None or a coroutine function of the request."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            answer: bytes | Callable[[Seen], Awaitable[bytes | None]] | None,
            ssl: SSLContext | None = None,
            host: str = "127.0.0.1",
            port: int = 0,
        ) -> Wire:
            async def fixed(_: Seen) -> bytes | None:
                assert not callable(answer)
                return answer

            served = Wire(answer if callable(answer) else fixed)
            server = await asyncio.start_server(served.serve, host, port, ssl=ssl)
            port = server.sockets[0].getsockname()[1]
            served.url = f"{'https' if ssl else 'http'}://{host}:{port}"
            stack.push_async_callback(server.wait_closed)
            stack.callback(server.close)
            return served

        yield start


def _reply(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.fixture
def reply() -> Callable[..., bytes]:
    """`reply("200 OK", b"{}", "Age: 3")`: the bytes of a whole reply."""
    return _reply


Make = Callable[..., HttpClient]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """`make(max_body=…)`: a client with these options, closed with the test."""
    made: list[HttpClient] = []

    def one(**options: Any) -> HttpClient:
        made.append(http_client(ClientOptions(**options)))
        return made[-1]

    yield one
    for client in made:
        await client.close()


async def _raised(client: HttpClient, url: str, seconds: float = 10.0, method: str = "GET") -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        await client.send(method, url, deadline=time.monotonic() + seconds)
    assert "127.0.0.1" not in caught.value.message
    return caught.value


@pytest.fixture
def raised() -> Callable[..., Awaitable[AdapterError]]:
    """`await raised(client, url, seconds, method)`: what sending raises; its message names no host."""
    return _raised


_oauth = beside(__file__, "oauth/authority")


@pytest.fixture
async def authority() -> AsyncIterator[Any]:
    """An `authority.Authority` that runs."""
    async with _oauth.authority() as made:
        yield made


@pytest.fixture
def answer() -> Callable[[int, Any], bytes]:
    """`answer(400, {...})`: the bytes of an answer."""
    return _oauth.http


@pytest.fixture
def drained() -> Callable[..., Awaitable[tuple[list[Change], str]]]:
    """`await drained(capture, position, limit=2000)`: all changes behind a position, and the position behind them."""
    return _drained


async def _drained(capture: Capture, position: str, limit: int = 2000) -> tuple[list[Change], str]:
    found: list[Change] = []
    while True:
        batch = await capture.changes(position, limit, time.monotonic() + 120)
        found += batch.changes
        position = batch.position
        if not batch.more:
            return found, position
