"""How a list is read as a whole: as one result, where the driver hands that on as it comes, or else page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adapters.contract import Json, ListRequest
from adapters.errors import FieldError, Invalid
from adapters.odbc import batches
from adapters.odbc.lists import paged, selection, statement
from adapters.odbc.plans import Stream
from adapters.odbc.session import Session
from adapters.odbc.statements import TableSql

_BATCH, _PAGE = 2000, 10_000
"""Rows fetched at a time of one result, and in a page: of these each is a statement, which may have to sort."""


def streamed(table: TableSql, request: ListRequest, most: int | None) -> Stream:
    """All rows of a list, or `most` of them; raises `Invalid`."""
    begin = table.dialect.bulk_begin
    if begin:
        pages = _Pages(table, request)
        return Stream(lambda session: session.statement(begin), pages.fetch, _PAGE, most)
    if isinstance(request.after, dict) and request.after.get("skip"):
        raise Invalid("the list can't go on there as a whole", errors=[FieldError("/after", "leave it out")])
    order, _, clause = selection(table, request)
    columns = table.chosen(request.fields)
    sql, values = statement(table, columns, order, clause, stored=False), tuple(clause.parameters)

    def fetch(session: Session, count: int) -> list[Json]:
        return list(batches.items(columns, session.more(count), table.zone))

    return Stream(lambda session: session.start(sql, values), fetch, _BATCH, most)


class _Pages:
    """One page after another, within a transaction that keeps seeing what it saw first."""

    def __init__(self, table: TableSql, request: ListRequest) -> None:
        self._table = table
        self._request: ListRequest | None = request
        paged(table, request)  # what is wrong in it shows before anything is sent

    def fetch(self, session: Session, count: int) -> list[Json]:
        if self._request is None:
            return []
        page = paged(self._table, replace(self._request, limit=count))
        rows: Sequence[Sequence[Any]] = session.rows(page.sql, page.parameters, page.fetched)
        answer = page.answer(rows)
        behind = answer["next"]
        self._request = None if behind is None else replace(self._request, after=behind)
        items: list[Json] = answer["items"]
        return items
