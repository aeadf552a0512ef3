"""Dry runs: a write in a transaction that is rolled back, where the database is sure to take all of it back.

That is known of the tables that a statement names, of the dialects that have an `undoes`: a MariaDB table of an engine
without transactions, a foreign table or a virtual one isn't tried. Nor is a procedure, which may commit by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from adapters.contract import Context, Effect, Json, Tried
from adapters.errors import DoNotRetry, Moved, NotTried
from adapters.odbc.dialect import Dialect
from adapters.odbc.guard import unknown_function
from adapters.odbc.headers import Query
from adapters.odbc.model import Model
from adapters.odbc.plans import Job, Plan
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


def guarded(plan: Plan, context: Context) -> Job:
    """The plan's job, held to what a dry run told and to the rows that it may change: it raises `Moved` or
    `DoNotRetry`, and its transaction is rolled back."""
    held, most = context.held, context.most
    if held is None and most is None:
        return plan.job

    def job(session: Session) -> Json:
        if held is not None and held.state and plan.peek is not None and state_of(plan.peek(session)) != held.state:
            raise Moved("what is to be changed isn't as it was when the change was tried; nothing was changed")
        answer = plan.job(session)
        if most is not None and session.affected > most:
            raise DoNotRetry(f"it would change more than {most} rows, which is the most it may; nothing was changed")
        if held is not None and held.affected is not None and session.affected != held.affected:
            raise Moved("it would change other rows than when it was tried; nothing was changed")
        return answer

    return job


def state_of(row: Json) -> str:
    """A digest of a row, or of there being none."""
    return sha256(json.dumps(row, sort_keys=True, default=str).encode()).hexdigest()


def tried(plan: Plan, job: Job, places: Iterable[Place], session: Session) -> tuple[Json, Tried]:
    """Runs a write and takes it back: what it answers, and what it would change. Raises `NotTried` before it where
    that can't be promised."""
    dialect, wanted = session.dialect, tuple(places)

    def trial(open_: Session) -> tuple[Json, Tried]:
        if not dialect.undoes or not wanted or not all(open_.one(dialect.undoes, each) for each in wanted):
            raise NotTried("this write can't be tried without making it: the database wouldn't take all of it back")
        before = None if plan.peek is None else plan.peek(open_)
        answer = job(open_)
        for statement in dialect.settle:
            open_.statement(statement)
        state = "" if plan.peek is None else state_of(before)
        return answer, Tried(open_.affected, before, plan.one, state)

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
