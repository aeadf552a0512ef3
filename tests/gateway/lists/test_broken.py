"""A stream that doesn't come to its end: nobody takes it for the whole, and nothing of it stays behind."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import httpx
import pytest

NDJSON, CSV = "application/x-ndjson", "text/csv"


def _broken(world: Any, path: str, accept: str) -> tuple[httpx.Response, str]:
    """The head and what came of the body of a response that breaks off."""
    text = ""
    with world.client() as client, client.stream("GET", path, headers={"accept": accept}) as response:
        assert response.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):  # noqa: PT012 - it fails at some piece
            for piece in response.iter_text():
                text += piece
    return response, text


def test_lines_end_with_the_problem_and_have_no_end(world: Any) -> None:
    response, text = _broken(world, "/bad", NDJSON)
    *items, problem = [json.loads(line) for line in text.splitlines()]
    assert [each["id"] for each in items] == list(range(1, len(items) + 1))
    assert 0 < len(items) < 7000
    assert problem["type"].startswith("urn:figway:problem:")
    assert "overflow" not in text
    record = world.audited(response.headers["figway-lineage"])
    assert record["problem"] == problem["type"].rpartition(":")[2]
    assert record["noted"] == {"stream": NDJSON, "rows": len(items)}
    assert [each["outcome"] for each in record["upstream_calls"]] == ["ok", type_of(record)]


def type_of(record: dict[str, Any]) -> str:
    """How the last call of an upstream ended."""
    outcome: str = record["upstream_calls"][-1]["outcome"]
    assert outcome != "ok"
    return outcome


def test_csv_has_no_end(world: Any) -> None:
    response, text = _broken(world, "/bad", CSV)
    rows = world.audited(response.headers["figway-lineage"])["noted"]["rows"]
    assert 0 < rows < 7000
    assert text.count("\r\n") == rows + 1


def _begun(world: Any, path: str) -> tuple[socket.socket, str]:
    """A caller that has read the head and no more, and the call's id."""
    caller = socket.create_connection(("127.0.0.1", world.running.port))
    head = f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: {world.keys['all']}\r\naccept: {NDJSON}\r\n\r\n"
    caller.sendall(head.encode())
    read = b""
    while b"\r\n\r\n" not in read:
        read += caller.recv(256)
    fields = dict(line.split(b": ", 1) for line in read.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:])
    return caller, fields[b"figway-lineage"].decode()


def _ended(world: Any, id: str) -> None:
    record = world.audited(id)
    assert record["status"] == 499
    assert 0 < record["noted"]["rows"] < 40_000
    # Its slot is free: as many as there are can be read at once.
    callers = [_begun(world, "/big") for _ in range(2)]
    for caller, _ in callers:
        caller.close()
    for _, again in callers:
        assert world.audited(again)["status"] == 499


def test_a_caller_that_leaves_ends_the_query(world: Any) -> None:
    caller, id = _begun(world, "/big")
    caller.close()
    _ended(world, id)


def test_a_caller_that_doesnt_read_is_left(world: Any) -> None:
    caller, id = _begun(world, "/big")
    _ended(world, id)  # which waits until the call's patience has ended
    with caller:
        caller.settimeout(10)
        with pytest.raises(ConnectionError):  # noqa: PT012 - what is in the buffers comes first
            while caller.recv(1 << 20):
                pass
            raise ConnectionResetError("an end without the last piece")


def test_so_many_at_a_time_and_short_calls_beside_them(world: Any) -> None:
    callers = [_begun(world, "/big") for _ in range(2)]
    try:
        refused = world.get("/big", accept=NDJSON)
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert world.get("/articles?limit=1").status_code == 200
    finally:
        for caller, _ in callers:
            caller.close()
    for _, id in callers:
        world.audited(id)
    until = time.monotonic() + 10
    while world.get("/big?limit=1").status_code != 200:
        assert time.monotonic() < until


def test_http_1_0_has_no_way_to_tell_the_end(world: Any) -> None:
    with socket.create_connection(("127.0.0.1", world.running.port)) as caller:
        caller.sendall(f"GET /big HTTP/1.0\r\nauthorization: {world.keys['all']}\r\naccept: {NDJSON}\r\n\r\n".encode())
        assert caller.recv(100).startswith(b"HTTP/1.1 406 ")
