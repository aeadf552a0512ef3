"""Paths, queries and header fields."""

from __future__ import annotations

import re
from typing import Any

import httpx


def _refused(response: httpx.Response, *statuses: int) -> None:
    assert response.status_code in statuses, response.text
    assert response.headers["content-type"].startswith(("application/problem+json", "text/plain"))


def _request(lab: Any, target: bytes, *fields: bytes, method: bytes = b"GET") -> bytes:
    own = (b"Host: x", b"Authorization: " + lab.keys["agent"].encode(), b"Connection: close", *fields)
    return lab.raw(method + b" " + target + b" HTTP/1.1\r\n" + b"\r\n".join(own) + b"\r\n\r\n")


# paths


def dot_segments(lab: Any) -> None:
    assert b" 200 OK" not in _request(lab, b"/inventory/../../../../etc/passwd")


def encoded_dot_segments(lab: Any) -> None:
    assert b" 200 OK" not in _request(lab, b"/hostile/%2e%2e%2f%2e%2e%2fcontrol")
    assert lab.hostile.asked("control") == 0


def twice_encoded_segments(lab: Any) -> None:
    answer = _request(lab, b"/hostile/%252e%252e%252fcontrol")
    assert lab.hostile.asked("/control") == 0
    assert all(b"/in/%252e" in each for each in lab.hostile.heard if b"control" in each), answer


def backslash_segments(lab: Any) -> None:
    _request(lab, b"/hostile/..%5c..%5ccontrol")
    assert not [each for each in lab.hostile.heard if b"\\" in each.partition(b"\r\n")[0]]


def path_parameters(lab: Any) -> None:
    assert b" 200 OK" not in _request(lab, b"/inventory;x=/../-/metrics")
    assert b" 200 OK" not in _request(lab, b"/-/live;/../metrics")


def overlong_utf_8(lab: Any) -> None:
    _request(lab, b"/hostile/%c0%ae%c0%ae%c0%afcontrol")
    assert lab.hostile.asked("/control") == 0


def nul_in_a_path(lab: Any) -> None:
    assert b" 200 OK" not in _request(lab, b"/inventory/BRG%00.txt")


def raw_bytes_in_a_path(lab: Any) -> None:
    assert b" 200 OK" not in _request(lab, b"/inventory/\xff\xfe\x80")


def fragment_in_a_target(lab: Any) -> None:
    assert b"figway_" not in _request(lab, b"/-/metrics#/-/live")


def many_slashes(lab: Any) -> None:
    assert b"figway_problems" not in _request(lab, b"//-/metrics")
    assert b" 200 OK" not in _request(lab, b"//inventory//" + lab.samples["sku"].encode())


def case_of_a_path(lab: Any) -> None:
    assert b" 200 OK" not in _request(lab, b"/-/Metrics")
    assert b" 200 OK" not in _request(lab, b"/INVENTORY")


def lookalike_letters_in_a_path(lab: Any) -> None:
    assert b" 200 OK" not in _request(lab, "/inventory/％2e%EF%BC%8E%EF%BC%8E/".encode())


def path_without_end(lab: Any) -> None:
    assert b" 414 " in _request(lab, b"/inventory/" + b"a" * 20_000)


def path_of_many_segments(lab: Any) -> None:
    assert b" 404 " in _request(lab, b"/a" * 3_000)


def crlf_in_a_path(lab: Any) -> None:
    answer = _request(lab, b"/inventory/x%0d%0aSet-Cookie:%20evil=1%0d%0a%0d%0a")
    assert b"set-cookie" not in answer.lower().partition(b"\r\n\r\n")[0]


# queries


def parameter_given_twice(lab: Any) -> None:
    _refused(lab.get("/inventory?warehouse=HALDEN&warehouse=BERGEN"), 400)


def parameter_that_is_none(lab: Any) -> None:
    _refused(lab.get("/inventory?where=1%3D1"), 400)


