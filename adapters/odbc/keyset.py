"""Where a page starts or ends: positions in a sorted list instead of counts.

A position names the sort that it belongs to and a row's values in it: `{"sort": ["-a", "id"], "at": [5, 7]}`. It stays
right while rows come and go. NULL sorts as greater than every value, on every database:

    a ascending:   after v is (a > v OR a IS NULL)   after NULL is nothing
    a descending:  after v is (a < v)                after NULL is (a IS NOT NULL)
    and for a, b:  after(a) OR (a equal AND after(b))

Before a position is after it in the opposite sort. A table without a key is sorted by all its columns; equal rows can't
be told apart there, so that the position counts how many of them were given: `"skip": 2`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from adapters.contract import Json
from adapters.errors import BadReply, FieldError, Invalid
from adapters.odbc.filters import Clause
from adapters.odbc.statements import TableSql
from adapters.odbc.tables import Column
from adapters.odbc.values import ColumnType, decode, encode

Order: TypeAlias = tuple[tuple[Column, bool], ...]
"""Columns, and whether each descends; no two rows of a table with a key are equal in all of them."""

WIDEST = 32
"""Columns of a table without a key, at most: each page's condition grows with their square."""

_ANY = ColumnType("text")
_MOST_SKIPPED = 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """A position as bound values; `skip` rows equal to it have been given."""

    at: tuple[Any, ...]
    skip: int = 0


def order_of(table: TableSql, sort: Sequence[str]) -> Order:
    """The caller's sort, made total by the key, or by all other columns; raises `Invalid`."""
    order: dict[str, tuple[Column, bool]] = {}
    for index, written in enumerate(sort):
        down = isinstance(written, str) and written.startswith("-")
        column = table.table.column(written[1:] if down else written)
        if column is None or column.name in order or not column.type.comparable:
            fault = FieldError(f"/sort/{index}", "must be a column that can be compared, named once")
            raise Invalid("the sort is wrong", errors=[fault])
        order[column.name] = (column, down)
    for column in table.keys or table.table.columns:
        order.setdefault(column.name, (column, False))
    return tuple(order.values())


def reversed_order(order: Order) -> Order:
    """The same rows, the last first."""
    return tuple((column, not down) for column, down in order)


def ordered(table: TableSql, order: Order) -> str:
    """The terms of an ORDER BY."""
    return ", ".join(_term(table, column, down) for column, down in order)


def _term(table: TableSql, column: Column, down: bool) -> str:
    # Qualified: ORDER BY a bare name would sort by the text that was selected under it.
    name = table.named(column)
    if not column.nullable:
        return f"{name} DESC" if down else name
    return (table.dialect.descending if down else table.dialect.ascending).format(c=name)


def position(table: TableSql, order: Order, stored: Sequence[Any], skip: int = 0) -> Json:
    """The position of a row, from its sort columns as stored."""
    at = [
        raw if table.textual(column) else decode(column.type, raw, table.zone)
        for (column, _), raw in zip(order, stored, strict=True)
    ]
    made: dict[str, Json] = {"sort": _spelled(order), "at": at}
    return made | {"skip": skip} if skip else made


def _spelled(order: Order) -> list[str]:
    return [("-" if down else "") + column.name for column, down in order]


def place_of(table: TableSql, order: Order, given: Json, member: str) -> Place:
    """A position that the caller gave back; one of another sort, or no position at all, is `Invalid`."""
    wrong = Invalid(
        "the position is none of this list", errors=[FieldError(f"/{member}", "must be an earlier answer's position")]
    )
    if not isinstance(given, dict) or given.get("sort") != _spelled(order):
        raise wrong
    at, skip = given.get("at"), given.get("skip", 0)
    if not isinstance(at, list) or len(at) != len(order) or not _is_count(skip):
        raise wrong
    try:
        bound = [
            None if value is None else _resumed(table, column, value)
            for (column, _), value in zip(order, at, strict=True)
        ]
    except (ValueError, BadReply) as error:
        raise wrong from error
    return Place(tuple(bound), skip)


def _is_count(skip: Json) -> bool:
    return isinstance(skip, int) and not isinstance(skip, bool) and 0 <= skip <= _MOST_SKIPPED


def _resumed(table: TableSql, column: Column, value: Json) -> Any:
    if not table.textual(column):
        return table.value(column, value)
    decode(column.type, value, table.zone)
    # What was read as text goes back as the same text.
    return encode(_ANY, value, table.zone)


def behind(table: TableSql, order: Order, place: Place, clause: Clause) -> None:
    """Adds the condition that a row stands behind a place, or is equal to it where some equal rows are skipped."""
    ways: list[str] = []
    parameters: list[Any] = []
    equal: list[str] = []
    equal_parameters: list[Any] = []
    for (column, down), value in zip(order, place.at, strict=True):
        step, bound = _step(table, column, down, value)
        if step:
            ways.append("(" + " AND ".join([*equal, step]) + ")")
            parameters += [*equal_parameters, *bound]
        name = table.named(column)
        equal.append(f"{name} IS NULL" if value is None else f"{name} = {_bound(table, column)}")
        equal_parameters += [] if value is None else [value]
    if place.skip:
        ways.append("(" + " AND ".join(equal) + ")")
        parameters += equal_parameters
    _bound_first(table, order[0], place.at[0], clause)
    clause.add("(" + " OR ".join(ways) + ")" if ways else "1 = 0", *parameters)


def _bound(table: TableSql, column: Column) -> str:
    return table.bound(column) if column.type.comparable else "?"


def _bound_first(table: TableSql, first: tuple[Column, bool], value: Any, clause: Clause) -> None:
    """Says again of the first column alone what the whole implies, so that an index on it is used."""
    column, down = first
    if value is not None and (down or not column.nullable):
        clause.add(f"{table.named(column)} {'<=' if down else '>='} {_bound(table, column)}", value)


def _step(table: TableSql, column: Column, down: bool, value: Any) -> tuple[str, list[Any]]:
    name = table.named(column)
    if value is None:
        return (f"{name} IS NOT NULL", []) if down else ("", [])
    beyond = f"{name} {'<' if down else '>'} {_bound(table, column)}"
    if column.nullable and not down:
        beyond = f"({beyond} OR {name} IS NULL)"
    return beyond, [value]
