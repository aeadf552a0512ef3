"""Dry runs: a write in a transaction that is rolled back, where the database is sure to take all of it back.

That is known of the tables that a statement names, of the dialects that have an `undoes`: a MariaDB table of an engine
without transactions, a foreign table or a virtual one isn't tried. Nor is a procedure, which may commit by itself.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from adapters.contract import Effect, Json
from adapters.errors import NotTried
from adapters.odbc.dialect import Dialect
from adapters.odbc.guard import unknown_function
from adapters.odbc.headers import Query
from adapters.odbc.model import Model
from adapters.odbc.plans import Job
from adapters.odbc.session import Session

Place = tuple[str, str]
"""A table's schema, empty where it has none, and its name."""

_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge)
_BEYOND = (exp.DDL, exp.Command, exp.Into, exp.Copy, exp.Set, exp.NextValueFor)


def tries(model: Model, operation: str, dialect: Dialect | None) -> bool | None:
    """Whether the operation can be tried, as far as is known without a connection; None: the dialect isn't known."""
    found = model.operations.get(operation)
    if found is None or found.effect is Effect.READ:
        return False
    if dialect is None:
        return None
    return bool(dialect.undoes) and bool(places(model, operation, dialect))


def places(model: Model, operation: str, dialect: Dialect) -> tuple[Place, ...]:
    """The tables that a write touches; none where that can't be told."""
    query = model.queries.get(operation)
    if query is not None:
        return _named(query, dialect)
    name = operation.rpartition(".")[0]
    table = model.tables[name]
    return ((table.schema_ or "", table.table or name),)


def tried(job: Job, places: Iterable[Place], session: Session) -> Json:
    """Runs a write and takes it back; raises `NotTried` before it where that can't be promised."""
    dialect, wanted = session.dialect, tuple(places)

    def trial(open_: Session) -> Json:
        if not dialect.undoes or not wanted or not all(open_.one(dialect.undoes, each) for each in wanted):
            raise NotTried("this write can't be tried without making it: the database wouldn't take all of it back")
        answer = job(open_)
        for statement in dialect.settle:
            open_.statement(statement)
        return answer

    return session.transaction(trial, keep=False)


def _named(query: Query, dialect: Dialect) -> tuple[Place, ...]:
    """The tables of one plain INSERT, UPDATE, DELETE or MERGE that calls nothing unknown; none of any other."""
    try:
        trees = sqlglot.parse(query.text, dialect=dialect.grammar or None)
    except (SqlglotError, RecursionError):
        return ()
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, _WRITES) or not all(_is_plain(node, query) for node in tree.walk() if node is not tree):
        return ()
    tree = normalize_identifiers(tree, dialect=dialect.grammar or None)
    own = {each.alias_or_name.lower() for each in tree.find_all(exp.CTE)}
    return tuple(
        dict.fromkeys(_place(each) for each in tree.find_all(exp.Table) if each.db or each.name.lower() not in own)
    )


def _is_plain(node: exp.Expr, query: Query) -> bool:
    if isinstance(node, _BEYOND) and not isinstance(node, exp.DML):
        return False
    name = unknown_function(node) if isinstance(node, exp.Func) else None
    return name is None or name in query.functions


def _place(table: exp.Table) -> Place:
    return table.db, table.name
