"""PostgreSQL's logical slot, read over plain ODBC: peek, store, advance.

A position is `LSN:n:f`: everything is stored that was committed before LSN, the first n messages of the transaction
that was committed at LSN, and f stands for the columns as they were told last. A peek may answer a transaction of any
length: it is read through a cursor, portion by portion, and what was stored of it isn't told again after a restart.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from adapters.changes import Batch, Change, Guarantee, NotInstalled, PositionLost, Retained
from adapters.errors import Retry
from adapters.odbc.capture.base import Base, TableCapture
from adapters.odbc.capture.decoding import Decoding
from adapters.odbc.capture.pgoutput import lsn_of, lsn_text
from adapters.odbc.failures import DatabaseError, Failure
from adapters.odbc.pool import Pool
from adapters.odbc.session import Session

_PORTION = 2_000
_IDLE_BYTES = 2**20
"""How far the log of others' changes goes on before the slot is moved along."""
_SLOW, _NUDGE_EVERY = 0.1, 10.0

_STATE = (
    "SELECT CAST(confirmed_flush_lsn AS text), wal_status, CAST(pg_current_wal_insert_lsn() AS text), "
    "CAST(pg_current_wal_flush_lsn() AS text) FROM pg_replication_slots "
    "WHERE slot_name = ? AND database = current_database()"
)
_PEEK = (
    "SELECT data, CAST(pg_current_wal_flush_lsn() AS text) FROM pg_logical_slot_peek_binary_changes("
    "?, NULL, CAST(? AS int), 'proto_version', '1', 'publication_names', ?)"
)
_ADVANCE = "SELECT 1 FROM pg_replication_slot_advance(?, CAST(? AS pg_lsn))"
_CREATE = "SELECT CAST(lsn AS text) FROM pg_create_logical_replication_slot(?, 'pgoutput')"
_DROP = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = ? AND NOT active"
_PUBLISHED = "SELECT 1 FROM pg_publication WHERE pubname = ?"
_RETAINED = (
    "SELECT CAST(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) AS bigint) FROM pg_replication_slots "
    "WHERE slot_name = ?"
)
# To make a slot notes which transactions run, up to which the others may then forget the log.
_NUDGE = "SELECT pg_drop_replication_slot(slot_name) FROM pg_create_logical_replication_slot(?, 'pgoutput', true)"


class Place(NamedTuple):
    """A position, read."""

    lsn: int
    stored: int
    columns: str

    def __str__(self) -> str:
        return f"{lsn_text(self.lsn)}:{self.stored}:{self.columns}"

    @classmethod
    def of(cls, position: str) -> Place:
        """Raises `PositionLost` where it is none."""
        try:
            lsn, stored, columns = position.split(":")
            return cls(lsn_of(lsn), int(stored), columns)
        except ValueError:
            raise PositionLost("what is stored isn't a position in this log") from None