def flood_of_parameters(lab: Any) -> None:
    _refused(lab.get("/inventory?" + "a&" * 3_000), 400)


def array_of_many(lab: Any) -> None:
    response = lab.get("/shelves?sku.in=" + ",".join("A" * 3 for _ in range(1_900)), "platform")
    assert response.status_code in (200, 400, 422)


def overlong_utf_8_in_a_query(lab: Any) -> None:
    _refused(lab.get("/inventory?warehouse=%c0%a7"), 400)


def nul_in_a_query(lab: Any) -> None:
    _refused(lab.get("/inventory?warehouse=HALDEN%00x"), 400)


def object_in_a_query(lab: Any) -> None:
    _refused(lab.get("/inventory?warehouse[$ne]=x&warehouse[]=y"), 400)


def integer_that_wraps(lab: Any) -> None:
    _refused(lab.get("/inventory?on_hand.ge=18446744073709551616"), 400)
    _refused(lab.get("/inventory?on_hand.ge=-9223372036854775809"), 400)


def limit_beyond_all(lab: Any) -> None:
    for limit in ("0", "-1", "999999999", "1e3", "٣"):
        _refused(lab.get("/inventory", params={"limit": limit}), 400)


def cursor_made_by_hand(lab: Any) -> None:
    _refused(lab.get("/inventory?cursor=eyJhIjoiJyBPUiAxPTEtLSJ9"), 400)
    _refused(lab.get("/inventory?cursor=" + "A" * 1_900), 400)


def cursor_with_a_bit_turned(lab: Any) -> None:
    following = lab.get("/inventory?limit=1").json()["next"]
    cursor = re.search(r"cursor=([^&]+)", following)[1]
    turned = cursor[:-6] + ("A" if cursor[-6] != "A" else "B") + cursor[-5:]
    _refused(lab.get(f"/inventory?limit=1&cursor={turned}"), 400)


def cursor_of_another_list(lab: Any) -> None:
    following = lab.get("/inventory?limit=1").json()["next"]
    cursor = re.search(r"cursor=([^&]+)", following)[1]
    _refused(lab.get(f"/shelves?limit=1&cursor={cursor}", "platform"), 400)
    _refused(lab.get(f"/inventory?limit=1&warehouse=HALDEN&cursor={cursor}"), 400)


# header fields


def flood_of_fields(lab: Any) -> None:
    assert b" 431 " in _request(lab, b"/inventory", *(b"X-%d: y" % number for number in range(2_000)))


def field_without_end(lab: Any) -> None:
    assert b" 431 " in _request(lab, b"/inventory", b"X: " + b"y" * 60_000)


def method_override(lab: Any) -> None:
    override = {"x-http-method-override": "DELETE", "x-method-override": "PATCH", "x-http-method": "PUT"}
    path = f"/customers/{lab.samples['customer_id']}"
    before = lab.get(path).json()
    response = lab.call("POST", path, "platform", headers=override, json={"phone": "1"})
    assert response.status_code == 405
    assert lab.get(path).json() == before


def methods_that_nobody_offers(lab: Any) -> None:
    for method in (b"TRACE", b"PROPFIND", b"DEBUG", b"DELETE", b"PURGE"):
        answer = _request(lab, b"/inventory", method=method)
        assert b" 200 OK" not in answer
        assert b"Authorization" not in answer


def rewritten_url(lab: Any) -> None:
    for field in ("x-original-url", "x-rewrite-url", "x-forwarded-path", "x-forwarded-prefix"):
        response = lab.get("/-/live", "nobody", headers={field: "/-/metrics"})
        assert "figway_problems" not in response.text


def poisoned_host(lab: Any) -> None:
    response = lab.get("/inventory?limit=1", headers={"host": "evil.example", "x-forwarded-host": "evil.example"})
    assert "evil.example" not in response.text + str(response.headers)
    assert response.json()["next"].startswith("/inventory?")


