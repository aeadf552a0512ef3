"""Records of any format as CSV and as Parquet: a column for each of their members, as the first record has them all."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import time
from typing import Any, BinaryIO

import orjson

from adapters.contract import Json
from adapters.files.columns import ColumnType

_FLUSH = 1 << 16
_ROWS = 2_000
_GROUP = 64 << 20
_GROUP_ROWS = 100_000


def _names(types: Mapping[str, ColumnType], first: Mapping[str, Json] | None) -> list[str]:
    return list(types if first is None else first)


def _text(value: Json) -> Json:
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else value


class CsvColumns:
    """One line a record, RFC 4180; null is an empty cell, a list or an object its JSON, a truth `true` or `false`."""

    def __init__(self, file: BinaryIO, types: Mapping[str, ColumnType]) -> None:
        self._file = file
        self._types = types
        self._names: list[str] | None = None
        self._text = io.StringIO()
        self._writer = csv.writer(self._text, lineterminator="\r\n")

    def write(self, value: dict[str, Json]) -> None:
        """Writes one record."""
        names = self._head(value) if self._names is None else self._names
        self._writer.writerow([_cell(value.get(name)) for name in names])
        if self._text.tell() > _FLUSH:
            self._out()

    def close(self) -> None:
        """Writes what is left."""
        if self._names is None:
            self._head(None)
        self._out()
        self._file.flush()

    def _head(self, first: Mapping[str, Json] | None) -> list[str]:
        self._names = _names(self._types, first)
        if self._names:
            self._writer.writerow(self._names)
        return self._names

    def _out(self) -> None:
        self._file.write(self._text.getvalue().encode())
        self._text.seek(0)
        self._text.truncate()


def _cell(value: Json) -> Json:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value)


class ParquetColumns:
    """Integers, truths, dates, times and moments in their own types; decimals as their digits, as nothing says how many
    places they may have; lists and objects as JSON. Needs pyarrow; raises ImportError without it."""

    def __init__(self, file: BinaryIO, types: Mapping[str, ColumnType]) -> None:
        import pyarrow
        import pyarrow.parquet

        self._pa = pyarrow
        self._pq = pyarrow.parquet
        self._file = file
        self._types = types
        self._schema: Any = None
        self._writer: Any = None
        self._rows: list[dict[str, Json]] = []
        self._held: list[Any] = []

    def write(self, value: dict[str, Json]) -> None:
        """Writes one record."""
        if self._writer is None:
            self._begin(value)
        self._rows.append(value)
        if len(self._rows) >= _ROWS:
            self._batch()

    def close(self) -> None:
        """Writes what is left, and the end without which it is no Parquet file."""
        if self._writer is None:
            self._begin(None)
        self._batch()
        self._group()
        self._writer.close()
        self._file.flush()

    def abandon(self) -> None:
        """Ends a file that will never be one."""
        if self._writer is not None:
            with suppress(OSError, ValueError):
                self._writer.close()

    def _begin(self, first: Mapping[str, Json] | None) -> None:
        fields = [(name, self._type(self._types.get(name))) for name in _names(self._types, first)]
        self._schema = self._pa.schema(fields)
        self._writer = self._pq.ParquetWriter(self._file, self._schema)

    def _type(self, declared: ColumnType | None) -> Any:
        pa = self._pa
        known = {
            "integer": pa.int64(), "boolean": pa.bool_(), "date": pa.date32(), "time": pa.time64("us"),
            "datetime": pa.timestamp("us"), "instant": pa.timestamp("us", "UTC"),
        }  # fmt: skip
        return known.get(declared or "text", pa.string())

    def _batch(self) -> None:
        if not self._rows:
            return
        arrays = [self._array([row.get(field.name) for row in self._rows], field.type) for field in self._schema]
        self._held.append(self._pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows = []
        if sum(each.nbytes for each in self._held) > _GROUP or len(self._held) * _ROWS > _GROUP_ROWS:
            self._group()

    def _array(self, values: Sequence[Json], kind: Any) -> Any:
        if self._pa.types.is_string(kind):
            return self._pa.array([_spelt(value) for value in values], type=kind)
        if self._pa.types.is_time(kind):
            moments = [None if value is None else time.fromisoformat(str(value)) for value in values]
            return self._pa.array(moments, type=kind)
        if self._pa.types.is_temporal(kind):  # spelt as ISO 8601 says
            return self._pa.array(values, type=self._pa.string()).cast(kind)
        return self._pa.array(values, type=kind)

    def _group(self) -> None:
        if self._held:
            self._writer.write_table(self._pa.concat_tables(self._held))
            self._held = []


def _spelt(value: Json) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
