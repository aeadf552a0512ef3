"""How long an upstream's answers take now, against how long they usually take."""

from __future__ import annotations

_WINDOW = 64
_LEAST = 16
"""So few answers tell nothing yet."""
_SLOW = 1.5
_GIVES_WAY = 0.05
_NOTICED = 0.01
"""Seconds by which answers must be slower to count as slow: of microseconds chance alone makes half as many more."""


class Pace:
    """The 95th percentile of the last answers against its baseline; seconds. Belongs to one event loop.

    The baseline follows windows of 64 answers slowly, a slow one by no more than a fortieth, so that an incident
    doesn't become what is usual, and a lasting change does after a thousand answers and more.
    """

    def __init__(self) -> None:
        self._open: list[float] = []
        self._latest = 0.0
        self._baseline = 0.0

    def note(self, seconds: float) -> None:
        """An answer took that long."""
        self._open.append(seconds)
        if len(self._open) >= _WINDOW:
            self._close()

    @property
    def slow(self) -> bool:
        """Whether it is over one and a half times its baseline, and 10 ms over it; False while there is none."""
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
