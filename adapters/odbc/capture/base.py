"""What all captures of a table have in common."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from adapters.changes import Asked, Page, Retained, Taken
from adapters.contract import Context, Json, Result
from adapters.errors import ConfigError, ConfigProblem
from adapters.odbc.session import Session
from adapters.odbc.statements import TableSql

PAGE = 1_000
"""Rows of a page: as many as a list answers."""


class Run(Protocol):
    """Runs a job on a connection; raises `AdapterError`s (`adapters.odbc.pool.Pool.run`)."""

    def __call__(self, job: Callable[[Session], Any], deadline: float, *, write: bool) -> Awaitable[Any]: ...


@dataclass(frozen=True, slots=True)
class Asking:
    """What asks a database."""

    run: Run
    """On the upstream's own connections."""
    listed: Callable[[str, dict[str, Json], Context], Awaitable[Result]]
    """The upstream's `invoke`."""
    connect: Callable[[bool], Session]
    """A connection of its own; True: one whose results come as they are read."""
    dsn: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Base:
    """Where a captured table is, and what asks its database."""

    asked: Asked
    table: TableSql
    asking: Asking

    @property
    def run(self) -> Run:
        """See `Asking`."""
        return self.asking.run

    @property
    def named(self) -> str:
        """What is made in the database for it is called so."""
        return own_name(self.asked)

    async def page(self, after: Json, limit: int, deadline: float) -> Page:
        """A page of the table's list."""
        wanted = {"limit": min(limit, PAGE), "after": after}
        answer = (await self.asking.listed(f"{self.asked.table}.list", wanted, Context(deadline))).value
        key = self.table.table.primary_key
        return Page([(tuple(row[each] for each in key), row) for row in answer["items"]], answer["next"])

    async def statements(self, statements: Sequence[str], deadline: float) -> None:
        """Runs statements that make or drop things, in one transaction where the database has that."""

        def all_of(session: Session) -> None:
            for each in statements:
                session.statement(each)

        def one_by_one(session: Session) -> None:
            # Each commits by itself, and what comes behind it would be read-only again.
            session.statement("SET SESSION TRANSACTION READ WRITE")
            try:
                all_of(session)
            finally:
                session.statement("SET SESSION TRANSACTION READ ONLY")

        mariadb = self.table.dialect.name == "mariadb"
        job = one_by_one if mariadb else lambda session: session.transaction(all_of)
        await self.run(job, deadline, write=True)


class TableCapture:
    """The part of a capture that is the same for every method."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._table = base.table

    async def page(self, after: Json, limit: int, deadline: float) -> Page:
        """See `adapters.changes.Capture`."""
        return await self._base.page(after, limit, deadline)

    async def retained(self, deadline: float) -> Retained:
        """Nothing that grows."""
        return Retained()

    async def pause(self, seconds: float) -> None:
        """It tells nothing by itself."""
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Nothing is open."""


def own_name(asked: Asked) -> str:
    """Small letters, digits and `_`, at most 60."""
    text = f"{asked.owner}_{asked.name}".lower()
    return "".join(each if each.isascii() and each.isalnum() else "_" for each in text)[:60]


def short(name: str) -> str:
    """A name that leaves room for what is put behind it."""
    return name if len(name) <= 50 else f"{name[:41]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def taken(asked: Asked, by: str) -> Taken:
    """Another gateway has it."""
    return Taken(
        f"another gateway ({by}) captures {asked.name}, and two would take each other's changes away: give one of them "
        "another name, or, where that gateway is gone, run 'figway changes remove' and 'figway changes install' here"
    )


def unfit(sentence: str) -> ConfigError:
    """What a table can't be captured for."""
    return ConfigError([ConfigProblem(sentence)])
