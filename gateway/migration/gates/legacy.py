"""Whether legacy is failing as the replacement does, told apart by Wald's sequential test: then neither is to blame.

Its two hypotheses are the replacement's rate and the limit. It goes on while the veto lasts: a veto ends when legacy
is surely well again, so that a long outage isn't judged anew again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, log1p

from gateway.migration.gates.detector import Change

_WELL = log(100)
"""That legacy is taken to be well although it fails as the replacement does: a probability of at most 1 % for a
rate that is known; here it is estimated, from a chance streak of failures."""
_FAILING = log(1000)
"""One failure alone is no proof, as legacy has its own: meanwhile the replacement serves nobody, so it can wait."""
_MOST = log(10_000)


class LegacyHealth:
    """What is known of legacy since the replacement's change."""

    def __init__(self, change: Change) -> None:
        self._bad = log(change.rate / change.limit)
        self._good = log1p(-change.rate) - log1p(-change.limit)
        self._score = 0.0
        self.failures = 0
        self.answers = 0
        self.note(change.legacy_bad, change.legacy_good)

    def note(self, bad: int, good: int) -> None:
        """Takes in calls or probes of legacy: failed, and answered well."""
        self.failures += bad
        self.answers += good
        self._score = min(self._score + bad * self._bad + good * self._good, _MOST)

    def memory(self) -> list[float]:
        """What is known, as JSON."""
        return [self._bad, self._good, self._score, self.failures, self.answers]

    @classmethod
    def recalled(cls, memory: Sequence[float]) -> LegacyHealth:
        """What another process knew."""
        health = cls(Change(0.5, 0.5))
        health._bad, health._good, health._score = map(float, memory[:3])
        health.failures, health.answers = map(int, memory[3:])
        return health

    @property
    def failing(self) -> bool:
        """Surely as the replacement is."""
        return self._score >= _FAILING

    @property
    def well(self) -> bool:
        """Surely not as the replacement is."""
        return self._score <= -_WELL
