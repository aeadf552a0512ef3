"""One generation of a dataset: its files as they were at one moment. It never changes."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.contract import Json
from adapters.files.columnar import Mask
from adapters.files.extras import numpy
from adapters.files.formats import Bad, FieldType
from adapters.files.index import Order
from adapters.files.part import Part
from adapters.files.values import stored


@dataclass(frozen=True, slots=True)
class Found:
    """A record of a generation: which part, and which of its records; or what is undecodable there."""

    part: Part
    ordinal: int
    bad: Bad | None = None


@dataclass(slots=True)
class Generation:
    """`parts` in the order of precedence, lowest first. `waiting`: files that haven't arrived whole yet.

    Small files share an index in memory, each big one has its own on disk. Keys are as `values.stored` has them.
    """

    parts: tuple[Part, ...]
    key_type: FieldType
    waiting: int = 0
    name: str | None = None
    """Its moment, where earlier generations are kept."""
    built: datetime = field(default_factory=lambda: datetime.now(UTC))
    _index: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    _ordered: list[tuple[bytes, int, int]] | None = None
    _big: list[int] = field(default_factory=list)
    _winners: list[Mask] | None = None
    _flat: Any = None
    """The number of each of the ordered records among those of all small files."""

    def __post_init__(self) -> None:
        # Later entries replace earlier ones: within a file the later record, within a pattern the later
        # name, and between patterns the one that stands first in the configuration wins.
        compare = stored(self.key_type)
        for number, part in enumerate(self.parts):
            if part.index is not None:
                self._big.append(number)
                continue
            for ordinal, key in enumerate(part.keys):
                self._index[compare(key)] = (number, ordinal)
            for position, bad in enumerate(part.bad):
                if bad.key is not None:
                    self._index[compare(bad.key)] = (number, -1 - position)

    def find(self, key: Json) -> Found | None:
        """The record of that key, decodable or not."""
        place = self._place(stored(self.key_type)(key))
        return None if place is None else self._found(*place)

    def _place(self, key: bytes) -> tuple[int, int] | None:
        """(part, ordinal) of the record that wins."""
        best = self._index.get(key)
        for number in reversed(self._big):
            if best is not None and number < best[0]:
                break
            index = self.parts[number].index
            ordinal = None if index is None else index.find(key)
            if ordinal is not None:
                return number, ordinal
        return best

    def _found(self, number: int, ordinal: int) -> Found:
        part = self.parts[number]
        if part.index is not None:
            return Found(part, ordinal, part.index.bad(ordinal))
        return Found(part, ordinal) if ordinal >= 0 else Found(part, ordinal, part.bad[-1 - ordinal])

    def walk(
        self,
        after: bytes | None,
        *,
        descending: bool,
        equal: Mapping[str, bytes],
        masks: Sequence[Mask | None] | None = None,
    ) -> Iterator[Found]:
        """The decodable records behind a key, in its order. `equal`, values of fields, may leave out others; `masks`
        say which records of each file are wanted."""
        small = self._small(after, masks, descending=descending)
        if not self._big:
            yield from (self._found(number, ordinal) for _, number, ordinal in small)
            return
        order, position = [("", descending)], None if after is None else [after]
        streams = [
            self._stream(number, order, position, equal, None if masks is None else masks[number])
            for number in self._big
        ]
        keyed = [((values[-1], number, ordinal) for values, number, ordinal in stream) for stream in streams]
        for key, number, ordinal in heapq.merge(small, *keyed, reverse=descending, key=lambda entry: entry[0]):
            if self._place(key) == (number, ordinal):
                found = self._found(number, ordinal)
                if found.bad is None:
                    yield found

    def sorted(
        self,
        order: Order,
        after: Sequence[bytes] | None,
        equal: Mapping[str, bytes],
        masks: Sequence[Mask | None] | None,
    ) -> list[Iterator[tuple[tuple[bytes, ...], Found]]]:
        """The decodable records behind a position of each big file, in that order, as far as the masks say."""
        return [
            self._decodable(self._stream(number, order, after, equal, None if masks is None else masks[number]))
            for number in self._big
        ]

    def _decodable(
        self, stream: Iterator[tuple[tuple[bytes, ...], int, int]]
    ) -> Iterator[tuple[tuple[bytes, ...], Found]]:
        for values, number, ordinal in stream:
            if self._place(values[-1]) == (number, ordinal):
                found = self._found(number, ordinal)
                if found.bad is None:
                    yield values, found

    def _stream(
        self,
        number: int,
        order: Order,
        after: Sequence[bytes] | None,
        equal: Mapping[str, bytes],
        mask: Mask | None,
    ) -> Iterator[tuple[tuple[bytes, ...], int, int]]:
        index = self.parts[number].index
        assert index is not None
        for values, ordinal in index.walk(order, after, equal, mask):
            yield values, number, ordinal

    def _small(
        self, after: bytes | None, masks: Sequence[Mask | None] | None, *, descending: bool
    ) -> Iterator[tuple[bytes, int, int]]:
        ordered = self.ordered()
        low, high = 0, len(ordered)
        if after is not None and descending:
            high = bisect_left(ordered, after, key=lambda entry: entry[0])
        elif after is not None:
            low = bisect_right(ordered, after, key=lambda entry: entry[0])
        places: Sequence[int] = range(low, high) if masks is None else self._wanted(masks, low, high)
        return (ordered[place] for place in (reversed(places) if descending else places))

    def _wanted(self, masks: Sequence[Mask | None], low: int, high: int) -> list[int]:
        """Which of the sorted records [low, high) the masks let through."""
        np = numpy()
        if self._flat is None:
            starts = [0]
            for part in self.parts:
                starts.append(starts[-1] + len(part.keys))
            count = len(self.ordered())
            self._flat = np.fromiter((starts[part] + at for _, part, at in self.ordered()), dtype="int64", count=count)
        none = np.zeros(0, dtype=bool)
        small = [mask for mask, part in zip(masks, self.parts, strict=True) if mask is not None and part.index is None]
        every = np.concatenate([none, *small])
        found: list[int] = (np.flatnonzero(every[self._flat[low:high]]) + low).tolist()
        return found

    def ordered(self) -> list[tuple[bytes, int, int]]:
        """(key, part, ordinal) of every decodable record of the small files, ascending; made on first use."""
        if self._ordered is None:
            self._ordered = sorted((key, part, ordinal) for key, (part, ordinal) in self._index.items() if ordinal >= 0)
        return self._ordered

    def rows(self, masks: Sequence[Mask | None] | None = None) -> Iterator[tuple[Found, dict[str, Json]]]:
        """Every decodable record of the small files that the masks let through, in no order, to look at only; raises
        `Changed`."""
        compare = stored(self.key_type)
        for number, part in enumerate(self.parts):
            if part.index is not None:
                continue
            for ordinal, row in part.rows_of(None if masks is None else masks[number]):
                if self._place(compare(part.keys[ordinal])) == (number, ordinal):
                    yield Found(part, ordinal), row

    def winners(self, number: int) -> Mask:
        """Which records of a small file count for their keys, where no file has its index on disk."""
        if self._winners is None:
            made = [numpy().zeros(len(part.keys), dtype=bool) for part in self.parts]
            for part, ordinal in self._index.values():
                if ordinal >= 0:
                    made[part][ordinal] = True
            self._winners = made
        return self._winners[number]

    def every(self) -> Iterator[dict[str, Json]]:
        """Every decodable record, in no order, to look at only; raises `Changed`."""
        yield from (row for _, row in self.rows())
        for number in self._big:
            for key, ordinal, row in self.parts[number].indexed_rows():
                if self._place(key) == (number, ordinal):
                    yield row

    def unsorted(self, fields: Sequence[str]) -> str | None:
        """The first of these fields that a big file can't be put in order by."""
        for number in self._big:
            index = self.parts[number].index
            for path in fields:
                if index is not None and not index.has([path]):
                    return path
        return None

    def fields(self) -> dict[str, FieldType]:
        """The fields that the files themselves name."""
        found: dict[str, FieldType] = {}
        for part in self.parts:
            if part.reader is not None:
                found.update(part.reader.fields or {})
        return found

    @property
    def undecodable(self) -> int:
        """How many records can't be decoded."""
        return sum(part.undecodable for part in self.parts)

    @property
    def lost(self) -> Bad | None:
        """Bytes of a file in which any record may be."""
        return next((part.lost for part in self.parts if part.lost is not None), None)

    @property
    def as_of(self) -> datetime:
        """When the oldest file was written; without files, when that was found."""
        return min((part.as_of for part in self.parts), default=self.built)

    @property
    def blocking(self) -> bool:
        """Does finding a record go to the disk?"""
        return bool(self._big)

    def __len__(self) -> int:
        return len(self._index) + sum(part.index.records for part in self.parts if part.index is not None)


def oldest(parts: Sequence[Part], otherwise: datetime) -> datetime:
    """The time of the oldest of some files."""
    return min((part.as_of for part in parts), default=otherwise)
