"""The types that columns have in Arrow and Parquet, and values as those types take them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from adapters.files.copybook.table import Column

_WIDEST = 76


def schema(wanted: Sequence[Column]) -> pa.Schema:
    """The columns' types."""
    return pa.schema([pa.field(column.name, arrow_type(column)) for column in wanted])


def arrow_type(column: Column) -> pa.DataType:
    """A column's type; a table's is the list of what one occurrence is."""
    single = arrow_single(column)
    return pa.list_(single) if column.many else single


def arrow_single(column: Column) -> pa.DataType:
    """The type of one occurrence."""
    if column.kind == "group":
        return pa.struct([pa.field(member.name, arrow_type(member)) for member in column.members])
    if column.kind == "decimal":
        return decimal_type(column.precision, column.scale)
    simple: Mapping[str, pa.DataType] = {
        "text": pa.string(), "bytes": pa.binary(), "integer": pa.int64(), "float": pa.float32(), "double": pa.float64()
    }  # fmt: skip
    return simple[column.kind]


def decimal_type(precision: int, scale: int) -> pa.DataType:
    """128 bits, or 256 where they are needed; text where they aren't enough."""
    precision = max(precision, scale, 1)
    if precision > _WIDEST:
        return pa.string()
    return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)


def converted(value: Any, column: Column, *, inside: bool = False) -> Any:
    """A decoded value as pyarrow takes it. `inside`: it is one occurrence."""
    if value is None:
        return None
    if column.many and not inside:
        return [converted(each, column, inside=True) for each in value]
    if column.kind == "group":
        return {member.name: converted(value.get(member.name), member) for member in column.members}
    if column.kind == "decimal":
        return Decimal(value) if column.precision <= _WIDEST else str(value)
    return b64decode(value) if column.kind == "bytes" else value
