"""What is summed up of one field in one group, exactly, in whatever order its values come."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from fractions import Fraction
from typing import Any

from adapters.contract import Json
from adapters.errors import Invalid
from adapters.files.formats import FieldType

MOST_DIFFERENT = 1_000_000
"""Different values that are counted, in all groups of an aggregate together: each is held in memory."""

PLACES = 6
"""Places of an average behind those of the values."""

_EXACT = Context(prec=20_000, Emin=-999_999, Emax=999_999, traps=[Inexact, InvalidOperation, Overflow])


class Room:
    """How many more different values may be counted."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MOST_DIFFERENT

    def take(self, count: int) -> None:
        """Takes the room of so many; raises `Invalid`."""
        self.left -= count
        if self.left < 0:
            raise Invalid(f"there are more than {MOST_DIFFERENT} different values: filter, or don't count them")


class Tally:
    """`functions`: what will be asked of it; `room` is for all tallies of one aggregate. NULL counts for nothing, as in
    SQL. Raises DecimalException where a result can't be exact."""

    __slots__ = (
        "_different",
        "_kind",
        "_largest",
        "_least",
        "_numeric",
        "_room",
        "_total",
        "count",
        "exponent",
        "functions",
    )

    def __init__(self, kind: FieldType, functions: frozenset[str], room: Room) -> None:
        self._room = room
        self.functions = functions
        self.count = 0
        self.exponent = 0
        """The power of ten of the last place of the values, 0 or less."""
        self._kind = kind
        self._numeric = kind in ("integer", "decimal", "number")
        self._total = Decimal(0)
        self._least: Any = None
        self._largest: Any = None
        self._different: set[Any] | None = set() if "distinct" in functions else None

    def add(self, value: Json, count: int) -> None:
        """A value that `count` records have; raises `Invalid` where there are too many different ones."""
        if value is None or isinstance(value, list | dict):
            return
        number = value
        if self._numeric:
            number = Decimal(value)
            exponent = number.as_tuple().exponent
            if self._kind == "decimal" and isinstance(exponent, int) and exponent < self.exponent:
                self.exponent = exponent
            self._total = _EXACT.add(self._total, number if count == 1 else _EXACT.multiply(number, Decimal(count)))
        self.count += count
        self._extremes(number, value, number, value)
        if self._different is not None:
            before = len(self._different)
            self._different.add(number)
            self._room.take(len(self._different) - before)

    def add_many(self, total: Decimal, count: int, extremes: tuple[Json, Json], exponent: int) -> None:
        """Numbers of which the sum, the least and the largest are known."""
        low, high = extremes
        self._total = _EXACT.add(self._total, total)
        self.count += count
        self.exponent = min(self.exponent, exponent)
        self._extremes(Decimal(low), low, Decimal(high), high)

    def _extremes(self, low: Any, low_spelt: Json, high: Any, high_spelt: Json) -> None:
        """Equal values that are spelt in two ways order by their spelling."""
        if self._least is None or (low, low_spelt) < self._least:
            self._least = (low, low_spelt)
        if self._largest is None or (high, high_spelt) > self._largest:
            self._largest = (high, high_spelt)

    def answer(self, function: str, places: int) -> Json:
        """What a function says, None where there was no value; `places` are those of the field's longest value."""
        if function == "distinct":
            return len(self._different or ())
        return _ANSWERS[function](self, places) if self.count else None

    def sum(self, places: int) -> Json:
        """Decimal, exact; of floating-point numbers the nearest one."""
        if self._kind == "number":
            return _finite(float(self._total))
        return f"{self._total.quantize(Decimal(1).scaleb(-places), context=_EXACT):f}"

    def average(self, places: int) -> Json:
        """Decimal, its last place rounded half to even."""
        exact = Fraction(self._total) / self.count
        if self._kind == "number":
            return float(exact)
        places += PLACES
        return f"{Decimal(round(exact * 10**places)).scaleb(-places, _EXACT):f}"

    def least(self, _: int) -> Json:
        """As it is spelt in the record."""
        return _plain(self._least[1])

    def largest(self, _: int) -> Json:
        """As it is spelt in the record."""
        return _plain(self._largest[1])


def _finite(number: float) -> float:
    if math.isinf(number):
        raise Overflow("no floating-point number is as large")
    return number


def _plain(value: Json) -> Json:
    return value + 0.0 if isinstance(value, float) else value  # one spelling of zero


_ANSWERS: Mapping[str, Callable[[Tally, int], Json]] = {
    "sum": Tally.sum,
    "avg": Tally.average,
    "min": Tally.least,
    "max": Tally.largest,
}
