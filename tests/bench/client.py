"""CPU time per upstream call: our HTTP client beside httpx and bare aiohttp, and what the protection of upstreams adds.

The server is another process, so that only the client's time is counted; rounds of all three alternate.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
import httpx
import uvloop

from adapters.client import ClientOptions, http_client
from adapters.contract import Context, Effect, Json, Result
from gateway.upstream import Limits, Upstream

_BODY = b'{"id":"C-10001","name":"Ann Example","balance":"1250.00","status":"ACTIVE"}'
_REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
_TOGETHER = 16

Send = Callable[[], Awaitable[Any]]


def measure(rounds: int = 5, calls: int = 320) -> list[dict[str, Any]]:
    """Microseconds of CPU a call with 16 in flight, and how many times as much the others take."""
    with _server() as url:
        times = uvloop.run(_clients(url, rounds, calls))
    ours = times["ours"]
    figures = [
        _figure("HTTP client, CPU a call", ours, "httpx", times["httpx"], times["httpx"] / ours),
        _figure("HTTP client, CPU a call", ours, "bare aiohttp", times["aiohttp"], times["aiohttp"] / ours),
    ]
    guarded, bare = uvloop.run(_upstream(rounds, calls * 10))
    name = "protection of an upstream, CPU a read"
    return [*figures, _figure(name, guarded - bare, "our client's call", ours, ours / (guarded - bare))]


def _figure(name: str, value: float, versus: str, other: float, ratio: float) -> dict[str, Any]:
    against = f"{versus} {other:.1f} µs"
    return {"name": name, "value": round(value, 1), "unit": "µs", "versus": against, "ratio": round(ratio, 2)}


async def _clients(url: str, rounds: int, calls: int) -> dict[str, float]:
    async with _senders(url) as senders:
        spent: dict[str, list[float]] = {name: [] for name in senders}
        for turn in range(rounds + 1):
            for name, send in senders.items():
                seconds = await _cpu(send, calls)
                if turn:  # the first warms up
                    spent[name].append(seconds)
    return {name: statistics.median(values) * 1e6 for name, values in spent.items()}


@contextlib.asynccontextmanager
async def _senders(url: str) -> AsyncIterator[dict[str, Send]]:
    ours = http_client(ClientOptions(connections=_TOGETHER))
    headers = {"Accept": "application/json"}

    async def bare() -> bytes:
        async with session.get(url, headers=headers) as response:
            return await response.read()

    async with httpx.AsyncClient() as client, aiohttp.ClientSession() as session:
        yield {
            "ours": lambda: ours.send("GET", url, headers=headers, deadline=time.monotonic() + 30, repeatable=True),
            "httpx": lambda: client.get(url, headers=headers),
            "aiohttp": bare,
        }
    await ours.close()


async def _cpu(send: Send, calls: int) -> float:
    """Seconds of CPU a call."""

    async def several() -> None:
        for _ in range(calls // _TOGETHER):
            await send()

    start = time.process_time()
    await asyncio.gather(*(several() for _ in range(_TOGETHER)))
    return (time.process_time() - start) / calls


class _Instant:
    """An adapter that answers at once."""

    name = "instant"
    result = Result("done", datetime(2026, 1, 1, tzinfo=UTC))

    async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        return self.result


async def _upstream(rounds: int, calls: int) -> tuple[float, float]:
    """Microseconds of CPU a call: through an `Upstream`, and without."""
    adapter: Any = _Instant()
    upstream = Upstream(adapter, Limits(concurrency=_TOGETHER))
    context = Context(time.monotonic() + 600)
    guarded: list[float] = []
    bare: list[float] = []
    for _ in range(rounds):
        guarded.append(await _cpu(lambda: upstream.call("get", {}, effect=Effect.READ, context=context), calls))
        bare.append(await _cpu(lambda: adapter.invoke("get", {}, context), calls))
    return statistics.median(guarded) * 1e6, statistics.median(bare) * 1e6


@contextlib.contextmanager
def _server() -> Iterator[str]:
    """The address of a server in a process of its own that answers each request with one small JSON object."""
    process = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/customers/C-10001"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class _Answering(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(_REPLY * data.count(b"\r\n\r\n"))


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__" and sys.argv[1:] == ["--serve"]:
    uvloop.run(_serve())
