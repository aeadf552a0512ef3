"""Neutral column types, and the exact passage of values between JSON and a database, both ways.

Types are written `integer`, `decimal(10,2)`, `text`, `text(40)`, `char(8)`, `boolean`, `date`, `time`, `timestamp`
(no zone: read in the upstream's `time_zone`), `timestamptz`, `interval`, `binary`, `float`, `uuid`, `json`, and with
`[]` behind one of these an array of it. A value that can't pass unchanged is refused: on the way in as `ValueError`
with a sentence for the caller, on the way out as `BadReply`.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from adapters.contract import Json
from adapters.errors import BadReply
from adapters.odbc import moments, nested

_WRITTEN = re.compile(r"(?P<name>[a-z]+)(?:\((?P<first>\d{1,9})(?:,\s?(?P<second>\d{1,3}))?\))?")
_DECIMAL = re.compile(r"[+-]?(\d{1,500}(\.\d{0,500})?|\.\d{1,500})", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff\x00]")
_LOW, _HIGH = -(2**63), 2**63 - 1
_ARGUMENTS = {"decimal": (0, 1, 2), "char": (1,), "text": (0, 1)}
NAMES = (
    "integer", "decimal", "text", "char", "boolean", "date", "time", "timestamp", "timestamptz", "interval", "binary",
    "float", "uuid", "json",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A neutral type. `size` is a decimal's precision or a text's length in characters, `scale` a decimal's, `of` the
    type of an array's elements."""

    name: str
    size: int | None = None
    scale: int | None = None
    of: ColumnType | None = None

    @property
    def comparable(self) -> bool:
        """Values of it can be compared and sorted."""
        return self.name not in ("json", "array")

    @classmethod
    def parse(cls, written: str) -> ColumnType:
        """Reads `decimal(10,2)` and the like; raises ValueError with a sentence."""
        if written.strip().endswith("[]"):
            element = cls.parse(written.strip()[:-2])
            if not element.comparable:
                raise ValueError(f"'{written}' is no type: an array has plain elements; its own arrays need no [] more")
            return cls("array", of=element)
        match = _WRITTEN.fullmatch(written.strip())
        if match is None or match["name"] not in NAMES:
            raise ValueError(f"'{written}' is no type; there are {', '.join(NAMES)}")
        given = [int(part) for part in (match["first"], match["second"]) if part is not None]
        if len(given) not in _ARGUMENTS.get(match["name"], (0,)):
            raise ValueError(f"'{written}' has the wrong number of arguments; write decimal(10,2), char(8), text(40)")
        if match["name"] == "decimal" and len(given) == 1:
            given.append(0)
        size, scale = [*given, None, None][:2]
        return cls(match["name"], size, scale)

    def __str__(self) -> str:
        if self.of is not None:
            return f"{self.of}[]"
        given = ",".join(str(part) for part in (self.size, self.scale) if part is not None)
        return f"{self.name}({given})" if given else self.name


_SCHEMAS: Mapping[str, Mapping[str, Json]] = {
    "integer": {"type": "integer", "minimum": _LOW, "maximum": _HIGH},
    "decimal": {"type": "string", "format": "decimal"},
    "text": {"type": "string"},
    "char": {"type": "string"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "time"},
    "timestamp": {"type": "string", "format": "date-time"},
    "timestamptz": {"type": "string", "format": "date-time"},
    "interval": {"type": "string", "description": "A duration as ISO 8601 spells it"},
    "uuid": {"type": "string", "format": "uuid"},
    "json": {},
    "array": {"type": "array"},
    "binary": {"type": "string", "contentEncoding": "base64"},
    "float": {"type": "number"},
}


def schema(kind: ColumnType, nullable: bool, comment: str = "") -> dict[str, Json]:
    """The JSON Schema of a column's values."""
    made: dict[str, Json] = dict(_SCHEMAS[kind.name])
    if kind.name in ("text", "char") and kind.size is not None:
        made["maxLength"] = kind.size
    if kind.of is not None:
        made["items"] = {"anyOf": [schema(kind.of, nullable=True), {"type": "array"}]}
    if nullable and "type" in made:
        made["type"] = [made["type"], "null"]
    if comment:
        made["description"] = comment
    return made


def encode(kind: ColumnType, value: Json, zone: tzinfo) -> Any:
    """The value to bind for a JSON value that isn't null; raises ValueError with a sentence for the caller."""
    return _ENCODERS[kind.name](kind, value, zone)


def decode(kind: ColumnType, raw: Any, zone: tzinfo) -> Json:
    """The JSON value of what the driver gave for a column of this type; raises `BadReply`."""
    if raw is None:
        return None
    try:
        return _DECODERS[kind.name](kind, raw, zone)
    except (ValueError, InvalidOperation, OverflowError, TypeError) as error:
        raise BadReply(f"the database holds a value that is no {kind.name}", detail=f"{raw!r:.100}: {error}") from error


def spell(raw: Any, zone: tzinfo) -> Json:
    """The JSON value of a driver's value whose column type isn't known (a named query's result)."""
    if raw is None or isinstance(raw, bool | int | str):
        return raw
    return decode(_NATURAL[type(raw)], raw, zone) if type(raw) in _NATURAL else str(raw)


def _integer(_kind: ColumnType, value: Json, _zone: tzinfo) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be an integer")
    if not _LOW <= value <= _HIGH:
        raise ValueError("must be an integer of 64 bits")
    return value


def _decimal(kind: ColumnType, value: Json, _zone: tzinfo) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be a decimal number, as a string")
    text = value if isinstance(value, str) else format(Decimal(repr(value)), "f")
    if not _DECIMAL.fullmatch(text):
        raise ValueError('must be a decimal number such as "12.30", without exponent')
    number = Decimal(text)
    whole, places = _digits(number)
    if kind.size is not None and (places > (kind.scale or 0) or whole > kind.size - (kind.scale or 0)):
        raise ValueError(
            f"must fit {kind}: {kind.size - (kind.scale or 0)} digits before the point, {kind.scale} after"
        )
    return format(number, "f")


