"""One generation of a dataset: its files as they were at one moment, under one index. It never changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.contract import Json
from adapters.files.formats import Bad, FieldType
from adapters.files.part import Part
from adapters.files.values import comparable


@dataclass(frozen=True, slots=True)
class Found:
    """A record of a generation: which part, and which of its records; or what is undecodable there."""

    part: Part
    ordinal: int
    bad: Bad | None = None


@dataclass(slots=True)
class Generation:
    """`parts` in the order of precedence, lowest first. `waiting`: files that haven't arrived whole yet."""

    parts: tuple[Part, ...]
    key_type: FieldType
    waiting: int = 0
    built: datetime = field(default_factory=lambda: datetime.now(UTC))
    _index: dict[Any, tuple[int, int]] = field(default_factory=dict)
    _ordered: list[tuple[Any, int, int]] | None = None

    def __post_init__(self) -> None:
        # Later entries replace earlier ones: within a file the later record, within a pattern the later
        # name, and between patterns the one that stands first in the configuration wins.
        compare = comparable(self.key_type)
        for number, part in enumerate(self.parts):
            for ordinal, key in enumerate(part.keys):
                self._index[compare(key)] = (number, ordinal)
            for position, bad in enumerate(part.bad):
                if bad.key is not None:
                    self._index[compare(bad.key)] = (number, -1 - position)

    def find(self, key: Json) -> Found | None:
        """The record of that key, decodable or not."""
        place = self._index.get(comparable(self.key_type)(key))
        if place is None:
            return None
        part, ordinal = self.parts[place[0]], place[1]
        return Found(part, ordinal) if ordinal >= 0 else Found(part, ordinal, part.bad[-1 - ordinal])

    def ordered(self) -> list[tuple[Any, int, int]]:
        """(comparable key, part, ordinal) of every decodable record, ascending; made on first use."""
        if self._ordered is None:
            self._ordered = sorted((key, part, ordinal) for key, (part, ordinal) in self._index.items() if ordinal >= 0)
        return self._ordered

    def rows(self) -> Iterator[tuple[Found, dict[str, Json]]]:
        """Every decodable record with where it is, in no order, to look at only; raises `Changed`."""
        compare = comparable(self.key_type)
        for number, part in enumerate(self.parts):
            for ordinal, row in enumerate(part.all_rows()):
                if self._index.get(compare(part.keys[ordinal])) == (number, ordinal):
                    yield Found(part, ordinal), row

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
        """Does reading a record go to the disk?"""
        return any(part.content.blocking for part in self.parts)

    def __len__(self) -> int:
        return len(self._index)


def oldest(parts: Sequence[Part], otherwise: datetime) -> datetime:
    """The time of the oldest of some files."""
    return min((part.as_of for part in parts), default=otherwise)