def forwarded_identity(lab: Any) -> None:
    claimed = dict.fromkeys(("x-forwarded-user", "x-remote-user", "x-user", "remote-user", "x-roles"), "petra")
    _refused(lab.get("/inventory", None, headers=claimed), 401)


def hop_by_hop_authorization(lab: Any) -> None:
    response = lab.get("/hostile/hop", headers={"connection": "close, authorization, figway-lineage", "te": "trailers"})
    assert response.status_code == 200
    assert all(lab.keys["agent"].encode() not in each for each in lab.hostile.heard)


def accept_that_never_ends(lab: Any) -> None:
    _refused(lab.get("/inventory", headers={"accept": ",".join(["text/html;q=0.1"] * 1_500)}), 406)


def accept_with_odd_quality(lab: Any) -> None:
    for accept in ("application/json;q=nan", "application/json;q=-1", "*/*;q=1e999"):
        assert lab.get("/inventory", headers={"accept": accept}).status_code in (200, 400, 406)


def range_of_a_reply(lab: Any) -> None:
    response = lab.get("/inventory?limit=1", headers={"range": "bytes=0-0," * 200 + "0-0", "if-range": "x"})
    assert response.status_code == 200
    assert response.json()["items"]


def cache_poisoning(lab: Any) -> None:
    first = lab.get("/inventory?limit=1", headers={"x-forwarded-scheme": "nothttps", "x-host": "evil"})
    assert "evil" not in first.text
    assert "public" not in first.headers.get("cache-control", "")
    _refused(lab.get("/inventory?limit=1", None), 401)


def wait_that_overflows(lab: Any) -> None:
    for wait in ("wait=99999999999999999999", "wait=-1", "wait=1e9", "respond-async; wait=" + "9" * 400):
        assert lab.get("/inventory?limit=1", headers={"prefer": wait}).status_code == 200


def prefer_on_a_read(lab: Any) -> None:
    response = lab.get("/hostile/good", headers={"prefer": "respond-async, return=minimal"})
    assert response.status_code == 200


def traceparent_that_lies(lab: Any) -> None:
    for text in ("00-" + "0" * 32 + "-" + "0" * 16 + "-01", "ff-" + "a" * 32 + "-" + "b" * 16 + "-01", "x" * 5000):
        response = lab.get("/inventory?limit=1", headers={"traceparent": text, "tracestate": "a=" + "b" * 9000})
        assert response.status_code in (200, 431)
        assert text not in str(response.headers)


def traceparent_into_sql_comments(lab: Any) -> None:
    evil = "00-" + "a" * 32 + "-" + "b" * 16 + "-01*/; DROP TABLE stock; --"
    response = lab.get(f"/inventory/{lab.samples['sku']}", headers={"traceparent": evil})
    assert response.status_code == 200
    assert "DROP" not in str(response.headers)


def baggage_into_upstreams(lab: Any) -> None:
    lab.get("/hostile/baggage", headers={"baggage": "user=admin", "tracestate": "x=1", "x-forwarded-for": "1.2.3.4"})
    heard = [each for each in lab.hostile.heard if b"/in/baggage" in each][-1]
    assert b"user=admin" not in heard
    assert b"1.2.3.4" not in heard


def cookies(lab: Any) -> None:
    text = lab.keys["agent"].removeprefix("Bearer ")
    _refused(lab.get("/inventory", None, headers={"cookie": f"authorization={text}; token={text}"}), 401)
    lab.seen.clear()


def cross_origin(lab: Any) -> None:
    response = lab.call(
        "OPTIONS", "/tasks", headers={"origin": "https://evil.example", "access-control-request-method": "POST"}
    )
    assert "access-control-allow-origin" not in response.headers
    response = lab.get("/inventory?limit=1", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in response.headers


def options_of_everything(lab: Any) -> None:
    answer = _request(lab, b"*", method=b"OPTIONS")
    assert b" 500 " not in answer
    assert b"/inventory" not in answer
