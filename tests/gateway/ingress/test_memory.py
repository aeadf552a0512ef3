"""A call leaves nothing behind that only the garbage collector could find: at load that cost a tenth of each call."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from gateway.call import Call, Reply
from gateway.ingress.connection import Connection
from gateway.ingress.http import Endpoint, HttpIngress
from gateway.routing.table import Table


class _Wire(asyncio.Transport):
    """A connection's other end, which keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False

    def close(self) -> None: ...


async def _echo(call: Call) -> Reply:
    await asyncio.sleep(0)
    return Reply(200, (await call.read_body()).decode() if call.read_body is not None else "read")


@pytest.mark.parametrize("request_text", ["GET /it HTTP/1.1\r\n", "POST /it HTTP/1.1\r\nContent-Length: 2\r\n"])
async def test_an_answered_call_is_freed_at_once(request_text: str) -> None:
    table = Table[Endpoint]()
    for method in ("GET", "POST"):
        writes = method == "POST"
        table.add(method, "/it", Endpoint("it", "/it", "write" if writes else "read", writes, _echo, 5, 99, 99, writes))
    serving = SimpleNamespace(table=table, version=1, calls=0, writes=0)

    async def durable(_: object) -> None: ...

    audit = SimpleNamespace(
        healthy=True, crowded=False, refuses_reads=False, append=lambda _: None, append_durable=durable
    )
    ingress = HttpIngress(lambda: serving, audit)  # type: ignore[arg-type, return-value]
    config = Config(ingress, http=Connection, lifespan="off", log_config=None, proxy_headers=False, access_log=False)
    config.load()
    wire, connection = _Wire(), Connection(config, ServerState(), {})
    connection.connection_made(wire)
    request = (request_text + "Host: x\r\n\r\n" + ("{}" if "POST" in request_text else "")).encode()

    async def calls(count: int) -> None:
        for _ in range(count):
            seen = len(wire.written)
            connection.data_received(request)
            while len(wire.written) == seen:  # noqa: ASYNC110 - the loop turns once
                await asyncio.sleep(0)
            assert wire.written[-1].startswith(b"HTTP/1.1 200")

    await calls(5)
    gc.collect()
    gc.disable()
    try:
        await calls(50)
        await asyncio.sleep(0)
        assert gc.collect() < 50
    finally:
        gc.enable()
