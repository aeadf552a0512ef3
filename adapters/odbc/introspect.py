"""What a live database says of its tables, in the form of `tables.yaml`.

Asked through ODBC's own catalogue functions (`SQLTables`, `SQLColumns`, `SQLPrimaryKeys`, `SQLForeignKeys`), which
PostgreSQL, MariaDB and SQLite answer; a driver without keys gives tables that a person completes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyodbc
from pydantic import ValidationError

from adapters.errors import ConfigError, ConfigProblem
from adapters.odbc.config import Config
from adapters.odbc.dialects import DIALECTS, Dialect
from adapters.odbc.failures import DatabaseError, adapter_error
from adapters.odbc.session import Session
from adapters.odbc.tables import Column, ForeignKey, Table
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
_PLAIN = ("", 0, 0, 0)


async def introspect(config: Config, schema: str | None = None) -> Mapping[str, Table]:
    """The tables and views of the data source, sorted by name; raises `AdapterError`, or `ConfigError` for a table
    that can't be described. `schema` narrows; without it the database's own schemas are left out."""
    return await asyncio.to_thread(_introspected, config, schema)


def _introspected(config: Config, schema: str | None) -> Mapping[str, Table]:
    dialect = DIALECTS[config.dialect] if config.dialect else None
    try:
        session = Session(str.__str__(config.dsn), dialect)
    except DatabaseError as error:
        raise adapter_error(error) from error
    try:
        return dict(sorted(_tables(session, schema)))
    except pyodbc.Error as error:
        raise adapter_error(session.failed(error)) from error
    finally:
        session.close()


def _tables(session: Session, schema: str | None) -> Iterator[tuple[str, Table]]:
    dialect = session.dialect
    found = [row for row in session.catalogue("tables", tableType="TABLE,VIEW") if _own(row, schema, dialect)]
    current = session.catalog_name
    names = [row.table_name for row in found if not row.table_cat or row.table_cat == current]
    for row in found:
        if row.table_cat and row.table_cat != current:
            continue
        qualified = names.count(row.table_name) > 1 and row.table_schem
        name = f"{row.table_schem}_{row.table_name}" if qualified else row.table_name
        try:
            yield name, _table(session, row, name)
        except (ValidationError, ValueError) as error:
            raise ConfigError([ConfigProblem(f"table {row.table_name} can't be described: {error}")]) from error


def _own(row: Any, schema: str | None, dialect: Dialect) -> bool:
    place = row.table_schem or row.table_cat or ""
    return (
        place == schema if schema else place not in dialect.system_schemas and not row.table_name.startswith("sqlite_")
    )


def _table(session: Session, row: Any, name: str) -> Table:
    place = {"table": row.table_name, "catalog": row.table_cat or None, "schema": row.table_schem or None}
    keys = sorted(session.catalogue("primaryKeys", **place), key=lambda key: int(key.key_seq))
    primary = [key.column_name for key in keys]
    extras = {extra[0]: extra for extra in session.extras(row.table_schem or None, row.table_name)}
    columns = tuple(
        _column(session.dialect, each, primary, extras.get(each.column_name, _PLAIN))
        for each in session.catalogue("columns", **_literal(place))
    )
    made = {
        "schema": row.table_schem or None,
        "table": None if name == row.table_name else row.table_name,
        "comment": (row.remarks or "").strip(),
        "primary_key": tuple(primary),
        "columns": columns,
        "foreign_keys": tuple(_foreign(session, row)),
    }
    return Table.model_validate(made)


def _literal(place: Mapping[str, str | None]) -> dict[str, str | None]:
    # SQLColumns takes the table's name as a pattern in which _ stands for any character.
    return {**place, "table": (place["table"] or "").replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")}


def _foreign(session: Session, row: Any) -> Iterator[ForeignKey]:
    place = {"foreignTable": row.table_name, "foreignCatalog": row.table_cat or None, "foreignSchema": row.table_schem}
    groups: list[list[Any]] = []
    for key in session.catalogue("foreignKeys", **place):
        if int(key.key_seq) == 1 or not groups:
            groups.append([])
        groups[-1].append(key)
    for group in groups:
        yield ForeignKey(
            columns=tuple(key.fkcolumn_name for key in group),
            table=group[0].pktable_name,
            references=tuple(key.pkcolumn_name for key in group),
        )


def _column(dialect: Dialect, row: Any, primary: Sequence[str], extra: Sequence[Any]) -> Column:
    default = row.column_def if row.column_def not in (None, "", "NULL") else None
    automatic = bool(extra[1]) or bool(getattr(row, "auto_increment", 0)) or _rowid(dialect, row, primary)
    return Column(
        name=row.column_name,
        type=_told(extra) or _neutral(dialect, row),
        nullable=bool(row.nullable) and row.column_name not in primary,
        comment=(row.remarks or "").strip(),
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
