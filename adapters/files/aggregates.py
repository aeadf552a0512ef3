"""Counts, sums and the like of a dataset's records, by groups: exact, and the same whether records are looked at one by
one or as columns, since both ways feed the same tallies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from typing import Any, TypeAlias

from adapters.contract import Json, ListRequest
from adapters.errors import FieldError, Invalid
from adapters.files.columnar import Column
from adapters.files.conditions import Conditions
from adapters.files.extras import numpy
from adapters.files.formats import FieldType, at
from adapters.files.generation import Generation
from adapters.files.masks import FEW, Masks, held, masks_of
from adapters.files.query import in_time
from adapters.files.tally import Room, Tally
from adapters.files.values import stored

FUNCTIONS = ("sum", "avg", "min", "max", "distinct")
MAX_GROUPS = 10_000
MAX_FIELDS = 16
"""Fields that are grouped by, and fields of each function."""

_Name: TypeAlias = tuple[bytes, ...]


class Asked:
    """What an aggregate asks for, checked against the dataset's fields once; raises `Invalid`, naming every fault."""

    def __init__(self, input: Mapping[str, Json], request: ListRequest, fields: Mapping[str, FieldType]) -> None:
        faults: list[FieldError] = []
        self.group = _names(input, "group", fields, faults)
        self.wanted = {function: _names(input, function, fields, faults) for function in FUNCTIONS}
        for function in ("sum", "avg"):
            for number, path in enumerate(self.wanted[function]):
                if fields[path] not in ("integer", "decimal", "number"):
                    faults.append(FieldError(f"/{function}/{number}", f"'{path}' is no number"))
        self.conditions = Conditions(request.where, request.rows, fields, faults)
        if faults:
            raise Invalid("the records can't be summed up like that", errors=faults)
        measured = dict.fromkeys(path for paths in self.wanted.values() for path in paths)
        self.measured = {path: fields[path] for path in measured}
        self.grouped = {path: fields[path] for path in self.group}

    def functions(self, path: str) -> frozenset[str]:
        """What is wanted of a field."""
        return frozenset(function for function, paths in self.wanted.items() if path in paths)


def _names(
    input: Mapping[str, Json], member: str, fields: Mapping[str, FieldType], faults: list[FieldError]
) -> tuple[str, ...]:
    names = input.get(member) or ()
    if not isinstance(names, list | tuple) or len(names) > MAX_FIELDS:
        faults.append(FieldError(f"/{member}", f"must be a list of at most {MAX_FIELDS} fields"))
        return ()
    for number, name in enumerate(names):
        if not isinstance(name, str) or name not in fields:
            faults.append(FieldError(f"/{member}/{number}", "isn't a field of the dataset"))
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name in fields))


def aggregate(generation: Generation, asked: Asked, deadline: float = math.inf) -> list[dict[str, Json]]:
    """A group each, ascending; raises `Changed`, `Invalid` where there are too many, TimeoutError at the deadline."""
    try:
        return _aggregated(_Groups(asked), generation, deadline)
    except DecimalException:
        raise Invalid(
            "a result is too large, or has too many digits, to be told exactly: filter, or ask less"
        ) from None


def _aggregated(groups: _Groups, generation: Generation, deadline: float) -> list[dict[str, Json]]:
    asked = groups.asked
    if generation.blocking:
        _add_big(groups, generation, deadline)
        return groups.items()
    masks = masks_of(generation, asked.conditions)
    if masks is None:
        _add_rows(groups, generation, deadline)
    else:
        _add_columns(groups, generation, masks, deadline)
    return groups.items()


def _add_rows(groups: _Groups, generation: Generation, deadline: float) -> None:
    asked = groups.asked
    for row in in_time(generation.every(), deadline):
        if asked.conditions.hold(row):
            groups.add([at(row, path) for path in asked.group], [at(row, path) for path in asked.measured])


def _add_big(groups: _Groups, generation: Generation, deadline: float) -> None:
    """By columns, where the dataset is one big file of which every record counts, and they are there."""
    asked = groups.asked
    fields = {**asked.conditions.fields, **asked.grouped, **asked.measured}
    part = generation.parts[0]
    if len(generation.parts) > 1 or not part.plain or not part.big.ready(fields):
        _add_rows(groups, generation, deadline)
        return
    for ordinals, columns in in_time(part.big.blocks(fields), deadline, every=1):
        groups.add_columns(columns, held(asked.conditions, columns, len(ordinals)))


def _add_columns(groups: _Groups, generation: Generation, masks: Masks, deadline: float) -> None:
    asked = groups.asked
    for number, part in enumerate(generation.parts):
        mask = masks[number] & generation.winners(number)
        columns = None if len(part.keys) < FEW else part.columns_of({**asked.grouped, **asked.measured})
        if columns is not None:
            groups.add_columns(columns, mask)
            continue
        for _, row in in_time(part.rows_of(mask), deadline):
            groups.add([at(row, path) for path in asked.group], [at(row, path) for path in asked.measured])


