"""Columns with a name and a type: how a text, or a value that a library gives, becomes one of the record's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from adapters.contract import Json
from adapters.files.formats import FieldType
from adapters.zones import ZoneName, zone

ColumnType: TypeAlias = Literal["text", "integer", "decimal", "boolean", "date", "time", "datetime", "instant", "json"]

_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_INT64 = range(-(1 << 63), 1 << 63)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]{1,6})?")
_MOMENT = re.compile(rf"({_DATE.pattern})[T ]({_TIME.pattern})(Z|[+-][0-9]{{2}}:[0-9]{{2}})?")
_ESCAPED = re.compile("[\ud800-\udfff]")
_EXPONENT = 400
_TIMED = ("date", "time", "datetime", "instant")
_AMBIGUOUS = re.compile("%[yZcxXpUWjaA+]")

_FIELDS: dict[ColumnType, FieldType] = {"integer": "integer", "decimal": "decimal", "boolean": "boolean"}
_SCHEMAS: dict[ColumnType, dict[str, Any]] = {
    "text": {"type": "string"},
    "integer": {"type": ["integer", "null"]},
    "decimal": {"type": ["string", "null"], "format": "decimal"},
    "boolean": {"type": ["boolean", "null"]},
    "date": {"type": ["string", "null"], "format": "date"},
    "time": {"type": ["string", "null"]},
    "datetime": {"type": ["string", "null"]},
    "instant": {"type": ["string", "null"], "format": "date-time"},
    "json": {},
}


class Column(BaseModel):
    """One column: its type, where it stands in the file, and how its texts are spelt."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    type: ColumnType = Field(default="text", description="What its values are.")
    source: str | int | None = Field(
        default=None,
        alias="from",
        description="The file's own name of it, or its place, 1 for the first; else as in JSON.",
    )
    format: str | None = Field(
        default=None,
        min_length=2,
        max_length=100,
        description="Of a date or time, as in strptime: '%d.%m.%Y'; else ISO 8601.",
    )
    zone: ZoneName | None = Field(default=None, description="Zone of an instant that is written without one.")
    decimal_point: Literal[".", ","] = Field(default=".", description="Between whole number and fraction.")
    grouping: Literal[",", ".", " ", "'", "_"] | None = Field(
        default=None, description="Between groups of three digits."
    )
    nulls: tuple[str, ...] | None = Field(default=None, description="Texts that stand for no value.")
    truths: tuple[str, str] = Field(default=("true", "false"), description="Texts of a boolean: of true, of false.")
    at: int | None = Field(
        default=None, ge=1, description="First place of a column of fixed width, 1 for the line's first."
    )
    width: int | None = Field(default=None, ge=1, le=1 << 20, description="Places of a column of fixed width.")

    @field_validator("source")
    @classmethod
    def _counted(cls, value: str | int | None) -> str | int | None:
        if isinstance(value, int) and (isinstance(value, bool) or value < 1):
            raise ValueError("the first column is 1")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Column:
        if self.format is not None and self.type not in _TIMED:
            raise ValueError("format is for date, time, datetime and instant")
        if self.format is not None and _AMBIGUOUS.search(self.format):
            raise ValueError("format takes %Y %m %d %H %M %S %f %z %b %B: what is left out says less than one moment")
        if self.zone is not None and self.type != "instant":
            raise ValueError("zone is for instant")
        if len(set(self.truths)) != 2:
            raise ValueError("the two truths must differ")
        if self.grouping == self.decimal_point:
            raise ValueError("grouping and decimal_point must differ")
        return self

    @property
    def field(self) -> FieldType:
        """How its values compare; dates and times do as text, being spelt so."""
        return _FIELDS.get(self.type, "text")

    @property
    def compares(self) -> bool:
        """Can lists be filtered and sorted by it?"""
        return self.type != "json"

    def schema_(self, *, nullable: bool = False) -> dict[str, Any]:
        """Its values in JSON Schema."""
        found = _SCHEMAS[self.type]
        return {"type": ["string", "null"]} if self.type == "text" and (self.nulls or nullable) else dict(found)


def column(value: Any) -> Any:
    """`integer` for `{type: integer}`."""
    return {"type": value} if isinstance(value, str) else value


def schema(columns: Mapping[str, Column] | None, *, nullable: bool = False) -> dict[str, Any]:
    """Records of those columns; None: any, all text. `nullable`: a text may be null without a spelling for it."""
    if columns is None:
        return {"type": "object", "additionalProperties": {"type": ["string", "null"] if nullable else "string"}}
    properties = {name: each.schema_(nullable=nullable) for name, each in columns.items()}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def with_nulls(columns: Mapping[str, Column], null: tuple[str, ...]) -> dict[str, Column]:
    """The columns with the dataset's texts for no value, where they don't name their own."""
    if not null:
        return dict(columns)
    return {
        name: each if each.nulls is not None else each.model_copy(update={"nulls": null})
        for name, each in columns.items()
    }


def reading(column: Column) -> Callable[[str], Json]:
    """A function from the column's texts to values; it raises `ValueError` with a predicate such as "isn't a date"."""
    read = _reader(column)
    if column.type == "text" and not column.nulls:
        return _text
    nulls = frozenset(column.nulls or ())

    def given(text: str) -> Json:
        if text in nulls:
            return None
        if column.type == "text":
            return _text(text)
        text = text.strip()
        return None if not text or text in nulls else read(text)

    return given


