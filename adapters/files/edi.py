"""EDI: how an interchange is cut into segments, elements and components, and what a message is as JSON.

A record is one message (X12: transaction set) with the envelopes around it:
`{"id", "interchange": [elements of UNB or ISA], "group": [… of UNG or GS] or null, "type", "control_number",
"segments": [{"tag", "elements"}]}`. An element is a text; with components it is a list of texts; repeated, it is
`{"repeats": [such elements]}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from adapters.contract import Json
from adapters.files.copy import CopiedRecords, Placed
from adapters.files.formats import Bad, FieldType, Record
from adapters.files.read_only import ReadOnly
from adapters.files.undecodable import Undecodable

LONGEST_SEGMENT = 1 << 20
MOST_SEGMENTS = 1_000_000
"""Segments of one message."""

_PIECE = 1 << 16
_SPACE = b" \t\r\n"

FIELDS: dict[str, FieldType] = {"id": "text", "type": "text", "control_number": "text"}

_ELEMENTS: dict[str, Any] = {"type": "array", "items": {"type": ["string", "array", "object"]}}
_SEGMENT: dict[str, Any] = {
    "type": "object",
    "properties": {"tag": {"type": "string"}, "elements": _ELEMENTS},
    "required": ["tag", "elements"],
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "interchange": _ELEMENTS,
        "group": {**_ELEMENTS, "type": ["array", "null"]},
        "type": {"type": "string"},
        "control_number": {"type": "string"},
        "segments": {"type": "array", "items": _SEGMENT},
    },
    "required": ["id", "interchange", "group", "type", "control_number", "segments"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Marks:
    """An interchange's delimiters, a byte each; `release` and `repetition` may be none (empty)."""

    component: bytes
    element: bytes
    segment: bytes
    release: bytes = b""
    repetition: bytes = b""


class Segment:
    """One segment as it stands in the file; `number` from 1."""

    def __init__(self, data: bytes, marks: Marks, encoding: str, number: int) -> None:
        self.number = number
        first, *rest = split(data, marks.element, marks.release)
        self._marks = marks
        self._encoding = encoding
        self._rest = rest
        tag, *_ = split(first, marks.component, marks.release)
        self.tag = tag.decode("latin-1")

    def elements(self) -> list[Json]:
        """Raises `Undecodable` where a text isn't in the interchange's encoding."""
        return [self._element(each) for each in self._rest]

    def text(self, place: int, component: int = 0) -> str:
        """An element's (component's) text, both from 0 behind the tag; empty where there is none."""
        if place >= len(self._rest):
            return ""
        parts = split(self._rest[place], self._marks.component, self._marks.release)
        return self._plain(parts[component]) if component < len(parts) else ""

    def json(self) -> dict[str, Json]:
        """Tag and elements."""
        return {"tag": self.tag, "elements": self.elements()}

    def _element(self, data: bytes) -> Json:
        if self._marks.repetition and self._marks.repetition in data:
            repeats = split(data, self._marks.repetition, self._marks.release)
            if len(repeats) > 1:
                return {"repeats": [self._components(each) for each in repeats]}
        return self._components(data)

    def _components(self, data: bytes) -> Json:
        parts = split(data, self._marks.component, self._marks.release)
        texts: list[Json] = [self._plain(part) for part in parts]
        return texts if len(texts) > 1 else texts[0]

    def _plain(self, data: bytes) -> str:
        try:
            return unescaped(data, self._marks.release).decode(self._encoding)
        except UnicodeDecodeError:
            raise Undecodable(f"segment {self.number} ({self.tag}) isn't text in {self._encoding}") from None


def split(data: bytes, mark: bytes, release: bytes) -> list[bytes]:
    """The pieces between unreleased marks, their release characters kept."""
    if not release or release not in data:
        return data.split(mark)
    pieces, start, at = [], 0, 0
    while at < len(data):
        byte = data[at : at + 1]
        if byte == release:
            at += 2
            continue
        if byte == mark:
            pieces.append(data[start:at])
            start = at + 1
        at += 1
    return [*pieces, data[start:]]


