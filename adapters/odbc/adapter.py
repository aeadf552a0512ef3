"""The `odbc` adapter: tables and named SQL of one database, through a pool of one thread a connection."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from adapters.changes import Asked, Capture, Form
from adapters.contract import Context, Effect, Json, Operation, Probe, Result, Source
from adapters.errors import (
    AdapterError,
    ConfigError,
    ConfigProblem,
    DoNotRetry,
    NotTried,
    Refused,
    Unavailable,
    parts_of,
)
from adapters.odbc.bulk import Bulk
from adapters.odbc.capture.base import Asking
from adapters.odbc.capture.form import form_of
from adapters.odbc.capture.methods import capture
from adapters.odbc.config import Config
from adapters.odbc.dialects import DIALECTS, GENERIC, Dialect, dialect_of
from adapters.odbc.elements import element
from adapters.odbc.identity import Who, faults, identity_of
from adapters.odbc.model import Model, compiled
from adapters.odbc.plans import Action, Job, Plan
from adapters.odbc.pool import Pool
from adapters.odbc.session import Session
from adapters.odbc.trace import comment_of, traced
from adapters.odbc.trying import guarded, places, tried, tries
from adapters.secret import Reference
from adapters.zones import zone

_OPEN = 10.0
"""Seconds that opening may take."""


class OdbcAdapter:
    """One database. Reads run in autocommit on a read-only session, each write in a transaction of its own."""

    def __init__(self, name: str, config: Config, model: Model) -> None:
        self._name = name
        self._config = config
        self._model = model
        self._zone = zone(config.time_zone)
        self._identity = identity_of(config)
        self._pool: Pool | None = None
        self._bulk: Bulk | None = None
        self._opening = asyncio.Lock()
        self._dialect = DIALECTS[config.dialect] if config.dialect else dialect_of(str.__str__(config.dsn))
        self._actions = compiled(model, self._dialect, self._zone) if self._dialect is not None else None

    @property
    def name(self) -> str:
        """The upstream's name."""
        return self._name

    def operations(self) -> Mapping[str, Operation]:
        """By name: `TABLE.get|list|insert|update|delete` and the named queries."""
        return self._model.operations

    async def open(self) -> None:
        """Connects once, so that a wrong connection string shows now; learns the dialect where it isn't known."""
        pool = self._connected()
        async with self._opening:
            dialect = await pool.run(
                lambda session: (session.ping(), session.dialect)[1], time.monotonic() + _OPEN, write=False
            )
            if self._actions is None:
                self._actions = await asyncio.to_thread(self._compile, dialect)
                self._dialect = dialect

    def _compile(self, dialect: Dialect) -> Mapping[str, Action]:
        unable = next(faults(self._config, dialect), None)
        if unable is not None:
            raise Refused("the database can't be told who calls, as it is configured to be", detail=unable.message)
        try:
            return compiled(self._model, dialect, self._zone)
        except ConfigError as error:
            detail = "; ".join(f"{each.file}:{each.line}: {each.message}" for each in error.problems)
            raise Refused(f"a named query doesn't suit the database, which is {dialect.name}", detail=detail) from error

    def _connected(self) -> Pool:
        if self._pool is None:
            if isinstance(self._config.dsn, Reference) and self._unset:
                raise Unavailable("the connection string is not set", detail=f"{self._config.dsn.ref} is missing")
            self._pool = Pool(self._session, self._config.concurrency)
        return self._pool

    def _session(self, *, bulk: bool = False) -> Session:
        return Session(str.__str__(self._config.dsn), self._dialect, bulk=bulk)

    async def close(self) -> None:
        """Waits for the calls under way, each of which ends by its deadline, and disconnects."""
        bulk, self._bulk = self._bulk, None
        if bulk is not None:
            bulk.close()
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        """Runs one operation. A cancelled read is cancelled in the database; a cancelled write is left to finish."""
        who = self._identity.of(context) if self._identity is not None else None
        action, plan = await self._planned(operation, input, context)
        write = action.effect is not Effect.READ
        job = functools.partial(_transact, guarded(plan, context)) if write else plan.job
        return await self._run(job, plan, context, write, who)

    def tries(self, operation: str) -> bool | None:
        """Whether it can be tried, as far as the configuration tells; see `adapters.odbc.trying`."""
        return tries(self._model, operation, self._dialect)

    async def dry_run(self, operation: str, input: Mapping[str, Json], context: Context) -> Result:
        """Runs a write in a transaction that is rolled back, and answers what it would have."""
        who = self._identity.of(context) if self._identity is not None else None
        _, plan = await self._planned(operation, input, context)
        assert self._dialect is not None
        if not tries(self._model, operation, self._dialect):
            raise NotTried(f"{operation} can't be tried without doing it")
        touched = places(self._model, operation, self._dialect)
        job = functools.partial(tried, plan, guarded(plan, context), touched)
        result = await self._run(job, plan, context, True, who)
        value, found = result.value
        return result._replace(value=value, tried=found)

    async def bulk(
        self, operation: str, input: Mapping[str, Json], context: Context
    ) -> AsyncGenerator[Sequence[Json], None]:
        """Batches of a list's items, on a connection of its own; see `SupportsBulk`."""
        who = self._identity.of(context) if self._identity is not None else None
        action = await self._action(operation)
        if action.stream is None:
            raise DoNotRetry(f"{operation} is no list that can be read as a whole")
        stream = action.stream(input)
        if self._bulk is None:
            self._bulk = Bulk(functools.partial(self._session, bulk=True))
        async with contextlib.aclosing(
            self._bulk.batches(stream, functools.partial(self._enter, who, context.traceparent), context.deadline)
        ) as batches:
            async for batch in batches:
                yield batch

    def _enter(self, who: Who | None, traceparent: str | None, session: Session) -> None:
        if self._identity is not None and who is not None:
            self._identity.enter(session, who)
        session.comment = comment_of(traceparent) if self._config.trace else ""

    async def _planned(self, operation: str, input: Mapping[str, Json], context: Context) -> tuple[Action, Plan]:
        action = await self._action(operation)
        return action, action.plan(input, context.rows)

    async def _action(self, operation: str) -> Action:
        if operation not in self._model.operations:
            raise DoNotRetry(f"upstream {self._name} has no operation {operation}")
        if self._actions is None:
            await self.open()
        return (self._actions or {})[operation]

    async def _run(self, job: Job, plan: Plan, context: Context, write: bool, who: Who | None) -> Result:
        if self._config.trace and (comment := comment_of(context.traceparent)):
            job = traced(job, comment)
        if self._identity is not None and who is not None:
            job = self._identity.around(job, who)
        at, value = await self._connected().run(functools.partial(_stamped, job), context.deadline, write=write)
        return Result(value, at, (Source(self._name, plan.object, plan.key, as_of=at),))

    def reads_caller(self, operation: str) -> bool:
        """Whether the database is told who calls; see `SupportsSharing`."""
        return self._identity is not None

    def capture(self, asked: Asked) -> Capture:
        """What tells the changes of a table; see `SupportsChanges`."""
        if self._dialect is None:
            raise ConfigError([ConfigProblem("say which dialect the database is of: its changes are told by that")])
        return capture(asked, self._model, self._dialect, self._zone, self._asking())

    def form(self, table: str) -> Form | None:
        """How a table's captured rows are asked; see `SupportsForm`."""
        found = self._model.tables.get(table)
        dialect = self._dialect or (GENERIC if self._unset else None)  # what isn't set can't be judged
        return None if found is None or dialect is None else form_of(found, dialect)

    @property
    def _unset(self) -> bool:
        """Whether the connection string is a reference to what isn't there."""
        return isinstance(self._config.dsn, Reference) and self._config.dsn.missing

    def _asking(self) -> Asking:
        async def run(job: Callable[[Session], Any], deadline: float, *, write: bool) -> Any:
            return await self._connected().run(job, deadline, write=write)

        return Asking(run, self.invoke, lambda bulk: self._session(bulk=bulk), str.__str__(self._config.dsn))

    def element(self, operation: str, pointer: str) -> str | None:
        """The column that a part of an answer is read from; see `SupportsElements`."""
        return element(self._model, operation, parts_of(pointer))

    async def probe(self, context: Context) -> Probe:
        """The smallest statement on one connection; facts: the dialect and the pool's counts."""
        started = time.monotonic()
        try:
            await self._connected().run(Session.ping, context.deadline, write=False)
        except AdapterError as error:
            return Probe(False, error.message, time.monotonic() - started, self._facts())
        return Probe(True, "answers", time.monotonic() - started, self._facts())

    def _facts(self) -> dict[str, Json]:
        counts: dict[str, Json] = dict(self._pool.facts) if self._pool is not None else {}
        return {"dialect": self._dialect.name if self._dialect is not None else None, **counts}


def _stamped(job: Job, session: Session) -> tuple[datetime, Any]:
    return datetime.now(UTC), job(session)


def _transact(job: Job, session: Session) -> Json:
    return session.transaction(job)
