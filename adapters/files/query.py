"""A page of a dataset: typed filters, sort, and a position that stays good when a new generation comes.

The position behind an item is the list of its sort values, the key last. It names no byte and no ordinal, so it
continues rightly in a generation that has other records.
"""

from __future__ import annotations

import heapq
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import total_ordering
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from adapters.contract import COMPARISONS, Condition, Json, ListRequest, Rows
from adapters.errors import FieldError, Invalid
from adapters.files.formats import FieldType, at
from adapters.files.generation import Found, Generation
from adapters.files.values import comparable, given, stored

_T = TypeVar("_T")

MAX_LIMIT = 1000
MAX_CONDITIONS = 20

_Test: TypeAlias = Callable[[Mapping[str, Json]], bool]


@total_ordering
@dataclass(frozen=True, slots=True)
class _Rank:
    """A sort value, as `values.stored` has it, that may descend."""

    value: bytes
    descending: bool

    def __lt__(self, other: _Rank) -> bool:
        return other.value < self.value if self.descending else self.value < other.value


@dataclass(frozen=True, slots=True)
class _Order:
    path: str
    kind: FieldType
    descending: bool

    def rank(self, value: Json) -> _Rank:
        return _Rank(stored(self.kind)(value), self.descending)


@dataclass(frozen=True, slots=True)
class Page:
    """Items with where they came from, and the position behind the last one, None at the end."""

    found: list[Found]
    next: Json


class Query:
    """A list request, checked against the dataset's fields once; raises `Invalid`, naming every fault."""

    def __init__(self, request: ListRequest, fields: Mapping[str, FieldType], key: str) -> None:
        faults: list[FieldError] = []
        if isinstance(request.limit, bool) or not isinstance(request.limit, int) or not 1 <= request.limit <= MAX_LIMIT:
            faults.append(FieldError("/limit", f"must be 1 to {MAX_LIMIT}"))
        if len(request.where) > MAX_CONDITIONS:
            faults.append(FieldError("/where", f"must have at most {MAX_CONDITIONS} conditions"))
        self._limit = request.limit
        self._order = _orders(request.sort, fields, key, faults)
        self._tests = [
            test
            for number, condition in enumerate(request.where[:MAX_CONDITIONS])
            if (test := _test(condition, fields, f"/where/{number}", faults)) is not None
        ]
        # What an index may find the records by; the tests look at each of them again.
        self._equal = (
            {}
            if faults
            else {
                condition.field: stored(fields[condition.field])(given(condition.value, fields[condition.field]))
                for condition in request.where
                if condition.op == "eq"
            }
        )
        # None: every row is visible; else one of the groups must pass.
        self._rows = None if request.rows is None else _groups(request.rows, fields, faults)
        self._after = _position(request.after, self._order, faults)
        if faults:
            raise Invalid("the list can't be asked for like that", errors=faults)

    def page(self, generation: Generation, deadline: float = math.inf) -> Page:
        """The page of a generation; decodes only what it must. Raises `Changed`, and TimeoutError at the deadline."""
        by_key = len(self._order) == 1
        chosen = self._by_key(generation, deadline) if by_key else self._by_fields(generation, deadline)
        more = len(chosen) > self._limit
        chosen = chosen[: self._limit]
        last = chosen[-1] if more else None
        return Page(chosen, None if last is None else self._values(last.part.row(last.ordinal)))

    def _by_key(self, generation: Generation, deadline: float) -> list[Found]:
        """In key order: the sorted keys are walked from the position on."""
        chosen: list[Found] = []
        after = None if self._after is None else self._after[0].value
        walk = generation.walk(after, descending=self._order[0].descending, equal=self._equal)
        for found in _in_time(walk, deadline):
            if not (self._tests or self._rows is not None) or self._passes(found.part.row(found.ordinal)):
                chosen.append(found)
                if len(chosen) > self._limit:
                    break
        return chosen

    def _by_fields(self, generation: Generation, deadline: float) -> list[Found]:
        """In another order: every record of the small files is looked at, the first ones of the order are kept; big
        files have it on disk."""
        unsorted = generation.unsorted([order.path for order in self._order])
        if unsorted is not None:
            fault = FieldError("/sort", f"'{unsorted}' isn't indexed, and there are too many records to sort by it")
            raise Invalid("the list can't be asked for like that", errors=[fault])
        rows = _in_time(generation.rows(), deadline)
        ranked = ((self._ranks(row), found) for found, row in rows if self._passes(row))
        after = self._after
        candidates = ranked if after is None else (entry for entry in ranked if entry[0] > after)
        small = heapq.nsmallest(self._limit + 1, candidates, key=lambda entry: entry[0])
        merged = heapq.merge(small, *self._streams(generation, deadline), key=lambda entry: entry[0])
        return [found for _, found in islice(merged, self._limit + 1)]

    def _streams(self, generation: Generation, deadline: float) -> list[Iterator[tuple[list[_Rank], Found]]]:
        order = [(each.path, each.descending) for each in self._order]
        after = None if self._after is None else [rank.value for rank in self._after]
        return [self._ranked(_in_time(each, deadline)) for each in generation.sorted(order, after, self._equal)]

    def _ranked(self, stream: Iterator[tuple[tuple[bytes, ...], Found]]) -> Iterator[tuple[list[_Rank], Found]]:
        for values, found in stream:
            if not (self._tests or self._rows is not None) or self._passes(found.part.row(found.ordinal)):
                ranks = [_Rank(value, order.descending) for value, order in zip(values, self._order, strict=True)]
                yield ranks, found

    def _passes(self, row: Mapping[str, Json]) -> bool:
        if self._rows is not None and not any(all(test(row) for test in group) for group in self._rows):
            return False
        return all(test(row) for test in self._tests)

    def _ranks(self, row: Mapping[str, Json]) -> list[_Rank]:
        return [order.rank(at(row, order.path)) for order in self._order]

    def _values(self, row: Mapping[str, Json]) -> list[Json]:
        return [at(row, order.path) for order in self._order]


