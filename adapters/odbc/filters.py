"""The caller's typed filters of a list, as conditions with bound parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.contract import Condition
from adapters.errors import FieldError, Invalid
from adapters.odbc.statements import ALIAS, TableSql
from adapters.odbc.tables import Column

_TERMS = 50
"""Filters, and values in an `in`, at most."""

_COMPARE = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


@dataclass(slots=True)
class Clause:
    """A condition under construction: its terms and their parameters, in the order written."""

    terms: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def add(self, sql: str, *parameters: Any) -> None:
        """One more term, which must hold as well."""
        self.terms.append(sql)
        self.parameters.extend(parameters)

    def __str__(self) -> str:
        return " WHERE " + " AND ".join(self.terms) if self.terms else ""


def filtered(table: TableSql, conditions: Sequence[Condition], clause: Clause) -> None:
    """Adds the caller's filters to a clause; raises `Invalid` with a pointer to each fault."""
    if len(conditions) > _TERMS:
        raise Invalid("too many filters", errors=[FieldError("/where", f"must be at most {_TERMS}")])
    for index, condition in enumerate(conditions):
        _filter(table, condition, f"/where/{index}", clause)


def _filter(table: TableSql, condition: Condition, where: str, clause: Clause) -> None:
    column = table.table.column(condition.field)
    make = _FILTERS.get(condition.op)
    if column is None or make is None:
        what = "field" if column is None else "operator"
        raise Invalid("a filter is wrong", errors=[FieldError(where, f"has no such {what}")])
    if not column.type.comparable and condition.op != "null":
        raise Invalid("a filter is wrong", errors=[FieldError(where, f"{column.name} takes the operator 'null' alone")])
    try:
        make(table, column, condition, clause)
    except ValueError as error:
        raise Invalid("a filter's value is wrong", errors=[FieldError(where, f"{column.name}: {error}")]) from error


def _compared(table: TableSql, column: Column, condition: Condition, clause: Clause) -> None:
    if condition.value is None:
        raise ValueError("must not be null; use the operator 'null'")
    bound = table.value(column, condition.value)
    clause.add(f"{table.named(column)} {_COMPARE[condition.op]} {table.bound(column)}", bound)


def _among(table: TableSql, column: Column, condition: Condition, clause: Clause) -> None:
    given = condition.value
    if not isinstance(given, list) or not 1 <= len(given) <= _TERMS:
        raise ValueError(f"must be a list of 1 to {_TERMS} values")
    bound = [table.value(column, value) for value in given]
    markers = ", ".join([table.bound(column)] * len(bound))
    clause.add(f"{table.named(column)} IN ({markers})", *bound)


def _like(table: TableSql, column: Column, condition: Condition, clause: Clause) -> None:
    if column.type.name not in ("text", "char") or not isinstance(condition.value, str):
        raise ValueError("'like' takes a text column and a pattern of %, _ and \\ before a literal one")
    if "\x00" in condition.value or len(condition.value) > 1000:
        raise ValueError("must be a pattern of at most 1000 characters without NUL")
    clause.add(f"{table.read(column, ALIAS)} LIKE ? ESCAPE '!'", _pattern(condition.value))


def _pattern(written: str) -> str:
    """The caller's pattern with `!` as its escape: databases differ on the backslash."""
    made: list[str] = []
    characters = iter(written)
    for character in characters:
        if character == "\\":
            literal = next(characters, "\\")
            made.append("!" + literal if literal in "%_!" else literal)
        else:
            made.append("!!" if character == "!" else character)
    return "".join(made)


def _null(table: TableSql, column: Column, condition: Condition, clause: Clause) -> None:
    if not isinstance(condition.value, bool):
        raise ValueError("must be true or false")
    clause.add(f"{table.named(column)} IS {'' if condition.value else 'NOT '}NULL")


_FILTERS: Mapping[str, Callable[[TableSql, Column, Condition, Clause], None]] = {
    **dict.fromkeys(_COMPARE, _compared),
    "in": _among,
    "like": _like,
    "null": _null,
}
