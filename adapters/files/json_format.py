"""Formats `json_lines` and `json`: an object a line, or the objects of an array in one document."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, BinaryIO

from adapters.contract import Json
from adapters.files.columns import Column, typed
from adapters.files.formats import Bad, FieldType, Record
from adapters.files.json_scan import LONGEST, Scan
from adapters.files.read_only import ReadOnlyColumns
from adapters.files.undecodable import Undecodable


class JsonFormat(ReadOnlyColumns):
    """`pointer`: the array's tokens; None for lines. The text is UTF-8, as RFC 8259 has it."""

    _columns: Mapping[str, Column]

    def __init__(self, columns: Mapping[str, Column], pointer: str | None, key: str | None) -> None:
        self._columns = columns
        self._pointer = pointer
        self._key = key
        self.fields: Mapping[str, FieldType] = {name: each.field for name, each in columns.items() if each.compares}

    def whole(self, size: int) -> bool:
        return True

    def reader(self, file: BinaryIO, size: int) -> JsonReader:
        file.seek(0)
        start = 3 if file.read(3) == codecs.BOM_UTF8 else 0
        tokens = None if self._pointer is None else tuple_of(self._pointer)
        return JsonReader(self._columns, tokens, range(start, size), self._key)


class JsonReader:
    """One file."""

    def __init__(
        self, columns: Mapping[str, Column], tokens: tuple[str, ...] | None, span: range, key: str | None
    ) -> None:
        self.fields: Mapping[str, FieldType] = {name: each.field for name, each in columns.items() if each.compares}
        self._columns = [(name, _path(name, each), typed(each)) for name, each in columns.items()]
        self._tokens = tokens
        self._span = span
        self._key = key

    def scan(self, file: BinaryIO) -> Iterator[Record | Bad]:
        return self._lines(file) if self._tokens is None else self._elements(file, self._tokens)

    def _lines(self, file: BinaryIO) -> Iterator[Record | Bad]:
        file.seek(self._span.start)
        at = self._span.start
        while line := file.readline(LONGEST):
            if len(line) == LONGEST:
                reason = f"the rest of the file can't be read: a line is longer than {LONGEST} bytes"
                yield Bad(at, self._span.stop, reason, lost=True)
                return
            if not line.isspace():
                yield self._found(at, line)
            at += len(line)

    def _elements(self, file: BinaryIO, tokens: tuple[str, ...]) -> Iterator[Record | Bad]:
        scan = Scan(file, self._span.start)
        try:
            for start, data in scan.elements(tokens):
                yield self._found(start, data)
        except Undecodable as error:
            yield Bad(scan.at, self._span.stop, f"the rest of the file can't be read: {error}", lost=True)

    def _found(self, start: int, data: bytes) -> Record | Bad:
        end = start + len(data)
        try:
            value = parsed(data)
        except Undecodable as error:
            return Bad(start, end, str(error))
        try:
            return Record(start, end, self._record(value))
        except Undecodable as error:
            return Bad(start, end, str(error), self._key_of(value))

    def decode(self, data: bytes) -> dict[str, Json]:
        return self._record(parsed(data))

    def _record(self, value: Mapping[str, Any]) -> dict[str, Json]:
        record: dict[str, Json] = {}
        for name, path, read in self._columns:
            try:
                record[name] = read(_at(value, path))
            except ValueError as error:
                raise Undecodable(f"{name} {error}") from None
        return record

    def _key_of(self, value: Mapping[str, Any]) -> Json:
        try:
            return next(read(_at(value, path)) for name, path, read in self._columns if name == self._key)
        except (ValueError, StopIteration):
            return None


def parsed(data: bytes) -> dict[str, Any]:
    """One object, its fractions as Decimal; raises `Undecodable`, also where a name stands twice."""
    try:
        value = _DECODER.decode(data.decode("utf-8"))
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise Undecodable(str(error) if isinstance(error, _Unclear) else "the record isn't JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise Undecodable("the record isn't an object")
    return value


class _Unclear(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Unclear("the record has one name twice")
    return found


def _constant(text: str) -> Any:
    raise _Unclear(f"the record holds {text}, which is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=Decimal, parse_constant=_constant)


def tuple_of(pointer: str) -> tuple[str, ...]:
    """The tokens of a JSON Pointer (RFC 6901)."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


def _path(name: str, column: Column) -> tuple[str, ...]:
    source = str(column.source or name)
    return tuple_of(source) if source.startswith("/") else (source,)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    """What stands there; None where nothing does."""
    for token in path:
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and token.isascii() and token.isdigit() and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
    return value
