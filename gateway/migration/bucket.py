"""Which bucket a key falls into: the same on every worker, host and release, so that ramping up sends nobody back.

`int.from_bytes(sha256("v1|salt|group|key" as UTF-8)[:8], "big") * 10**6 >> 64`. Neither salt nor group holds a `|`.
"""

from __future__ import annotations

from hashlib import sha256

from gateway.migration.model import MILLION


def bucket(salt: str, group: str, key: str) -> int:
    """The key's bucket, 0 to 999,999."""
    return int.from_bytes(sha256(f"v1|{salt}|{group}|{key}".encode()).digest()[:8], "big") * MILLION >> 64


def bucket_of(salt: str, group: str) -> _Buckets:
    """The same for one group, its prefix hashed once: some 0.6 µs a key."""
    return _Buckets(salt, group)


class _Buckets:
    __slots__ = ("_prefix",)

    def __init__(self, salt: str, group: str) -> None:
        if "|" in salt or "|" in group:
            raise ValueError("neither a salt nor a group's name may hold '|'")
        self._prefix = sha256(f"v1|{salt}|{group}|".encode())

    def __call__(self, key: str) -> int:
        state = self._prefix.copy()
        state.update(key.encode())
        return int.from_bytes(state.digest()[:8], "big") * MILLION >> 64
