"""A server that does everything wrong: each failure is told as what it is, for reads and for writes; nothing hangs.

The table says what becomes of a read, of a write that may be repeated, and of one that may not. Sockets that stay open
fail the test by their warning.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from adapters.contract import Context
from adapters.errors import AdapterError, BadReply, DoNotRetry, Retry, Unavailable, UnknownOutcome

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SECONDS = 0.5
"""The deadline where a server keeps silent."""


async def request(reader: asyncio.StreamReader) -> None:
    """Reads one request to its end."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.partition(b":")[2]))


def says(*pieces: bytes, then: str = "waits") -> Behaviour:
    """Reads a request, says these bytes, and waits for the next one, closes, or resets the connection."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            if then == "resets":
                reset(writer)
            if then != "waits":
                return

    return behave


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends the connection by RST: what is on its way is lost."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def closes_at_once(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    return


async def resets_at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reset(writer)


async def never_reads(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def slowloris(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def slow_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 20)
        await writer.drain()
        await asyncio.sleep(0.001)


async def trickles_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"400\r\n" + b" " * 1024 + b"\r\n")
        await writer.drain()


def reply(status: str, *headers: str, body: bytes = b"{}") -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def says_a_date(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=1000), usegmt=True)
    await says(reply("503 Busy", f"Retry-After: {date}"))(reader, writer)


BOMB = gzip.compress(b" " * 50_000_000)
HINTS = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %b\r\n\r\n%b"
U, B, R, D = UnknownOutcome, BadReply, Retry, DoNotRetry
# What the server does → the error of a read, of an idempotent write, of a write; None: it is answered.
CHAOS: dict[str, tuple[Behaviour, Any, Any, Any]] = {
    "closes at once": (closes_at_once, U, U, U),
    "resets at once": (resets_at_once, U, U, U),
    "never reads": (never_reads, U, U, U),
    "closes after the request": (says(then="closes"), U, U, U),
    "resets after the request": (says(then="resets"), U, U, U),
    "says nothing": (says(), U, U, U),
    "half a head": (says(b"HTTP/1.1 200 OK\r\nContent-Le", then="closes"), U, U, U),
    "half a body": (says(LENGTH % (b"10", b'{"a"'), then="closes"), U, U, U),
    "half a body, reset": (says(LENGTH % (b"10", b'{"a"'), then="resets"), U, U, U),
    "half a body, silence": (says(LENGTH % (b"10", b'{"a"')), U, U, U),
    "half a chunk": (says(CHUNKED + b"10\r\nabc", then="closes"), U, U, U),
    "no last chunk": (says(CHUNKED + b"2\r\n{}\r\n", then="closes"), U, U, U),
    "slowloris": (slowloris, U, U, U),
    "slow head": (slow_head, U, U, U),
    "flood of 1xx": (floods, U, U, U),
    "garbage": (says(b"\x16\x03\x01 what?\r\n\r\n"), B, B, B),
    "another protocol": (says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), B, B, B),
    "negative length": (says(LENGTH % (b"-2", b"{}")), B, B, B),
    "length that is no number": (says(LENGTH % (b"0x2", b"{}")), B, B, B),
    "two lengths": (says(LENGTH.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n") % (b"2", b"{}")), B, B, B),
    "malformed chunk": (says(CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n"), B, B, B),
    "giant header": (says(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"), B, B, B),
    "many headers": (says(b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 5000 + b"\r\n"), B, B, B),
    "too much": (says(LENGTH % (b"99999999999", b"{")), B, B, B),
    "chunks without end": (trickles_chunks, B, B, B),
    "gzip bomb": (says(reply("200 OK", "Content-Encoding: gzip", body=BOMB)), B, B, B),
    "gzip cut off": (says(reply("200 OK", "Content-Encoding: gzip", body=BOMB[:1000])), B, B, B),
    "not gzip": (says(reply("200 OK", "Content-Encoding: gzip")), B, B, B),
    "an encoding nobody asked for": (says(reply("200 OK", "Content-Encoding: br")), B, B, B),
    "no json": (says(reply("200 OK", body=b"{")), B, B, B),
    "redirect": (says(reply("307 Temporary", "Location: http://169.254.169.254/")), D, D, D),
    "429 in seconds": (says(reply("429 Slow down", "Retry-After: 7")), (R, 7), (R, 7), (R, 7)),
    "503 in seconds": (says(reply("503 Busy", "Retry-After: 7")), (R, 7), (R, 7), (R, 7)),
    "503 by date": (says_a_date, (R, 1000), (R, 1000), (R, 1000)),
    "503 in a century": (says(reply("503 Busy", "Retry-After: 99999999999")), (R, 3600), (R, 3600), (R, 3600)),
    "503 at no date": (says(reply("503 Busy", f"Retry-After: Wed, 21 Oct {'9' * 30} 07:28:00 GMT")), R, U, U),
    "503": (says(reply("503 Busy")), R, U, U),
    "500": (says(reply("500 Oops")), R, U, U),
    "502": (says(reply("502 Bad gateway")), R, U, U),
    "1xx before the answer": (says(HINTS + reply("200 OK")), None, None, None),
    "answers and closes": (says(reply("200 OK"), then="closes"), None, None, None),
    "more than its length": (says(reply("200 OK") + reply("200 OK", body=b'"stolen"')), None, None, None),
}  # fmt: skip
SILENT = ("never reads", "says nothing", "half a body, silence", "slowloris", "slow head", "flood of 1xx")


@pytest.fixture(scope="module", autouse=True)
def nothing_left() -> Iterator[None]:
    """A socket that was left open in a cycle of objects warns when those are collected."""
    yield
    gc.collect()


CALLS = {"read": "GET /c/{id}", "idempotent write": "PUT /c/{id}", "write": "POST /c/{id}"}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("what", CHAOS)
async def test_it_is_told_as_what_it_is(chaos: Any, built: Any, what: str, call: str) -> None:
    behave, *expected = CHAOS[what]
    wanted = expected[list(CALLS).index(call)]
    server = await chaos(behave)
    adapter = built(base_url=server.url, max_body=100_000)
    input = {"id": 1} if call == "read" else {"id": 1, "body": {"a": "b" * 1000}}
    started = time.monotonic()
    for attempt in (1,) if what in SILENT else (1, 2):  # the second call finds what the first left behind
        if wanted is None:
            context = Context(time.monotonic() + 20)
            assert (await adapter.invoke(CALLS[call], input, context)).value == {}
        else:
            await refused(adapter, CALLS[call], input, SECONDS if what in SILENT else 20, wanted)
        assert server.connections <= attempt  # what is sent again goes over a new connection
    assert time.monotonic() - started < 60


async def refused(adapter: Any, operation: str, input: Any, seconds: float, wanted: Any) -> None:
    kind, after = wanted if isinstance(wanted, tuple) else (wanted, None)
    while True:
        with pytest.raises(AdapterError) as caught:
            await adapter.invoke(operation, input, Context(time.monotonic() + seconds))
        error = caught.value
        if seconds > 20 or kind is Unavailable or type(error) is not Unavailable:
            break
        seconds *= 4  # a busy machine made no connection in time: that says nothing of this server
    assert type(error) is kind
    assert "127.0.0.1" not in error.message
    if isinstance(error, Retry):
        assert error.retry_after == (None if after is None else pytest.approx(after, abs=60))


async def test_a_server_that_accepts_nobody_is_told_at_the_deadline(built: Any) -> None:
    """Its queue is full: no connection is ever made, so nothing was sent."""
    with socket.socket() as listening, contextlib.ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        adapter = built(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}")
        for operation in ("GET /a", "POST /a"):
            with pytest.raises(Unavailable):
                await adapter.invoke(operation, {}, Context(time.monotonic() + SECONDS))


async def test_a_large_upload_that_is_answered_early_tells_the_answer(chaos: Any, built: Any) -> None:
    """A server may refuse by the head alone and close: its answer is what the caller gets, if it came through."""

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply("413 Too large", "Connection: close"))
        await writer.drain()
        await reader.read()

    server = await chaos(early)
    adapter = built(base_url=server.url)
    with pytest.raises(DoNotRetry) as caught:
        await adapter.invoke("POST /a", {"body": "x" * 5_000_000}, Context(time.monotonic() + 10))
    assert caught.value.detail == "HTTP 413"


async def test_an_idempotent_write_sent_twice_never_tells_the_second_answer_for_the_first(
    chaos: Any, built: Any
) -> None:
    """The first one may have deleted it: that it is gone says nothing."""
    behaviours: list[Behaviour] = []

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(reply("200 OK"))
        await request(reader)

    async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(reply("404 Not Found"))
        await reader.read()

    async def in_turn(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await behaviours.pop(0)(reader, writer)

    behaviours += [kept, gone]
    server = await chaos(in_turn)
    adapter = built(base_url=server.url)
    await adapter.invoke("GET /c/{id}", {"id": 1}, Context(time.monotonic() + 10))
    with pytest.raises(UnknownOutcome):
        await adapter.invoke("DELETE /c/{id}", {"id": 1}, Context(time.monotonic() + 10))
    assert server.connections == 2


async def test_many_callers_survive_chaos_together(chaos: Any, built: Any) -> None:
    """One upstream, all its faults in turn, more callers than connections: each gets an answer, none another's."""
    behaviours = [each[0] for what, each in CHAOS.items() if what not in SILENT]
    number = 0

    async def in_turn(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal number
        number += 1
        await behaviours[number % len(behaviours)](reader, writer)

    server = await chaos(in_turn)
    adapter = built(base_url=server.url, concurrency=20, max_body=100_000)

    async def call() -> Any:
        try:
            return (await adapter.invoke("GET /a", {}, Context(time.monotonic() + 60))).value
        except AdapterError as error:
            return type(error)

    found = await asyncio.gather(*(call() for _ in range(120)))
    assert {each if isinstance(each, type) else "answered" for each in found} <= {U, B, R, D, Unavailable, "answered"}
    assert all(each == {} for each in found if not isinstance(each, type))
    assert {} in found
