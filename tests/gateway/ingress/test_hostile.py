"""Callers who mean harm: over raw sockets, with bodies and values that no contract foresees."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from gateway.audit.verify import records

ITEM = b"GET /items/%s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n"
JSON = {"content-type": "application/json"}


@pytest.fixture
def client(gateway: Any) -> Iterator[httpx.Client]:
    with gateway.client() as client:
        yield client


@contextmanager
def connected(gateway: Any) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        yield connection


def read_to_the_end(connection: socket.socket) -> bytes:
    answer = b""
    try:
        while chunk := connection.recv(65536):
            answer += chunk
    except ConnectionResetError:
        pass
    return answer


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def head(gateway: Any, line: bytes, *fields: bytes) -> bytes:
    own = (b"Host: x", b"Authorization: " + gateway.writer.encode(), b"Content-Type: application/json")
    return b"\r\n".join((line + b" HTTP/1.1", *own, *fields)) + b"\r\n\r\n"


def audited(gateway: Any, id: str) -> dict[str, Any]:
    """The audit's record of a call, which may come some milliseconds after its answer."""
    until = time.monotonic() + 10
    while True:
        for record in records(gateway.folder / ".figway" / "audit"):
            if record["id"] == id and record["kind"] == "call":
                return record
        assert time.monotonic() < until, f"call {id} isn't in the audit"
        time.sleep(0.05)


# ── framing ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("protocol", [b"websocket", b"h2c", b"nonsense"])
def test_a_body_behind_an_upgrade_is_no_second_request(gateway: Any, protocol: bytes, apart: bool) -> None:
    hidden = ITEM % (b"HIDDEN", gateway.writer.encode())
    first = head(
        gateway, b"POST /items", b"Connection: Upgrade", b"Upgrade: " + protocol, b"Content-Length: %d" % len(hidden)
    )
    last = head(gateway, b"GET /nowhere", b"Connection: close")
    with connected(gateway) as connection:
        if apart:
            connection.sendall(first)
            time.sleep(0.1)
            connection.sendall(hidden + last)
        else:
            connection.sendall(first + hidden + last)
        answer = read_to_the_end(connection)
    assert statuses(answer) == [400, 404]
    assert b"HIDDEN" not in answer


def test_who_asks_for_an_upgrade_is_answered_without_one(gateway: Any) -> None:
    body = b'{"sku": "H2C"}'
    asking = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk")
    first = head(gateway, b"POST /items", *asking, b"Content-Length: %d" % len(body)) + body
    with connected(gateway) as connection:
        connection.sendall(first + head(gateway, b"GET /items/B", b"Connection: close, Upgrade", b"Upgrade: websocket"))
        assert statuses(read_to_the_end(connection)) == [202, 200]


def test_the_gateway_is_no_tunnel(gateway: Any) -> None:
    for target in (b"/items/A", b"127.0.0.1:80"):
        with connected(gateway) as connection:
            connection.sendall(head(gateway, b"CONNECT " + target) + ITEM % (b"HIDDEN", gateway.writer.encode()))
            assert statuses(read_to_the_end(connection)) == [400]


def test_a_trailer_is_no_header(gateway: Any) -> None:
    request = b"POST /items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    request += b'Transfer-Encoding: chunked\r\n\r\ne\r\n{"sku": "TRL"}\r\n0\r\nAuthorization: '
    with connected(gateway) as connection:
        connection.sendall(request + gateway.writer.encode() + b"\r\n\r\n")
        assert statuses(read_to_the_end(connection)) == [401]


@pytest.mark.parametrize("version", [b"0.9", b"2.0"])
def test_only_the_versions_that_it_speaks(gateway: Any, version: bytes) -> None:
    with connected(gateway) as connection:
        connection.sendall(b"GET /items/A HTTP/%s\r\nHost: x\r\nConnection: close\r\n\r\n" % version)
        assert statuses(read_to_the_end(connection)) == [400]


def test_an_old_client_cannot_send_chunks(gateway: Any) -> None:
    request = head(gateway, b"POST /items", b"Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0")
    with connected(gateway) as connection:
        connection.sendall(request + b'c\r\n{"sku":"10"}\r\n0\r\n\r\n')
        assert statuses(read_to_the_end(connection)) == [400]


def test_nonsense_behind_a_request_does_not_take_its_answer(gateway: Any) -> None:
    with connected(gateway) as connection:
        connection.sendall(head(gateway, b"GET /wait/0.3"))
        time.sleep(0.1)
        connection.sendall(b"NONSENSE\r\n\r\n")
        assert statuses(read_to_the_end(connection)) == [200]


