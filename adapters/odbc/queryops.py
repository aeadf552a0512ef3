"""The operations of named SQL files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from adapters.contract import Effect, Json, JsonSchema, Operation, Rows
from adapters.errors import BadReply, DoNotRetry, FieldError, Invalid, NotFound, pointer
from adapters.odbc.dialects import Dialect
from adapters.odbc.headers import Parameter, Query
from adapters.odbc.named import Prepared, prepare
from adapters.odbc.plans import Action, Plan
from adapters.odbc.session import Found, Session
from adapters.odbc.statements import to_bind
from adapters.odbc.values import ColumnType, decode, schema, spell

ROWS = 10_000
"""Rows that a named query answers at most; one that finds more is refused rather than cut."""
_COUNTED = (exp.Insert, exp.Update, exp.Delete)
_GRAMMARS = (None, "postgres", "mysql", "sqlite", "tsql", "oracle")


def describe(query: Query) -> Operation:
    """The operation of a named SQL file."""
    parameters = query.parameters.values()
    taken: JsonSchema = {
        "type": "object",
        "properties": {each.name: schema(each.type, each.nullable) for each in parameters},
        "required": [each.name for each in parameters if not each.nullable],
        "additionalProperties": False,
    }
    about = query.description or f"Named query {query.name}"
    return Operation(query.name, query.effect, taken, _answer(query), about, counts=_counts(query))


def _counts(query: Query) -> bool:
    """Whether it is a write of which the database tells how many rows it changes: nothing but plain statements."""
    if query.effect is Effect.READ:
        return False
    for grammar in _GRAMMARS:
        try:
            trees = sqlglot.parse(query.text, dialect=grammar)
        except (SqlglotError, RecursionError):
            continue
        return all(tree is None or isinstance(tree, _COUNTED) for tree in trees)
    return False


def _answer(query: Query) -> JsonSchema:
    if query.result == "count":
        return {"type": "object", "properties": {"rows": {"type": "integer"}}, "required": ["rows"]}
    row: JsonSchema = {
        "type": "object",
        "properties": {name: schema(kind, nullable=True) for name, kind in query.columns.items()},
    }
    if query.result == "one":
        return row
    if query.result == "sets":
        every: dict[str, Json] = {"sets": {"type": "array", "items": {"type": "array", "items": row}}}
        if query.outs:
            out = {name: schema(kind, nullable=True) for name, kind in query.outs.items()}
            every["out"] = {"type": "object", "properties": out}
        return {"type": "object", "properties": every, "required": list(every)}
    return {"type": "object", "properties": {"items": {"type": "array", "items": row}, "next": {"type": "null"}}}


def action(query: Query, dialect: Dialect, zone: tzinfo) -> Action:
    """How a dialect runs a named SQL file; raises `ConfigError` where it may not or can't."""
    prepared = prepare(query, dialect)

    def plan(input: Mapping[str, Json], rows: Rows | None) -> Plan:
        if rows is not None:
            raise DoNotRetry(f"{query.name} can't be held to the rows that the caller may see")
        bound = _bound(query.parameters, input, dialect, zone)
        return Plan(lambda session: _run(session, query, prepared, bound, zone), query.name)

    return Action(query.effect, plan)


def _bound(
    parameters: Mapping[str, Parameter], input: Mapping[str, Json], dialect: Dialect, zone: tzinfo
) -> dict[str, Any]:
    errors = [FieldError(pointer(name), "is not taken here") for name in input if name not in parameters]
    bound: dict[str, Any] = {}
    for name, parameter in parameters.items():
        value = input.get(name)
        bound[name] = None
        if value is None:
            if not parameter.nullable:
                errors.append(FieldError(pointer(name), "is required"))
            continue
        try:
            bound[name] = to_bind(parameter.type, value, dialect, zone)
        except ValueError as error:
            errors.append(FieldError(pointer(name), str(error)))
    if errors:
        raise Invalid("the input doesn't fit the query's parameters", errors=errors)
    return bound


def _run(
    session: Session, query: Query, statements: Sequence[Prepared], bound: Mapping[str, Any], zone: tzinfo
) -> Json:
    """All statements, one after the other; what the last one answers counts, and of counts their sum."""
    total = 0
    sets: list[Found] = []
    for each in statements:
        count, sets = session.results(each.sql, [bound[name] for name in each.markers], ROWS + 1)
        total += max(count, sum(len(rows) for _, rows in sets))
    session.affected += total
    if query.result == "count":
        return {"rows": total}
    if sum(len(rows) for _, rows in sets) > ROWS:
        raise BadReply(f"the query finds more than {ROWS} rows; narrow it")
    made = [[_item(query, query.columns, names, row, zone) for row in rows] for names, rows in sets]
    if query.result == "sets":
        return _sets(query, sets, made, zone)
    items = made[0] if made else []
    if query.result == "many":
        return {"items": items, "next": None}
    if not items:
        raise NotFound(f"{query.name} finds nothing")
    if len(items) > 1:
        raise BadReply(f"{query.name} finds more than one row, and is declared to find one")
    return items[0]


def _sets(query: Query, sets: Sequence[Found], made: list[list[dict[str, Json]]], zone: tzinfo) -> Json:
    """All result sets, and what a procedure gave back in its parameters: databases answer that as a last row."""
    if not query.outs:
        return {"sets": made}
    names, rows = sets[-1] if sets else ([], [])
    if len(rows) != 1 or [name.lower() for name in names] != [name.lower() for name in query.outs]:
        raise BadReply(
            f"{query.name} doesn't give back the parameters that it is declared to",
            detail=f"declared {', '.join(query.outs)}; the last result has {', '.join(names) or 'no columns'}",
        )
    kinds = dict(query.outs)
    return {"sets": made[:-1], "out": _item(query, kinds, list(kinds), rows[0], zone)}


def _item(
    query: Query, kinds: Mapping[str, ColumnType], names: Sequence[str], row: Sequence[Any], zone: tzinfo
) -> dict[str, Json]:
    if len(set(names)) != len(names):
        raise BadReply(f"two result columns of {query.name} have the same name")
    return {name: _value(query, kinds, name, raw, zone) for name, raw in zip(names, row, strict=True)}


def _value(query: Query, kinds: Mapping[str, ColumnType], name: str, raw: Any, zone: tzinfo) -> Json:
    kind = kinds.get(name)
    if kind is not None:
        return decode(kind, raw, zone)
    if isinstance(raw, datetime) and str(zone) != str(UTC):
        raise BadReply(
            f"it can't be told whether column {name} of {query.name} is an instant or a local time",
            detail=f"add '-- column {name}: timestamp' or '-- column {name}: timestamptz' to {query.file}",
        )
    return spell(raw, zone)
