"""Replies with bytes lost, turned, doubled and put in: each ends in a value or in an error that is ours, at once."""

from __future__ import annotations

import asyncio
import gzip
import os
import random
import time
from typing import Any

import pytest

from adapters.contract import Context
from adapters.errors import AdapterError

CALLS = 20_000 if os.environ.get("FIGWAY_SLOW") else 250
BODY = b'{"id": "C-1", "balance": 12.5, "tags": ["a", "b"]}'
JSON = b"Content-Type: application/json\r\n"
PACKED = gzip.compress(BODY, mtime=0)
ERROR = b'{"errors": [{"pointer": "/id", "a":1}]}'
REPLIES = [
    b"HTTP/1.1 200 OK\r\n" + JSON + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
    b"HTTP/1.1 200 OK\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
    b"HTTP/1.1 200 OK\r\n" + JSON + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + PACKED,
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 422 No\r\nContent-Length: 39\r\n\r\n" + ERROR,
    b"HTTP/1.1 503 Busy\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n",
]  # fmt: skip
WORDS = [b"\r\n", b"\0", b"\xff", b":", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"9" * 30, b" "]


def mutated(chance: random.Random) -> bytes:
    reply = bytearray(chance.choice(REPLIES))
    for _ in range(chance.randint(0, 4)):
        at = chance.randrange(len(reply) + 1)
        match chance.randrange(5):
            case 0:
                del reply[at:]
            case 1:
                del reply[at : at + chance.randint(1, 20)]
            case 2:
                reply[at : at + 1] = bytes([chance.randrange(256)])
            case 3:
                reply[at:at] = chance.choice(WORDS)
            case _:
                reply[at:at] = reply[max(0, at - chance.randint(1, 60)) : at]
    return bytes(reply)


async def test_no_reply_hangs_or_crashes_a_call(built: Any, request: pytest.FixtureRequest) -> None:
    seed = int(os.environ.get("FIGWAY_SEED", random.SystemRandom().randrange(2**32)))
    print(f"seed {seed}: FIGWAY_SEED={seed}")
    chance = random.Random(seed)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(mutated(chance))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    request.addfinalizer(server.close)
    adapter = built(base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", max_body=4096)
    answered = 0
    for _ in range(CALLS):
        started = time.monotonic()
        try:
            await adapter.invoke("GET /c/{id}", {"id": 1}, Context(started + 60))
            answered += 1
        except AdapterError as error:
            told = error.message
            assert "127.0.0.1" not in told
        assert time.monotonic() - started < 30
    assert 0 < answered < CALLS
