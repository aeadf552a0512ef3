"""Kept connections that are gone: no call is lost, none is doubled."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.errors import UnknownOutcome

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def soon(seconds: float = 10.0) -> float:
    return time.monotonic() + seconds


# ── kept connections ─────────────────────────────────────────────────────────────────────────────────────────


def breaking(answered: int) -> Callable[[Any], Any]:
    """Answers so many requests, and closes the connection of each later one without a word."""
    left = [answered]

    async def answer(_: Any) -> bytes | None:
        left[0] -= 1
        return OK if left[0] >= 0 else None

    return answer


async def test_what_may_be_sent_twice_is_sent_again_on_a_new_connection(wire: Any, make: Any) -> None:
    async def once(seen: Any) -> bytes | None:
        return None if seen.target == "/gone" and server.connections == 1 else OK

    server = await wire(once)
    client = make()
    assert not (await client.send("POST", server.url, body=b"1", deadline=soon(), repeatable=True)).again
    reply = await client.send("PUT", server.url + "/gone", body=b"2", deadline=soon(), repeatable=True)
    assert (reply.status, reply.again, server.connections) == (200, True, 2)
    assert [seen.body for seen in server.seen] == [b"1", b"2", b"2"]


@pytest.mark.parametrize(("kept", "requests"), [(0, 1), (1, 3)])
async def test_it_is_sent_again_once_and_only_after_a_kept_connection(
    wire: Any, make: Any, kept: int, requests: int
) -> None:
    server = await wire(breaking(kept))
    client = make()
    for _ in range(kept):
        await client.send("GET", server.url, deadline=soon(), repeatable=True)
    with pytest.raises(UnknownOutcome):
        await client.send("GET", server.url, deadline=soon(), repeatable=True)
    assert len(server.seen) == requests


class Closing:
    """A server on a thread that answers one request a connection, adds `extra`, and closes when it is told to."""

    def __init__(self, extra: bytes, closes: bool) -> None:
        self._extra, self._closes = extra, closes
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/"
        self.may_go_on, self.went_on = threading.Event(), threading.Event()
        self.requests: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for _ in range(2):
                connection, _ = self._listening.accept()
                stack.enter_context(connection)
                self.requests.append(connection.recv(65_536))
                connection.sendall(OK)
                self.may_go_on.wait(10)
                connection.sendall(self._extra)
                if self._closes:
                    connection.close()
                self.went_on.set()

    def close(self) -> None:
        self.may_go_on.set()
        # Shutting down wakes the thread in accept(); closing alone doesn't.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listening.close()
        assert not self._thread.is_alive()


@pytest.fixture(
    params=[(b"", True), (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen", False)], ids=["end", "words"]
)
def closing(request: pytest.FixtureRequest) -> Iterator[Closing]:
    server = Closing(*request.param)
    yield server
    server.close()


async def test_what_came_over_an_idle_connection_ends_it(closing: Closing, make: Any) -> None:
    """The loop had no time to see that the server closed the connection, or that it spoke unasked: nothing is written
    to it, and what it said is nobody's answer."""
    client = make()
    assert (await client.send("POST", closing.url, body=b"1", deadline=soon())).body == b"ok"
    closing.may_go_on.set()
    assert closing.went_on.wait(10)
    reply = await client.send("POST", closing.url, body=b"2", deadline=soon())
    assert (reply.body, reply.again) == (b"ok", False)
    assert [request[-1:] for request in closing.requests] == [b"1", b"2"]


async def test_what_an_idle_connection_said_in_time_ends_it_too(closing: Closing, make: Any) -> None:
    client = make()
    await client.send("GET", closing.url, deadline=soon())
    closing.may_go_on.set()
    assert await asyncio.to_thread(closing.went_on.wait, 10)
    assert (await client.send("GET", closing.url, deadline=soon())).body == b"ok"
    assert len(closing.requests) == 2
