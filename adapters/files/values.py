"""How the values of a field compare, and how one that a caller gives is read."""

from __future__ import annotations

import math
import re
import struct
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


def stored(kind: FieldType) -> Callable[[Json], bytes]:
    """A function from a JSON value of that type to bytes that order as the type does; NULL, the least, is empty."""
    encode = _STORED[kind]
    return lambda value: b"" if value is None or isinstance(value, list | dict) else b"\x01" + encode(value)


def _stored_integer(value: int) -> bytes:
    return (max(-_WIDE, min(value, _WIDE - 1)) + _WIDE).to_bytes(16, "big")


def _stored_decimal(value: str) -> bytes:
    """The sign, the power of ten of the first digit, the digits; all turned round below zero."""
    number = Decimal(value)
    if not number:
        return b"\x80"
    digits = "".join(map(str, number.as_tuple().digits)).rstrip("0")
    body = (number.adjusted() + (1 << 31)).to_bytes(4, "big") + digits.encode()
    return b"\x81" + body if number > 0 else b"\x7f" + bytes(255 - byte for byte in body) + b"\xff"


def _stored_number(value: float) -> bytes:
    """IEEE 754's bits order as the numbers do, once the sign is turned round; -0.0 is 0.0."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", float(value) + 0.0))
    return int(bits ^ (_ONES if bits >> 63 else 1 << 63)).to_bytes(8, "big")


_WIDE = 1 << 127
_ONES = (1 << 64) - 1
_STORED: dict[FieldType, Callable[[Any], bytes]] = {
    "text": lambda value: value.encode("utf-8", "surrogatepass"),
    "integer": _stored_integer,
    "decimal": _stored_decimal,
    "number": _stored_number,
    "boolean": lambda value: b"\x01" if value else b"\x00",
}


def given(value: Json, kind: FieldType) -> Json:
    """A caller's value as the field's type has it; raises `ValueError` with a predicate such as "must be a string"."""
    if kind == "boolean" and isinstance(value, bool):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > _LONGEST:
        raise ValueError(f"must be a value of type {kind}")
    try:
        return _READ[kind](value)
    except (ValueError, InvalidOperation, OverflowError):
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


def _number(value: Any) -> float:
    number = float(value if not isinstance(value, str) or _DECIMAL.fullmatch(value) else "nan")
    if not math.isfinite(number):
        raise ValueError
    return number


def _boolean(value: Any) -> bool:
    if value not in ("true", "false"):
        raise ValueError
    return bool(value == "true")


_READ: dict[FieldType, Callable[[Any], Json]] = {
    "boolean": _boolean,
    "text": str,
    "integer": _integer,
    "decimal": _decimal,
    "number": _number,
}
