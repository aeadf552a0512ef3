"""The operations of one table: get, list, insert, update, delete.

Each is an `Action`: its description, and `plan`, which turns a caller's input into a job for a connection's thread.
Planning is where input is judged; a job only binds, runs and converts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.contract import Effect, Json, JsonSchema, ListRequest, Operation, Rows
from adapters.errors import BadReply, Conflict, DoNotRetry, FieldError, Invalid, NotFound, pointer
from adapters.odbc.lists import MOST, page
from adapters.odbc.rows import rows_clause
from adapters.odbc.session import Session
from adapters.odbc.statements import TableSql
from adapters.odbc.tables import Column, Table
from adapters.odbc.values import decode, schema

Job = Callable[[Session], Json]


@dataclass(frozen=True, slots=True)
class Plan:
    """One call, judged and ready."""

    job: Job
    object: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """An operation as one dialect runs it."""

    effect: Effect
    plan: Callable[[Mapping[str, Json], Rows | None], Plan]
    """From the input, and the rows that a write may touch, to a plan."""


def describe(name: str, table: Table, writes: bool) -> Iterator[Operation]:
    """The operations of a table; one without a primary key has none, because no row of it can be named."""
    if not table.primary_key:
        return
    row = _object(table.columns, required=[column.name for column in table.columns])
    key = _object([column for column in table.columns if column.name in table.primary_key])
    about = table.comment or f"Table {name}"
    yield Operation(f"{name}.get", Effect.READ, key, row, f"{about}: one row by key")
    listed = f"{about}: a page of rows"
    yield Operation(f"{name}.list", Effect.READ, _LIST, _answer(row), listed, is_list=True, filters_rows=True)
    if not writes:
        return
    needed = [column.name for column in table.columns if not (column.nullable or column.generated)]
    new = _object(table.columns, required=needed)
    yield Operation(f"{name}.insert", Effect.WRITE, new, row, f"{about}: a new row", filters_rows=True)
    change = _object(table.columns, required=list(table.primary_key))
    effect = Effect.WRITE if table.version else Effect.IDEMPOTENT_WRITE
    yield Operation(f"{name}.update", effect, change, row, f"{about}: change one row", filters_rows=True)
    gone, removes = {"type": "null"}, f"{about}: remove one row"
    yield Operation(f"{name}.delete", Effect.IDEMPOTENT_WRITE, key, gone, removes, filters_rows=True)


def actions(sql: TableSql) -> Mapping[str, Action]:
    """How a dialect runs what `describe` describes, by operation name."""
    if not sql.table.primary_key:
        return {}
    rows = TableActions(sql)
    return {
        f"{sql.name}.get": Action(Effect.READ, rows.get),
        f"{sql.name}.list": Action(Effect.READ, rows.page),
        f"{sql.name}.insert": Action(Effect.WRITE, rows.insert),
        f"{sql.name}.update": Action(Effect.WRITE, rows.update),
        f"{sql.name}.delete": Action(Effect.WRITE, rows.delete),
    }


_LIST: JsonSchema = {
    "type": "object",
    "properties": {
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST},
        "after": {},
        "sort": {"type": "array", "items": {"type": "string"}},
        "where": {"type": "array", "items": {"type": "array", "minItems": 3, "maxItems": 3}},
        "rows": {"type": "array"},
    },
    "additionalProperties": False,
}


def _object(columns: Sequence[Column], required: Sequence[str] | None = None) -> JsonSchema:
    names = [column.name for column in columns] if required is None else list(required)
    properties = {column.name: schema(column.type, column.nullable, column.comment) for column in columns}
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def _answer(row: JsonSchema) -> JsonSchema:
    return {
        "type": "object",
        "properties": {"items": {"type": "array", "items": row}, "next": {}},
        "required": ["items", "next"],
    }


@dataclass(frozen=True, slots=True)
class _Within:
    """What narrows a statement that ends in its WHERE to the rows that the caller may see."""

    sql: str = ""
    parameters: tuple[Any, ...] = ()


_ANYWHERE = _Within()


class TableActions:
    """The plans of one table."""

    def __init__(self, sql: TableSql) -> None:
        self._sql = sql
        self._get = sql.get
        self._object = sql.table.table or sql.name
        self._column = {column.name: column for column in sql.table.columns}

    def get(self, input: Mapping[str, Json], rows: Rows | None) -> Plan:
        self._known(input, self._sql.table.primary_key)
        key = self._key(input)
        within = self._within(rows)
        return Plan(lambda session: self.row(session, key, within), self._object, self._named(input))

    def page(self, input: Mapping[str, Json], _: Rows | None) -> Plan:
        try:
            request = ListRequest.of(input)
        except TypeError as error:
            raise Invalid("a filter is [field, operator, value]", errors=[FieldError("/where", "is wrong")]) from error
        wanted = page(self._sql, request)

        def job(session: Session) -> Json:
            rows = session.rows(wanted.sql, wanted.parameters, wanted.limit + 1)
            return wanted.answer(self._sql, rows)

        return Plan(job, self._object)

    def insert(self, input: Mapping[str, Json], rows: Rows | None) -> Plan:
        self._known(input, self._column)
        columns = [column for column in self._sql.table.columns if column.name in input]
        missing = [
            FieldError(pointer(column.name), "is required")
            for column in self._sql.table.columns
            if column.name not in input and not (column.nullable or column.generated)
        ]
        if missing:
            raise Invalid("the row is incomplete", errors=missing)
        values = self._sql.values(columns, input)
        statement = self._sql.insert(columns)
        whole = all(name in input for name in self._sql.table.primary_key)

        within = self._within(rows)

        def job(session: Session) -> Json:
            given = self._key(input) if whole else None
            return self._kept(session, self._inserted(session, statement, values, given), within)

        return Plan(job, self._object, self._named(input) if whole else None)

    def _inserted(
        self, session: Session, statement: str, values: Sequence[Any], given: Sequence[Any] | None
    ) -> Sequence[Any]:
        """Inserts, and answers the key of the new row to bind again."""
        keys = self._sql.keys
        if self._sql.dialect.returning:
            made = session.one(statement, values)
        else:
            session.execute(statement, values)
            made = session.one(self._sql.dialect.last_id, ()) if given is None and self._sql.dialect.last_id else None
        if given is not None:
            return given
        if made is None or len(made) != len(keys):
            raise Invalid("this database doesn't tell the keys that it makes", errors=[FieldError("", "name the key")])
        decoded = {
            column.name: decode(column.type, raw, self._sql.zone) for column, raw in zip(keys, made, strict=True)
        }
        return self._key(decoded)

    def update(self, input: Mapping[str, Json], rows: Rows | None) -> Plan:
        self._known(input, self._column)
        table = self._sql.table
        version = self._column[table.version] if table.version and table.version in input else None
        fixed = {*table.primary_key, *([table.version] if table.version else [])}
        changed = [column for column in table.columns if column.name in input and column.name not in fixed]
        if not changed:
            raise Invalid("the input changes nothing", errors=[FieldError("", "must name a column besides the key")])
        key = self._key(input)
        expected = self._sql.values([version], input) if version else []
        within = self._within(rows)
        values = [*self._sql.values(changed, input), *key, *expected, *within.parameters]
        statement = self._sql.update(changed, version) + within.sql

        def job(session: Session) -> Json:
            self._counted(session, session.execute(statement, values).rowcount, key, within)
            return self._kept(session, key, within)

        return Plan(job, self._object, self._named(input))

    def delete(self, input: Mapping[str, Json], rows: Rows | None) -> Plan:
        self._known(input, self._sql.table.primary_key)
        key = self._key(input)
        within = self._within(rows)
        statement, values = self._sql.delete + within.sql, [*key, *within.parameters]

        def job(session: Session) -> Json:
            self._counted(session, session.execute(statement, values).rowcount, key, within)

        return Plan(job, self._object, self._named(input))

    def _within(self, rows: Rows | None) -> _Within:
        if rows is None:
            return _ANYWHERE
        sql, parameters = rows_clause(self._sql, rows)
        return _Within(f" AND {sql}", tuple(parameters))

    def _counted(self, session: Session, count: int, key: Sequence[Any], within: _Within) -> None:
        """Exactly one row, or the transaction is rolled back by what this raises."""
        if count > 1:
            raise BadReply("the key names more than one row; nothing was changed")
        if count == 0:
            self.row(session, key, within)
            raise Conflict("the row was changed by someone else in the meantime")

    def _kept(self, session: Session, key: Sequence[Any], within: _Within) -> Json:
        """The row as it is after a write, which is taken back when it isn't one that the caller may see."""
        try:
            return self.row(session, key, within)
        except NotFound:
            if within is _ANYWHERE:
                raise
            self.row(session, key, _ANYWHERE)
            raise DoNotRetry("the row would be none that the caller may see; nothing was changed") from None

    def row(self, session: Session, key: Sequence[Any], within: _Within) -> Json:
        """The row of a key, on the connection's thread; raises `NotFound`."""
        row = session.one(self._get + within.sql, [*key, *within.parameters])
        if row is None:
            raise NotFound(f"there is no such row of {self._object}")
        return self._sql.item(row)

    def _key(self, input: Mapping[str, Json]) -> list[Any]:
        missing = [name for name in self._sql.table.primary_key if name not in input]
        if missing:
            raise Invalid(
                "the key is incomplete", errors=[FieldError(pointer(name), "is required") for name in missing]
            )
        return self._sql.values(self._sql.keys, input)

    def _known(self, input: Mapping[str, Json], names: Sequence[str] | Mapping[str, Any]) -> None:
        unknown = [FieldError(pointer(name), "is not taken here") for name in input if name not in names]
        if unknown:
            raise Invalid("the input has members that the operation doesn't take", errors=unknown)

    def _named(self, input: Mapping[str, Json]) -> str:
        return ",".join(str(input[name]) for name in self._sql.table.primary_key)