def unescaped(data: bytes, release: bytes) -> bytes:
    """The data without its release characters."""
    if not release or release not in data:
        return data
    found, at = bytearray(), 0
    while at < len(data):
        if data[at : at + 1] == release:
            at += 1
        found += data[at : at + 1]
        at += 1
    return bytes(found)


class Source:
    """A file, cut into segments by the marks that hold where it stands. Methods raise `Undecodable`."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self._file = file
        self._data = b""
        self._pos = 0
        self._base = 0

    @property
    def at(self) -> int:
        """The byte of the file."""
        return self._base + self._pos

    def peek(self, count: int) -> bytes:
        """The next bytes, behind line ends and spaces; fewer at the end of the file."""
        while True:
            rest = self._data[self._pos :].lstrip(_SPACE)
            self._pos = len(self._data) - len(rest)
            if len(rest) >= count or not self._more():
                return rest[:count]

    def take(self, count: int) -> bytes:
        """So many bytes."""
        data = self.peek(count)
        self._pos += len(data)
        return data

    def segment(self, marks: Marks) -> bytes:
        """The next segment without its end; empty at the end of the file."""
        if not self.peek(1):
            return b""
        searched = self._pos
        while (end := _end(self._data, searched, marks)) < 0:
            if len(self._data) - self._pos > LONGEST_SEGMENT:
                raise Undecodable(f"a segment is longer than {LONGEST_SEGMENT} bytes")
            if not self._more():
                raise Undecodable("the file ends inside a segment")
            searched = self._pos
        data = self._data[self._pos : end]
        self._pos = end + 1
        return data

    def _more(self) -> bool:
        piece = self._file.read(_PIECE)
        self._base += self._pos
        self._data = self._data[self._pos :] + piece
        self._pos = 0
        return bool(piece)


def _end(data: bytes, start: int, marks: Marks) -> int:
    """Where the segment that begins at `start` ends; -1 when that isn't in the data."""
    at = start
    while True:
        end = data.find(marks.segment, at)
        if end < 0 or not marks.release:
            return end
        released = 0
        while end - released > start and data[end - released - 1 : end - released] == marks.release:
            released += 1
        if released % 2 == 0:
            return end
        at = end + 1


class Interchanges(Protocol):
    """What X12 and EDIFACT differ in."""

    def __call__(self, source: Source, encoding: str | None) -> Iterator[Placed]: ...


class EdiFormat(ReadOnly):
    """Files of interchanges. `encoding`: None for what the interchange says."""

    fields: Mapping[str, FieldType] = FIELDS

    def __init__(self, cut: Interchanges, types: Sequence[str], encoding: str | None) -> None:
        self._cut = cut
        self._types = frozenset(types)
        self._encoding = encoding

    def output_schema(self) -> dict[str, Any]:
        return SCHEMA

    def input_schema(self) -> dict[str, Any]:
        return SCHEMA

    def whole(self, size: int) -> bool:
        return size > 0

    def reader(self, file: BinaryIO, size: int) -> EdiReader:
        return EdiReader(self._cut, self._types, self._encoding, size)


class EdiReader(CopiedRecords):
    """One file."""

    fields: Mapping[str, FieldType] = FIELDS

    def __init__(self, cut: Interchanges, types: frozenset[str], encoding: str | None, size: int) -> None:
        super().__init__()
        self._cut = cut
        self._types = types
        self._encoding = encoding
        self._size = size

    def scan(self, file: BinaryIO) -> Iterator[Record | Bad]:
        found = self._cut(Source(file), self._encoding)
        return self.copied((each for each in found if self._wanted(each)), self._size)

    def _wanted(self, placed: Placed) -> bool:
        return not self._types or isinstance(placed.value, Undecodable) or placed.value["type"] in self._types
