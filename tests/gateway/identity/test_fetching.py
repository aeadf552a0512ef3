"""Asking an issuer: what it may answer, and how much and how long; nothing else leaves the gateway or comes back."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import httpx
import pytest
import respx

from gateway.identity import fetching
from gateway.identity.fetching import Fetcher, Unavailable

URL = "https://id.example.com/jwks"


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    fetcher = Fetcher()
    yield fetcher
    await fetcher.close()


@respx.mock
async def test_an_object_is_fetched(fetcher: Fetcher) -> None:
    route = respx.get(URL).respond(json={"keys": []})
    assert await fetcher.get(URL) == {"keys": []}
    sent = route.calls.last.request
    assert (sent.headers["accept"], sent.headers["user-agent"]) == ("application/json", "figway")
    assert "cookie" not in sent.headers


@respx.mock
async def test_gzip_is_inflated_here(fetcher: Fetcher) -> None:
    body = _Once(gzip.compress(b'{"a": 1}'))
    respx.get(URL).mock(return_value=httpx.Response(200, headers={"content-encoding": "gzip"}, stream=body))
    assert await fetcher.get(URL) == {"a": 1}


GZIP = {"content-encoding": "gzip"}
ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "a redirect": (302, {"location": "http://169.254.169.254/latest/meta-data"}, b""),
    "nothing": (204, {}, b""),
    "a failure": (503, {}, b'{"keys": []}'),
    "unauthorized": (401, {}, b'{"active": true}'),
    "a page": (200, {"content-type": "text/html"}, b"<html>"),
    "a list": (200, {}, b"[]"),
    "a member twice": (200, {}, b'{"a": 1, "a": 2}'),
    "NaN": (200, {}, b'{"a": NaN}'),
    "too deep": (200, {}, b'{"a":' + b"[" * 100_000),
    "too much": (200, {}, b'{"a": "' + b"x" * 300_000 + b'"}'),
    "no gzip": (200, GZIP, b"x"),
    "half a gzip": (200, GZIP, gzip.compress(b"{}")[:-4]),
    "too much in gzip": (200, GZIP, gzip.compress(b'{"a": "' + b"x" * 300_000 + b'"}')),
    "another coding": (200, {"content-encoding": "br"}, b"{}"),
    "codings in a row": (200, {"content-encoding": "gzip, gzip"}, b"{}"),
}


class _Once(httpx.AsyncByteStream):
    """A body as a network gives it: undecoded."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body


@pytest.mark.parametrize("name", ANSWERS)
@respx.mock
async def test_what_isnt_a_small_object_is_refused(fetcher: Fetcher, name: str) -> None:
    status, headers, body = ANSWERS[name]
    respx.get(URL).mock(side_effect=lambda _: httpx.Response(status, headers=headers, stream=_Once(body)))
    with pytest.raises(Unavailable):
        await fetcher.get(URL)
    assert len(respx.calls) == 1


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("odd"), OSError("x")]
)
@respx.mock
async def test_a_network_that_fails_is_told_as_one_thing(fetcher: Fetcher, error: Exception) -> None:
    respx.get(URL).mock(side_effect=error)
    with pytest.raises(Unavailable):
        await fetcher.get(URL)


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example.com/jwks",
        "http://127.0.0.1.evil.example/jwks",
        "http://localhost.evil.example/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https://user@id.example.com/",
        "https://id.example.com/#x",
        "https://id.example.com:x/",
        "https:///x",
        "//127.0.0.1/",
        "https://id.exam ple.com/",
        "https://id.example.com\\@evil.example/",
        "https://[::1/",
        "",
    ],
)
@respx.mock
async def test_no_other_place_is_asked(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(Unavailable):
        await fetcher.get(url)
    assert len(respx.calls) == 0


async def test_a_gzip_bomb_costs_no_memory(fetcher: Fetcher, issuer: Any, issuing: ModuleType) -> None:
    bomb = issuing.bomb(60_000_000)
    assert len(bomb) < fetching._MOST_BYTES
    issuer.answers["/jwks"] = lambda: (200, {"content-encoding": "gzip"}, bomb)
    await fetcher.get(f"{issuer.url}/.well-known/openid-configuration")
    tracemalloc.start()
    try:
        with pytest.raises(Unavailable, match="more than"):
            await fetcher.get(f"{issuer.url}/jwks")
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


async def test_an_answer_that_drips_is_given_up(fetcher: Fetcher, issuer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await fetcher.get(f"{issuer.url}/jwks")
    monkeypatch.setattr(fetching, "SECONDS", 0.1)
    issuer.pause = 1.0
    with pytest.raises(Unavailable, match="TimeoutError"):
        await fetcher.get(f"{issuer.url}/jwks")


async def test_questions_under_way_are_bounded(fetcher: Fetcher, issuer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_MOST_WAITING", 0)
    with pytest.raises(Unavailable, match="under way already"):
        await fetcher.get(f"{issuer.url}/jwks")
    assert issuer.asked == {}
