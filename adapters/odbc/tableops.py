"""The operations of all tables, as one dialect runs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from adapters.contract import Effect
from adapters.odbc.expand import Relations, relations
from adapters.odbc.plans import Action
from adapters.odbc.reads import TableReads
from adapters.odbc.statements import TableSql
from adapters.odbc.writes import TableWrites


def actions(tables: Mapping[str, TableSql]) -> Mapping[str, Action]:
    """How a dialect runs what `describe` describes, by operation name."""
    joined = relations(tables)
    return {name: action for each in tables.values() for name, action in _actions(each, joined[each.name])}


def _actions(sql: TableSql, joined: Relations) -> Iterator[tuple[str, Action]]:
    reads = TableReads(sql, joined)
    yield f"{sql.name}.list", Action(Effect.READ, reads.page, reads.stream)
    rows = TableWrites(sql, joined)
    if not sql.keys:
        yield f"{sql.name}.insert", Action(Effect.WRITE, rows.add)
    else:
        yield f"{sql.name}.get", Action(Effect.READ, rows.get)
        yield f"{sql.name}.insert", Action(Effect.WRITE, rows.insert)
        yield f"{sql.name}.update", Action(Effect.WRITE, rows.update)
        yield f"{sql.name}.delete", Action(Effect.WRITE, rows.delete)
