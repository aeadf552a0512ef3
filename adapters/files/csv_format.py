"""Format `csv` (RFC 4180 and its dialects): the csv module decides where a record ends, quoted newlines included."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, TypeAlias

from adapters.contract import Json
from adapters.errors import FieldError
from adapters.files.config import CsvOptions
from adapters.files.formats import Bad, FieldType, Record
from adapters.files.undecodable import Undecodable

_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_INT64 = range(-(1 << 63), 1 << 63)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_ESCAPED = re.compile("[\udc80-\udcff]")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_WITHOUT_MARK = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}
_LONGEST_LINE = 1 << 20

_Row: TypeAlias = tuple[int, int, list[str] | Bad]
"""(start, end, the fields, or why they can't be told)."""


class _Lost(Exception):
    """No further record can be found in the file."""


class CsvFormat:
    """CSV files of one dialect."""

    def __init__(self, options: CsvOptions, encoding: str, key: str | None) -> None:
        self._options = options
        self._encoding = codecs.lookup(encoding).name
        self._key = key
        self._dialect: dict[str, Any] = {
            "delimiter": options.delimiter,
            "quotechar": options.quotechar,
            "doublequote": options.doublequote,
            "escapechar": options.escapechar,
            "skipinitialspace": options.skipinitialspace,
        }

    @property
    def fields(self) -> Mapping[str, FieldType] | None:
        return None if self._options.columns is None else dict(self._options.columns)

    def output_schema(self) -> dict[str, Any]:
        if self._options.columns is None:
            return {"type": "object", "additionalProperties": {"type": "string"}}
        properties = {name: _schema(kind) for name, kind in self._options.columns.items()}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def input_schema(self) -> dict[str, Any]:
        return {**self.output_schema(), "required": [self._key]}

    def whole(self, size: int) -> bool:
        return True

    def reader(self, file: BinaryIO, size: int) -> CsvReader:
        encoding, start = _without_bom(file, self._encoding)
        return CsvReader(self._options, self._dialect, encoding, range(start, size), self._key, file)

    def encode(self, value: Mapping[str, Json]) -> tuple[bytes, list[FieldError]]:
        """A header line, if the dialect has one, and one record."""
        columns = self._options.columns or {}
        faults = [FieldError(f"/{name}", "isn't a column") for name in value if name not in columns]
        row = []
        for name, kind in columns.items():
            text = _written(value.get(name), kind)
            row.append(text or "")
            if text is None:
                faults.append(FieldError(f"/{name}", f"must be {_MUST[kind]}"))
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n", **self._dialect)
        try:
            writer.writerows([list(columns), row] if self._options.header else [row])
            return out.getvalue().encode(self._encoding), faults
        except (csv.Error, UnicodeEncodeError) as error:
            return b"", [*faults, FieldError("", f"can't be written as CSV: {error}")]


class CsvReader:
    """One CSV file: its header is read when this is made; raises `Undecodable` when that lacks a column."""

    def __init__(
        self,
        options: CsvOptions,
        dialect: Mapping[str, Any],
        encoding: str,
        span: range,
        key: str | None,
        file: BinaryIO,
    ) -> None:
        self._dialect = dialect
        self._encoding = encoding
        self._key = key
        self._start, self._size = span.start, span.stop
        names = list(options.columns or ())
        if options.header:
            names = self._header(file)
        self._width = len(names)
        self.fields: Mapping[str, FieldType] = options.columns or dict.fromkeys(names, "text")
        missing = [name for name in (*self.fields, *([key] if key else ())) if name not in names]
        if missing:
            raise Undecodable(f"the header lacks the column {missing[0]}")
        self._columns: list[tuple[str, int, Callable[[str], Json]]] = [
            (name, names.index(name), _READ[kind]) for name, kind in self.fields.items()
        ]

    def _header(self, file: BinaryIO) -> list[str]:
        for _, end, row in self._rows(file):
            if isinstance(row, Bad):
                raise Undecodable(f"the header can't be read: {row.reason}")
            names = [name.strip() for name in row]
            if len(set(names)) != len(names):
                raise Undecodable("the header names a column twice")
            self._start = end
            return names
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
        for _, _, row in self._parse(iter([data.decode(self._encoding, "surrogateescape")]), 0):
            if not isinstance(row, Bad):
                return self._record(row)
        raise Undecodable("the record isn't CSV")

    def _record(self, row: Sequence[str]) -> dict[str, Json]:
        if len(row) != self._width:
            raise Undecodable(f"the record has {len(row)} fields, the header {self._width}")
        value: dict[str, Json] = {}
        for name, index, read in self._columns:
            try:
                value[name] = read(row[index])
            except ValueError as error:
                raise Undecodable(f"{name} {error}") from None
        return value

    def _key_of(self, row: Sequence[str]) -> Json:
        try:
            return next(read(row[index]) for name, index, read in self._columns if name == self._key)
        except (ValueError, IndexError, StopIteration):
            return None

    def _rows(self, file: BinaryIO) -> Iterator[_Row]:
        file.seek(self._start)
        text = io.TextIOWrapper(file, self._encoding, errors="surrogateescape", newline="")
        try:
            yield from self._parse(_lines(text), self._start)
        finally:
            text.detach()

    def _parse(self, lines: Iterator[str], at: int) -> Iterator[_Row]:
        """A record that can't be told ends where the csv module gave up, so that what an unclosed quote swallowed
        lies inside its range; when that is more than a line, other records may be in it."""
        consumed, taken = at, 0

        def counted() -> Iterator[str]:
            nonlocal consumed, taken
            for line in lines:
                consumed += len(line.encode(self._encoding, "surrogateescape"))
                taken += 1
                if len(line) >= _LONGEST_LINE:
                    raise _Lost(f"a line is longer than {_LONGEST_LINE} characters")
                yield line

        rows = csv.reader(counted(), strict=True, **self._dialect)
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


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(_LONGEST_LINE):
        yield line


def _without_bom(file: BinaryIO, encoding: str) -> tuple[str, int]:
    """(encoding, where the text begins): a byte order mark tells more than the configuration."""
    file.seek(0)
    head = file.read(3)
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name, len(mark)
    return _WITHOUT_MARK.get(encoding, encoding), 0


def _text(text: str) -> str:
    if not text.isascii() and _ESCAPED.search(text):
        raise ValueError("isn't text in the dataset's code page")
    return text


def _integer(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    if not _INTEGER.fullmatch(text):
        raise ValueError("isn't an integer")
    if int(text) not in _INT64:
        raise ValueError("doesn't fit 64 bits; declare it as decimal")
    return int(text)


def _decimal(text: str) -> str | None:
    text = text.strip()
    if not text:
        return None
    if not _DECIMAL.fullmatch(text):
        raise ValueError("isn't a decimal number")
    sign, digits = ("-" if text[0] == "-" else ""), text.lstrip("+-")
    return sign + ("0" + digits if digits[0] == "." else digits.removesuffix("."))


_READ: dict[FieldType, Callable[[str], Json]] = {"text": _text, "integer": _integer, "decimal": _decimal}
_MUST = {"text": "a string", "integer": "an integer", "decimal": "a decimal number"}


def _written(value: Json, kind: FieldType) -> str | None:
    """The value as CSV text; None when it isn't of its kind. NULL is the empty field."""
    if value is None:
        return ""
    if kind == "text":
        return value if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, int if kind == "integer" else int | float | str):
        return None
    if kind == "integer":
        return str(value) if value in _INT64 else None
    return str(value) if _DECIMAL.fullmatch(str(value)) else None


def _schema(kind: FieldType) -> dict[str, Any]:
    if kind == "text":
        return {"type": "string"}
    if kind == "integer":
        return {"type": ["integer", "null"]}
    return {"type": ["string", "null"], "format": "decimal"}
