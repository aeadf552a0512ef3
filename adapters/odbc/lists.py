"""A page of a table: filtered, in any sort made total by the key, from a position forwards or up to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.contract import Json, ListRequest
from adapters.errors import FieldError, Invalid
from adapters.odbc import batches
from adapters.odbc.filters import Clause, filtered
from adapters.odbc.keyset import Order, Place, behind, order_of, ordered, place_of, position, reversed_order
from adapters.odbc.rows import rows_clause
from adapters.odbc.statements import ALIAS, TableSql
from adapters.odbc.tables import Column

MOST = 1000
"""Items in a page, at most."""


@dataclass(frozen=True, slots=True)
class Page:
    """The statement of one page: it selects the columns asked for and then the sort columns as stored."""

    table: TableSql
    sql: str
    parameters: tuple[Any, ...]
    request: ListRequest
    columns: tuple[Column, ...]
    order: Order
    place: Place | None

    @property
    def fetched(self) -> int:
        """Rows to fetch: one more than the page has, and those to skip where the statement can't."""
        return self.request.limit + 1 + self._skipped

    @property
    def _skipped(self) -> int:
        return self.place.skip if self.place is not None and not self.table.dialect.limit else 0

    def answer(self, rows: Sequence[Sequence[Any]]) -> dict[str, Json]:
        """The items, and the positions behind the last and (where asked for) before the first."""
        rows = rows[self._skipped :]
        more = len(rows) > self.request.limit
        kept = rows[: self.request.limit]
        backwards = self.request.before is not None
        kept = kept[::-1] if backwards else kept
        items = batches.items(self.columns, kept, self.table.zone)
        behind_it = kept and (more or backwards)
        made: dict[str, Json] = {"items": items, "next": self._at(kept, -1) if behind_it else None}
        if self.request.both_ways:
            before_it = kept and (more if backwards else self.place is not None) and self.table.keys
            made["previous"] = self._at(kept, 0) if before_it else None
        return made

    def _at(self, kept: Sequence[Sequence[Any]], index: int) -> Json:
        stored = [tuple(row[len(self.columns) :]) for row in kept]
        order = reversed_order(self.order) if self.request.before is not None else self.order
        if self.table.keys:
            return position(self.table, order, stored[index])
        equal = next((count for count, row in enumerate(reversed(stored)) if row != stored[-1]), len(stored))
        made = position(self.table, order, stored[-1])
        if equal == len(stored) and isinstance(self.request.after, dict) and self.request.after["at"] == made["at"]:
            equal += self.place.skip if self.place is not None else 0
        return made | {"skip": equal}


def page(table: TableSql, request: ListRequest, more: Sequence[Column] = ()) -> Page:
    """The statement for a request, `more` columns selected beside the fields; raises `Invalid` with a pointer to each
    fault."""
    if isinstance(request.limit, bool) or not isinstance(request.limit, int) or not 1 <= request.limit <= MOST:
        raise Invalid("the page's limit is wrong", errors=[FieldError("/limit", f"must be 1 to {MOST}")])
    return paged(table, request, more)


def paged(table: TableSql, request: ListRequest, more: Sequence[Column] = ()) -> Page:
    """`page`, with any limit."""
    order, place, clause = selection(table, request)
    columns = table.chosen(request.fields)
    columns += tuple(column for column in more if column not in columns)
    sql = statement(table, columns, order, clause, stored=True)
    if table.dialect.limit:
        sql += " " + table.dialect.limit.format(skip=place.skip if place else 0)
        clause.parameters.append(request.limit + 1)
    return Page(table, sql, tuple(clause.parameters), request, columns, order, place)


def selection(table: TableSql, request: ListRequest) -> tuple[Order, Place | None, Clause]:
    """Which rows, and in which order they are to be fetched; raises `Invalid`."""
    order = order_of(table, request.sort)
    clause = Clause()
    filtered(table, request.where, clause)
    if request.rows is not None:
        rows, parameters = rows_clause(table, request.rows, ALIAS)
        clause.add(rows, *parameters)
    place = None
    if request.before is not None:
        if request.after is not None or not table.keys:
            told = (
                "a table without a key has pages in one direction" if not table.keys else "must not stand beside after"
            )
            raise Invalid("the page can't end there", errors=[FieldError("/before", told)])
        place = place_of(table, order, request.before, "before")
        order = reversed_order(order)
    elif request.after is not None:
        place = place_of(table, order, request.after, "after")
    if place is not None:
        behind(table, order, place, clause)
    return order, place, clause


def statement(table: TableSql, columns: Sequence[Column], order: Order, clause: Clause, *, stored: bool) -> str:
    """A sorted SELECT, with (`stored`) what positions are made of behind the columns."""
    extra = [table.stored(column) for column, _ in order] if stored else []
    chosen = ", ".join([*(table.read(column, ALIAS) for column in columns), *extra])
    return f"SELECT {chosen} FROM {table.source} {ALIAS[:-1]}{clause} ORDER BY {ordered(table, order)}"  # noqa: S608 - quoted names, bound values
