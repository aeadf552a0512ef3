"""The hash chain: each segment's hash covers the one before, so none can be changed, dropped or moved unseen.

    hash(0) = SHA-256("figway audit 2\\n" + writer)
    hash(n) = SHA-256(hash(n - 1) + number + first + count + time as 8 bytes each, big-endian + body)

A segment's hash covers each of its records and their order, at the price of one hash a commit.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import sha256

from gateway.audit.sink import Head, Segment

_HEADER = struct.Struct(">4Q")


def start(writer: str) -> Head:
    """Where a writer's chain starts."""
    return Head(0, 0, sha256(b"figway audit 2\n" + writer.encode()).digest())


def link(previous: bytes, number: int, first: int, count: int, time: int, body: bytes) -> bytes:
    """The hash of a segment behind the one whose hash is `previous`."""
    hash = sha256(previous + _HEADER.pack(number, first, count, time))
    hash.update(body)
    return hash.digest()


def segment(head: Head, lines: Sequence[bytes], time: int) -> Segment:
    """The next segment behind `head`: `lines` hold no line feed, `time` is in microseconds."""
    body = b"\n".join((*lines, b""))
    number, first, count = head.segment + 1, head.size, len(lines)
    return Segment(number, first, count, time, body, link(head.hash, number, first, count, time, body))


def behind(segment: Segment) -> Head:
    """The chain's end once `segment` is its last."""
    return Head(segment.number, segment.first + segment.count, segment.hash)
