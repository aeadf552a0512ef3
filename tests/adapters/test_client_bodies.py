"""Bodies that are malformed, too large, compressed or bombs: bounded, and told as what they are."""

from __future__ import annotations

import gzip
import time
import zlib
from typing import Any

import pytest

from adapters.errors import BadReply


def soon(seconds: float = 10.0) -> float:
    return time.monotonic() + seconds


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"hello, this is not HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=["no-http", "negative-length", "bad-chunk", "huge-header"],
)
async def test_malformed_http_is_a_bad_reply(raised: Any, wire: Any, make: Any, bytes_sent: bytes) -> None:
    server = await wire(bytes_sent)
    assert type(await raised(make(), server.url)) is BadReply


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_bound_is_a_bad_reply(
    raised: Any, wire: Any, make: Any, reply: Any, chunked: bool
) -> None:
    big = b"x" * 300_000
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server = await wire(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(big), big) if chunked else reply("200 OK", big))
    assert type(await raised(make(max_body=200_000), server.url)) is BadReply
    assert (await make(max_body=300_000).send("GET", server.url, deadline=soon())).body == big


# ── compression ──────────────────────────────────────────────────────────────────────────────────────────────


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS = {"gzip": gzip.compress, "deflate": zlib.compress, "raw": raw_deflate}


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("size", [0, 10, 65_536, 500_000])
async def test_compressed_bodies(wire: Any, make: Any, reply: Any, packer: str, size: int) -> None:
    data = bytes(index % 251 for index in range(size))
    encoding = "deflate" if packer == "raw" else packer
    server = await wire(reply("200 OK", PACKERS[packer](data), f"Content-Encoding: {encoding}"))
    assert (await make(max_body=500_000).send("GET", server.url, deadline=soon())).body == data


@pytest.mark.parametrize("packer", PACKERS)
async def test_a_bomb_is_never_unpacked_beyond_the_bound(
    raised: Any, wire: Any, make: Any, reply: Any, packer: str
) -> None:
    bomb = PACKERS[packer](bytes(50_000_000))
    assert len(bomb) < 60_000
    encoding = "deflate" if packer == "raw" else packer
    server = await wire(reply("200 OK", bomb, f"Content-Encoding: {encoding}"))
    error = await raised(make(max_body=100_000), server.url)
    assert type(error) is BadReply
    assert "larger than 100000 bytes" in error.message


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", gzip.compress(b"x" * 999)[:-9]), ("gzip", b"garbage"), ("deflate", b"garbage"), ("br", b"x")],
    ids=["gzip-cut-short", "gzip-garbage", "deflate-garbage", "brotli"],
)
async def test_what_cannot_be_decompressed_is_a_bad_reply(
    raised: Any, wire: Any, make: Any, reply: Any, encoding: str, body: bytes
) -> None:
    server = await wire(reply("200 OK", body, f"Content-Encoding: {encoding}"))
    assert type(await raised(make(), server.url)) is BadReply


@pytest.mark.parametrize("kind", ["a/b; c*=undefined''d", "a/b; c*0*=a%00b''d", "A/B", "", "a/b; c*=punycode''d"])
@pytest.mark.parametrize("status", ["200 OK", "500 Error"])
async def test_any_content_type_is_a_reply(wire: Any, make: Any, reply: Any, kind: str, status: str) -> None:
    # What was sent was done: that its answer is strange must never be told as a request that couldn't be sent.
    server = await wire(reply(status, b"x", f"Content-Type: {kind}"))
    found = await make().send("POST", server.url, deadline=soon(), body=b"{}", spool="a/")
    assert found.headers["content-type"] == kind
    assert (found.body, found.spooled and found.spooled.read()) == ((b"", b"x") if kind else (b"x", None))
