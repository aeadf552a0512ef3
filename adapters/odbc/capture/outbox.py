"""A table that triggers write each change into, read and emptied: for any database that has triggers.

What was read is deleted by its numbers, never by "all up to": a transaction that commits late has smaller numbers than
what was read before it. So nothing is lost, and as the writers of one row wait for each other, its changes keep their
order. A position names the numbers that are stored, and are to be deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson

from adapters.changes import Batch, Change, Guarantee, NotInstalled, PositionLost, What
from adapters.contract import Json
from adapters.errors import BadReply
from adapters.odbc.capture import outbox_ddl
from adapters.odbc.capture.base import Base, TableCapture, taken
from adapters.odbc.failures import DatabaseError, Failure
from adapters.odbc.session import Session
from adapters.odbc.values import ColumnType, decode

_MISSES: Mapping[str, str] = {
    "mariadb": "what foreign keys cascade, and TRUNCATE: MariaDB runs no triggers for either",
    "sqlite": "rows that an INSERT OR REPLACE removes for another unique key than their own, unless "
    "PRAGMA recursive_triggers is on",
    "postgresql": "",
}
_MOMENT = ColumnType("timestamptz")


class Outbox(TableCapture):
    """The changes of one table."""

    def __init__(self, base: Base) -> None:
        super().__init__(base)
        self._place = outbox_ddl.place(self._table, base.named)
        self.guarantee = Guarantee(
            "all", "key", True, "some 10 ms behind the commit", _MISSES.get(self._table.dialect.name, "")
        )
        text = self._table.dialect.read
        moment = text.get("timestamptz", "{c}").format(c="at")
        document = "CAST({c} AS text)" if self._table.dialect.name == "postgresql" else "{c}"
        old, new = document.format(c="old"), document.format(c="new")
        self._select = f"SELECT seq, {moment}, op, columns, {old}, {new} FROM {self._place} ORDER BY seq LIMIT ?"  # noqa: S608 - quoted names, bound values
        # MariaDB also waits for the row behind a range, which may be another's who hasn't committed yet.
        self._singly = self._table.dialect.name == "mariadb"
        which = "= ?" if self._singly else "BETWEEN ? AND ?"
        self._delete = f"DELETE FROM {self._place} WHERE seq {which}"  # noqa: S608 - quoted names
        owner = outbox_ddl.owner(self._table, base.named)
        self._owner = f"SELECT id FROM {owner} WHERE n = 1"  # noqa: S608 - quoted names
        self._claim = f"INSERT INTO {owner} (n, id) VALUES (1, ?)"  # noqa: S608 - quoted names
        self._claimed = False
        self._emptied = ""

    def script(self) -> Sequence[str]:
        """The table and its triggers."""
        return outbox_ddl.script(self._table, self._base.named)

    async def install(self, deadline: float) -> None:
        """Makes them; rows that wait in the outbox stay."""
        await self._base.statements(self.script(), deadline)

    async def remove(self, deadline: float) -> None:
        """Takes them away."""
        await self._base.statements(outbox_ddl.removal(self._table, self._base.named), deadline)

    async def begin(self, deadline: float) -> str:
        """What is in the outbox already is told, too: it may come from transactions that are still open."""
        await self._base.run(lambda session: self._rows(session, 1), deadline, write=False)
        await self._own(deadline)
        return _position([], "")

    async def _own(self, deadline: float) -> None:
        """The outbox is this gateway's from here on; raises `Taken`."""
        job = self._owned
        await self._base.run(lambda session: session.transaction(job), deadline, write=True)
        self._claimed = True

    def _owned(self, session: Session) -> None:
        gateway = self._base.asked.gateway
        if not gateway:
            return
        with self._installed():
            found = session.one(self._owner, ())
        if found is None:
            session.execute(self._claim, (gateway,))
        elif found[0] != gateway:
            self._claimed = False
            raise taken(self._base.asked, found[0])

    async def changes(self, after: str, limit: int, deadline: float) -> Batch:
        """What is in the outbox, once what was stored of it is deleted."""
        stored, shape = _read(after)
        if not self._claimed:
            await self._own(deadline)
        if stored and self._emptied != after:
            await self.release(after, deadline)
        rows = await self._base.run(lambda session: self._rows(session, limit), deadline, write=False)
        found: list[Change] = []
        for row in rows:
            found += self._changes(row, shape)
            shape = row[3]
        numbers = [int(row[0]) for row in rows]
        position = _position(numbers, shape) if rows else after if stored else _position([], shape)
        return Batch(found, position, len(rows) == limit)

    async def release(self, position: str, deadline: float) -> None:
        """Deletes what is stored."""
        ranges, _ = _read(position)
        if not ranges:
            return

        def job(session: Session) -> None:
            for first, last in ranges:
                if self._singly:
                    for number in range(first, last + 1):
                        session.execute(self._delete, (number,))
                else:
                    session.execute(self._delete, (first, last))
            # Not before: in SQLite, a transaction that has read can't write once somebody else has. `Taken` undoes it.
            self._owned(session)

        await self._base.run(lambda session: session.transaction(job), deadline, write=True)
        self._emptied = position

    def _rows(self, session: Session, limit: int) -> list[Any]:
        with self._installed():
            return session.rows(self._select, (limit,), limit)

    @contextmanager
    def _installed(self) -> Iterator[None]:
        """Raises `NotInstalled` for a table that isn't there."""
        try:
            yield
        except DatabaseError as error:
            if error.failure is Failure.ABSENT or "no such table" in error.detail:
                raise NotInstalled(f"there is no outbox for {self._base.asked.name}") from error
            raise

    def _changes(self, row: Any, shape: str) -> Iterator[Change]:
        number, moment, op, columns, old, new = row
        at = datetime.fromisoformat(str(decode(_MOMENT, moment, UTC)).replace("Z", "+00:00"))
        if shape and columns != shape:
            names = columns.split("\n")
            known = {name: self._table.table.column(name) for name in names}
            shown = {name: str(each.type) if each is not None else "unknown" for name, each in known.items()}
            yield Change(f"{number}s", What.SCHEMA, after={"columns": shown}, at=at)
        if op == "T":
            yield Change(str(number), What.TRUNCATE, at=at)
            return
        before = None if old is None else self._key(self._values(self._table.table.primary_key, old))
        if new is None:
            assert before is not None
            yield Change(str(number), What.DELETE, before, None, at)
            return
        after = self._values(columns.split("\n"), new)
        key = self._key(after)
        if before is not None and before != key:
            yield Change(f"{number}a", What.DELETE, before, None, at)
            yield Change(f"{number}b", What.INSERT, key, after, at)
        else:
            yield Change(str(number), What.INSERT if op == "I" else What.UPDATE, key, after, at)

    def _values(self, names: Sequence[str], written: str) -> dict[str, Json]:
        given = orjson.loads(written)
        values = [each for part in given for each in (part if isinstance(part, list) else [part])]
        if len(values) != len(names):
            raise BadReply("the outbox holds a row that has other columns than it says")
        made: dict[str, Json] = {}
        for name, value in zip(names, values, strict=True):
            column = self._table.table.column(name)
            if column is not None:
                made[name] = decode(column.type, value, self._table.zone)
        return made

    def _key(self, row: Mapping[str, Json]) -> tuple[Json, ...]:
        return tuple(row.get(name) for name in self._table.table.primary_key)


def _position(numbers: Sequence[int], shape: str) -> str:
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return orjson.dumps([ranges, shape]).decode()


def _read(position: str) -> tuple[list[list[int]], str]:
    try:
        ranges, shape = orjson.loads(position)
        return [[int(first), int(last)] for first, last in ranges], str(shape)
    except (ValueError, TypeError):
        raise PositionLost("what is stored isn't a position in this outbox") from None
