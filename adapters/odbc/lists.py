"""A page of a table: typed filters, any sort made total by the key, and keyset positions instead of OFFSET.

A position names the sort that it belongs to and the last row's values in it: `{"sort": ["-a", "id"], "at": [5, 7]}`.
It stays right while rows before it come and go. NULL sorts as greater than every value, on every database:

    a ascending:   after v is (a > v OR a IS NULL)   after NULL is nothing
    a descending:  after v is (a < v)                after NULL is (a IS NOT NULL)
    and for a, b:  after(a) OR (a equal AND after(b))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.contract import Condition, Json, ListRequest
from adapters.errors import BadReply, FieldError, Invalid
from adapters.odbc.rows import rows_clause
from adapters.odbc.statements import TableSql
from adapters.odbc.tables import Column
from adapters.odbc.values import ColumnType, decode, encode

MOST = 1000
"""Items in a page, at most."""
_TERMS = 50
"""Filters, and values in an `in`, at most."""

_ANY = ColumnType("text")
_COMPARE = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


@dataclass(frozen=True, slots=True)
class Page:
    """The statement of one page: it selects all columns and then the sort columns as stored."""

    sql: str
    parameters: tuple[Any, ...]
    limit: int
    order: tuple[tuple[Column, bool], ...]

    def answer(self, table: TableSql, rows: Sequence[Sequence[Any]]) -> dict[str, Json]:
        """The items, and the position behind the last where there are more."""
        kept = rows[: self.limit]
        more = len(rows) > self.limit
        return {"items": [table.item(row) for row in kept], "next": self._position(table, kept[-1]) if more else None}

    def _position(self, table: TableSql, row: Sequence[Any]) -> Json:
        stored = row[len(table.table.columns) :]
        at = [
            raw if table.textual(column) else decode(column.type, raw, table.zone)
            for (column, _), raw in zip(self.order, stored, strict=True)
        ]
        return {"sort": _spelled(self.order), "at": at}


@dataclass(slots=True)
class _Clause:
    """A condition under construction: its terms and their parameters, in the order written."""

    terms: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def add(self, sql: str, *parameters: Any) -> None:
        self.terms.append(sql)
        self.parameters.extend(parameters)


def page(table: TableSql, request: ListRequest) -> Page:
    """The statement for a request; raises `Invalid` with a pointer to each fault."""
    limit = request.limit
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST:
        raise Invalid("the page's limit is wrong", errors=[FieldError("/limit", f"must be 1 to {MOST}")])
    order = _order(table, request.sort)
    clause = _Clause()
    for index, condition in enumerate(request.where):
        _filter(table, condition, f"/where/{index}", clause)
    if len(request.where) > _TERMS:
        raise Invalid("too many filters", errors=[FieldError("/where", f"must be at most {_TERMS}")])
    if request.rows is not None:
        rows, parameters = rows_clause(table, request.rows, "r.")
        clause.add(rows, *parameters)
    if request.after is not None:
        _behind(table, order, _at(table, order, request.after), clause)
    return _assembled(table, order, clause, limit)


def _assembled(table: TableSql, order: tuple[tuple[Column, bool], ...], clause: _Clause, limit: int) -> Page:
    dialect = table.dialect
    stored = ", ".join(table.stored(column) for column, _ in order)
    sql = [f"SELECT {table.selected(table.table.columns)}, {stored} FROM {table.source} r"]  # noqa: S608 - quoted names, bound values
    if clause.terms:
        sql.append("WHERE " + " AND ".join(clause.terms))
    sql.append("ORDER BY " + ", ".join(_term(table, column, down) for column, down in order))
    if dialect.limit:
        sql.append(dialect.limit)
        clause.parameters.append(limit + 1)
    return Page(" ".join(sql), tuple(clause.parameters), limit, order)


def _name(table: TableSql, column: Column) -> str:
    # Qualified: ORDER BY a bare name would sort by the text that was selected under it.
    return f"r.{table.quoted(column.name)}"


def _term(table: TableSql, column: Column, down: bool) -> str:
    name = _name(table, column)
    if not column.nullable:
        return f"{name} DESC" if down else name
    return (table.dialect.descending if down else table.dialect.ascending).format(c=name)


def _order(table: TableSql, sort: Sequence[str]) -> tuple[tuple[Column, bool], ...]:
    order: dict[str, tuple[Column, bool]] = {}
    for index, written in enumerate(sort):
        down = isinstance(written, str) and written.startswith("-")
        column = table.table.column(written[1:] if down else written)
        if column is None or column.name in order:
            raise Invalid("the sort is wrong", errors=[FieldError(f"/sort/{index}", "must be a column, named once")])
        order[column.name] = (column, down)
    for column in table.keys:
        order.setdefault(column.name, (column, False))
    return tuple(order.values())


def _spelled(order: Sequence[tuple[Column, bool]]) -> list[str]:
    return [("-" if down else "") + column.name for column, down in order]


def _at(table: TableSql, order: Sequence[tuple[Column, bool]], after: Json) -> list[Any]:
    """The position's values to bind; a position of another sort, or no position at all, is `Invalid`."""
    wrong = Invalid(
        "the position is none of this list", errors=[FieldError("/after", "must be an earlier answer's next")]
    )
    if not isinstance(after, dict) or after.get("sort") != _spelled(order):
        raise wrong
    at = after.get("at")
    if not isinstance(at, list) or len(at) != len(order):
        raise wrong
    try:
        return [
            None if value is None else _resumed(table, column, value)
            for (column, _), value in zip(order, at, strict=True)
        ]
    except (ValueError, BadReply) as error:
        raise wrong from error