def _text(text: str) -> str:
    if not text.isascii() and _ESCAPED.search(text):
        raise ValueError("isn't text in the dataset's code page")
    return text


def _reader(column: Column) -> Callable[[str], Json]:
    if column.type == "integer":
        return integer if column.grouping is None else lambda text: integer(_ungrouped(text, column))
    if column.type == "decimal":
        usual = column.grouping is None and column.decimal_point == "."
        return decimal if usual else lambda text: decimal(_pointed(text, column))
    if column.type == "boolean":
        return lambda text: _boolean(text, column)
    if column.type in _TIMED:
        return lambda text: _moment(text, column)
    return str


def typed(column: Column) -> Callable[[Json | Decimal], Json]:
    """A function from values of JSON, their fractions as Decimal, to the column's; raises `ValueError` as `reading`."""
    read = reading(column)

    def given(value: Json | Decimal) -> Json:
        if value is None or column.type == "json":
            return exact(value)
        if isinstance(value, str):
            return read(value)
        if column.type == "boolean" and isinstance(value, bool):
            return value
        if column.type in ("integer", "decimal") and isinstance(value, int | Decimal) and not isinstance(value, bool):
            text = plain(value) if isinstance(value, Decimal) else str(value)
            return integer(text) if column.type == "integer" else decimal(text)
        raise ValueError(f"isn't of type {column.type}")

    return given


def exact(value: Any) -> Json:
    """JSON as a record has it: fractions are decimal strings, integers have 64 bits; raises `ValueError`."""
    if isinstance(value, str) and not value.isascii() and _ESCAPED.search(value):
        raise ValueError("holds half a character")
    if isinstance(value, dict):
        return {name: exact(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [exact(inner) for inner in value]
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, int) and value not in _INT64:
        raise ValueError("holds an integer that doesn't fit 64 bits")
    given: Json = value
    return given


def integer(text: str) -> int:
    """64 bits; raises `ValueError`."""
    if not _INTEGER.fullmatch(text):
        raise ValueError("isn't an integer")
    if int(text) not in _INT64:
        raise ValueError("doesn't fit 64 bits; declare it as decimal")
    return int(text)


def decimal(text: str) -> str:
    """The digits as they're written, without a plus and with a digit before the point; raises `ValueError`."""
    if not _DECIMAL.fullmatch(text):
        raise ValueError("isn't a decimal number")
    sign, digits = ("-" if text[0] == "-" else ""), text.lstrip("+-")
    return sign + ("0" + digits if digits[0] == "." else digits.removesuffix("."))


def plain(number: Decimal) -> str:
    """A decimal without an exponent, all its digits kept; raises `ValueError` where that would be endless."""
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > _EXPONENT:
        raise ValueError("isn't a decimal number")
    return f"{number:f}"


def _ungrouped(text: str, column: Column) -> str:
    mark = column.grouping
    if mark is None or mark not in text:
        return text
    if not re.fullmatch(rf"[+-]?[0-9]{{1,3}}(?:{re.escape(mark)}[0-9]{{3}})+", text):
        raise ValueError("has its digits in other groups than three")
    return text.replace(mark, "")


def _pointed(text: str, column: Column) -> str:
    whole, point, fraction = text.partition(column.decimal_point)
    if column.decimal_point == "," and "." in _ungrouped(whole, column) + fraction:
        raise ValueError("isn't a decimal number with a comma")
    return _ungrouped(whole, column) + ("." if point else "") + fraction


def _boolean(text: str, column: Column) -> bool:
    if text not in column.truths:
        raise ValueError(f"is neither {column.truths[0]} nor {column.truths[1]}")
    return text == column.truths[0]


def _moment(text: str, column: Column) -> str:
    try:
        if column.format is not None:
            found = datetime.strptime(text, column.format)
            return spelt(found, column, "microseconds" if "%f" in column.format else "seconds")
        if column.type == "date" and _DATE.fullmatch(text):
            return date.fromisoformat(text).isoformat()
        if column.type == "time" and _TIME.fullmatch(text):
            return time.fromisoformat(text).isoformat("microseconds" if "." in text else "seconds")
        if column.type in ("datetime", "instant") and _MOMENT.fullmatch(text):
            return spelt(datetime.fromisoformat(text), column, "microseconds" if "." in text else "seconds")
    except (ValueError, OverflowError) as error:
        if isinstance(error, _Unclear):
            raise
    raise ValueError(f"isn't {'an instant' if column.type == 'instant' else 'a ' + column.type}")


class _Unclear(ValueError):
    """A local time that was never, or twice, or of no zone."""


def spelt(moment: datetime, column: Column, spec: str) -> str:
    """A moment as its column's type has it; raises `ValueError` where that isn't certain."""
    if column.type == "date":
        return moment.date().isoformat()
    if column.type == "time":
        return moment.time().isoformat(spec)
    if column.type == "datetime":
        if moment.tzinfo is not None:
            raise _Unclear("has a zone; declare it as instant")
        return moment.isoformat(timespec=spec)
    return _utc(moment, column).replace(tzinfo=None).isoformat(timespec=spec) + "Z"


def _utc(moment: datetime, column: Column) -> datetime:
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    if column.zone is None:
        raise _Unclear("says no zone; name it in the column")
    local = moment.replace(tzinfo=zone(column.zone))
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        raise _Unclear(f"was twice or never in {column.zone}, as clocks changed")
    return local.astimezone(UTC)
