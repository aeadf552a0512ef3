"""The operations of one table, as the gateway and its users see them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from adapters.contract import Effect, JsonSchema, Operation
from adapters.odbc.lists import MOST
from adapters.odbc.tables import Column, Table
from adapters.odbc.values import schema

WAS = "$was"
"""The member in which a write names values that the row must still have."""


def describe(name: str, table: Table, writes: bool, joined: Collection[str]) -> Iterator[Operation]:
    """The operations of a table; of one without a primary key its list and new rows, as no row of it can be named.

    `joined`: what `expand` may name.
    """
    row = _row(table, joined)
    about = table.comment or f"Table {name}"
    listed = f"{about}: a page of rows"
    yield Operation(f"{name}.list", Effect.READ, _list(joined), _answer(row), listed, is_list=True, filters_rows=True)
    if not table.primary_key:
        if writes:
            yield _added(name, table, about)
        return
    key = _object([column for column in table.columns if column.name in table.primary_key])
    got = {**key, "properties": {**_shown(joined), **key["properties"]}}
    yield Operation(f"{name}.get", Effect.READ, got, row, f"{about}: one row by key", version=table.version)
    if writes:
        yield from _writes(name, table, about, _object(table.columns))


def _added(name: str, table: Table, about: str) -> Operation:
    """A new row of a table without a key: it can't be read again, and so not be held to what its caller may see."""
    return Operation(f"{name}.insert", Effect.WRITE, _new(table), {"type": "null"}, f"{about}: a new row")


def _new(table: Table) -> JsonSchema:
    return _object(table.columns, [each.name for each in table.columns if not (each.nullable or each.generated)])


def _writes(name: str, table: Table, about: str, row: JsonSchema) -> Iterator[Operation]:
    new = _new(table)
    yield Operation(f"{name}.insert", Effect.WRITE, new, row, f"{about}: a new row", filters_rows=True)
    change = _guarded(_object(table.columns, table.primary_key))
    effect = Effect.WRITE if table.version else Effect.IDEMPOTENT_WRITE
    yield Operation(
        f"{name}.update",
        effect,
        change,
        row,
        f"{about}: change one row",
        filters_rows=True,
        counts=True,
        version=table.version,
    )
    named = {*table.primary_key, *([table.version] if table.version else [])}
    key = _guarded(_object([column for column in table.columns if column.name in named], table.primary_key))
    gone, removes = {"type": "null"}, f"{about}: remove one row"
    yield Operation(
        f"{name}.delete",
        Effect.IDEMPOTENT_WRITE,
        key,
        gone,
        removes,
        filters_rows=True,
        counts=True,
        version=table.version,
    )


def _row(table: Table, joined: Collection[str]) -> JsonSchema:
    """A row as it is read where neither `fields` nor `expand` say otherwise."""
    row = _object(table.columns)
    return {**row, "properties": {**{name: {} for name in joined}, **row["properties"]}}


def _shown(joined: Collection[str]) -> dict[str, JsonSchema]:
    names: JsonSchema = {"type": "array", "items": {"type": "string"}}
    return {"fields": names} | ({"expand": {"type": "array", "items": {"enum": sorted(joined)}}} if joined else {})


def _list(joined: Collection[str]) -> JsonSchema:
    return {
        "type": "object",
        "properties": {
            "limit": {"type": "integer", "minimum": 1, "maximum": MOST},
            "after": {},
            "before": {},
            "sort": {"type": "array", "items": {"type": "string"}},
            "where": {"type": "array", "items": {"type": "array", "minItems": 3, "maxItems": 3}},
            "rows": {"type": "array"},
            **_shown(joined),
        },
        "additionalProperties": False,
    }


def _guarded(taken: JsonSchema) -> JsonSchema:
    return {**taken, "properties": {WAS: {"type": "object"}, **taken["properties"]}}


def _object(columns: Sequence[Column], required: Sequence[str] | None = None) -> JsonSchema:
    names = [column.name for column in columns] if required is None else list(required)
    properties = {column.name: schema(column.type, column.nullable, column.comment) for column in columns}
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def _answer(row: JsonSchema) -> JsonSchema:
    return {
        "type": "object",
        "properties": {"items": {"type": "array", "items": row}, "next": {}, "previous": {}},
        "required": ["items", "next"],
    }