def _in_time(rows: Iterator[_T], deadline: float) -> Iterator[_T]:
    """The same, looking at the clock now and then."""
    for number, row in enumerate(rows):
        if number % 256 == 0 and time.monotonic() > deadline:
            raise TimeoutError
        yield row


def _orders(sort: Sequence[str], fields: Mapping[str, FieldType], key: str, faults: list[FieldError]) -> list[_Order]:
    orders: list[_Order] = []
    for number, text in enumerate(sort):
        path = text.removeprefix("-")
        if path not in fields:
            faults.append(FieldError(f"/sort/{number}", f"'{path}' isn't a field to sort by"))
        elif path not in {order.path for order in orders}:
            orders.append(_Order(path, fields[path], text.startswith("-")))
            if path == key:
                return orders
    return [*orders, _Order(key, fields[key], False)]


def _position(after: Json, orders: Sequence[_Order], faults: list[FieldError]) -> list[_Rank] | None:
    if after is None:
        return None
    if not isinstance(after, list) or len(after) != len(orders):
        faults.append(FieldError("/after", "isn't a position of this list in this order"))
        return None
    try:
        return [
            order.rank(None if value is None else given(value, order.kind))
            for order, value in zip(orders, after, strict=True)
        ]
    except ValueError:
        faults.append(FieldError("/after", "isn't a position of this list in this order"))
        return None


def _groups(rows: Rows, fields: Mapping[str, FieldType], faults: list[FieldError]) -> list[list[_Test]]:
    """The visible rows' tests; what a field can't hold it isn't equal to, so such a group shows nothing."""
    made = []
    for number, group in enumerate(rows):
        unfit: list[FieldError] = []
        tests = [_test(condition, fields, f"/rows/{number}", unfit) for condition in group]
        if not unfit:
            made.append([test for test in tests if test is not None])
        elif any(condition.op not in ("eq", "in") for condition in group):
            faults += unfit
    return made


def _test(
    condition: Condition, fields: Mapping[str, FieldType], pointer: str, faults: list[FieldError]
) -> _Test | None:
    kind = fields.get(condition.field)
    if kind is None:
        faults.append(FieldError(pointer, f"'{condition.field}' isn't a field to filter by"))
        return None
    try:
        return _predicate(condition, kind)
    except ValueError as error:
        faults.append(FieldError(pointer, f"{condition.field} {error}"))
        return None


def _predicate(condition: Condition, kind: FieldType) -> _Test:
    """NULL passes no comparison, as in SQL; only `null` asks for it."""
    path, value = condition.field, condition.value
    if condition.op == "null":
        if not isinstance(value, bool):
            raise ValueError("null must be true or false")
        return lambda row: (at(row, path) is None) is value
    if condition.op == "like":
        if kind != "text" or not isinstance(value, str):
            raise ValueError("like needs a text field and a pattern")
        matches = _like(value)
        return lambda row: isinstance(text := at(row, path), str) and matches(text)
    compare = COMPARISONS.get(condition.op)
    if compare is None:
        raise ValueError(f"has no operator '{condition.op}'")
    convert = comparable(kind)
    if condition.op in ("in", "out"):
        if not isinstance(value, list | tuple) or len(value) > MAX_LIMIT:
            raise ValueError(f"in needs a list of at most {MAX_LIMIT} values")
        wanted: Any = frozenset(convert(given(item, kind)) for item in value)
    else:
        wanted = convert(given(value, kind))
    return lambda row: (found := at(row, path)) is not None and compare(convert(found), wanted)


def _like(pattern: str) -> Callable[[str], bool]:
    """SQL's LIKE: % any characters, _ one. Pieces between % are found from left to right: no backtracking."""
    pieces = pattern.split("%")
    compiled = ["".join("." if c == "_" else re.escape(c) for c in piece) for piece in pieces]
    head, *middle, tail = [
        re.compile(piece, re.DOTALL) for piece in (compiled if len(compiled) > 1 else [*compiled, ""])
    ]
    whole, tail_length = len(pieces) == 1, len(pieces[-1])

    def matches(text: str) -> bool:
        if whole:
            return head.fullmatch(text) is not None
        found = head.match(text)
        for piece in middle:
            found = piece.search(text, found.end()) if found else None
        start = len(text) - tail_length
        return found is not None and start >= found.end() and tail.match(text, start) is not None

    return matches
