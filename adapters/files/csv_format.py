"""Format `csv` (RFC 4180 and its dialects): the csv module decides where a record ends, quoted newlines included."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, BinaryIO, TypeAlias

from adapters.contract import Json
from adapters.errors import FieldError
from adapters.files import lines
from adapters.files.columns import Column, reading, schema, with_nulls
from adapters.files.config import CsvOptions
from adapters.files.formats import Bad, FieldType, Record
from adapters.files.undecodable import Undecodable

_Row: TypeAlias = tuple[int, int, list[str] | Bad]
"""(start, end, the fields, or why they can't be told)."""


class _Lost(Exception):
    """No further record can be found in the file."""


class CsvFormat:
    """CSV files of one dialect."""

    def __init__(self, options: CsvOptions, encoding: str, key: str | None) -> None:
        self._options = options
        self._encoding = lines.encoding(encoding)
        self._key = key
        self._columns = None if options.columns is None else with_nulls(options.columns, options.nulls)
        self._dialect = dialect(options)

    @property
    def fields(self) -> Mapping[str, FieldType] | None:
        return None if self._columns is None else {name: each.field for name, each in self._columns.items()}

    def output_schema(self) -> dict[str, Any]:
        return schema(self._columns, nullable=self._options.ragged or bool(self._options.nulls))

    def input_schema(self) -> dict[str, Any]:
        return {**self.output_schema(), "required": [self._key]}

    def whole(self, size: int) -> bool:
        return True

    def reader(self, file: BinaryIO, size: int) -> CsvReader:
        encoding, start = lines.without_bom(file, self._encoding)
        given = Dialect(self._options, self._dialect, encoding, self._columns, self._key)
        return CsvReader(given, range(start, size), file)

    def encode(self, value: Mapping[str, Json]) -> tuple[bytes, list[FieldError]]:
        """A header line, if the dialect has one, and one record."""
        columns = self._columns or {}
        faults = [FieldError(f"/{name}", "isn't a column") for name in value if name not in columns]
        row = []
        for name, column in columns.items():
            text = written(value.get(name), column)
            row.append(text or "")
            if text is None:
                faults.append(FieldError(f"/{name}", f"must be {_MUST[column.type]}"))
        names = [str(column.source or name) for name, column in columns.items()]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n", **self._dialect)
        try:
            writer.writerows([names, row] if self._options.header else [row])
            return out.getvalue().encode(self._encoding), faults
        except (csv.Error, UnicodeEncodeError) as error:
            return b"", [*faults, FieldError("", f"can't be written as CSV: {error}")]


def dialect(options: CsvOptions) -> dict[str, Any]:
    """The options as the csv module takes them."""
    return {
        "delimiter": options.delimiter,
        "quotechar": options.quotechar,
        "quoting": csv.QUOTE_NONE if options.quotechar is None else csv.QUOTE_MINIMAL,
        "doublequote": options.doublequote,
        "escapechar": options.escapechar,
        "skipinitialspace": options.skipinitialspace,
    }


class Dialect:
    """What a file's reader goes by."""

    def __init__(
        self,
        options: CsvOptions,
        csv: Mapping[str, Any],
        encoding: str,
        columns: Mapping[str, Column] | None,
        key: str | None,
    ) -> None:
        self.options = options
        self.csv = csv
        self.encoding = encoding
        self.columns = columns
        self.key = key


class CsvReader:
    """One CSV file: its header is read when this is made; raises `Undecodable` when that lacks a column."""

    def __init__(self, dialect: Dialect, span: range, file: BinaryIO) -> None:
        self._dialect = dialect
        self._start, self._size = span.start, span.stop
        self._line_feeds = lines.line_feeds(dialect.encoding)
        self._more = _more_than_fields(dialect.options)
        self._skip(file, dialect.options.skip)
        header = self._header(file) if dialect.options.header else list(dialect.columns or ())
        columns = dialect.columns or _all_text(header, dialect.options.nulls)
        places = located(columns, header, dialect.key)
        counted = max(places.values(), default=0) + 1
        self._width = len(header) if dialect.options.header else max(counted, len(header))
        self.fields: Mapping[str, FieldType] = {name: each.field for name, each in columns.items()}
        self._columns = [(name, places[name], reading(each)) for name, each in columns.items()]

    def _skip(self, file: BinaryIO, count: int) -> None:
        for line in islice(lines.lines(file, self._dialect.encoding, self._start), count):
            self._start += len(line.encode(self._dialect.encoding, "surrogateescape"))

    def _header(self, file: BinaryIO) -> list[str]:
        for _, end, row in self._rows(file):
            if isinstance(row, Bad):
                raise Undecodable(f"the header can't be read: {row.reason}")
            self._start = end
            return [name.strip() for name in row]
        raise Undecodable("the file has no header")

    def scan(self, file: BinaryIO) -> Iterator[Record | Bad]:
        for start, end, row in self._rows(file):
            if isinstance(row, Bad):
                yield row
                continue
            try:
                yield Record(start, end, self._record(row))
            except Undecodable as error:
                yield Bad(start, end, str(error), self._key_of(row))

    def decode(self, data: bytes) -> dict[str, Json]:
        if self._line_feeds is not None:
            data = data.translate(self._line_feeds)
        text = data.decode(self._dialect.encoding, "surrogateescape")
        if self._more is not None and not self._more.search(text):
            return self._record(text.rstrip("\r\n").split(self._dialect.options.delimiter))
        for _, _, row in self._parse(iter([text]), 0):
            if not isinstance(row, Bad):
                return self._record(row)
        raise Undecodable("the record isn't CSV")

    def _record(self, row: Sequence[str]) -> dict[str, Json]:
        missing = self._width - len(row)
        if missing and not (missing > 0 and self._dialect.options.ragged):
            raise Undecodable(f"the record has {len(row)} fields, the header {self._width}")
        value: dict[str, Json] = {}
        for name, index, read in self._columns:
            if index >= len(row):
                value[name] = None
                continue
            try:
                value[name] = read(row[index])
            except ValueError as error:
                raise Undecodable(f"{name} {error}") from None
        return value

    def _key_of(self, row: Sequence[str]) -> Json:
        try:
            return next(read(row[index]) for name, index, read in self._columns if name == self._dialect.key)
        except (ValueError, IndexError, StopIteration):
            return None

    def _rows(self, file: BinaryIO) -> Iterator[_Row]:
        return self._parse(lines.lines(file, self._dialect.encoding, self._start), self._start)

    def _parse(self, given: Iterator[str], at: int) -> Iterator[_Row]:
        """A record that can't be told ends where the csv module gave up, so that what an unclosed quote swallowed
        lies inside its range; when that is more than a line, other records may be in it."""
        consumed, taken, start = at, 0, at
        comment = self._dialect.options.comment

        def counted() -> Iterator[str]:
            nonlocal consumed, taken, start
            for line in given:
                if not taken:
                    start = consumed
                consumed += len(line.encode(self._dialect.encoding, "surrogateescape"))
                if not taken and comment is not None and line.startswith(comment):
                    continue
                taken += 1
                if len(line) >= lines.LONGEST_LINE:
                    raise _Lost(f"a line is longer than {lines.LONGEST_LINE} characters")
                yield line

        rows = csv.reader(counted(), strict=True, **self._dialect.csv)
        while True:
            start, taken = consumed, 0
            try:
                row: list[str] | Bad = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                row = Bad(start, consumed, f"the record isn't CSV: {error}", lost=taken > 1)
            except (_Lost, UnicodeError) as error:
                reason = f"the rest of the file can't be read: {error}"
                yield start, self._size, Bad(start, self._size, reason, lost=True)
                return
            if row:
                yield start, consumed, row


def _more_than_fields(options: CsvOptions) -> re.Pattern[str] | None:
    """What makes a record more than the fields between its delimiters; None: its characters can't tell."""
    if options.skipinitialspace:
        return None
    special = re.escape("".join(filter(None, (options.quotechar, options.escapechar))))
    return re.compile((f"[{special}]|" if special else "") + "[\r\n](?=[^\r\n])")


def located(columns: Mapping[str, Column], header: Sequence[str], key: str | None) -> dict[str, int]:
    """Each column's place in the header, from 0; raises `Undecodable` when it has none, or two."""
    places: dict[str, int] = {}
    for name in (*columns, *((key,) if key and key not in columns else ())):
        source = columns[name].source if name in columns and columns[name].source is not None else name
        if isinstance(source, int):
            places[name] = source - 1
        elif source not in header:
            raise Undecodable(f"the header lacks the column {source}")
        elif header.count(source) > 1:
            raise Undecodable(f"the header names a column twice: {source}; say which by its place in 'from'")
        else:
            places[name] = header.index(source)
    return places


def _all_text(header: Sequence[str], null: tuple[str, ...]) -> dict[str, Column]:
    if len(set(header)) != len(header):
        raise Undecodable("the header names a column twice")
    return {name: Column(nulls=null or None) for name in header}


_MUST = {
    "text": "a string",
    "integer": "an integer",
    "decimal": "a decimal number",
    "boolean": "true or false",
    "date": "a date",
    "time": "a time",
    "datetime": "a date and time",
    "instant": "an instant",
}


def written(value: Json, column: Column) -> str | None:
    """The value as the column's text; None when it isn't of its type, or wouldn't be read back as it is."""
    if value is None:
        return "" if column.type != "text" else (column.nulls or ("",))[0]
    text = _text(value, column)
    if text is None:
        return None
    try:
        back = reading(column)(text)
    except ValueError:
        return None
    return text if column.type in ("text", "boolean", "integer", "decimal") or back == value else None


def _text(value: Any, column: Column) -> str | None:
    if column.type == "boolean":
        return (column.truths[0] if value else column.truths[1]) if isinstance(value, bool) else None
    if isinstance(value, bool):
        return None
    if column.type == "integer":
        return str(value) if isinstance(value, int) else None
    if column.type == "decimal" and isinstance(value, int | float | str):
        return str(value).replace(".", column.decimal_point)
    if not isinstance(value, str):
        return None
    return value
