"""A circuit breaker: it stops calls of an upstream that mostly fails; then one call at a time finds out if it is back.

    closed --(failure ratio over the window)--> open --(time is up)--> half open --(the one probe succeeds)--> closed
                                                  ^------------(it fails)-------------/

Only what speaks of the upstream's health counts. A caller's fault and a caller that left count as nothing; when the
probe ends so, the next call is the probe.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from adapters.errors import Unavailable

_BUCKETS = 10


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """Opens when at least `ratio` of at least `minimum` calls within the last `window` seconds failed; stays open
    for `open_for` seconds, up to half as long again by chance, so that workers don't probe in step."""

    ratio: float = 0.5
    minimum: int = 10
    window: float = 20.0
    open_for: float = 5.0


class BreakerOpen(Unavailable):
    """Not called: the upstream has been failing. `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("The system behind the route has been failing and is being left alone for a moment.")
        self.retry_after = retry_after


class Verdict(Enum):
    """What one call said about the upstream's health."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"


class Breaker:
    """The breaker of one upstream; not thread-safe: it belongs to one event loop. `clock` is in seconds."""

    def __init__(
        self,
        limits: BreakerLimits,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._chance = chance
        self._generation = 0
        self._opened = False
        self._until = 0.0
        self._probing = False
        self._clear()

    @property
    def state(self) -> str:
        """closed, open or half_open."""
        if not self._opened:
            return "closed"
        return "half_open" if self._probing or self._clock() >= self._until else "open"

    def check(self) -> None:
        """Raises `BreakerOpen` when a call now would be refused; admits nothing."""
        if not self._opened:
            return
        wait = self._until - self._clock()
        if wait > 0 or self._probing:
            raise BreakerOpen(max(wait, 1.0))

    def admit(self) -> int:
        """Admits one call, or raises `BreakerOpen`. Its ticket goes back through `record`, once, whatever happens."""
        if self._opened:
            self.check()
            self._probing = True
        return self._generation

    def record(self, ticket: int, verdict: Verdict) -> None:
        """How the admitted call ended. One admitted before the breaker last changed says nothing any more."""
        if ticket != self._generation:
            return
        if self._opened:
            self._probed(verdict)
        elif verdict is not Verdict.NEUTRAL:
            self._count(verdict is Verdict.FAILURE)

    def _probed(self, verdict: Verdict) -> None:
        self._probing = False
        if verdict is Verdict.SUCCESS:
            self._generation += 1
            self._opened = False
            self._clear()
        elif verdict is Verdict.FAILURE:
            self._open()

    def _count(self, failed: bool) -> None:
        slot = int(self._clock() * _BUCKETS / self._limits.window)
        index = slot % _BUCKETS
        if self._slots[index] != slot:
            self._slots[index], self._calls[index], self._failures[index] = slot, 0, 0
        self._calls[index] += 1
        if failed:
            self._failures[index] += 1
            if self._failing(slot):
                self._open()

    def _failing(self, slot: int) -> bool:
        recent = [index for index in range(_BUCKETS) if slot - self._slots[index] < _BUCKETS]
        calls = sum(self._calls[index] for index in recent)
        failures = sum(self._failures[index] for index in recent)
        return calls >= self._limits.minimum and failures >= self._limits.ratio * calls

    def _open(self) -> None:
        self._generation += 1
        self._opened = True
        self._until = self._clock() + self._limits.open_for * (1 + self._chance() / 2)

    def _clear(self) -> None:
        self._slots = [-_BUCKETS] * _BUCKETS
        self._calls = [0] * _BUCKETS
        self._failures = [0] * _BUCKETS