@dataclass(slots=True)
class _Group:
    values: list[Json]
    count: int
    tallies: list[Tally]


class _Groups:
    """The groups found so far."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self._room = Room()
        self._names = [stored(kind) for kind in asked.grouped.values()]
        self._found: dict[_Name, _Group] = {}
        if not asked.group:
            self._of([])

    def add(self, group: Sequence[Json], values: Sequence[Json]) -> None:
        """One record: the values of the fields that it is grouped by, and of those that are measured."""
        found = self._of(group)
        found.count += 1
        for tally, value in zip(found.tallies, values, strict=True):
            tally.add(value, 1)

    def _of(self, group: Sequence[Json]) -> _Group:
        group = [value + 0.0 if isinstance(value, float) else value for value in group]  # zero has one spelling
        name = tuple(spell(value) for spell, value in zip(self._names, group, strict=True))
        found = self._found.get(name)
        if found is None:
            if len(self._found) >= MAX_GROUPS:
                fault = FieldError("/group", "leads to too many groups: group by less, or filter")
                raise Invalid(f"there are more than {MAX_GROUPS} groups", errors=[fault])
            tallies = [
                Tally(kind, self.asked.functions(path), self._room) for path, kind in self.asked.measured.items()
            ]
            found = self._found[name] = _Group(group, 0, tallies)
            return found
        for place, value in enumerate(group):  # of equal values, the least spelling stands for all
            if value is not None and value < found.values[place]:
                found.values[place] = value
        return found

    def add_columns(self, columns: Mapping[str, Column], mask: Any) -> None:
        """Many records: each group's values are counted first."""
        np = numpy()
        codes = np.zeros(int(mask.sum()), dtype="int64")
        made = [columns[path] for path in self.asked.group]
        for column in made:
            # Renumbered at each step, so that the numbers never grow beyond records times values.
            codes = codes * (len(column.values) + 1) + column.codes[mask]
            codes = np.unique(codes, return_inverse=True)[1].reshape(-1)
        _, first, inverse, counts = np.unique(codes, return_index=True, return_inverse=True, return_counts=True)
        values = [[column.values[code - 1] if code else None for code in column.codes[mask][first]] for column in made]
        groups = [self._of([each[number] for each in values]) for number in range(len(counts))]
        for group, count in zip(groups, counts.tolist(), strict=True):
            group.count += count
        for place, path in enumerate(self.asked.measured):
            _measure([group.tallies[place] for group in groups], columns[path], inverse.reshape(-1), mask)

    def items(self) -> list[dict[str, Json]]:
        """What is answered."""
        every = self._found.values()
        # All sums of a field have the places of its longest value.
        places = {
            path: -min((group.tallies[number].exponent for group in every), default=0)
            for number, path in enumerate(self.asked.measured)
        }
        return [self._item(group, places) for _, group in sorted(self._found.items(), key=lambda each: each[0])]

    def _item(self, group: _Group, places: Mapping[str, int]) -> dict[str, Json]:
        tallies = dict(zip(self.asked.measured, group.tallies, strict=True))
        found: dict[str, Json] = {"group": dict(zip(self.asked.group, group.values, strict=True)), "count": group.count}
        for function, paths in self.asked.wanted.items():
            if paths:
                found[function] = {path: tallies[path].answer(function, places[path]) for path in paths}
        return found


def _measure(tallies: Sequence[Tally], column: Column, groups: Any, mask: Any) -> None:
    """Adds a column's values to the groups' tallies: in one step where they fit 64 bits, else each different value of
    each group with its count."""
    np = numpy()
    kept = column.codes[mask] > 0
    codes, groups = column.codes[mask][kept].astype("int64"), groups[kept]
    scaled = column.scaled()
    if scaled is None or (tallies and "distinct" in tallies[0].functions):
        pairs, counts = np.unique(groups * len(column.values) + codes - 1, return_counts=True)
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            group, place = divmod(pair, len(column.values))
            tallies[group].add(column.values[place], count)
        return
    counts = np.bincount(groups, minlength=len(tallies))
    sums, high, least = (np.zeros(len(tallies), dtype="int64") for _ in range(3))
    low = np.full(len(tallies), len(column.values))
    np.add.at(sums, groups, scaled.numbers[codes])
    np.minimum.at(low, groups, codes)
    np.maximum.at(high, groups, codes)
    np.minimum.at(least, groups, scaled.exponents[codes])
    for number in np.flatnonzero(counts).tolist():
        total = Decimal(int(sums[number])).scaleb(scaled.exponent)
        extremes = (column.values[low[number] - 1], column.values[high[number] - 1])
        tallies[number].add_many(total, int(counts[number]), extremes, int(least[number]))
