"""Subscribers that take nothing for a long time: what they haven't taken stays in the log, not in memory."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters.changes import Batch, Change, What
from gateway.events.loads import LoadedFile

_EACH = 4_096


def _resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def _written(world: Any, begin: int, count: int) -> None:
    """Changes straight into the log, as many as no source of a test would tell."""
    file = LoadedFile(world.workspace / ".figway/events.db")
    try:
        standing = file.standing("erp.stock")
        assert standing is not None
        for at in range(begin, begin + count, 500):
            rows = [
                (f"{number}", {"sku": f"{number}", "region": "north", "secret": "s" * _EACH, "internal": None})
                for number in range(at, min(at + 500, begin + count))
            ]
            changes = [Change(f"w/{sku}", What.INSERT, (sku,), row) for sku, row in rows]
            file.write("erp.stock", Batch(changes, standing.position, False))
    finally:
        file.close()


def _stalled(world: Any, key: str) -> socket.socket:
    """A subscriber that reads how its stream begins, and nothing else."""
    url = urlsplit(world.gateway.url)
    connection = socket.create_connection((url.hostname, url.port), timeout=30)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    head = f"GET /-/events HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n\r\n"
    connection.sendall(head.encode())
    assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    return connection


@pytest.mark.parametrize(
    ("streams", "events"), [(20, 2_000), pytest.param(32, 40_000, marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_slow_subscribers_cost_no_memory_and_lose_nothing(world: Any, streams: int, events: int) -> None:
    whole, quick = world.key("all"), world.key("narrow", "north")
    world.loaded(whole)
    stalled = [_stalled(world, whole) for _ in range(streams)]
    try:
        with world.reading(quick) as reader, world.reading(quick) as late:
            # Once the quick one has some, all that a stream needs is there.
            _written(world, 0, 500)
            for _ in range(500):
                reader.next()
            before = _resident(world.gateway.process.pid)
            _written(world, 500, events)
            seen = [reader.next()["data"]["after"]["code"] for _ in range(events)]
            grown = _resident(world.gateway.process.pid) - before
            print(f"{streams} stalled streams, {events * _EACH >> 20} MiB of rows: {grown / 2**20:.1f} MiB more")
            assert seen == [str(number) for number in range(500, 500 + events)]
            assert grown < 64 * 2**20, grown
            taken = [late.next()["data"]["after"]["code"] for _ in range(500 + events)]
            assert taken == [str(number) for number in range(500 + events)]
    finally:
        for connection in stalled:
            connection.close()
