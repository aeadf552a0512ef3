"""What a format is: how a file's bytes become records and a record becomes bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, Protocol, TypeAlias, runtime_checkable

from adapters.contract import Json
from adapters.errors import FieldError
from adapters.files.content import Content

FieldType: TypeAlias = Literal["text", "integer", "decimal", "number", "boolean"]
"""How a field's values compare."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record: bytes [start, end) of its file, and its value."""

    start: int
    end: int
    value: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Bad:
    """Bytes [start, end) that can't be decoded, why (one sentence), and the record's key where that much is known.

    `lost`: nobody can say how many records lie there, so that none may be said not to exist. `place`: where that is,
    in a format whose records have no bytes of their own.
    """

    start: int
    end: int
    reason: str
    key: Json = None
    lost: bool = False
    place: str | None = None

    @property
    def where(self) -> str:
        """The place as a message names it."""
        return self.place or f"bytes {self.start} to {self.end}"


class Reader(Protocol):
    """One file's records. It keeps nothing open, so that it may outlive the file handle it was made with."""

    @property
    def fields(self) -> Mapping[str, FieldType] | None:
        """The fields that can be filtered and sorted by, by dotted path."""
        ...

    def scan(self, file: BinaryIO) -> Iterator[Record | Bad]:
        """All records in order, in constant memory."""
        ...

    def decode(self, data: bytes) -> dict[str, Json]:
        """The record that `scan` found in these bytes; raises `Undecodable`."""
        ...


@runtime_checkable
class Copied(Protocol):
    """A reader whose file can't be sought: `scan` copies what it reads, and records are bytes of the copy."""

    @property
    def content(self) -> Content: ...


class Format(Protocol):
    """A dataset's format, compiled from its configuration."""

    @property
    def fields(self) -> Mapping[str, FieldType] | None:
        """The fields that can be a key, be filtered and sorted by, by dotted path; None: each file's header says."""
        ...

    def output_schema(self) -> dict[str, Any]: ...

    def input_schema(self) -> dict[str, Any]:
        """What `encode` takes."""
        ...

    def whole(self, size: int) -> bool:
        """May a file of `size` bytes be complete?"""
        ...

    def reader(self, file: BinaryIO, size: int) -> Reader:
        """Raises `Undecodable` when the file as a whole isn't what the dataset says."""
        ...

    def encode(self, value: Mapping[str, Json]) -> tuple[bytes, list[FieldError]]:
        """A file that holds this one record, and what is wrong with the value (then the bytes mean nothing)."""
        ...


def at(value: Json, path: str) -> Json:
    """What stands at a dotted path of a record; None when it isn't there."""
    for name in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
