"""MariaDB's binary log: every committed change of a table, in the order of the commits.

A position is `FILE:POS:n`: where a transaction begins, and how many of its changes of this table are stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from adapters.changes import Batch, Change, Guarantee, NotInstalled, PositionLost, What
from adapters.contract import Json
from adapters.errors import Unavailable
from adapters.odbc.capture.base import Base, TableCapture, unfit
from adapters.odbc.capture.stream import Failed, Item, Passed, Place, Stream, Told, spelt
from adapters.odbc.session import Session
from adapters.odbc.source import attributes
from adapters.odbc.values import decode

_NEEDED = {"log_bin": "ON", "binlog_format": "ROW", "binlog_row_image": "FULL", "binlog_row_metadata": "FULL"}
_SETTINGS = (
    "SELECT @@GLOBAL.log_bin, @@GLOBAL.binlog_format, @@GLOBAL.binlog_row_image, @@GLOBAL.binlog_row_metadata, "
    "DATABASE()"
)
_COLUMNS = (
    "SELECT column_name, column_type FROM information_schema.columns WHERE table_schema = ? AND table_name = ? "
    "ORDER BY ordinal_position"
)
_CASCADES = (
    "SELECT 1 FROM information_schema.referential_constraints WHERE constraint_schema = ? AND table_name = ? "
    "AND (delete_rule IN ('CASCADE', 'SET NULL') OR update_rule IN ('CASCADE', 'SET NULL')) LIMIT 1"
)
_LOOK, _AT_ONCE = 0.05, 500


class Binlog(TableCapture):
    """The changes of one table."""

    guarantee = Guarantee(
        "all", "commit", True, "some 10 ms", "what foreign keys cascade, which the database doesn't log"
    )

    def __init__(self, base: Base) -> None:
        super().__init__(base)
        given = attributes(base.asking.dsn)
        if given.keys().isdisjoint({"server", "servername", "socket"}) and (given or base.asking.dsn):
            raise unfit("method binlog needs a connection string that says Server=")
        self._schema = self._table.table.schema_ or ""
        self._stream: Stream | None = None
        self._unread: deque[Item] = deque()
        self._at = ""
        self._place: Place = ("", 0)
        self._news = asyncio.Event()

    async def begin(self, deadline: float) -> str:
        """Where the log ends now; raises `NotInstalled` where it isn't written as it must be."""
        await self._checked(deadline)
        self._stop()
        file, position = await self._head(deadline)
        return f"{file}:{position}:0"

    async def changes(self, after: str, limit: int, deadline: float) -> Batch:
        """What the thread has read."""
        self._news.clear()
        head = await self._head(deadline)
        if self._stream is None or self._at != after:
            await self._restart(after, deadline)
        try:
            return await self._read(after, limit, head, deadline)
        except BaseException:
            self._stop()
            raise

    async def _read(self, after: str, limit: int, head: Place, deadline: float) -> Batch:
        found: list[Change] = []
        stored = int(after.rpartition(":")[2])
        while len(found) < limit and not _reached(self._place, head):
            if not self._unread:
                self._unread.extend(await asyncio.to_thread(self._next))
            if not self._unread:
                if time.monotonic() > deadline:
                    raise Unavailable("the database's log ends before what it says")
                continue
            item = self._unread.popleft()
            if isinstance(item, Told):
                if item.number > stored:
                    found += await self._changes(item, deadline)
                    stored = item.number
            else:
                place = self._passed(item)
                # What the log begins with when it is sent stands where the transaction does.
                self._place, stored = place, stored if place == self._place else 0
        self._at = f"{self._place[0]}:{self._place[1]}:{stored}"
        return Batch(found, self._at, not _reached(self._place, head))

    def _next(self) -> list[Item]:
        """What the thread has read, or reads soon."""
        assert self._stream is not None
        found: list[Item] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._stream.queue.get(timeout=_LOOK))
            while len(found) < _AT_ONCE:
                found.append(self._stream.queue.get_nowait())
        return found

    def _passed(self, item: Passed | Failed) -> Place:
        if isinstance(item, Passed):
            return item.place
        if item.lost:
            raise PositionLost("the database has thrown away the part of its log that comes next")
        raise Unavailable("the database's log can't be read", detail=item.reason)

    async def _changes(self, item: Told, deadline: float) -> list[Change]:
        id = f"{item.start[0]}:{item.start[1]}:{item.number}"
        if item.what == "truncate":
            return [Change(id, What.TRUNCATE, at=item.at)]
        if item.what == "schema":
            rows = await self._base.run(
                lambda session: session.rows(_COLUMNS, (self._schema, self._named), 4096), deadline, write=False
            )
            return [Change(id, What.SCHEMA, after={"columns": {row[0]: row[1] for row in rows}}, at=item.at)]
        return self._row(item, id)

    def _row(self, item: Told, id: str) -> list[Change]:
        if item.after is None:
            return [Change(id, What.DELETE, self._key(self._values(item.before or {})), None, item.at)]
        after = self._values(item.after)
        key = self._key(after)
        if item.before is not None and (before := self._key(self._values(item.before))) != key:
            gone = Change(f"{id}a", What.DELETE, before, None, item.at)
            return [gone, Change(f"{id}b", What.INSERT, key, after, item.at)]
        return [Change(id, What.INSERT if item.what == "insert" else What.UPDATE, key, after, item.at)]

    def _values(self, values: Mapping[str, Any]) -> dict[str, Json]:
        columns = self._table.table.columns
        zone = self._table.zone
        return {each.name: decode(each.type, values[each.name], zone) for each in columns if each.name in values}

    def _key(self, row: Mapping[str, Json]) -> tuple[Json, ...]:
        return tuple(row.get(name) for name in self._table.table.primary_key)

    @property
    def _named(self) -> str:
        return self._table.table.table or self._table.name

    async def _restart(self, after: str, deadline: float) -> None:
        self._stop()
        if not self._schema:
            await self._checked(deadline)
        try:
            file, position, _ = after.split(":")
            self._place = (file, int(position))
        except ValueError:
            raise PositionLost("what is stored isn't a position in this log") from None
        dsn, schema, loop = self._base.asking.dsn, self._schema, asyncio.get_running_loop()

        def news() -> None:
            if not self._news.is_set():
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(self._news.set)

        self._stream = await asyncio.to_thread(Stream, dsn, schema, self._named, self._place, spelt, news)

    async def _checked(self, deadline: float) -> None:
        """Learns in which database the table is; raises `NotInstalled` where its log doesn't say all."""

        def job(session: Session) -> tuple[Any, Any]:
            row = session.one(_SETTINGS, ())
            schema = self._schema or str(row[4])
            return row, session.one(_CASCADES, (schema, self._named))

        row, cascades = await self._base.run(job, deadline, write=False)
        said = dict(zip(_NEEDED, (_word(each) for each in row[:4]), strict=True))
        wrong = [f"{name}={wanted}" for name, wanted in _NEEDED.items() if said[name] != wanted]
        if wrong:
            raise NotInstalled(f"the database's log must be written with {', '.join(wrong)}")
        if cascades is not None:
            raise NotInstalled("a foreign key of the table cascades, and the database doesn't log what that changes")
        self._schema = self._schema or str(row[4])

    async def _head(self, deadline: float) -> Place:
        row = await self._base.run(lambda session: session.one("SHOW MASTER STATUS", ()), deadline, write=False)
        if row is None:
            raise NotInstalled("the database writes no binary log: start it with log_bin")
        return str(row[0]), int(row[1])

    async def release(self, position: str, deadline: float) -> None:
        """The log is the database's to keep; it throws it away by its own rules."""

    async def pause(self, seconds: float) -> None:
        """Until the database sends a change, which it does by itself."""
        if all(isinstance(each, Passed) for each in self._unread):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), seconds)

    async def close(self) -> None:
        """Ends the thread."""
        self._stop()

    def _stop(self) -> None:
        stream, self._stream = self._stream, None
        self._unread.clear()
        if stream is not None:
            stream.close()


def _reached(place: Place, head: Place) -> bool:
    return _order(place) >= _order(head)


def _order(place: Place) -> tuple[int, int]:
    number = place[0].rpartition(".")[2]
    return (int(number) if number.isdigit() else 0, place[1])


def _word(value: Any) -> str:
    return {"1": "ON", "0": "OFF"}.get(str(value), str(value))
