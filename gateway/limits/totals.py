"""What a run may do in all: calls, writes, cost and rows. A run has no calendar: nothing comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

CALLS, WRITES, COST, ROWS = range(4)
UNITS = ("calls", "writes", "cost", "rows")
Amounts: TypeAlias = tuple[int, int, int, int]
"""So many of each unit."""
NOTHING: Amounts = (0, 0, 0, 0)

_DAY = 86_400
_LONGEST = 31 * _DAY


class Total:
    """A rule's total for one run. Made once for a principal on a snapshot's route.

    `most` is what it may be of each unit, 0: any. `of_steps`: it is looked at for a composite's steps, whose calls and
    cost have counted as the composite's. `at` is where this host's memory has it, `used` what a call makes of it.
    """

    __slots__ = ("at", "expires", "fields", "identity", "key", "most", "of_steps", "used")

    def __init__(self, identity: bytes, name: str, most: Amounts, *, expires: float = 0.0, of_steps: bool = False):
        self.identity, self.most, self.expires, self.of_steps = identity, most, expires, of_steps
        self.key = self.at = 0
        self.used: Amounts = NOTHING
        names = [f"{name}-total-{unit}" for unit in UNITS]
        self.fields = tuple(
            (f'"{each}";q={bound};qu="{unit}"'.encode(), f'"{each}";r=%d'.encode())
            for each, unit, bound in zip(names, UNITS, most, strict=True)
        )
        """For each unit the items of `RateLimit-Policy` and of `RateLimit` with a place for `r`."""

    def amounts(self, charge: Charge) -> Amounts:
        """What of a charge counts here."""
        return (0 if self.of_steps else 1, charge.writes, 0 if self.of_steps else charge.cost, charge.rows)

    def until(self, now: float) -> int:
        """Until when it is kept, seconds since the epoch: a day behind its last call, and while the token by which
        that was made is valid; 31 days at most."""
        return int(min(max(now + _DAY, self.expires), now + _LONGEST)) + 1


class Charge:
    """What one call takes of its run's totals, and what is `left` of them, once it has: by total and unit."""

    __slots__ = ("cost", "left", "rows", "totals", "writes")

    def __init__(self, totals: Sequence[Total], writes: int, cost: int, rows: int) -> None:
        self.totals, self.writes, self.cost, self.rows = totals, writes, cost, rows
        self.left: list[tuple[Total, int, int]] = []


FREE = Charge((), 0, 0, 0)
"""Of a call that no total is for."""


def left_of(totals: Sequence[Total], used: Sequence[Sequence[int]]) -> list[tuple[Total, int, int]]:
    """By total and bounded unit what is left, where so much is used."""
    return [
        (total, unit, max(0, most - taken[unit]))
        for total, taken in zip(totals, used, strict=True)
        for unit, most in enumerate(total.most)
        if most
    ]
