"""An e-CUSUM: watches a stream of yes/no observations and tells, soon after, that their rate has risen.

For each alternative rate of a grid the likelihood ratio against the limit is multiplied up, and starts again at 1
whenever it falls below: what went well before the change doesn't count for it. Each factor is an e-value given the
past, so the weighted sum over the grid is an e-detector, and with the threshold h healthy observations last h on the
average before a false alarm, whenever one looks (Shin, Ramdas, Rinaldo: E-detectors, New England Journal of
Statistics in Data Science 2024, proposition 2.3 and section 3; Lorden 1971 for the CUSUM).

All is kept in logarithms. An observation may be one of several since the last look: their product is an e-value, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp, inf, log, log1p
from typing import Any, NamedTuple

SURE = 0.99
"""The highest rate of the grid: one good reply among bad ones must not make failing impossible."""
_TOP_SHARE = 0.25
_SIZE = 8
_EVEN = 1 / _SIZE
_PLAUSIBLE = log(30)


class Change(NamedTuple):
    """A rate that rose to `rate` from `limit` or below, and legacy's own calls since: failed and answered well."""

    rate: float
    limit: float
    legacy_bad: int = 0
    legacy_good: int = 0


def grid(limit: float) -> list[float]:
    """Rates from twice the limit (or the middle to 1, if that is less) to `SURE`, evenly on a logarithmic scale."""
    low = min(2 * limit, (limit + SURE) / 2)
    return [low * (SURE / low) ** (step / (_SIZE - 1)) for step in range(_SIZE)]


def prior(size: int) -> list[float]:
    """The grid's weights: a quarter for failing always, since that is to be told first; the rest evenly."""
    return [(1 - _TOP_SHARE) / (size - 1)] * (size - 1) + [_TOP_SHARE]


class Cusum:
    """The rate of bad observations against a fixed limit. Beside it, what legacy did meanwhile is counted, so that
    a change that both sides see isn't taken for the candidate's."""

    def __init__(self, limit: float, threshold: float) -> None:
        self._limit, self._threshold = limit, log(threshold)
        self.rates = grid(limit)
        self._bad = [log(rate / limit) for rate in self.rates]
        self._good = [log1p(-rate) - log1p(-limit) for rate in self.rates]
        self._prior = [log(weight) for weight in prior(_SIZE)]
        self.reset()

    def note(self, bad: int, good: int, legacy_bad: int = 0, legacy_good: int = 0) -> bool:
        """Takes in the observations since the last; whether the rate is above the limit."""
        if not bad and max(self._levels) <= 0.0:
            return False
        for at, level in enumerate(self._levels):
            since = max(level, 0.0)
            failed, answered = self._legacy[at] if since else (0, 0)
            self._legacy[at] = (failed + legacy_bad, answered + legacy_good)
            self._levels[at] = since + bad * self._bad[at] + good * self._good[at]
        return bad > 0 and self.level >= self._threshold

    @property
    def level(self) -> float:
        """The evidence, as the logarithm of an e-value."""
        return _log_sum(level + weight for level, weight in zip(self._levels, self._prior, strict=True))

    @property
    def change(self) -> Change:
        """What the candidate's rate may have become: the lowest that isn't much less likely than the best."""
        best = max(self._levels)
        at = next(at for at, level in enumerate(self._levels) if level >= best - _PLAUSIBLE)
        return Change(self.rates[at], self._limit, *self._legacy[at])

    def memory(self) -> list[Any]:
        """What it knows, as JSON."""
        return [self._levels, self._legacy]

    def recall(self, memory: Sequence[Any]) -> None:
        """Goes on from what another one with the same limit knew."""
        levels, legacy = memory
        self._levels, self._legacy = list(map(float, levels)), [(int(bad), int(good)) for bad, good in legacy]

    def reset(self) -> None:
        """Forgets what has been seen."""
        self._levels = [0.0] * _SIZE
        self._legacy = [(0, 0)] * _SIZE


class TwoArm:
    """Given a bad event, was it the candidate's? Against the candidate's share of the traffic.

    Only bad events count, and the share may change from look to look: so what befalls both sides at once says
    nothing, however often it happens. The grid is over the odds' ratio: how many times as often the candidate fails.
    """

    RATIOS: Sequence[float] = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0)

    def __init__(self, threshold: float) -> None:
        self._threshold = log(threshold)
        self._levels = [0.0] * len(self.RATIOS)

    def note(self, ours: int, theirs: int, share: float) -> bool:
        """Takes in the candidate's bad events and legacy's since the last look, and the candidate's share (0 to 1)
        of the traffic; whether the candidate fails more often."""
        if not 0 < share < 1 or not (ours or theirs):
            return False
        steps = zip(self._levels, self.RATIOS, strict=True)
        self._levels = [max(level, 0.0) + _gain(ours, theirs, share, ratio) for level, ratio in steps]
        return ours > 0 and _log_sum(level + log(_EVEN) for level in self._levels) >= self._threshold

    @property
    def calm(self) -> bool:
        """Whether nothing speaks for a difference."""
        return max(self._levels) <= 0.0

    def memory(self) -> list[float]:
        """What it knows, as JSON."""
        return self._levels

    def recall(self, memory: Sequence[float]) -> None:
        """Goes on from what another one knew."""
        self._levels = list(map(float, memory))

    def reset(self) -> None:
        """Forgets what has been seen."""
        self._levels = [0.0] * len(self.RATIOS)


def _gain(ours: int, theirs: int, share: float, ratio: float) -> float:
    spread = log(share * ratio + 1 - share)
    return ours * (log(ratio) - spread) - theirs * spread


def _log_sum(values: Iterator[float]) -> float:
    kept = list(values)
    highest = max(kept)
    return highest if highest == -inf else highest + log(sum(exp(value - highest) for value in kept))
