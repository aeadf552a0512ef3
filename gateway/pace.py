"""How long an upstream's answers take now, against how long they usually take."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

_WINDOW = 64
_LEAST = 16
"""So few answers tell nothing yet."""
_SLOW = 1.5
_GIVES_WAY = 0.05
_NOTICED = 0.01
"""Seconds by which answers must be slower to count as slow: of microseconds chance alone makes half as many more."""
_STALE = 2.0
"""Seconds without an answer after which the last ones say nothing of now: who keeps away would never learn better."""


class Pace:
    """The 95th percentile of the last answers against its baseline; seconds. Belongs to one event loop.

    The baseline follows windows of 64 answers slowly, a slow one by no more than a fortieth, so that an incident
    doesn't become what is usual, and a lasting change does after a thousand answers and more.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock, self._noted = clock, clock()
        self._open: list[float] = []
        self._latest = 0.0
        self._baseline = 0.0

    def note(self, seconds: float) -> None:
        """An answer took that long."""
        self._open.append(seconds)
        self._noted = self._clock()
        if len(self._open) >= _WINDOW:
            self._close()

    @property
    def slow(self) -> bool:
        """Whether it is over one and a half times its baseline, and 10 ms over it; False while there is none."""
        if self._clock() - self._noted > _STALE:
            self._open, self._latest = [], 0.0
        latest = _p95(self._open) if len(self._open) >= _LEAST else self._latest
        return self._baseline > 0 and latest > max(_SLOW * self._baseline, self._baseline + _NOTICED)

    def _close(self) -> None:
        self._latest = latest = _p95(self._open)
        self._open = []
        if self._baseline == 0:
            self._baseline = latest
        else:
            self._baseline += _GIVES_WAY * (min(latest, _SLOW * self._baseline) - self._baseline)


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) * 95 // 100]
