"""A page of a dataset: typed filters, sort, and a position that stays good when a new generation comes.

The position behind an item is the list of its sort values, the key last. It names no byte and no ordinal, so it
continues rightly in a generation that has other records.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import total_ordering
from itertools import islice
from typing import TypeVar

from adapters.contract import Json, ListRequest
from adapters.errors import FieldError, Invalid
from adapters.files.conditions import Conditions
from adapters.files.formats import FieldType, at
from adapters.files.generation import Found, Generation
from adapters.files.masks import Masks, masks_of
from adapters.files.values import given, stored

_T = TypeVar("_T")

MAX_LIMIT = 1000
_FEW = 2000
"""Records that are looked at one by one before all of them are looked at as columns."""


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
        self._limit = request.limit
        self._order = _orders(request.sort, fields, key, faults)
        self._conditions = Conditions(request.where, request.rows, fields, faults)
        # What an index may find the records by; the conditions look at each of them again.
        self._equal = {} if faults else self._conditions.equal()
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
        """In key order: the sorted keys are walked from the position on. A page that is full soon needs no columns."""
        chosen, whole = self._walked(generation, deadline, None, _FEW if self._conditions else math.inf)
        if whole:
            return chosen
        masks = masks_of(generation, self._conditions)
        return self._walked(generation, deadline, masks, math.inf)[0]

    def _walked(
        self, generation: Generation, deadline: float, masks: Masks | None, most: float
    ) -> tuple[list[Found], bool]:
        """(the records of the page and one more, whether no more than `most` had to be looked at)."""
        chosen: list[Found] = []
        after = None if self._after is None else self._after[0].value
        walk = generation.walk(after, descending=self._order[0].descending, equal=self._equal, masks=masks)
        masked = self._masked(generation, masks)
        for number, found in enumerate(in_time(walk, deadline)):
            if number >= most:
                return [], False
            if masked(found) or self._conditions.hold(found.part.row(found.ordinal)):
                chosen.append(found)
                if len(chosen) > self._limit:
                    break
        return chosen, True

    def _masked(self, generation: Generation, masks: Masks | None) -> Callable[[Found], bool]:
        """Tells of what needn't be looked at: there are no conditions, or a mask has let it through."""
        if not self._conditions:
            return lambda found: True
        if masks is None:
            return lambda found: False
        known = {id(part) for part, mask in zip(generation.parts, masks, strict=True) if mask is not None}
        return lambda found: id(found.part) in known

    def _by_fields(self, generation: Generation, deadline: float) -> list[Found]:
        """In another order: every record of the small files is looked at, the first ones of the order are kept; big
        files have it on disk."""
        unsorted = generation.unsorted([order.path for order in self._order])
        if unsorted is not None:
            fault = FieldError("/sort", f"'{unsorted}' isn't indexed, and there are too many records to sort by it")
            raise Invalid("the list can't be asked for like that", errors=[fault])
        masks = masks_of(generation, self._conditions) if self._conditions else None
        rows = in_time(generation.rows(masks), deadline)
        masked = self._masked(generation, masks)
        ranked = ((self._ranks(row), found) for found, row in rows if masked(found) or self._conditions.hold(row))
        after = self._after
        candidates = ranked if after is None else (entry for entry in ranked if entry[0] > after)
        small = heapq.nsmallest(self._limit + 1, candidates, key=lambda entry: entry[0])
        merged = heapq.merge(small, *self._streams(generation, masks, deadline), key=lambda entry: entry[0])
        return [found for _, found in islice(merged, self._limit + 1)]

    def _streams(
        self, generation: Generation, masks: Masks | None, deadline: float
    ) -> list[Iterator[tuple[list[_Rank], Found]]]:
        order = [(each.path, each.descending) for each in self._order]
        after = None if self._after is None else [rank.value for rank in self._after]
        masked = self._masked(generation, masks)
        streams = generation.sorted(order, after, self._equal, masks)
        return [self._ranked(in_time(each, deadline), masked) for each in streams]

    def _ranked(
        self, stream: Iterator[tuple[tuple[bytes, ...], Found]], masked: Callable[[Found], bool]
    ) -> Iterator[tuple[list[_Rank], Found]]:
        for values, found in stream:
            if masked(found) or self._conditions.hold(found.part.row(found.ordinal)):
                ranks = [_Rank(value, order.descending) for value, order in zip(values, self._order, strict=True)]
                yield ranks, found

    def _ranks(self, row: Mapping[str, Json]) -> list[_Rank]:
        return [order.rank(at(row, order.path)) for order in self._order]

    def _values(self, row: Mapping[str, Json]) -> list[Json]:
        return [at(row, order.path) for order in self._order]


def in_time(rows: Iterator[_T], deadline: float, every: int = 256) -> Iterator[_T]:
    """The same, looking at the clock now and then."""
    for number, row in enumerate(rows):
        if number % every == 0 and time.monotonic() > deadline:
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
