"""What the database calls a part of an answer: `schema.table.column`."""

from __future__ import annotations

from functools import lru_cache

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import lineage

from adapters.odbc.model import Model
from adapters.odbc.tables import Table


def element(model: Model, operation: str, parts: list[str]) -> str | None:
    """The column that a part of an operation's answer is read from; of a named query that computes it, or reads it
    from more than one column, the query's own column. None where the answer has no such part."""
    names = [part for part in parts if part != "*" and not part.isdecimal()]
    query = model.queries.get(operation)
    if query is not None:
        name = _name(names, many=query.result == "many")
        return None if name is None else _read_from(query.text, name) or f"{query.name}.{name}"
    table_name, _, verb = operation.rpartition(".")
    table = model.tables.get(table_name)
    name = _name(names, many=verb == "list")
    if table is None or name not in {column.name for column in table.columns}:
        return None
    return f"{_whole_name(table_name, table)}.{name}"


def _name(names: list[str], *, many: bool) -> str | None:
    if many and names[:1] != ["items"]:
        return None
    rest = names[1:] if many else names
    return rest[0] if len(rest) == 1 else None


def _whole_name(name: str, table: Table) -> str:
    return ".".join(filter(None, [table.schema_, table.table or name]))


@lru_cache(maxsize=512)
def _read_from(sql: str, column: str) -> str | None:
    """The one column of one table that a statement's column stands for; None where it isn't that plain."""
    try:
        root = lineage(column, sql, {})
    except (SqlglotError, ValueError, KeyError):
        return None
    leaves = [node for node in root.walk() if not node.downstream]
    plain = all(isinstance(node.expression.unalias(), exp.Column) for node in root.walk() if node.downstream)
    if len(leaves) != 1 or not plain or not isinstance(leaves[0].expression, exp.Table):
        return None
    table = leaves[0].expression
    name = leaves[0].name.rpartition(".")[2].strip('"')
    return ".".join(filter(None, [table.catalog, table.db, table.name, name]))
