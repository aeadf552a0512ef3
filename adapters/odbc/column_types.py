"""What a driver says of a column → its neutral type."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyodbc

from adapters.odbc.dialects import Dialect
from adapters.odbc.tables import Column
from adapters.odbc.values import ColumnType

# What SQLColumns calls a type (SQL_DATA_TYPE) where the type's own name, below, doesn't say more.
_CODES: Mapping[int, str] = {
    pyodbc.SQL_BIT: "boolean", pyodbc.SQL_TINYINT: "integer", pyodbc.SQL_SMALLINT: "integer",
    pyodbc.SQL_INTEGER: "integer", pyodbc.SQL_BIGINT: "integer", pyodbc.SQL_NUMERIC: "decimal",
    pyodbc.SQL_DECIMAL: "decimal", pyodbc.SQL_REAL: "float", pyodbc.SQL_FLOAT: "float", pyodbc.SQL_DOUBLE: "float",
    pyodbc.SQL_CHAR: "char", pyodbc.SQL_WCHAR: "char", pyodbc.SQL_VARCHAR: "text", pyodbc.SQL_WVARCHAR: "text",
    pyodbc.SQL_LONGVARCHAR: "text", pyodbc.SQL_WLONGVARCHAR: "text", pyodbc.SQL_BINARY: "binary",
    pyodbc.SQL_VARBINARY: "binary", pyodbc.SQL_LONGVARBINARY: "binary", pyodbc.SQL_TYPE_DATE: "date",
    pyodbc.SQL_TYPE_TIME: "time", pyodbc.SQL_TYPE_TIMESTAMP: "timestamp",
}  # fmt: skip
_DECLARED = re.compile(r"(?P<name>[a-z_][a-z_0-9 ]*)(?:\((?P<first>\d+)(?:\s*,\s*(?P<second>\d+))?\)[a-z ]*)?")
# By the type's own name, in lower case, whatever its code: one table over all dialects, since none contradicts another.
_NAMES: Mapping[str, str] = {
    "timestamptz": "timestamptz", "timestamp with time zone": "timestamptz", "timetz": "text", "money": "text",
    "interval": "interval", "uuid": "uuid", "enum": "text", "set": "text", "json": "json", "jsonb": "json",
    "xml": "text",
    "numeric": "decimal", "decimal": "decimal", "datetime": "timestamp", "int": "integer", "boolean": "boolean",
    "bool": "boolean", "nvarchar": "text", "varchar": "text", "nchar": "char", "character": "char", "clob": "text",
    "inet4": "text", "inet6": "text", "bigint unsigned": "decimal(20,0)", "char": "char",
}  # fmt: skip
# PostgreSQL calls an array by its element's internal name, with _ before it.
_ELEMENTS: Mapping[str, str] = {
    "int2": "integer", "int4": "integer", "int8": "integer", "numeric": "decimal", "float4": "float", "float8": "float",
    "bool": "boolean", "text": "text", "varchar": "text", "bpchar": "text", "bytea": "binary", "date": "date",
    "time": "time", "timestamp": "timestamp", "timestamptz": "timestamptz", "interval": "interval", "uuid": "uuid",
}  # fmt: skip
# MariaDB keeps a TIMESTAMP as an instant and a DATETIME as written; elsewhere a TIMESTAMP is as written.
_INSTANTS = {"mariadb": {"timestamp"}}
# Bits that are a number, which their bytes don't compare as; a single one is true or false.
_NUMBERS = {("mariadb", "bit", pyodbc.SQL_BINARY): "decimal(20,0)"}
_BOUNDED_TEXT = 65_535


def column(dialect: Dialect, row: Any, primary: Sequence[str], extra: Sequence[Any], comment: str) -> Column:
    """A row of SQLColumns, with what `Dialect.extras` adds to it."""
    default = row.column_def if row.column_def not in (None, "", "NULL") else None
    automatic = bool(extra[1]) or bool(getattr(row, "auto_increment", 0)) or _rowid(dialect, row, primary)
    return Column(
        name=row.column_name,
        type=_told(extra) or _neutral(dialect, row),
        nullable=bool(row.nullable) and row.column_name not in primary,
        comment=(row.remarks or comment).strip(),
        generated=automatic or default is not None,
    )


def _told(extra: Sequence[Any]) -> ColumnType | None:
    if extra[3]:
        return ColumnType("decimal")
    return ColumnType("boolean") if extra[2] else None


def _rowid(dialect: Dialect, row: Any, primary: Sequence[str]) -> bool:
    """A key that the database numbers by itself without saying so: SQLite's INTEGER PRIMARY KEY."""
    return bool(dialect.last_id) and list(primary) == [row.column_name] and row.type_name.lower() == "integer"


def _neutral(dialect: Dialect, row: Any) -> ColumnType:
    declared = _DECLARED.fullmatch(row.type_name.lower())
    name = declared["name"].strip() if declared else row.type_name.lower()
    if name.startswith("_"):
        return ColumnType.parse(_ELEMENTS.get(name[1:], "text") + "[]")
    kind = (
        _NUMBERS.get((dialect.name, name, int(row.data_type)))
        or _NAMES.get(name)
        or _CODES.get(int(row.data_type), "text")
    )
    if name in _INSTANTS.get(dialect.name, ()):
        kind = "timestamptz"
    if "(" in kind:
        return ColumnType.parse(kind)
    size = int(declared["first"]) if declared and declared["first"] else int(row.column_size or 0)
    if kind == "decimal":
        return _decimal(row, size, declared)
    if kind == "char":
        return ColumnType("char", size) if size else ColumnType("text")
    # A type that isn't text to the database, such as an enumeration, has no length in characters.
    bounded = kind == "text" and "char" in name and 0 < size <= _BOUNDED_TEXT and size not in (255, 8190)
    return (
        ColumnType("text", size) if bounded or (kind == "text" and declared and declared["first"]) else ColumnType(kind)
    )


def _decimal(row: Any, size: int, declared: re.Match[str] | None) -> ColumnType:
    if declared is not None and declared["first"]:
        return ColumnType("decimal", size, int(declared["second"] or 0))
    if (
        not size
        or int(row.data_type) not in (pyodbc.SQL_NUMERIC, pyodbc.SQL_DECIMAL)
        or size < int(row.decimal_digits or 0)
    ):
        return ColumnType("decimal")
    return ColumnType("decimal", size, int(row.decimal_digits or 0))
