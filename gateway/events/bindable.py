"""The values that a replica is asked for, as its rows have them; whatever can't be one is `Unanswerable`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from adapters.changes import Kind
from adapters.contract import Json

_DIGITS = 15
_DECIMAL = re.compile(r"-?\d{1,30}(\.\d{1,30})?", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_UNFIT = re.compile("[\x00\ud800-\udfff]")


class Unanswerable(Exception):
    """The replica can't tell for certain what the upstream would answer."""


def _integer(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise Unanswerable
    return value


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unanswerable
    return float(value)


def _decimal(value: Json) -> float:
    text = str(value)
    digits = text.replace(".", "").lstrip("-0")
    if isinstance(value, bool) or not _DECIMAL.fullmatch(text) or len(digits) > _DIGITS:
        raise Unanswerable
    return float(Decimal(text))


def text_of(value: Json) -> str:
    if not isinstance(value, str) or _UNFIT.search(value):
        raise Unanswerable
    return value


def _boolean(value: Json) -> int:
    if not isinstance(value, bool):
        raise Unanswerable
    return int(value)


def _instant(value: Json) -> str:
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise Unanswerable
    try:
        moment = datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unanswerable from None
    return moment.replace(tzinfo=None).isoformat()


def _date(value: Json) -> str:
    try:
        if isinstance(value, str) and len(value) == 10:
            return date.fromisoformat(value).isoformat()
    except ValueError:
        raise Unanswerable from None
    raise Unanswerable


def _uuid(value: Json) -> str:
    if not isinstance(value, str) or not _UUID.fullmatch(value.lower()):
        raise Unanswerable
    return value.lower()


BOUND: Mapping[Kind, Callable[[Json], Any]] = {
    "integer": _integer, "number": _number, "decimal": _decimal, "text": text_of, "boolean": _boolean,
    "instant": _instant, "date": _date, "uuid": _uuid,
}  # fmt: skip
"""Kind → a function from a JSON value to one that compares with what an expression over rows gives."""
