"""The hash chain: each record's hash covers the one before, so none can be changed, dropped or moved unseen.

    hash(0)   = SHA-256("figway audit 1\\n" + name of the writer)
    hash(seq) = SHA-256(hash(seq - 1) + seq as 8 bytes, big-endian + the record's bytes as stored)

The chain alone doesn't show that its end was cut off; who keeps an older `Head` can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Self


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a writer's chain: how many records there are, and the hash of the last."""

    writer: str
    count: int
    hash: bytes

    @classmethod
    def first(cls, writer: str) -> Self:
        """Where a writer's chain starts."""
        return cls(writer, 0, sha256(b"figway audit 1\n" + writer.encode()).digest())


def link(previous: bytes, sequence: int, body: bytes) -> bytes:
    """The hash of record number `sequence` (from 1) behind the one whose hash is `previous`."""
    return sha256(previous + sequence.to_bytes(8, "big") + body).digest()
