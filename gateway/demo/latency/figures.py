"""Times as they are told: the middle, the slowest of a hundred, the slowest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Figures(NamedTuple):
    """Of some times, in seconds."""

    number: int
    p50: float
    p99: float
    slowest: float


def figures(times: Sequence[float]) -> Figures:
    """Of at least one time; a percentile is a time that was measured."""
    ordered = sorted(times)

    def at(share: float) -> float:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    return Figures(len(ordered), at(0.5), at(0.99), ordered[-1])