class Slot(TableCapture):
    """The changes of one table."""

    guarantee = Guarantee(
        "all", "commit", True, "some 10 ms, and as long as the log since the oldest open transaction takes to read"
    )

    def __init__(self, base: Base) -> None:
        super().__init__(base)
        self._pool = Pool(lambda: base.asking.connect(True), 1)
        self._decoding: Decoding | None = None
        self._reading: Session | None = None
        self._nudged = 0.0

    def script(self) -> Sequence[str]:
        """The publication; the slot itself is made when the first load begins."""
        source, name = self._table.source, self._base.named
        return (
            f"DO $$ BEGIN CREATE PUBLICATION {name} WITH (publish_via_partition_root = true); "
            "EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            f"ALTER PUBLICATION {name} SET TABLE {source}",
        )

    async def install(self, deadline: float) -> None:
        """Makes the publication."""
        await self._base.statements(self.script(), deadline)

    async def remove(self, deadline: float) -> None:
        """Drops the slot, which would keep the log for ever, and the publication."""
        name = self._base.named
        await self._base.run(lambda session: session.rows(_DROP, (name,), 1), deadline, write=False)
        await self._base.statements((f"DROP PUBLICATION IF EXISTS {name}",), deadline)

    async def begin(self, deadline: float) -> str:
        """Makes the slot, in place of one that there is."""
        name = self._base.named

        def job(session: Session) -> str:
            if session.one(_PUBLISHED, (name,)) is None:
                raise NotInstalled(f"there is no publication for {self._base.asked.name}")
            session.rows(_DROP, (name,), 1)
            if session.one(_STATE, (name,)) is not None:
                raise Retry("another connection still reads the capture's slot")
            return str(session.one(_CREATE, (name,))[0])

        self._reading = None
        return str(Place(lsn_of(await self._base.run(job, deadline, write=False)), 0, ""))

    async def changes(self, after: str, limit: int, deadline: float) -> Batch:
        """A portion of what a peek answers."""
        found: Batch = await self._pool.run(lambda session: self._portion(session, after, limit), deadline, write=False)
        return found

    def _portion(self, session: Session, after: str, limit: int) -> Batch:
        decoding = self._decoding
        if decoding is None or self._reading is not session or str(decoding.place) != after:
            decoding = self._decoding = self._peeked(session, after, limit)
            self._reading = session
        changes: list[Change] = []
        rows: Sequence[Any] = ()
        try:
            while not changes and (rows := session.more(_PORTION)):
                changes = [each for row in rows for each in decoding.changes(bytes(row[0]))]
        except BaseException:
            self._reading = None  # what a cursor has given is gone: the next call peeks anew
            raise
        if len(rows) == _PORTION:
            return Batch(changes, str(decoding.place), True)
        self._reading = None
        return self._ended(session, decoding, changes)

    def _ended(self, session: Session, decoding: Decoding, changes: list[Change]) -> Batch:
        """The last portion. What others wrote meanwhile counts, so that the slot doesn't stand still."""
        seen, place = decoding.seen, decoding.place
        if not changes and time.monotonic() - decoding.since > _SLOW:
            self._nudge(session)
        if seen >= decoding.limit:
            return Batch(changes, str(place), True)
        flushed = lsn_of(str(session.one("SELECT CAST(pg_current_wal_flush_lsn() AS text)", ())[0]))
        if not place.stored and decoding.flushed > place.lsn + (0 if changes else _IDLE_BYTES):
            place = place._replace(lsn=decoding.flushed)
        # What is committed without waiting for the disk can be seen before it can be peeked at.
        return Batch(changes, str(place), flushed < decoding.inserted)

    def _peeked(self, session: Session, after: str, limit: int) -> Decoding:
        place, name = Place.of(after), self._base.named
        state = session.one(_STATE, (name,))
        if state is None:
            raise PositionLost("the database has no slot for this capture (any more)")
        confirmed, status, inserted, flushed = state
        if status == "lost" or lsn_of(confirmed) > place.lsn:
            raise PositionLost("the database has thrown away what the slot had not told yet")
        session.start(_PEEK, (name, limit, name))
        return Decoding(place, session, self._table, limit, lsn_of(flushed), lsn_of(inserted))

    def _nudge(self, session: Session) -> None:
        """Has the database note which transactions run: until it does so by itself, each peek reads everything since
        it last did."""
        if time.monotonic() - self._nudged < _NUDGE_EVERY:
            return
        self._nudged = time.monotonic()
        try:
            session.bound(0.25)
            session.rows(_NUDGE, (f"{self._base.named}_n",), 1)
        except DatabaseError as error:
            if error.failure in (Failure.LOST, Failure.UNREACHABLE):
                raise

    async def release(self, position: str, deadline: float) -> None:
        """Moves the slot along."""
        place, name = Place.of(position), self._base.named

        def job(session: Session) -> None:
            confirmed = session.one(_STATE, (name,))
            if confirmed is not None and lsn_of(confirmed[0]) < place.lsn:
                session.rows(_ADVANCE, (name, lsn_text(place.lsn)), 1)

        await self._base.run(job, deadline, write=False)

    async def retained(self, deadline: float) -> Retained:
        """How much of the log the database keeps for the slot."""
        found = await self._base.run(lambda session: session.one(_RETAINED, (self._base.named,)), deadline, write=False)
        return Retained() if found is None or found[0] is None else Retained(int(found[0]))

    async def close(self) -> None:
        """Closes its own connection."""
        await self._pool.close()
