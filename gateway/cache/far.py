"""Answers that the hosts of a fleet share, in Redis or Valkey, and what was changed through any of them.

A mark is a text of chance that each change replaces. An answer holds the marks that its question depends on, as they
were before its system was asked, and serves while they are the same; every read looks. Answers are sealed (AES-GCM,
bound to their question), so that the store neither reads them nor makes one up. While it is away nothing kept is told:
whoever asks is answered by the system.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Coroutine, Iterable, Sequence
from datetime import datetime
from hashlib import blake2b, sha256
from typing import Any, NamedTuple, TypeVar

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from adapters.contract import Source
from gateway.cache.memory import MOST_BYTES, Entry
from gateway.identity.signing import Keyring, SigningKey
from gateway.store.contract import StoreError

logger = logging.getLogger("figway")

T = TypeVar("T")
_PATIENCE, _PAUSE = 0.1, 1.0
"""Seconds that the store may take, and for which nobody waits for it after it took longer."""
_CONNECTIONS = 16
_MARKS_LIVE = 15 * 86_400
"""Seconds: longer than any answer is kept, so that a mark that is gone is never taken for one that was never there."""
_NONCE = 12
_ALL = b"{figway}:mark:all"
_MOST_UNTOLD = 10_000


class Look(NamedTuple):
    """The marks that a question depends on, and what is kept under them."""

    seen: bytes
    entry: Entry | None


class Far:
    """The store at `url`; `keys` seal. For one event loop; nothing is connected before the first call."""

    def __init__(self, url: str, keys: Keyring) -> None:
        try:
            pool = BlockingConnectionPool.from_url(
                url, max_connections=_CONNECTIONS, timeout=None, retry=Retry(NoBackoff(), 0)
            )
        except ValueError as error:
            raise StoreError("stores.cache isn't an address that the Redis client understands") from error
        self._redis: Any = Redis.from_pool(pool)
        self._keys = keys
        self._away_until = 0.0
        self._untold: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def look(self, key: bytes, entry: Entry | None, places: Sequence[int]) -> Look | None:
        """What is kept: `entry`, this process's own, where its marks are those of now, else the fleet's. None: the
        store is away, or something is being changed of which nobody knows the end."""
        if self._untold and not await self.touch(()):
            return None
        names = [*map(_mark, places), _ALL, *map(_held, places)]
        if entry is None:
            names.append(_name(key))
        found = await self._within(self._redis.mget(names))
        if found is None or any(each is not None for each in found[len(places) + 1 : 2 * len(places) + 1]):
            return None
        seen = b"\0".join(each or b"" for each in found[: len(places) + 1])
        if entry is None and found[-1] is not None:
            entry = self._opened(key, found[-1])
        return Look(seen, entry if entry is not None and entry.seen == seen else None)

    def keep(self, key: bytes, entry: Entry, seconds: float) -> None:
        """Has the fleet keep an answer for so long, soon."""
        if entry.body is None or entry.problem is not None or len(entry.body) > MOST_BYTES // 64:
            return
        task = asyncio.create_task(self._kept(key, entry, seconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _kept(self, key: bytes, entry: Entry, seconds: float) -> None:
        await self._within(self._redis.set(_name(key), self._sealed(key, entry), px=max(1, int(seconds * 1000))))

    async def touch(self, places: Iterable[int], later: float = 0.0, *, everything: bool = False) -> bool:
        """Something has changed there, or may for `later` more seconds; False: the store hasn't heard of it. Then this
        process tells nothing that is kept until it has."""
        wanted = self._untold | set(places)
        self._untold = set(list(wanted)[:_MOST_UNTOLD])
        value = os.urandom(12)
        async with self._redis.pipeline(transaction=True) as pipeline:
            for place in wanted:
                pipeline.set(_mark(place), value, ex=_MARKS_LIVE)
                if later:
                    pipeline.set(_held(place), b"1", px=int(later * 1000))
            if everything:
                pipeline.set(_ALL, value, ex=_MARKS_LIVE)
            if await self._within(pipeline.execute()) is None:
                return False
        self._untold -= wanted
        return True

    async def _within(self, work: Awaitable[T]) -> T | None:
        """The store's answer; None where it gives none in time."""
        if time.monotonic() < self._away_until:
            if isinstance(work, Coroutine):
                work.close()
            return None
        try:
            async with asyncio.timeout(_PATIENCE):
                return await work
        except (TimeoutError, RedisError, OSError) as error:
            if not self._away_until:
                logger.error("the store of kept answers doesn't answer; systems are asked instead: %r", error)
            self._away_until = time.monotonic() + _PAUSE
            return None

    async def close(self) -> None:
        """Ends what is under way, and the connections."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._redis.aclose()

    # ── sealing ──────────────────────────────────────────────────────────────────────────────────────────────

    def _sealed(self, key: bytes, entry: Entry) -> bytes:
        facts = {
            "status": entry.status,
            "as_of": entry.as_of,
            "asked": time.time() - (time.monotonic_ns() - entry.asked) / 1e9,
            "seen": entry.seen.hex(),
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in entry.headers],
            "sources": [list(source) for source in entry.sources],
            "warnings": entry.warnings,
            "version": entry.version,
        }
        assert entry.body is not None
        signing, nonce = self._keys.current, os.urandom(_NONCE)
        text = orjson.dumps(facts) + b"\n" + entry.body
        return signing.id.encode() + b"." + nonce + _cipher(signing).encrypt(nonce, text, key)

    def _opened(self, key: bytes, kept: bytes) -> Entry | None:
        id, _, sealed = kept.partition(b".")
        signing = self._keys.by_id(id.decode("latin-1"))
        if signing is None:
            return None
        try:
            text = _cipher(signing).decrypt(sealed[:_NONCE], sealed[_NONCE:], key)
        except (InvalidTag, ValueError):
            return None
        head, _, body = text.partition(b"\n")
        return _entry(orjson.loads(head), body)


def _entry(facts: Any, body: bytes) -> Entry:
    # A moment that hasn't come by this host's clock isn't believed: what is kept would serve for longer.
    age = max(time.time() - facts["asked"], 0.0)
    sources = (Source(each[0], each[1], each[2], _span(each[3]), _moment(each[4])) for each in facts["sources"])
    return Entry(
        facts["status"],
        body,
        datetime.fromisoformat(facts["as_of"]),
        time.monotonic_ns() - int(age * 1e9),
        [(name.encode("latin-1"), value.encode("latin-1")) for name, value in facts["headers"]],
        tuple(sources),
        tuple(facts["warnings"]),
        None if facts["version"] is None else (facts["version"][0], facts["version"][1]),
        seen=bytes.fromhex(facts["seen"]),
    )


def _span(value: Any) -> tuple[int, int] | None:
    return None if value is None else (value[0], value[1])


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _cipher(key: SigningKey) -> AESGCM:
    return AESGCM(sha256(b"kept answers\0" + key.secret).digest())


def _name(key: bytes) -> bytes:
    return b"{figway}:kept:" + blake2b(key, digest_size=20).hexdigest().encode()


def _mark(place: int) -> bytes:
    return b"{figway}:mark:%d" % place


def _held(place: int) -> bytes:
    return b"{figway}:held:%d" % place