def _digits(number: Decimal) -> tuple[int, int]:
    """Significant digits before and after the decimal point; trailing zeros don't count."""
    text = format(number.copy_abs(), "f")  # abs() would round to 28 digits
    whole, _, fraction = text.partition(".")
    return len(whole.lstrip("0")), len(fraction.rstrip("0"))


def _text(kind: ColumnType, value: Json, _zone: tzinfo) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    if _SURROGATE.search(value):
        raise ValueError("must hold no NUL and no lone surrogate")
    if kind.size is not None and len(value) > kind.size:
        raise ValueError(f"must have at most {kind.size} characters")
    return value


def _boolean(_kind: ColumnType, value: Json, _zone: tzinfo) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _binary(_kind: ColumnType, value: Json, _zone: tzinfo) -> bytes:
    if not isinstance(value, str):
        raise ValueError("must be bytes in base64")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("must be bytes in base64") from error


def _float(_kind: ColumnType, value: Json, _zone: tzinfo) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError("must be a number within double precision") from error
    if not math.isfinite(number):
        raise ValueError("must be a finite number")
    return number


def _read_integer(_kind: ColumnType, raw: Any, _zone: tzinfo) -> int:
    number = int(raw)
    if not isinstance(raw, int | str) and number != raw:
        raise ValueError("not an integer")
    return number


def _read_decimal(kind: ColumnType, raw: Any, _zone: tzinfo) -> str:
    number = raw if isinstance(raw, Decimal) else Decimal(repr(raw) if isinstance(raw, float) else raw)
    if not number.is_finite():
        raise ValueError("not a finite number")
    text = format(number, "f")
    missing = (kind.scale or 0) - len(text.partition(".")[2])
    if missing > 0:  # SQLite keeps 12.30 as 12.3
        text += ("" if "." in text else ".") + "0" * missing
    return text


def _read_text(_kind: ColumnType, raw: Any, _zone: tzinfo) -> str:
    if not isinstance(raw, str):
        raise ValueError("not text")
    return raw


def _read_boolean(_kind: ColumnType, raw: Any, _zone: tzinfo) -> bool:
    found = {True: True, False: False, "1": True, "0": False, "t": True, "f": False}.get(raw)
    if found is None:
        raise ValueError("neither true nor false")
    return found


def _read_float(_kind: ColumnType, raw: Any, _zone: tzinfo) -> float:
    number = float(raw)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def _uuid(_kind: ColumnType, value: Json, _zone: tzinfo) -> str:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise ValueError('must be a UUID such as "0b0c3d9e-4f6a-4b63-9d0e-2f1a9c3b7d55"')
    return value.lower()


def _read_uuid(_kind: ColumnType, raw: Any, _zone: tzinfo) -> str:
    return _uuid(_kind, str(raw), _zone)


_ENCODERS: Mapping[str, Callable[[ColumnType, Json, tzinfo], Any]] = {
    "integer": _integer, "decimal": _decimal, "text": _text, "char": _text, "boolean": _boolean,
    "date": lambda _kind, value, _zone: moments.write_date(value),
    "time": lambda _kind, value, _zone: moments.write_time(value),
    "timestamp": lambda _kind, value, zone: moments.write_instant(value, zone),
    "timestamptz": lambda _kind, value, _zone: moments.write_instant(value, None),
    "interval": lambda _kind, value, _zone: moments.write_interval(value),
    "binary": _binary, "float": _float, "uuid": _uuid,
    "json": lambda _kind, value, _zone: nested.write_document(value),
    "array": lambda kind, value, zone: nested.write_array(value, lambda each: encode(_of(kind), each, zone)),
}  # fmt: skip

_DECODERS: Mapping[str, Callable[[ColumnType, Any, tzinfo], Json]] = {
    "integer": _read_integer,
    "decimal": _read_decimal,
    "text": _read_text,
    "char": lambda kind, raw, zone: _read_text(kind, raw, zone).rstrip(" "),
    "boolean": _read_boolean,
    "date": lambda _kind, raw, _zone: moments.read_date(raw),
    "time": lambda _kind, raw, _zone: moments.read_time(raw),
    "timestamp": lambda _kind, raw, zone: moments.read_instant(raw, zone),
    "timestamptz": lambda _kind, raw, _zone: moments.read_instant(raw, UTC),
    "interval": lambda _kind, raw, _zone: moments.read_interval(raw),
    "binary": lambda _kind, raw, _zone: base64.b64encode(_bytes(raw)).decode(),
    "float": _read_float,
    "uuid": _read_uuid,
    "json": lambda _kind, raw, _zone: nested.read_document(raw),
    "array": lambda kind, raw, zone: nested.read_array(
        raw, lambda each: _DECODERS[_of(kind).name](_of(kind), each, zone)
    ),
}

_NATURAL: Mapping[type, ColumnType] = {
    Decimal: ColumnType("decimal"), float: ColumnType("float"), datetime: ColumnType("timestamp"),
    date: ColumnType("date"), time: ColumnType("time"), bytes: ColumnType("binary"), bytearray: ColumnType("binary"),
}  # fmt: skip


def _of(kind: ColumnType) -> ColumnType:
    return kind.of or ColumnType("text")


def _bytes(raw: Any) -> bytes:
    """Bytes, or PostgreSQL's text form of them, as in an array."""
    if isinstance(raw, str):
        if not raw.startswith("\\x"):
            raise ValueError("not bytes")
        return bytes.fromhex(raw[2:])
    return bytes(raw)
