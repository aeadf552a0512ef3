"""Format `fixed`: columns by their place in a line, or in a record of so many bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO

from adapters.contract import Json
from adapters.files import lines
from adapters.files.columns import Column, reading, with_nulls
from adapters.files.formats import Bad, FieldType, Record
from adapters.files.options import FixedOptions
from adapters.files.read_only import ReadOnlyColumns
from adapters.files.undecodable import Undecodable


class FixedFormat(ReadOnlyColumns):
    """Files of one layout. Every column says where it stands."""

    _nullable = False
    _columns: Mapping[str, Column]

    def __init__(self, options: FixedOptions, encoding: str, key: str | None) -> None:
        self._options = options
        self._encoding = lines.encoding(encoding)
        self._key = key
        self._columns = with_nulls(options.columns, options.nulls)
        self.fields: Mapping[str, FieldType] = {name: each.field for name, each in self._columns.items()}

    def whole(self, size: int) -> bool:
        return self._options.length is None or size % self._options.length == 0

    def reader(self, file: BinaryIO, size: int) -> FixedReader:
        encoding, start = lines.without_bom(file, self._encoding)
        return FixedReader(self._options, self._columns, encoding, range(start, size), self._key)


class FixedReader:
    """One file."""

    def __init__(
        self, options: FixedOptions, columns: Mapping[str, Column], encoding: str, span: range, key: str | None
    ) -> None:
        self._options = options
        self._encoding = encoding
        self._span = span
        self._key = key
        self._bytes = options.unit == "byte"
        self._line_feeds = lines.line_feeds(encoding)
        self.fields: Mapping[str, FieldType] = {name: each.field for name, each in columns.items()}
        self._columns = [(name, _place(each), reading(each)) for name, each in columns.items()]
        self._width = max(place.stop for _, place, _ in self._columns)

    def scan(self, file: BinaryIO) -> Iterator[Record | Bad]:
        try:
            for start, data in self._fixed(file) if self._options.length else self._lines(file):
                yield self._found(start, data)
        except (UnicodeError, Undecodable) as error:
            reason = f"the rest of the file can't be read: {error}"
            yield Bad(self._at, self._span.stop, reason, lost=True)

    def _found(self, start: int, data: bytes) -> Record | Bad:
        end = start + len(data)
        try:
            return Record(start, end, self.decode(data))
        except Undecodable as error:
            return Bad(start, end, str(error), self._key_of(data))

    def _fixed(self, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
        length = self._options.length or 0
        file.seek(self._span.start)
        self._at = self._span.start
        while data := file.read(length):
            yield self._at, data
            self._at += len(data)

    def _lines(self, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
        self._at = self._span.start
        comment = self._options.comment
        for number, line in enumerate(lines.lines(file, self._encoding, self._at)):
            if len(line) >= lines.LONGEST_LINE:
                raise Undecodable(f"a line is longer than {lines.LONGEST_LINE} characters")
            data = line.encode(self._encoding, "surrogateescape")
            said = number >= self._options.skip and not (comment and line.startswith(comment))
            if said and line.strip("\r\n\x1a"):
                yield self._at, data
            self._at += len(data)

    def decode(self, data: bytes) -> dict[str, Json]:
        text = self._places(data)
        if len(text) < self._width:
            if not self._options.ragged:
                raise Undecodable(f"the record has {len(text)} places, its columns {self._width}")
            text = text.ljust(self._width) if isinstance(text, str) else text.ljust(self._width, self._space())
        value: dict[str, Json] = {}
        for name, place, read in self._columns:
            try:
                value[name] = read(self._text(text[place]))
            except ValueError as error:
                raise Undecodable(f"{name} {error}") from None
        return value

    def _places(self, data: bytes) -> str | bytes:
        """What the columns' places count in, without the line's end."""
        if self._line_feeds is not None and self._options.length is None:
            data = data.translate(self._line_feeds)
        text = data.decode(self._encoding, "surrogateescape")
        if self._options.length is None:
            text = text.rstrip("\r\n")
        return text.encode(self._encoding, "surrogateescape") if self._bytes else text

    def _text(self, part: str | bytes) -> str:
        text = part if isinstance(part, str) else part.decode(self._encoding, "surrogateescape")
        return text.rstrip(" ")

    def _space(self) -> bytes:
        return " ".encode(self._encoding)

    def _key_of(self, data: bytes) -> Json:
        try:
            text = self._places(data)
            return next(read(self._text(text[place])) for name, place, read in self._columns if name == self._key)
        except (ValueError, StopIteration):
            return None


def _place(column: Column) -> slice:
    assert column.at is not None
    assert column.width is not None
    return slice(column.at - 1, column.at - 1 + column.width)