@pytest.mark.parametrize(
    "start",
    [
        b"GET /",
        b"GET / HTTP/1.1\r\nX: ",
        b"POST /items HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
        b"POST /items HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    ],
)
def test_what_never_ends_is_cut_off(gateway: Any, start: bytes) -> None:
    with connected(gateway) as connection:
        connection.sendall(start)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            connection.sendall(b"a" * 64_000_000)


def test_a_connection_without_a_request_is_closed(gateway: Any) -> None:
    with connected(gateway) as silent, connected(gateway) as slow, connected(gateway) as blank:
        slow.sendall(b"GET /items/A HTTP/1.1\r\nHos")
        blank.sendall(b"\r\n\r\n")
        for connection in (silent, slow, blank):
            assert read_to_the_end(connection) == b""


# ── paths and parameters ─────────────────────────────────────────────────────────────────────────────────────


def test_next_leads_to_the_same_list_whatever_its_path_and_filters(client: httpx.Client) -> None:
    first = client.get("/shelves/a%2Fb%20%C3%A9%3F/items?limit=2&sku.in=A&sku.in=B%26C&name.in=x,y%3D").json()
    page = client.get(first["next"])
    assert page.status_code == 200, page.text
    assert page.json()["items"][0]["sku"] == "S-0002"
    assert page.json()["asked"]["where"] == first["asked"]["where"]
    assert ["shelf", "eq", "a/b é?"] in first["asked"]["where"]


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("9223372036854775807", 200),
        ("-9223372036854775808", 200),
        ("-9223372036854775809", 400),
        ("99999999999999999999", 400),
        ("1e3", 400),
        ("%2B1", 400),
        ("%D9%A3", 400),
        ("01", 400),
        ("", 400),
        ("-0", 200),
    ],
)
def test_an_integer_has_one_spelling_and_64_bits(client: httpx.Client, value: str, status: int) -> None:
    assert client.get(f"/items?limit=1&on_hand.ge={value}").status_code == status


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_a_limit_is_at_least_1_even_where_the_contract_forgot_it(client: httpx.Client, limit: str) -> None:
    response = client.get(f"/shelves/1/items?limit={limit}")
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/query/limit")


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_integer_that_would_lose_digits_is_refused(client: httpx.Client) -> None:
    for serial, status in ((2**64 - 1, 202), (-(2**63), 202), (2**64, 400), (-(2**63) - 1, 400), (10**30, 400)):
        body = json.dumps({"sku": "SERIAL", "serial": serial}).encode()
        assert client.post("/items", content=body, headers=JSON).status_code == status, serial


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf{}", '{"a": 1}'.encode("utf-16"), b'{"a": "\\ud800"}', b"[" * 30_000])
def test_what_only_looks_like_json(client: httpx.Client, body: bytes) -> None:
    assert client.post("/off", content=body, headers=JSON).status_code == 400


def test_a_charset_that_only_contains_utf_8(client: httpx.Client) -> None:
    assert client.post("/off", content=b"{}", headers={"content-type": "application/json; charset=x-utf-8"}).is_error
    quoted = client.post("/off", content=b"{}", headers={"content-type": 'application/json; charset="UTF-8"'})
    assert quoted.status_code == 200


def test_a_fault_of_ours_is_an_audited_500(gateway: Any, client: httpx.Client) -> None:
    response = client.get("/fail/NoSuchError")
    assert (response.status_code, response.headers["content-type"]) == (500, "application/problem+json")
    record = audited(gateway, response.headers["figway-lineage"])
    assert (record["status"], record["problem"]) == (500, "internal-error")


def test_a_problem_is_short_and_never_taken_for_a_reply(client: httpx.Client) -> None:
    response = client.post("/items", json={"sku": "A", "\x01" * 9000: 1, "b" * 9000: 2})
    assert response.status_code == 400
    assert response.json()["type"] == "urn:figway:problem:invalid-request"
    assert len(response.content) < 4000


# ── writes that go wrong ─────────────────────────────────────────────────────────────────────────────────────


def test_a_fault_of_ours_on_a_write_leaves_its_outcome_unknown(gateway: Any, client: httpx.Client) -> None:
    response = client.post("/fail/NoSuchError")
    assert (response.status_code, response.json()["type"]) == (504, "urn:figway:problem:unknown-outcome")
    assert "NoSuchError" not in response.text
    record = audited(gateway, response.headers["figway-lineage"])
    assert (record["status"], record["problem"]) == (504, "unknown-outcome")
    assert record["upstream_calls"][0]["outcome"] == "failed"


def test_a_write_whose_caller_left_is_audited_as_it_ended(gateway: Any, client: httpx.Client) -> None:
    with pytest.raises(httpx.ReadTimeout):
        client.post("/items", json={"sku": "LEFT", "seconds": 0.6}, timeout=0.2)
    journal = gateway.folder / "journal.txt"
    until = time.monotonic() + 10
    while not (lines := [line for line in journal.read_text().splitlines() if '"LEFT"' in line]):
        assert time.monotonic() < until
        time.sleep(0.05)
    record = audited(gateway, json.loads(lines[0])["id"])
    assert (record["status"], record["upstream_calls"][0]["outcome"]) == (202, "ok")


# ── what is the gateway's own ────────────────────────────────────────────────────────────────────────────────


def test_the_gateways_own_paths_answer_problems_too(gateway: Any) -> None:
    with httpx.Client(base_url=gateway.url) as nobody:
        for path in ("/-/nothing", "/-/", "/-/live/", "/-/ready%2f"):
            response = nobody.get(path)
            assert (response.status_code, response.json()["type"]) == (404, "urn:figway:problem:no-such-route"), path
        refused = nobody.post("/-/live")
        assert (refused.status_code, refused.json()["type"]) == (405, "urn:figway:problem:method-not-allowed")
        assert "GET" in refused.headers["allow"]
        head = nobody.head("/-/ready")
        assert (head.status_code, head.content) == (200, b"")


def test_two_credentials_are_none_for_the_document(gateway: Any) -> None:
    both = [("authorization", gateway.reader), ("authorization", gateway.writer)]
    response = httpx.get(f"{gateway.url}/openapi.json", headers=both)
    assert (response.status_code, response.json()["type"]) == (400, "urn:figway:problem:bad-request")
