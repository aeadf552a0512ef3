"""A whole SOAP call beside zeep's asynchronous client: validate, render, send, receive, decode, 16 at once.

The server is another process that answers the same bytes to both; CPU is this process's own, rounds alternate.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import uvloop
import zeep
from zeep.transports import AsyncTransport

from adapters.contract import Context, Workspace
from adapters.soap import KIND

_SERVICE = Path(__file__).parent.parent / "adapters" / "soap" / "service"
_TOGETHER = 16

Call = Callable[[], Awaitable[Any]]


def measure(rounds: int = 7, calls: int = 320) -> list[dict[str, Any]]:
    """Microseconds of CPU and of wall time a call, for replies of 1 and 100 rows; `ratio` is zeep's by ours."""
    figures = []
    for count in (1, 100):
        with _server(count) as url:
            times = uvloop.run(_alternating(url, count, rounds, calls if count == 1 else calls // 10))
        for kind, place in (("CPU", 0), ("wall", 1)):
            ours, theirs = (times[name][place] * 1e6 for name in ("ours", "zeep"))
            name = f"SOAP call, {count} row{'s' if count > 1 else ''}, {kind}"
            against = f"zeep async {theirs:.0f} µs"
            ratio = round(theirs / ours, 2)
            figures.append({"name": name, "value": round(ours, 1), "unit": "µs", "versus": against, "ratio": ratio})
    return figures


async def _alternating(url: str, count: int, rounds: int, calls: int) -> dict[str, tuple[float, float]]:
    spent: dict[str, list[tuple[float, float]]] = {"ours": [], "zeep": []}
    async with _callers(url, count) as callers:
        for turn in range(rounds + 1):
            for name, call in callers.items():
                seconds = await _spent(call, calls)
                if turn:  # the first warms up
                    spent[name].append(seconds)
    return {
        name: (statistics.median(cpu for cpu, _ in each), statistics.median(wall for _, wall in each))
        for name, each in spent.items()
    }


@contextlib.asynccontextmanager
async def _callers(url: str, count: int) -> AsyncIterator[dict[str, Call]]:
    files = {name: (_SERVICE / name).read_bytes() for name in ("orders.wsdl", "orders.xsd")}
    given = {"wsdl": "orders.wsdl", "port": "Orders11Port", "address": url, "concurrency": _TOGETHER}
    adapter = KIND.build("orders", KIND.config.model_validate(given), Workspace(files, Path("/nonexistent/cache")))
    client = zeep.AsyncClient(str(_SERVICE / "orders.wsdl"), transport=AsyncTransport())
    # Its create_service is the synchronous client's.
    service = client.bind("OrderService", "Orders11Port")
    service._binding_options["address"] = url

    async def ours() -> None:
        result = await adapter.invoke("ListOrders", {"Count": count}, Context(time.monotonic() + 30))
        assert len(result.value["Line"]) == count

    async def theirs() -> None:
        rows = await service.ListOrders(Count=count)
        assert len(rows) == count

    yield {"ours": ours, "zeep": theirs}
    await adapter.close()
    await client.transport.aclose()


async def _spent(call: Call, calls: int) -> tuple[float, float]:
    """Seconds of CPU and of wall time a call."""

    async def some() -> None:
        for _ in range(calls // _TOGETHER):
            await call()

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(some() for _ in range(_TOGETHER)))
    done = calls // _TOGETHER * _TOGETHER
    return (time.process_time() - cpu) / done, (time.perf_counter() - wall) / done


@contextlib.contextmanager
def _server(count: int) -> Iterator[str]:
    """The base URL of a server that answers every call with `count` rows."""
    command = [sys.executable, __file__, "--serve", str(count)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _reply(count: int) -> bytes:
    fields = "<o:Sku>AB-%03d</o:Sku><o:Quantity>%d</o:Quantity><o:Price>12.50</o:Price><o:Note>a note</o:Note>"
    row = f"<s:Line>{fields}</s:Line>"
    rows = "".join(row % (number % 1000, number + 1) for number in range(count))
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:s="urn:test:service" '
        f'xmlns:o="urn:test:orders"><e:Body><s:ListOrdersResponse>{rows}</s:ListOrdersResponse></e:Body></e:Envelope>'
    ).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )


class _Answers(asyncio.Protocol):
    """Reads a request to its end, and answers it."""

    reply = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._read = b""

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, blank, body = self._read.partition(b"\r\n\r\n")
        if not blank:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self._read = body[length:]
            self._transport.write(self.reply)


async def _serve(count: int) -> None:
    _Answers.reply = _reply(count)
    server = await asyncio.get_running_loop().create_server(_Answers, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        uvloop.run(_serve(int(sys.argv[2])))
    else:
        for row in measure():
            print(row)
