"""Many rows at once, column by column: most columns need one look at all their values instead of a call for each.

A short way is taken where it is certain to come to the same as `values.decode`; anything else goes there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, tzinfo
from functools import lru_cache
from math import isfinite
from typing import Any, TypeAlias, cast

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
    # Not strict: what positions are made of stands behind the columns.
    read = [_read(column.type, raw, zone) for column, raw in zip(columns, zip(*rows, strict=True), strict=False)]
    return _maker(tuple(column.name for column in columns))(zip(*read, strict=True))


def one(columns: Sequence[Column], zone: tzinfo) -> Callable[[Raw], dict[str, Json]]:
    """A function from one row, whose first columns are `columns`, to its object; it raises `BadReply`."""
    parts = [(column.name, _plain(column.type), column.type) for column in columns]

    def read(row: Raw) -> dict[str, Json]:
        made = {}
        for (name, plain, kind), raw in zip(parts, row, strict=False):
            made[name] = raw if raw is None or plain(raw) else decode(kind, raw, zone)
        return made

    return read


def _plain(kind: ColumnType) -> Callable[[Any], bool]:
    """Whether a value is already what `decode` would make of it."""
    if kind.name == "decimal" and kind.size is not None:
        fits = re.compile(_number(kind.scale or 0), re.ASCII).fullmatch
        return lambda raw: type(raw) is str and fits(raw) is not None
    wanted = {"text": str, "integer": int}.get(kind.name)
    return lambda raw: type(raw) is wanted


@lru_cache(maxsize=256)
def _maker(names: tuple[str, ...]) -> Callable[[Iterable[Raw]], list[dict[str, Json]]]:
    """`[{"a": v0, "b": v1} for v0, v1 in rows]`: a display costs a third of `dict(zip(names, row))`."""
    values = [f"v{place}" for place in range(len(names))]
    pairs = ", ".join(f"{name!r}: {value}" for name, value in zip(names, values, strict=True))
    made = eval(f"lambda rows: [{{{pairs}}} for {', '.join(values)}, in rows]", {"__builtins__": {}})  # noqa: S307 - names stand in it as literals
    return cast("Callable[[Iterable[Raw]], list[dict[str, Json]]]", made)


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
    return raw if kind.size is not None and _lined(_number(kind.scale or 0), raw) is not None else None


@lru_cache(maxsize=32)
def _number(scale: int) -> str:
    return r"-?\d+" + (rf"\.\d{{{scale}}}" if scale else "")


def _date(_kind: ColumnType, raw: Raw, _zone: tzinfo) -> Raw | None:
    whole = _lined(r"\d{4}-\d\d-\d\d", raw)
    return raw if whole is not None and _all_read(date.fromisoformat, raw) else None


def _instant(kind: ColumnType, raw: Raw, zone: tzinfo) -> Raw | None:
    """Texts of whole seconds in UTC: a blank becomes a T."""
    whole = _lined(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\+00)?", raw)
    local = kind.name == "timestamp" and str(zone) != "UTC"
    if local or not whole or not _all_read(datetime.fromisoformat, raw):
        return None
    made = iter(whole.replace("+00", "").replace(" ", "T").replace(",", "Z,").split(","))
    return [None if each is None else next(made) for each in raw] if None in raw else list(made)[:-1]


def _all_read(read: Callable[[str], Any], raw: Raw) -> bool:
    try:
        return all(map(read, filter(None, raw)))
    except ValueError:
        return False


def _lined(pattern: str, raw: Raw) -> str | None:
    """All texts, each followed by a comma, where all values are NULL or texts of a pattern, which has no comma."""
    if not set(map(type, raw)) <= _TEXT:
        return None
    texts = [each for each in raw if each is not None]
    lined = ",".join([*texts, ""])
    # A comma within a value would make two of it.
    return lined if lined.count(",") == len(texts) and _all_of(pattern).fullmatch(lined) else None


@lru_cache(maxsize=64)
def _all_of(pattern: str) -> re.Pattern[str]:
    return re.compile(f"(?:{pattern},)*+", re.ASCII)


_SHORT: Mapping[str, Callable[[ColumnType, Raw, tzinfo], Raw | None]] = {
    "text": _text, "integer": _integer, "float": _float, "decimal": _decimal, "date": _date, "timestamp": _instant,
    "timestamptz": _instant,
}  # fmt: skip
