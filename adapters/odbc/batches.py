"""Many rows at once, column by column: most columns need one look at all their values instead of a call for each.

A short way is taken where it is certain to come to the same as `values.decode`; anything else goes there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, tzinfo
from functools import lru_cache
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
    # Not strict: what positions are made of stands behind the columns.
    read = [_read(column.type, raw, zone) for column, raw in zip(columns, zip(*rows, strict=True), strict=False)]
    return [dict(zip(names, row, strict=False)) for row in zip(*read, strict=True)]


def _read(kind: ColumnType, raw: Raw, zone: tzinfo) -> Raw:
    short = _SHORT.get(kind.name)
    found = short(kind, raw, zone) if short is not None else None
    return [decode(kind, each, zone) for each in raw] if found is None else found


def _text(_kind: ColumnType, raw: Raw, _zone: tzinfo) -> Raw | None:
    return raw if set(map(type, raw)) <= _TEXT else None


def _integer(_kind: ColumnType, raw: Raw, _zone: tzinfo) -> Raw | None:
    return raw if set(map(type, raw)) <= _INTEGER else None


def _float(_kind: ColumnType, raw: Raw, _zone: tzinfo) -> Raw | None:
    return raw if set(map(type, raw)) <= _FLOAT and all(map(isfinite, raw)) else None


def _decimal(kind: ColumnType, raw: Raw, _zone: tzinfo) -> Raw | None:
    """The database's own text of numbers that all have the column's scale."""
    return raw if kind.size is not None and _all_match(_number(kind.scale or 0), raw) else None


@lru_cache(maxsize=32)
def _number(scale: int) -> str:
    return r"-?\d+" + (rf"\.\d{{{scale}}}" if scale else "")


def _all_match(pattern: str, raw: Raw) -> bool:
    """All values are NULL or texts of this pattern, which matches no comma."""
    if not set(map(type, raw)) <= _TEXT:
        return False
    joined = "".join([f"{each}," for each in raw if each is not None])
    # A comma within a value would make two of it.
    return joined.count(",") == len(raw) - raw.count(None) and _lined(pattern).fullmatch(joined) is not None


@lru_cache(maxsize=64)
def _lined(pattern: str) -> re.Pattern[str]:
    return re.compile(f"(?:{pattern},)*+", re.ASCII)


def _date(_kind: ColumnType, raw: Raw, _zone: tzinfo) -> Raw | None:
    if not _all_match(r"\d{4}-\d\d-\d\d", raw):
        return None
    try:
        return [None if each is None else date.fromisoformat(each) and each for each in raw]
    except ValueError:
        return None


def _instant(kind: ColumnType, raw: Raw, zone: tzinfo) -> Raw | None:
    """Texts of whole seconds in UTC: a blank becomes a T."""
    local = kind.name == "timestamp" and str(zone) != "UTC"
    if local or not _all_match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\+00)?", raw):
        return None
    try:
        return [
            None if each is None else datetime.fromisoformat(each) and f"{each[:10]}T{each[11:19]}Z" for each in raw
        ]
    except ValueError:
        return None


_SHORT: Mapping[str, Callable[[ColumnType, Raw, tzinfo], Raw | None]] = {
    "text": _text, "integer": _integer, "float": _float, "decimal": _decimal, "date": _date, "timestamp": _instant,
    "timestamptz": _instant,
}  # fmt: skip
