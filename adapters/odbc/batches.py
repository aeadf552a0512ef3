"""Many rows at once, column by column: most columns need one look at their types instead of a call a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from math import isfinite
from typing import Any, TypeAlias

from adapters.contract import Json
from adapters.odbc.tables import Column
from adapters.odbc.values import ColumnType, decode

Raw: TypeAlias = Sequence[Any]

_NONE = type(None)
_TEXT, _INTEGER, _FLOAT = {str, _NONE}, {int, _NONE}, {float}


def items(columns: Sequence[Column], rows: Sequence[Raw], zone: tzinfo) -> list[dict[str, Json]]:
    """The objects of rows whose first columns are `columns`; raises `BadReply`."""
    if not rows:
        return []
    names = [column.name for column in columns]
    read = [_read(column.type, raw, zone) for column, raw in zip(columns, zip(*rows, strict=True), strict=False)]
    return [dict(zip(names, row, strict=True)) for row in zip(*read, strict=True)]


def _read(kind: ColumnType, raw: Raw, zone: tzinfo) -> Raw:
    plain = _PLAIN.get(kind.name)
    if plain is not None and plain(kind, raw):
        return raw
    return [None if each is None else decode(kind, each, zone) for each in raw]


def _is_text(_: ColumnType, raw: Raw) -> bool:
    return set(map(type, raw)) <= _TEXT


def _is_integer(_: ColumnType, raw: Raw) -> bool:
    return set(map(type, raw)) <= _INTEGER


def _is_float(_: ColumnType, raw: Raw) -> bool:
    return set(map(type, raw)) <= _FLOAT and all(map(isfinite, raw))


def _is_decimal(kind: ColumnType, raw: Raw) -> bool:
    """The database's own text of numbers, whose scale is the column's by its type."""
    right = _spelt(kind.scale or 0)
    return kind.size is not None and _is_text(kind, raw) and all(each is None or right(each) for each in raw)


def _spelt(scale: int) -> Callable[[str], bool]:
    def right(text: str) -> bool:
        whole, _, fraction = text.partition(".")
        return len(fraction) == scale and (whole + fraction).lstrip("-").isdecimal()

    return right


_PLAIN: Mapping[str, Callable[[ColumnType, Raw], bool]] = {
    "text": _is_text, "integer": _is_integer, "float": _is_float, "decimal": _is_decimal,
}  # fmt: skip
