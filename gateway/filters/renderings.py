"""A list's items as lines of JSON or as CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import orjson

from adapters.contract import Json

NDJSON, CSV = "application/x-ndjson", "text/csv"

Render: TypeAlias = Callable[[Sequence[Json]], bytes]
"""The next items' bytes."""

_QUOTED = frozenset('",\r\n')


def ndjson(items: Sequence[Json]) -> bytes:
    """A line of JSON for each item (https://github.com/ndjson/ndjson-spec)."""
    return b"".join([orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE) for item in items])


def csv_head(columns: Sequence[str]) -> bytes:
    """The line of CSV (RFC 4180) that names the columns."""
    return _line(columns)


def csv(columns: Sequence[str]) -> Render:
    """A line of CSV for each item, with the members that `columns` names: text as it is, null and what is absent as
    nothing, empty text as `""`, arrays and objects as JSON."""

    def render(items: Sequence[Json]) -> bytes:
        return b"".join([_line([item.get(name) for name in columns]) for item in items])

    return render


def _line(values: Sequence[Json]) -> bytes:
    return (",".join([_cell(value) for value in values]) + "\r\n").encode()


def _cell(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        text = value
        if text and _QUOTED.isdisjoint(text) and text == text.strip():
            return text
    else:
        text = orjson.dumps(value).decode()
        if not isinstance(value, dict | list):
            return text
    return '"' + text.replace('"', '""') + '"'
