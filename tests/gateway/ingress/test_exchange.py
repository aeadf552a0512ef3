"""A response whose caller has left."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import uvloop

from gateway.ingress.exchange import Exchange


def test_a_response_to_who_has_left_is_dropped_without_an_error() -> None:
    """Between a transport's end and the word of it, uvloop's may raise on a write."""

    async def answered() -> None:
        near, far = socket.socketpair()
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
        transport.abort()
        gone: Any = SimpleNamespace(disconnected=False, transport=transport, default_headers=[], keep_alive=True)
        Exchange._write(gone, 200, b"", b"{}")
        assert not hasattr(gone, "response_started")
        far.close()
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(answered())