def _resumed(table: TableSql, column: Column, value: Json) -> Any:
    if not table.textual(column):
        return table.value(column, value)
    decode(column.type, value, table.zone)
    # What was read as text goes back as the same text.
    return encode(_ANY, value, table.zone)


def _behind(table: TableSql, order: Sequence[tuple[Column, bool]], at: Sequence[Any], clause: _Clause) -> None:
    ways: list[str] = []
    parameters: list[Any] = []
    equal: list[str] = []
    equal_parameters: list[Any] = []
    for (column, down), value in zip(order, at, strict=True):
        name = _name(table, column)
        step, bound = _step(table, column, down, value)
        if step:
            ways.append("(" + " AND ".join([*equal, step]) + ")")
            parameters += [*equal_parameters, *bound]
        equal.append(f"{name} IS NULL" if value is None else f"{name} = {table.bound(column)}")
        equal_parameters += [] if value is None else [value]
    _bound_first(table, order[0], at[0], clause)
    clause.add("(" + " OR ".join(ways) + ")" if ways else "1 = 0", *parameters)


def _bound_first(table: TableSql, first: tuple[Column, bool], value: Any, clause: _Clause) -> None:
    """Says again of the first column alone what the whole implies, so that an index on it is used."""
    column, down = first
    if value is not None and (down or not column.nullable):
        clause.add(f"{_name(table, column)} {'<=' if down else '>='} {table.bound(column)}", value)


def _step(table: TableSql, column: Column, down: bool, value: Any) -> tuple[str, list[Any]]:
    name = _name(table, column)
    if value is None:
        return (f"{name} IS NOT NULL", []) if down else ("", [])
    beyond = f"{name} {'<' if down else '>'} {table.bound(column)}"
    if column.nullable and not down:
        beyond = f"({beyond} OR {name} IS NULL)"
    return beyond, [value]


def _filter(table: TableSql, condition: Condition, where: str, clause: _Clause) -> None:
    column = table.table.column(condition.field)
    make = _FILTERS.get(condition.op)
    if column is None or make is None:
        what = "field" if column is None else "operator"
        raise Invalid("a filter is wrong", errors=[FieldError(where, f"has no such {what}")])
    try:
        make(table, column, condition, clause)
    except ValueError as error:
        raise Invalid("a filter's value is wrong", errors=[FieldError(where, f"{column.name}: {error}")]) from error


def _compared(table: TableSql, column: Column, condition: Condition, clause: _Clause) -> None:
    if condition.value is None:
        raise ValueError("must not be null; use the operator 'null'")
    bound = table.value(column, condition.value)
    clause.add(f"{_name(table, column)} {_COMPARE[condition.op]} {table.bound(column)}", bound)


def _among(table: TableSql, column: Column, condition: Condition, clause: _Clause) -> None:
    given = condition.value
    if not isinstance(given, list) or not 1 <= len(given) <= _TERMS:
        raise ValueError(f"must be a list of 1 to {_TERMS} values")
    bound = [table.value(column, value) for value in given]
    markers = ", ".join([table.bound(column)] * len(bound))
    clause.add(f"{_name(table, column)} IN ({markers})", *bound)


def _like(table: TableSql, column: Column, condition: Condition, clause: _Clause) -> None:
    if column.type.name not in ("text", "char") or not isinstance(condition.value, str):
        raise ValueError("'like' takes a text column and a pattern of %, _ and \\ before a literal one")
    if "\x00" in condition.value or len(condition.value) > 1000:
        raise ValueError("must be a pattern of at most 1000 characters without NUL")
    clause.add(f"{table.read(column)} LIKE ? ESCAPE '!'", _pattern(condition.value))


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


def _null(table: TableSql, column: Column, condition: Condition, clause: _Clause) -> None:
    if not isinstance(condition.value, bool):
        raise ValueError("must be true or false")
    clause.add(f"{_name(table, column)} IS {'' if condition.value else 'NOT '}NULL")


_FILTERS: Mapping[str, Callable[[TableSql, Column, Condition, _Clause], None]] = {
    **dict.fromkeys(_COMPARE, _compared),
    "in": _among,
    "like": _like,
    "null": _null,
}
