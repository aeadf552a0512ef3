"""What has been counted of a group: by side, and of comparisons."""

from __future__ import annotations

from math import log
from typing import Any, NamedTuple

INCONCLUSIVE = 0.05
"""The share of comparisons that couldn't be made, above which parity says nothing."""


class Arm(NamedTuple):
    """The calls that one side answered. Incidents are what went wrong, the same for the same key counted once."""

    calls: int = 0
    errors: int = 0
    slow: int = 0
    error_incidents: int = 0
    slow_incidents: int = 0


class Verdicts(NamedTuple):
    """Comparisons, by what came of them."""

    match: int = 0
    tolerated: int = 0
    noise: int = 0
    known: int = 0
    mismatch: int = 0
    incomparable: int = 0
    mismatch_incidents: int = 0

    @property
    def compared(self) -> int:
        """How many could be made."""
        return self.match + self.tolerated + self.noise + self.known + self.mismatch

    @property
    def inconclusive(self) -> bool:
        """Whether too many couldn't be made for the others to say anything."""
        return self.incomparable > INCONCLUSIVE * (self.compared + self.incomparable)


class Totals(NamedTuple):
    """What has been counted since `since` (Unix seconds), when the group's stage changed with that version."""

    generation: int = 0
    since: float = 0.0
    legacy: Arm = Arm()
    replacement: Arm = Arm()
    verdicts: Verdicts = Verdicts()

    def as_json(self) -> dict[str, Any]:
        """For histories and messages."""
        return {
            "generation": self.generation,
            "legacy": self.legacy._asdict(),
            "replacement": self.replacement._asdict(),
            "comparisons": self.verdicts._asdict(),
        }


def distinct(seen: int, cells: int) -> int:
    """How many keys set so many cells of a bitmap (linear counting: Whang, Vander-Zanden, Taylor 1990)."""
    return round(-cells * log(1 - min(seen, cells - 1) / cells))
