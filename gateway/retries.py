"""How often a failed read may be tried again: its own bound, and a share of all calls."""

from __future__ import annotations

import random
import time

from adapters.errors import AdapterError, Retry

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_SHARE, _RESERVE = 0.1, 5.0


class Retries:
    """The retry budget of one upstream: `most` attempts of one read, a tenth of the calls and five over all."""

    def __init__(self, most: int) -> None:
        self._most, self._tokens = most, _RESERVE

    def earn(self) -> None:
        """To be told of each call."""
        self._tokens = min(self._tokens + _SHARE, _RESERVE)

    def pause(self, attempt: int, error: AdapterError, deadline: float) -> float | None:
        """Seconds until the next attempt, None when there is none: tried enough, no budget, or no time."""
        if attempt >= self._most or self._tokens < 1:
            return None
        pause = min(_FIRST_PAUSE * 2.0**attempt, _LONGEST_PAUSE)
        pause *= random.uniform(0.5, 1.0)  # noqa: S311 - it spreads load and guards nothing
        asked = error.retry_after if isinstance(error, Retry) else None
        pause = max(pause, asked or 0.0)
        if time.monotonic() + pause >= deadline:
            return None
        self._tokens -= 1
        return pause
