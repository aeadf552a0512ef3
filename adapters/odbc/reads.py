"""The reads of one table: a row by key, a page, and a list of any length.

Planning is where input is judged; a job only binds, runs and converts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from adapters.contract import Json, ListRequest, Rows
from adapters.errors import DoNotRetry, FieldError, Invalid, NotFound, pointer
from adapters.odbc import batches, expand
from adapters.odbc.keyset import WIDEST
from adapters.odbc.lists import page
from adapters.odbc.plans import Plan, Stream
from adapters.odbc.rows import rows_clause
from adapters.odbc.session import Session
from adapters.odbc.statements import TableSql
from adapters.odbc.streams import streamed


@dataclass(frozen=True, slots=True)
class Within:
    """What narrows a statement that ends in its WHERE to the rows that the caller may see."""

    sql: str = ""
    parameters: tuple[Any, ...] = ()


ANYWHERE = Within()


class TableReads:
    """The plans of one table's reads."""

    def __init__(self, sql: TableSql, relations: expand.Relations) -> None:
        self._sql = sql
        self._relations = relations
        self._keys = sql.keys
        self._get = sql.get(sql.table.columns) if self._keys else ""
        self._item = batches.one(sql.table.columns, sql.zone)
        self._object = sql.table.table or sql.name
        self._column = {column.name: column for column in sql.table.columns}
        self._shown = frozenset({"fields", "expand"}) - {*sql.table.primary_key}
        self._taken = self._shown | {*sql.table.primary_key}

    def get(self, input: Mapping[str, Json], rows: Rows | None) -> Plan:
        """One row by key; `fields` and `expand` as in a list, unless the key has columns of these names."""
        self._known(input, self._taken)
        key = self._key(input)
        within = self._within(rows)
        if self._shown.isdisjoint(input):
            return Plan(lambda session: self.row(session, key, within), self._object, self._named(input))
        shown = {name: _names(input, name) for name in self._shown}
        columns = self._sql.chosen(shown.get("fields", ()))
        wanted = self._wanted(shown.get("expand", ()), rows)
        every = columns + tuple(each for each in expand.needed(self._sql, wanted) if each not in columns)
        sql = self._sql.get(every) + within.sql

        def job(session: Session) -> Json:
            row = session.one(sql, [*key, *within.parameters])
            if row is None:
                raise NotFound(f"there is no such row of {self._object}")
            items = batches.items(every, [row], self._sql.zone)
            expand.joined(session, wanted, items, columns)
            return items[0]

        return Plan(job, self._object, self._named(input))

    def page(self, input: Mapping[str, Json], _: Rows | None) -> Plan:
        """A page of rows; see `adapters.contract.ListRequest`."""
        request = self._request(input)
        wanted = self._wanted(request.expand, request.rows)
        found = page(self._sql, request, expand.needed(self._sql, wanted))
        columns = self._sql.chosen(request.fields)

        def job(session: Session) -> Json:
            answer = found.answer(session.rows(found.sql, found.parameters, found.fetched))
            expand.joined(session, wanted, answer["items"], columns)
            return answer

        return Plan(job, self._object)

    def stream(self, input: Mapping[str, Json]) -> Stream:
        """All rows of a list, or `limit` of them."""
        request = self._request(input)
        most = input.get("limit")
        if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
            raise Invalid("the limit is wrong", errors=[FieldError("/limit", "must be a whole number from 1")])
        if request.expand or request.both_ways:
            fault = [FieldError("/expand" if request.expand else "/before", "is not taken here")]
            raise Invalid("a list that is read as a whole goes forward and joins nothing", errors=fault)
        return streamed(self._sql, request, most)

    def _request(self, input: Mapping[str, Json]) -> ListRequest:
        if not self._sql.keys and len(self._sql.table.columns) > WIDEST:
            raise DoNotRetry(f"{self._object} has no key and more than {WIDEST} columns, so that it has no pages")
        _names(input, "fields"), _names(input, "expand")
        try:
            return ListRequest.of(input)
        except TypeError as error:
            raise Invalid("a filter is [field, operator, value]", errors=[FieldError("/where", "is wrong")]) from error

    def _wanted(self, names: Sequence[str], rows: Rows | None) -> expand.Relations:
        if names and rows is not None:
            raise DoNotRetry("what is joined can't be held to the rows that the caller may see")
        return expand.chosen(self._relations, names)

    def _within(self, rows: Rows | None) -> Within:
        if rows is None:
            return ANYWHERE
        sql, parameters = rows_clause(self._sql, rows)
        return Within(f" AND {sql}", tuple(parameters))

    def row(self, session: Session, key: Sequence[Any], within: Within) -> Json:
        """The row of a key, on the connection's thread; raises `NotFound`."""
        row = session.one(self._get + within.sql, [*key, *within.parameters])
        if row is None:
            raise NotFound(f"there is no such row of {self._object}")
        return self._item(row)

    def _key(self, input: Mapping[str, Json]) -> list[Any]:
        missing = [name for name in self._sql.table.primary_key if name not in input]
        if missing:
            raise Invalid(
                "the key is incomplete", errors=[FieldError(pointer(name), "is required") for name in missing]
            )
        return self._sql.values(self._keys, input)

    def _known(self, input: Mapping[str, Json], names: Set[str]) -> None:
        if input.keys() <= names:
            return
        unknown = [FieldError(pointer(name), "is not taken here") for name in input if name not in names]
        if unknown:
            raise Invalid("the input has members that the operation doesn't take", errors=unknown)

    def _named(self, input: Mapping[str, Json]) -> str:
        return ",".join(str(input[name]) for name in self._sql.table.primary_key)


def _names(input: Mapping[str, Json], member: str) -> tuple[str, ...]:
    given = input.get(member, ())
    if not isinstance(given, list | tuple) or not all(isinstance(each, str) for each in given):
        raise Invalid(f"{member} is wrong", errors=[FieldError(pointer(member), "must be a list of names")])
    return tuple(given)
