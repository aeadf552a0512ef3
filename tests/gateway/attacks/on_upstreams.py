"""APIs that are hostile themselves: answers that reach out, blow up, lie, or never end."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from typing import Any

import httpx

# A redirect is told as a refusal of the request.
_BAD = (422, 502, 503, 504)


def _json(
    lab: Any, name: str, body: bytes, *fields: bytes, path: str = "/hostile/{}", **options: Any
) -> httpx.Response:
    return lab.poisoned(lab.hostile_module.reply(body, *fields, **options), name, path)


def error_that_echoes_the_secret(lab: Any) -> None:
    secret = lab.secrets["HOSTILE_TOKEN"].decode()
    body = f'{{"errors": [{{"pointer": "/{secret}", "detail": "Bearer {secret} is unknown"}}]}}'.encode()
    response = _json(lab, "echo", body, status=b"422 Unprocessable")
    assert secret not in response.text


def redirect_of_a_read(lab: Any) -> None:
    for place in (
        f"{lab.canary.url}/x",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "//127.0.0.1:1/",
    ):
        response = _json(lab, "redirect", b"", b"Location: " + place.encode(), status=b"302 Found")
        assert response.status_code in _BAD
        assert place not in response.text


def refresh_and_links(lab: Any) -> None:
    fields = (
        f"Refresh: 0; url={lab.canary.url}",
        f"Link: <{lab.canary.url}>; rel=preload",
        f'Alt-Svc: h2=":{lab.canary.port}"',
    )
    response = _json(lab, "links", b'{"a": 1}', *(each.encode() for each in fields))
    assert response.status_code == 200
    assert str(lab.canary.port) not in str(response.headers)


def fields_that_are_not_passed_on(lab: Any) -> None:
    fields = (
        b"Set-Cookie: s=1; Domain=.example",
        b"Access-Control-Allow-Origin: *",
        b"Figway-Served-By: evil",
        b"X-Powered-By: PHP/5",
        b"Server: evil",
    )
    response = _json(lab, "cookies", b'{"a": 1}', *fields)
    assert not {"set-cookie", "access-control-allow-origin", "x-powered-by"} & set(response.headers)
    assert "evil" not in str(response.headers)


def gzip_bomb_of_json(lab: Any) -> None:
    assert _json(lab, "bomb", gzip.compress(b" " * 100_000_000), b"Content-Encoding: gzip").status_code in _BAD


def gzip_within_gzip(lab: Any) -> None:
    inner = gzip.compress(gzip.compress(b" " * 50_000_000))
    assert _json(lab, "nested", inner, b"Content-Encoding: gzip, gzip").status_code in _BAD


def deflate_bomb(lab: Any) -> None:
    assert _json(lab, "deflate", zlib.compress(b"0" * 100_000_000), b"Content-Encoding: deflate").status_code in _BAD


def coding_nobody_asked_for(lab: Any) -> None:
    for coding in (b"br", b"zstd", b"compress", b"aes128gcm"):
        assert _json(lab, "coding", b"\x00\x01", b"Content-Encoding: " + coding).status_code in _BAD


def deep_json(lab: Any) -> None:
    for depth in (200, 900, 500_000):
        assert _json(lab, "deep", b"[" * depth + b"]" * depth).status_code in _BAD


def wide_json(lab: Any) -> None:
    assert _json(lab, "wide", b"[" + b"[]," * 600_000 + b"[]]").status_code in (200, *_BAD)


def json_that_is_none(lab: Any) -> None:
    for body in (b"NaN", b"{", b"\xff", b'{"a": 1e999}', b"[1,]", b"<html>", b'{"a":1}{"b":2}', b'"\\ud800"'):
        assert _json(lab, "none", body).status_code in _BAD


def numbers_that_are_long(lab: Any) -> None:
    assert _json(lab, "digits", b'{"a": ' + b"9" * 4_200 + b"}").status_code in (200, *_BAD)
    assert _json(lab, "digits", b'{"a": 0.' + b"9" * 1_000_000 + b"}").status_code in (200, *_BAD)


def pattern_that_backtracks_on_a_reply(lab: Any) -> None:
    assert _json(lab, "again", b'{"id": "' + b"a" * 50_000 + b'!"}', path="/strict/{}").status_code == 502


def member_that_nobody_promised(lab: Any) -> None:
    response = _json(lab, "extra", b'{"id": "a", "password": "internal-value-1"}', path="/strict/{}")
    assert response.status_code == 502
    assert "internal-value-1" not in response.text


def page_instead_of_json(lab: Any) -> None:
    response = _json(lab, "page", b"<script>alert(1)</script>", media=b"text/html")
    assert response.status_code in _BAD
    assert "script" not in response.text


def error_that_tells_all(lab: Any) -> None:
    body = b'{"detail": "SELECT secret FROM t; Traceback (most recent call last): File \\"/srv/app.py\\", line 3"}'
    for status in (b"500 Internal Server Error", b"403 Forbidden", b"404 Not Found", b"418 Teapot"):
        response = _json(lab, "tells", body, status=status)
        assert "SELECT" not in response.text


def body_over_the_bound(lab: Any) -> None:
    assert _json(lab, "huge", b'"' + b"a" * 3_000_000 + b'"').status_code in _BAD


def body_without_length(lab: Any) -> None:
    def endless() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
        for _ in range(400):
            yield b" " * 65_536

    assert lab.poisoned(endless, "endless").status_code in _BAD


def chunks_that_never_end(lab: Any) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        for _ in range(60_000):
            yield b"1;" + b"x" * 500 + b"\r\n \r\n"

    assert lab.poisoned(chunks, "chunks").status_code in _BAD


def head_without_end(lab: Any) -> None:
    def head() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        for number in range(20_000):
            yield b"X-%d: %b\r\n" % (number, b"y" * 200)

    assert lab.poisoned(head, "head").status_code in _BAD


def interim_answers_without_end(lab: Any) -> None:
    def interim() -> Iterator[bytes]:
        for _ in range(20_000):
            yield b"HTTP/1.1 100 Continue\r\n\r\n"

    assert lab.poisoned(interim, "interim").status_code in _BAD


def bytes_that_drip(lab: Any) -> None:
    def drip() -> Iterator[bytes | float]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
        for _ in range(12):
            yield b" "
            yield 0.3

    assert lab.poisoned(drip, "drip").status_code == 504


def answer_cut_off(lab: Any) -> None:
    cut = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"a": 1}'
    assert lab.poisoned(cut, "cut").status_code in _BAD


def answer_with_two_lengths(lab: Any) -> None:
    two = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\nContent-Length: 2\r\n\r\n{"a": 1}'
    assert lab.poisoned(two, "two").status_code in _BAD


def answer_with_length_and_chunks(lab: Any) -> None:
    both = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"a": 1}\r\n0\r\n\r\n'
    response = lab.poisoned(both, "both")
    assert response.status_code in _BAD


def answer_behind_the_answer(lab: Any) -> None:
    """A second answer on the connection isn't taken for the next request's."""
    own = lab.hostile_module.reply(b'{"mine": 1}').replace(b"Connection: close\r\n", b"")
    evil = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"evil": 1}'
    lab.poisoned(own + evil, "queued")
    for _ in range(4):
        assert "evil" not in lab.get("/hostile/good").text


def answer_of_an_old_version(lab: Any) -> None:
    for line in (
        b"HTTP/0.9 200 OK",
        b"HTTP/9.9 200 OK",
        b"ICY 200 OK",
        b"HTTP/1.1 2OO OK",
        b"HTTP/1.1 99999 OK",
        b"\x15\x03\x01",
    ):
        assert lab.poisoned(line + b"\r\nContent-Length: 2\r\n\r\n{}", "version").status_code in (200, *_BAD)


def answer_that_switches_protocols(lab: Any) -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n\x00\x00\x00\x04"
    assert lab.poisoned(switch, "switch").status_code in _BAD


def answer_with_folded_fields(lab: Any) -> None:
    folded = b'HTTP/1.1 200 OK\r\nX: a\r\n Content-Length: 0\r\nContent-Length: 8\r\n\r\n{"a": 1}'
    assert lab.poisoned(folded, "folded").status_code in (200, *_BAD)


def age_that_overflows(lab: Any) -> None:
    for age in (b"99999999999999999999", b"-5", b"1e9"):
        assert _json(lab, "age", b'{"a": 1}', b"Age: " + age).status_code == 200


def wait_asked_for_without_end(lab: Any) -> None:
    response = _json(lab, "later", b"{}", b"Retry-After: 99999999999", status=b"503 Busy")
    assert int(response.headers.get("retry-after", "0")) <= 3_600


def location_that_splits(lab: Any) -> None:
    body = b'{"place": "x\\r\\nSet-Cookie: evil=1\\r\\n\\r\\n<script>"}'
    lab.hostile.answers[b"/in/split"] = lambda: [lab.hostile_module.reply(body)]
    response = lab.post("/hostile/split", {"a": 1})
    assert "set-cookie" not in response.headers
    assert "\n" not in response.headers.get("location", "")


def location_that_leaves(lab: Any) -> None:
    body = b'{"place": "//evil.example/../../x?y#z"}'
    lab.hostile.answers[b"/in/leave"] = lambda: [lab.hostile_module.reply(body)]
    response = lab.post("/hostile/leave", {"a": 1})
    assert response.headers.get("location", "/hostile/").startswith("/hostile/")
    assert "/../" not in response.headers.get("location", "")
