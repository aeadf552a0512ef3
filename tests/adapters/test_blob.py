"""Large content: kept once, in a file beyond a bound, sent and received in pieces."""

from __future__ import annotations

import base64
import gc
import gzip
import os
import random
import time
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.blob import CHUNK, IN_MEMORY, Blob, Spool, of_base64
from adapters.errors import BadReply

DATA = random.Random(7).randbytes(IN_MEMORY * 3 + 5)


def spooled(data: bytes, step: int = 100_000) -> Blob:
    spool = Spool()
    for at in range(0, len(data), step):
        spool.write(data[at : at + step])
    return spool.blob("a/b")


@pytest.mark.parametrize("size", [0, 1, IN_MEMORY, IN_MEMORY + 1, len(DATA)])
def test_what_is_written_is_read(size: int) -> None:
    blob = spooled(DATA[:size])
    assert (blob.size, blob.media_type, blob.in_memory) == (size, "a/b", size <= IN_MEMORY)
    assert blob.read() == DATA[:size] == b"".join(blob.chunks())
    assert blob.read(3, 4) == DATA[:size][3:7]
    assert blob.base64() == base64.b64encode(DATA[:size]).decode()
    part = blob.slice(size // 3, size // 2)
    assert part.read() == DATA[:size][size // 3 : size // 2]
    assert part.slice(0, part.size).read(0, 10) == part.read(0, 10)
    with blob.searched() as found:
        assert found.find(b"\0absent\0") == -1


def test_a_file_goes_with_its_last_blob() -> None:
    def files() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = files()
    blob = spooled(DATA)
    part = blob.slice(0, 5)
    del blob
    gc.collect()
    assert part.read() == DATA[:5]
    assert files() == before + 1
    del part
    gc.collect()
    assert files() == before


@settings(deadline=None, database=None, derandomize=True, max_examples=60)
@given(st.binary(max_size=50), st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK * 2]), st.booleans())
def test_base64_there_and_back(tail: bytes, size: int, blanks: bool) -> None:
    data = DATA[:size] + tail
    text = base64.encodebytes(data).decode() if blanks else base64.b64encode(data).decode()
    assert of_base64(text).read() == data
    assert spooled(text.encode()).of_base64("a/b").read() == data


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "ab",
        "!!!!",
        "QQ==QQ==",
        "é",
        "QQ=",
        "A" * (CHUNK // 3 * 4 - 4) + "QQ==" + "AAAA",
        "QQ==" + " " * CHUNK * 2 + "AAAA",
    ],
)
def test_what_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        of_base64(text)
    with pytest.raises(ValueError, match=r".+"):
        spooled(text.encode()).of_base64()


def test_base64_of_a_file_is_never_held() -> None:
    text = spooled(base64.encodebytes(DATA * 20))
    tracemalloc.start()
    try:
        content = text.of_base64()
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert content.size == 20 * len(DATA)
    assert held < 4 * 2**20


def deadline() -> float:
    return time.monotonic() + 20


async def test_a_body_in_pieces_arrives_whole(wire: Any, make: Any, reply: Any) -> None:
    server = await wire(reply("200 OK", b"{}"))
    sent = await make().send("POST", server.url, body=[b"head", spooled(DATA), b"", b"tail"], deadline=deadline())
    assert sent.body == b"{}"
    (seen,) = server.seen
    assert seen.body == b"head" + DATA + b"tail"
    assert "transfer-encoding" not in seen.headers


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
@pytest.mark.parametrize("size", [0, 10, len(DATA)])
async def test_a_reply_is_spooled_where_that_is_asked(
    wire: Any, make: Any, reply: Any, encoding: str, size: int
) -> None:
    data = DATA[:size]
    packed = {"": data, "gzip": gzip.compress(data), "deflate": zlib.compress(data)}[encoding]
    headers = ["Content-Type: multipart/related; boundary=x", *([f"Content-Encoding: {encoding}"] if encoding else [])]
    server = await wire(reply("200 OK", packed, *headers))
    answer = await make().send("GET", server.url, deadline=deadline(), spool="multipart/")
    assert answer.body == b""
    assert answer.spooled is not None
    assert answer.spooled.read() == data
    plain = await make().send("GET", server.url, deadline=deadline(), spool="image/")
    assert (plain.spooled, plain.body) == (None, data)


@pytest.mark.parametrize("packed", [DATA, gzip.compress(b"\0" * 10**7), gzip.compress(DATA)[:-9], b"\x1f\x8bxx"])
async def test_a_spooled_reply_has_its_bounds(wire: Any, make: Any, reply: Any, packed: bytes) -> None:
    encoding = [] if packed is DATA else ["Content-Encoding: gzip"]
    server = await wire(reply("200 OK", packed, "Content-Type: multipart/related", *encoding))
    client = make(max_body=len(DATA) - 1 if packed is DATA else 10**6)
    with pytest.raises(BadReply):
        await client.send("GET", server.url, deadline=deadline(), spool="multipart/")
