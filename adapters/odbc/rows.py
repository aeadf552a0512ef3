"""The rows that a caller may see, as a condition with bound parameters.

It means what `adapters.contract.Rows` says on every database: text is compared as it is written, whatever collation or
padding the column has, decimals exactly, and NULL matches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.contract import Condition, Json, Rows
from adapters.errors import DoNotRetry
from adapters.odbc.statements import TableSql, marker, to_bind
from adapters.odbc.tables import Column
from adapters.odbc.values import ColumnType

_TEXT, _DECIMAL = ColumnType("text"), ColumnType("decimal")
_SIGNS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_ALIKE = ("eq", "in")


class _NoMatch(Exception):
    """The condition holds for no row of this table."""


def rows_clause(table: TableSql, rows: Rows, alias: str = "") -> tuple[str, list[Any]]:
    """A condition and its parameters, its columns qualified by `alias`; raises `DoNotRetry` where a column can't be
    compared so."""
    ways: list[str] = []
    parameters: list[Any] = []
    for group in rows:
        try:
            terms = [_term(table, condition, alias) for condition in group]
        except _NoMatch:
            continue
        ways.append("(" + " AND ".join(sql for sql, _ in terms) + ")" if terms else "(1 = 1)")
        parameters += [each for _, bound in terms for each in bound]
    return ("(" + " OR ".join(ways) + ")" if ways else "1 = 0"), parameters


def _term(table: TableSql, condition: Condition, alias: str) -> tuple[str, list[Any]]:
    column = table.table.column(condition.field)
    if column is None:
        raise DoNotRetry("the rows that the caller may see can't be told", detail=f"no column {condition.field}")
    name = f"{alias}{table.quoted(column.name)}"
    if condition.op == "null":
        return f"{name} IS {'' if condition.value else 'NOT '}NULL", []
    compare = _text if column.type.name in ("text", "char") else _other
    return compare(table, column, name, condition)


def _text(table: TableSql, column: Column, name: str, condition: Condition) -> tuple[str, list[Any]]:
    if table.dialect.exact is None:
        raise DoNotRetry(
            "the rows that the caller may see can't be told",
            detail=f"{table.dialect.name} has no exact comparison of text",
        )
    exact = table.dialect.exact.format(c=name)
    if column.type.name == "char":
        exact = f"RTRIM({exact})"
    bound = _bound(condition, lambda value: to_bind(_TEXT, value, table.dialect, table.zone))
    sql = _compared(exact, condition.op, ["?"] * len(bound))
    if table.dialect.exact_implies and condition.op in _ALIKE and all(map(str.isascii, bound)):
        # What is equal exactly is equal by the column's own collation too, for which there may be an index. Text
        # outside ASCII may have no place in the column's character set, which makes its own comparison an error.
        return f"{_compared(name, condition.op, ['?'] * len(bound))} AND {sql}", [*bound, *bound]
    return sql, bound


def _other(table: TableSql, column: Column, name: str, condition: Condition) -> tuple[str, list[Any]]:
    # A decimal of more digits than the column has is still less or greater than what it holds.
    kind = _DECIMAL if column.type.name == "decimal" else column.type
    bound = _bound(condition, lambda value: to_bind(kind, value, table.dialect, table.zone))
    return _compared(name, condition.op, [marker(kind, table.dialect)] * len(bound)), bound


def _bound(condition: Condition, bind: Callable[[Json], Any]) -> list[Any]:
    values: Sequence[Json] = condition.value if condition.op in ("in", "out") else [condition.value]
    found = []
    for value in values:
        try:
            found.append(bind(value))
        except ValueError as error:
            # What the column can't hold it isn't equal to; anything else can't be said of it.
            if condition.op not in _ALIKE:
                raise DoNotRetry(
                    "the rows that the caller may see can't be told", detail=f"{condition.field} {error}"
                ) from error
    if not found and condition.op in _ALIKE:
        raise _NoMatch
    return found


def _compared(name: str, op: str, markers: Sequence[str]) -> str:
    if op in _LISTS:
        return f"{name} {_LISTS[op]} ({', '.join(markers)})"
    if op not in _SIGNS:
        raise DoNotRetry("the rows that the caller may see can't be told", detail=f"no operator {op}")
    return f"{name} {_SIGNS[op]} {markers[0]}"


_LISTS: Mapping[str, str] = {"in": "IN", "out": "NOT IN"}
