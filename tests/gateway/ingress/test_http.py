"""The data plane over real HTTP: one meaning or a clear problem for whatever comes."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest


@pytest.fixture
def client(gateway: Any) -> Any:
    with gateway.client() as client:
        yield client


def problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["type"] == f"urn:figway:problem:{slug}"
    assert body["status"] == status
    return body


def test_a_read_says_where_it_comes_from(client: httpx.Client) -> None:
    response = client.get("/items/BRG-1")
    assert response.status_code == 200
    assert response.json() == {"sku": "BRG-1", "name": "Deep groove ball bearing (lab)", "on_hand": 42}
    assert response.headers["figway-served-by"] == "legacy"
    assert response.headers["figway-snapshot"] == "1"
    assert response.headers["age"] == "0"
    as_of = datetime.fromisoformat(response.headers["figway-as-of"])
    assert timedelta() <= datetime.now(UTC) - as_of < timedelta(seconds=10)


def test_a_trace_goes_on_and_a_malformed_one_starts_anew(client: httpx.Client) -> None:
    incoming = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    outgoing = client.get("/items/A", headers={"traceparent": incoming}).headers["traceparent"]
    assert outgoing[:36] == incoming[:36]
    assert outgoing[36:52] != incoming[36:52]
    assert outgoing.endswith("-01")
    fresh = client.get("/items/A", headers={"traceparent": "00-" + "0" * 32 + "-00f067aa0ba902b7-01"})
    assert fresh.headers["traceparent"][3:35] != "0" * 32


def test_a_change_that_was_to_be_tried_only_isnt_made(client: httpx.Client, workspace: Path) -> None:
    journal = workspace / "journal.txt"
    before = journal.read_text() if journal.exists() else ""
    refused = client.post("/items", json={"sku": "TRIED-1"}, headers={"prefer": "Dry-Run, wait=5"})
    problem(refused, 400, "bad-request")
    assert (journal.read_text() if journal.exists() else "") == before


def test_an_unknown_path_and_method_and_their_allow(client: httpx.Client) -> None:
    problem(client.get("/nowhere"), 404, "no-such-route")
    problem(client.get("/items/"), 404, "no-such-route")
    response = client.delete("/items/A")
    problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"
    options = client.options("/items")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    assert "content-type" not in options.headers


def test_head_is_get_without_its_body(client: httpx.Client) -> None:
    get, head = client.get("/items/A"), client.head("/items/A")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("*/*", 200),
        ("text/html, application/*;q=0.1", 200),
        ("text/csv", 406),
        ("application/json;q=0, */*", 406),
        ("application/json;q=nonsense", 406),
    ],
)
def test_accept(client: httpx.Client, accept: str, status: int) -> None:
    response = client.get("/items/A", headers={"accept": accept})
    assert response.status_code == status
    if status == 406:
        problem(response, 406, "not-acceptable")


def test_no_credential_and_a_wrong_one(gateway: Any) -> None:
    with httpx.Client(base_url=gateway.url) as nobody:
        response = nobody.get("/items/A")
        problem(response, 401, "unauthenticated")
        assert response.headers["www-authenticate"].startswith("Bearer")
        other = "y" if gateway.reader.endswith("x") else "x"
        wrong = nobody.get("/items/A", headers={"authorization": gateway.reader[:-1] + other})
        problem(wrong, 401, "unauthenticated")
        problem(nobody.get("/items/A", headers={"authorization": "Basic YTpi"}), 401, "unauthenticated")


def test_who_may_not_is_told_so(gateway: Any) -> None:
    with gateway.client(gateway.reader) as reader:
        problem(reader.post("/items", json={"sku": "A"}), 403, "forbidden")
        assert reader.get("/items/A").status_code == 200


def test_every_broken_value_is_named_by_its_pointer(client: httpx.Client) -> None:
    body = problem(client.get("/items?limit=0&on_hand.ge=many"), 400, "invalid-request")
    assert {error["pointer"] for error in body["errors"]} == {"/query/limit", "/query/on_hand.ge"}
    body = problem(client.post("/items", json={"sku": "", "seconds": "x", "extra": 1}), 400, "invalid-request")
    assert {error["pointer"] for error in body["errors"]} == {"/body/extra", "/body/sku", "/body/seconds"}
    body = problem(client.get("/items/A", headers={"x-colour": "green"}), 400, "invalid-request")
    assert body["errors"][0]["pointer"] == "/header/X-Colour"
    assert "green" not in json.dumps(body)


def test_an_unknown_or_repeated_query_parameter_is_refused(client: httpx.Client) -> None:
    body = problem(client.get("/items?colour=red"), 400, "invalid-request")
    assert body["errors"][0]["pointer"] == "/query/colour"
    assert "limit" in body["fix"]
    problem(client.get("/items?limit=1&limit=2"), 400, "invalid-request")


@pytest.mark.parametrize("body", [b"{", b"", b'{"sku": NaN}', b'{"sku": 1e999}', b"\xff", b'{"sku": "A"} x'])
def test_a_body_that_is_not_json(client: httpx.Client, body: bytes) -> None:
    response = client.post("/items", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400


def test_a_media_type_that_the_route_does_not_take(client: httpx.Client) -> None:
    response = client.post("/items", content=b"<sku/>", headers={"content-type": "application/xml"})
    problem(response, 415, "unsupported-media-type")
    problem(client.post("/items", content=b'{"sku":"A"}'), 415, "unsupported-media-type")
    latin = {"content-type": "application/json; charset=latin-1"}
    problem(client.post("/items", content=b'{"sku":"A"}', headers=latin), 415, "unsupported-media-type")


def test_a_body_over_the_bound_by_its_length_or_by_its_chunks(client: httpx.Client) -> None:
    large = b'{"sku": "' + b"A" * 70_000 + b'"}'
    headers = {"content-type": "application/json"}
    problem(client.post("/items", content=large, headers=headers), 413, "request-too-large")
    chunks = (large[start : start + 9000] for start in range(0, len(large), 9000))
    problem(client.post("/items", content=chunks, headers=headers), 413, "request-too-large")


def test_a_reply_over_the_bound(client: httpx.Client) -> None:
    large = {"sku": "A" * 60_000, "name": "B", "on_hand": 1}
    problem(client.post("/strict", json=large), 502, "bad-upstream-reply")


def test_a_write_answers_202_and_its_location(client: httpx.Client) -> None:
    response = client.post("/items", json={"sku": "a b/c"})
    assert response.status_code == 202
    assert response.headers["location"] == "/items/a%20b%2Fc"


def test_what_the_caller_leaves_out_stays_out_and_null_stays_null(gateway: Any, client: httpx.Client) -> None:
    client.post("/items", json={"sku": "absent"})
    client.post("/items", json={"sku": "null", "note": None})
    lines = (gateway.folder / "journal.txt").read_text().splitlines()
    written = {line["sku"]: line for line in map(json.loads, filter(lambda line: line.startswith("{"), lines))}
    assert "note" not in written["absent"]
    assert written["null"]["note"] is None
    assert len(written["null"]["id"]) == 26


# ── the lab's failures ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("error", "read", "write"),
    [
        ("NotFound", (404, "not-found"), (404, "not-found")),
        ("Conflict", (409, "conflict"), (409, "conflict")),
        ("Invalid", (422, "rejected"), (422, "rejected")),
        ("Refused", (502, "upstream-refused"), (502, "upstream-refused")),
        ("BadReply", (502, "bad-upstream-reply"), (504, "unknown-outcome")),
        ("Retry", (503, "upstream-busy"), (503, "upstream-busy")),
        ("Unavailable", (503, "upstream-unavailable"), (503, "upstream-unavailable")),
        ("UnknownOutcome", (504, "deadline-exceeded"), (504, "unknown-outcome")),
    ],
)
def test_what_an_adapter_raises_is_told_by_what_the_caller_may_do(
    client: httpx.Client, error: str, read: tuple[int, str], write: tuple[int, str]
) -> None:
    for _ in range(10):
        assert client.get("/faulty/A").status_code == 200, "successes keep the breaker closed"
    for response, expected in ((client.get(f"/fail/{error}"), read), (client.post(f"/fail/{error}"), write)):
        body = problem(response, *expected)
        assert "secret" not in response.text
        assert body["retryable"] is (expected[0] in (503, 504) and expected[1] != "unknown-outcome")
        if expected[0] == 503:
            assert int(response.headers["retry-after"]) >= 1


def test_a_fault_of_ours_is_a_500_that_tells_nothing(client: httpx.Client) -> None:
    body = problem(client.get("/fail/NoSuchError"), 500, "internal-error")
    assert "NoSuchError" not in json.dumps(body)


def test_an_upstream_that_is_down_hurts_only_its_own_callers(client: httpx.Client) -> None:
    problem(client.get("/closed/A"), 503, "upstream-unavailable")
    assert client.get("/items/A").status_code == 200
    ready = client.get("/-/ready")
    assert ready.status_code == 200
    assert ready.json()["upstreams"] == {"lab": "up", "faulty": "up", "closed": "down"}


def test_a_reply_that_breaks_the_contract(client: httpx.Client) -> None:
    whole = {"sku": "A", "name": "B", "on_hand": 1}
    extra = {**whole, "internal": "x"}
    broken = {**whole, "on_hand": -1}
    assert client.post("/strict", json=whole).json() == whole
    problem(client.post("/strict", json=extra), 502, "bad-upstream-reply")
    assert client.post("/shape", json=extra).json() == whole
    problem(client.post("/shape", json=broken), 502, "bad-upstream-reply")
    assert client.post("/off", json=extra).json() == extra


# ── deadlines and callers that leave ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stubborn", ["false", "true"])
def test_a_caller_may_shorten_the_deadline(client: httpx.Client, stubborn: str) -> None:
    started = time.monotonic()
    response = client.get(f"/wait/30?stubborn={stubborn}", headers={"prefer": "wait=1"})
    problem(response, 504, "deadline-exceeded")
    assert 0.9 < time.monotonic() - started < 7, "the upstream's own deadline of 8 s would have come later"


def test_a_caller_that_leaves_cancels_a_read_and_never_a_write(gateway: Any) -> None:
    journal = gateway.folder / "journal.txt"
    with gateway.client() as client:
        with pytest.raises(httpx.ReadTimeout):
            client.get("/wait/2.5", timeout=0.5)
        with pytest.raises(httpx.ReadTimeout):
            client.post("/items", json={"sku": "kept", "seconds": 1}, timeout=0.5)
    until = time.monotonic() + 10
    while '"kept"' not in journal.read_text() or "cancelled" not in journal.read_text():
        assert time.monotonic() < until, journal.read_text()
        time.sleep(0.05)


def test_a_body_that_never_comes_ends_at_the_deadline(gateway: Any) -> None:
    head = f"POST /items HTTP/1.1\r\nHost: x\r\nAuthorization: {gateway.writer}\r\nPrefer: wait=1\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{"
    assert raw(gateway.port, head.encode()).startswith(b"HTTP/1.1 408")


# ── framing ──────────────────────────────────────────────────────────────────────────────────────────────────


def raw(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        connection.settimeout(5)
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except TimeoutError:
            pass
        return answer


FINE = b"GET /items/A HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: %s\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (FINE + b"\r\n", 200),
        (b"GET /items/A HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        (FINE + b"Host: y\r\n\r\n", 400),
        (FINE + b"Authorization: Bearer other\r\n\r\n", 400),
        (FINE + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n", 400),
        (FINE + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (FINE + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
        (FINE + b"X: 1\nY: 2\r\n\r\n", 400),
        (FINE + b"X : 1\r\n\r\n", 400),
        (FINE + b"X: a\x00b\r\n\r\n", 400),
        (FINE + b"X: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (FINE + b"".join(b"X-%d: 1\r\n" % number for number in range(10_000)) + b"\r\n", 431),
        (b"GET /items/" + b"A" * 9000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 414),
        (b"GET /items/..%2f..%2fetc HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: %s\r\n\r\n", 200),
        (b"GET /items/%2e%2e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400),
        (b"GET /items/../items/A HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400),
        (b"GET /items/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400),
        (b"GET /items/%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400),
        (b"GET /items/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400),
        (b"GET /items?name=%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: %s\r\n\r\n", 400),
        (b"NONSENSE\r\n\r\n", 400),
    ],
)
def test_one_meaning_or_4xx(gateway: Any, request_: bytes, status: int) -> None:
    key = gateway.reader.encode()
    filled = request_.replace(b"%s", key) if b"%s" in request_ else request_
    answer = raw(gateway.port, filled)
    assert answer.startswith(b"HTTP/1.1 %d" % status), answer[:300]
    assert answer.count(b"HTTP/1.1 ") == 1, "a malformed request must not become two"


def test_a_parameter_never_holds_more_than_its_segment(client: httpx.Client) -> None:
    assert client.get("/items/..%2F..%2Fetc").json()["sku"] == "../../etc"


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pages_follow_next_to_the_end(client: httpx.Client) -> None:
    seen: list[str] = []
    url: str | None = "/items?limit=300"
    while url:
        page = client.get(url).json()
        seen += [item["sku"] for item in page["items"]]
        url = page["next"]
    assert seen == [f"S-{number:04}" for number in range(1000)]


def test_filters_and_sort_reach_the_adapter_typed(client: httpx.Client) -> None:
    asked = client.get("/items?limit=2&name=a%20b&on_hand.ge=3&sku.in=A,B&sort=-name,sku").json()["asked"]
    assert asked["sort"] == ["-name", "sku"]
    conditions = sorted(asked["where"])
    assert conditions == [["name", "eq", "a b"], ["on_hand", "ge", 3], ["sku", "in", ["A", "B"]]]


def test_a_cursor_is_good_for_its_own_question_only(client: httpx.Client) -> None:
    following = client.get("/items?limit=2&name=x").json()["next"]
    assert client.get(following).json()["items"][0]["sku"] == "S-0002"
    assert client.get(following.replace("limit=2", "limit=5")).status_code == 200
    problem(client.get(following.replace("name=x", "name=y")), 400, "bad-request")
    cursor = following.rpartition("cursor=")[2]
    for tampered in (cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB"), "AAAA", "%21", cursor + cursor):
        problem(client.get(f"/items?limit=2&name=x&cursor={tampered}"), 400, "bad-request")


# ── composites ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_composite_answers_from_its_parts(client: httpx.Client) -> None:
    response = client.get("/both/A")
    body = response.json()
    assert body["item"]["sku"] == "A"
    assert body["waited"] == "waited"
    assert body["again"] == body["item"]["name"]
    assert "gone" not in body, "what is omitted is absent"
    assert body["plain"] == 0
    assert "'gone' is missing" in response.headers["figway-warning"]


def test_a_step_is_governed_as_its_route_is(gateway: Any, running: Any) -> None:
    key = running.create_key(gateway.folder, "stranger")
    with gateway.client(key) as stranger:
        problem(stranger.get("/both/A"), 403, "forbidden")


# ── what is the gateway's own ────────────────────────────────────────────────────────────────────────────────


def test_the_openapi_document_holds_what_the_caller_may_use(gateway: Any) -> None:
    with gateway.client(gateway.reader) as reader, gateway.client() as writer:
        for_reader, for_writer = reader.get("/openapi.json").json(), writer.get("/openapi.json").json()
    assert set(for_reader["paths"]["/items"]) == {"get"}
    assert set(for_writer["paths"]["/items"]) == {"get", "post"}
    assert "x-gateway" not in json.dumps(for_writer)
    assert httpx.get(f"{gateway.url}/openapi.json").status_code == 401


def test_the_docs_page_loads_nothing_from_elsewhere(gateway: Any) -> None:
    response = httpx.get(f"{gateway.url}/docs")
    assert response.status_code == 200
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "https://" not in response.text


def test_every_call_is_in_the_audit(gateway: Any, running: Any) -> None:
    with gateway.client() as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: client.get(f"/items/AUDIT-{number}"), range(200)))
        answers += [client.get("/nowhere"), client.get("/fail/NoSuchError"), client.delete("/items/A")]
    ids = {answer.headers["figway-lineage"] for answer in answers}
    from gateway.audit.verify import records

    until = time.monotonic() + 10
    while True:
        kept = {record["id"] for record in records(gateway.folder / ".figway" / "audit")}
        if ids <= kept:
            return
        assert time.monotonic() < until, f"{len(ids - kept)} calls aren't in the audit"
        time.sleep(0.1)
