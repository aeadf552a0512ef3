"""How the values of a field compare, and how one that a caller gives is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from adapters.contract import Json
from adapters.files.formats import FieldType

_LONGEST = 400
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def comparable(kind: FieldType) -> Callable[[Json], Any]:
    """A function from a JSON value of that type to one that orders as the type does."""
    return Decimal if kind == "decimal" else lambda value: value


def given(value: Json, kind: FieldType) -> Json:
    """A caller's value as the field's type has it; raises `ValueError` with a predicate such as "must be a string"."""
    if kind == "boolean" and isinstance(value, bool):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > _LONGEST:
        raise ValueError(f"must be a value of type {kind}")
    try:
        return _READ[kind](value)
    except (ValueError, InvalidOperation):
        raise ValueError(f"must be a value of type {kind}") from None


def _integer(value: Any) -> int:
    if isinstance(value, str) and not _INTEGER.fullmatch(value):  # int() would take 1_000 and digits of any script
        raise ValueError
    whole = int(value)
    if isinstance(value, float) and whole != value:
        raise ValueError
    return whole


def _decimal(value: Any) -> str:
    if not _DECIMAL.fullmatch(str(value)) or not Decimal(str(value)).is_finite():
        raise ValueError
    return str(value)


def _boolean(value: Any) -> bool:
    if value not in ("true", "false"):
        raise ValueError
    return bool(value == "true")


_READ: dict[FieldType, Callable[[Any], Json]] = {
    "boolean": _boolean,
    "text": str,
    "integer": _integer,
    "decimal": _decimal,
    "number": float,
}
