"""One call of a system for all who wait for the same answer.

A flight belongs to nobody: who began it may leave, and others still get what it brings. When it takes much longer than
usual, one of those who wait begins another, and the others join that; so that one hung connection holds up nobody for
longer. There are `MOST_AT_ONCE` to one question at a time at most.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from gateway.cache.memory import Entry
from gateway.call import Reply, UpstreamCall
from gateway.errors import Problem

logger = logging.getLogger("figway")

MOST_AT_ONCE = 3
_UNKNOWN = 0.75
"""The share of an upstream's deadline for which a flight is waited for while nobody knows how long it usually takes."""
_PATIENCE = 2.0
"""A flight is waited for this many times as long as the longest of late."""
_LEAST = 1.0
"""Seconds for which one is waited for at least."""
_FORGOTTEN = 0.02
"""The share by which the longest of late shrinks with each that is shorter."""


class Usual:
    """How long a question to a system takes at most, of late. `deadline`: of its upstream, in seconds."""

    def __init__(self, deadline: float) -> None:
        self._most = deadline * _UNKNOWN
        self._seconds: float | None = None

    def note(self, seconds: float) -> None:
        """It took so long."""
        self._seconds = max(seconds, (self._seconds or 0.0) * (1 - _FORGOTTEN))

    @property
    def patience(self) -> float:
        """For how long a flight is waited for, in seconds."""
        if self._seconds is None:
            return self._most
        return min(max(self._seconds * _PATIENCE, _LEAST), self._most)


@dataclass(slots=True)
class Landed:
    """What a flight brought."""

    entry: Entry
    reply: Reply | None = None
    """The answer as it came, for the one who began it."""


Fetch: TypeAlias = Callable[[int], Coroutine[Any, Any, Landed]]
"""Asks the system; it is told when (ns)."""


@dataclass(slots=True)
class Flight:
    """One call under way. `asked` on `time.monotonic_ns()`'s clock; `calls` are those of upstreams that it takes."""

    asked: int
    until: float
    """On `time.monotonic()`'s clock: when those who wait begin another."""
    calls: list[UpstreamCall]
    number: int = 1
    seen: bytes = b""
    """The fleet's marks before it began."""
    task: asyncio.Task[Landed] = field(init=False)

    @property
    def last(self) -> bool:
        """Whether no other is begun, however long it takes."""
        return self.number >= MOST_AT_ONCE


class Flights:
    """Those of one process, the latest of each question by its key. For one event loop."""

    def __init__(self) -> None:
        self._by_key: dict[bytes, Flight] = {}
        self._tasks: set[asyncio.Task[Landed]] = set()

    def get(self, key: bytes) -> Flight | None:
        """The latest one that is under way."""
        return self._by_key.get(key)

    def begin(self, key: bytes, patience: float, fetch: Fetch, calls: list[UpstreamCall], seen: bytes = b"") -> Flight:
        """Another one, which is the one to join from now on. `patience`: seconds before those who wait begin another;
        `calls`: where `fetch` notes its calls of upstreams; `seen`: the fleet's marks."""
        before = self._by_key.get(key)
        asked = time.monotonic_ns()
        flight = Flight(asked, asked / 1e9 + patience, calls, 1 if before is None else before.number + 1, seen)
        task = flight.task = asyncio.create_task(fetch(asked))
        self._by_key[key] = flight
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._ended(key, flight, task))
        return flight

    def _ended(self, key: bytes, flight: Flight, task: asyncio.Task[Landed]) -> None:
        self._tasks.discard(task)
        if self._by_key.get(key) is flight:
            del self._by_key[key]
        # Where nobody waits any more, this alone looks at how it ended.
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Problem):
            logger.error("what was to be kept couldn't be asked for", exc_info=error)

    async def close(self) -> None:
        """Ends all of them."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
