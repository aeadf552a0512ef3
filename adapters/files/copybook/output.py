"""Decoded records as JSON lines and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO

import orjson

from adapters.contract import Json
from adapters.files.copybook.table import Column

_FLUSH = 1 << 16


class JsonLines:
    """One JSON object a line."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, value: dict[str, Json]) -> None:
        """Writes one record."""
        self._file.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        """Writes what is left."""
        self._file.flush()


class Csv:
    """One line a record, RFC 4180. Groups are dotted names; a table is one cell, in JSON; null is an empty cell."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        self._file = file
        self._text = io.StringIO()
        self._writer = csv.writer(self._text, lineterminator="\r\n")
        leaves = list(_leaves(columns))
        self._cells: list[Callable[[dict[str, Json]], Json]] = [_getter(path) for path in leaves]
        self._writer.writerow([".".join(path) for path in leaves])

    def write(self, value: dict[str, Json]) -> None:
        """Writes one record."""
        self._writer.writerow([_cell(get(value)) for get in self._cells])
        if self._text.tell() > _FLUSH:
            self._out()

    def close(self) -> None:
        """Writes what is left."""
        self._out()
        self._file.flush()

    def _out(self) -> None:
        self._file.write(self._text.getvalue().encode())
        self._text.seek(0)
        self._text.truncate()


def _leaves(columns: Sequence[Column], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for column in columns:
        if column.members and not column.many:
            yield from _leaves(column.members, (*before, column.name))
        else:
            yield (*before, column.name)


def _getter(path: tuple[str, ...]) -> Callable[[dict[str, Json]], Json]:
    def get(value: Json) -> Json:
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    return get


def _cell(value: Json) -> Json:
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else value
