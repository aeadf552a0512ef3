"""Fields of a small file as columns, so that filters and sums look at each different value once; needs numpy.

A column is a number for each record, in the file's order: 0 for NULL, else 1 and the value's place among the sorted
different values. Conditions are asked of these values by the very tests that a record is asked by, so that both ways
give the same answer.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from adapters.contract import Condition, Json
from adapters.files.conditions import value_test
from adapters.files.extras import Missing, numpy
from adapters.files.formats import FieldType, at
from adapters.files.values import comparable, given

Mask: TypeAlias = Any
"""A numpy array of booleans, one a record."""

_MOST_DIGITS = 18
_RANGES = frozenset(("eq", "lt", "le", "gt", "ge"))


class Scaled(NamedTuple):
    """Values as whole numbers, each times ten to the `exponent`, and each one's own exponent; 0 in front for NULL."""

    numbers: Any
    exponents: Any
    exponent: int


@dataclass(slots=True)
class Column:
    """One field of all records of a file. `values` are the different ones, ascending, equal ones by their spelling."""

    kind: FieldType
    codes: Any
    values: list[Any]
    _scaled: Scaled | None = None

    def mask(self, condition: Condition) -> Mask:
        """The records that the condition holds for."""
        np = numpy()
        passes = np.zeros(len(self.values) + 1, dtype=bool)
        if condition.op in _RANGES:
            low, high = self._range(condition.op, given(condition.value, self.kind))
            passes[1 + low : 1 + high] = True
        else:
            test = value_test(condition, self.kind)
            passes[:] = [test(None), *map(test, self.values)]
        return passes[self.codes]

    def _range(self, op: str, value: Json) -> tuple[int, int]:
        convert = comparable(self.kind)
        wanted = convert(value)
        low = bisect_left(self.values, wanted, key=convert) if op in ("eq", "ge", "lt") else 0
        high = bisect_right(self.values, wanted, key=convert) if op in ("eq", "le", "gt") else len(self.values)
        return {
            "eq": (low, high),
            "ge": (low, high),
            "le": (low, high),
            "lt": (0, low),
            "gt": (high, len(self.values)),
        }[op]

    def scaled(self) -> Scaled | None:
        """The values as whole numbers; None where they can't be added up in 64 bits."""
        if self._scaled is None and self.kind in ("integer", "decimal"):
            self._scaled = _scaled(self.values, len(self.codes))
        return self._scaled


def _scaled(values: Sequence[Any], records: int) -> Scaled | None:
    np = numpy()
    try:
        pairs = [_whole(value) for value in values]
    except ValueError:  # a spelling that isn't digits and a point
        return None
    lowest = min((exponent for _, exponent in pairs), default=0)
    most = 10 ** max(_MOST_DIGITS - len(str(records)), 0)
    if lowest < -_MOST_DIGITS:
        return None
    numbers = [number * 10 ** (exponent - lowest) for number, exponent in pairs]
    if any(not -most < number < most for number in numbers):
        return None
    exponents = [exponent for _, exponent in pairs]
    return Scaled(np.array([0, *numbers], dtype="int64"), np.array([0, *exponents], dtype="int64"), lowest)


def _whole(value: int | str) -> tuple[int, int]:
    """A number without its point, and the power of ten of its last place."""
    if isinstance(value, int):
        return value, 0
    whole, _, fraction = value.partition(".")
    return int(whole + fraction), -len(fraction)


@dataclass(slots=True)
class Columns:
    """The columns of one file that were asked for so far. Two threads may make one at once; either is right."""

    _made: dict[str, Column | None] = field(default_factory=dict)

    def of(self, fields: Mapping[str, FieldType], rows: Iterable[Mapping[str, Json]]) -> dict[str, Column] | None:
        """These columns, made of all records where there are none yet; None: they can't be had."""
        missing = {path: kind for path, kind in fields.items() if path not in self._made}
        if missing:
            try:
                self._made |= _columns(missing, rows)
            except Missing:
                return None
        found = {path: column for path in fields if (column := self._made[path]) is not None}
        return found if len(found) == len(fields) else None


def _columns(fields: Mapping[str, FieldType], rows: Iterable[Mapping[str, Json]]) -> dict[str, Column | None]:
    numpy()
    places: dict[str, dict[Any, int]] = {path: {} for path in fields}
    codes: dict[str, list[int]] = {path: [] for path in fields}
    plain = [(path, "." not in path, places[path], codes[path].append) for path in fields]
    unfit: set[str] = set()
    for row in rows:
        for path, top, known, add in plain:
            value = row.get(path) if top else at(row, path)
            with suppress(TypeError):  # a list can't be compared either: the column is left to the plain way
                add(known.setdefault(value, len(known)))
                continue
            unfit.add(path)
    return {path: None if path in unfit else _column(fields[path], places[path], codes[path]) for path in fields}


def column_of(kind: FieldType, values: Sequence[Json]) -> Column:
    """One field's values as a column; raises TypeError where some can't be compared."""
    places: dict[Any, int] = {}
    return _column(kind, places, [places.setdefault(value, len(places)) for value in values])


def _column(kind: FieldType, places: Mapping[Any, int], codes: Sequence[int]) -> Column:
    np = numpy()
    convert = comparable(kind)
    values = [value for value in places if value is not None]
    values.sort(key=(lambda value: (convert(value), value)) if kind == "decimal" else convert)
    new = np.zeros(len(places), dtype="int32")
    for code, value in enumerate(values, 1):
        new[places[value]] = code
    return Column(kind, new[np.array(codes, dtype="int32")], values)
