"""PostgreSQL's logical slot, read over plain ODBC: peek, store, advance.

A position is `LSN:n:f`: everything is stored that was committed before LSN, the first n messages of the transaction
that was committed at LSN, and f stands for the columns as they were told last. A peek may answer a transaction of any
length: it is read through a cursor, portion by portion, and what was stored of it isn't told again after a restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from adapters.changes import Batch, Change, Guarantee, NotInstalled, PositionLost, Retained
from adapters.errors import Retry
from adapters.odbc.capture.base import Base, TableCapture, short, taken
from adapters.odbc.capture.decoding import Decoding, Proof, Seen
from adapters.odbc.capture.pgoutput import lsn_of, lsn_text
from adapters.odbc.failures import DatabaseError, Failure
from adapters.odbc.pool import Pool
from adapters.odbc.session import Session

_FEW, _PORTION = 200, 2_000
"""Messages that are read in one round trip, and through a cursor, which takes several."""
_IDLE_BYTES = 2**20
"""How far the log of others' changes goes on before the slot is moved along."""
_ADVANCE_EVERY = 1.0
"""Moving the slot costs as much as a peek: it is done so often, and at once where much was told."""
_SLOW, _LONG, _NUDGE_EVERY = 0.1, 2**23, 10.0

_STATE = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = ? AND database = current_database()"
# Where the log ends is asked before it is read, in one round trip.
_PEEK = (
    "WITH s AS MATERIALIZED (SELECT CAST(confirmed_flush_lsn AS text) AS told, CAST(restart_lsn AS text) AS kept, "
    "CAST(pg_current_wal_flush_lsn() AS text) AS flushed, CAST(pg_current_wal_insert_lsn() AS text) AS inserted "
    "FROM pg_replication_slots WHERE slot_name = ? AND database = current_database()) "
    "SELECT p.data, s.told, s.kept, s.flushed, s.inserted FROM s LEFT JOIN LATERAL pg_logical_slot_peek_binary_changes("
    "?, NULL, CAST(? AS int), 'proto_version', '1', 'publication_names', ?) AS p ON true"
)
_GLANCE = f"{_PEEK} LIMIT {_FEW}"
_ADVANCE = (
    "SELECT 1 FROM pg_replication_slots AS s, LATERAL pg_replication_slot_advance(s.slot_name, CAST(? AS pg_lsn)) AS a "
    "WHERE s.slot_name = ? AND s.database = current_database() AND s.confirmed_flush_lsn < CAST(? AS pg_lsn)"
)
_CREATE = "SELECT CAST(lsn AS text) FROM pg_create_logical_replication_slot(?, 'pgoutput')"
_DROP = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = ? AND NOT active"
_ALIKE = "SELECT slot_name FROM pg_replication_slots WHERE slot_name = ? OR slot_name ~ ?"
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
        gateway, stem = base.asked.gateway, short(base.named)
        self._slot = f"{stem}_{gateway}" if gateway else base.named
        self._alike = f"^{stem}_[0-9a-f]{{8}}$"
        """What the slots of all gateways for this capture are called."""
        self._decoding: Decoding | None = None
        self._reading: Session | None = None
        self._first: list[Any] = []
        self._nudged = 0.0
        self._proof = Proof()
        self._many = self._full = False
        """The last peek told more than can be read at once; and more than was asked for."""
        self._advanced = (0.0, 0)
        self._waiting = ""
        """A position that is to be told to the database, when it is time."""

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
        """Drops the slot, whosever it is, which would keep the log for ever, and the publication."""
        name = self._base.named

        def job(session: Session) -> None:
            for (slot,) in session.rows(_ALIKE, (name, self._alike), _FEW):
                session.rows(_DROP, (slot,), 1)

        await self._base.run(job, deadline, write=False)
        await self._base.statements((f"DROP PUBLICATION IF EXISTS {name}",), deadline)

    async def begin(self, deadline: float) -> str:
        """Makes the slot, in place of one that there is; raises `Taken` where another gateway has one."""
        name, slot = self._base.named, self._slot

        def job(session: Session) -> str:
            if session.one(_PUBLISHED, (name,)) is None:
                raise NotInstalled(f"there is no publication for {self._base.asked.name}")
            for (other,) in session.rows(_ALIKE, (name, self._alike), _FEW):
                if other != slot:
                    raise taken(self._base.asked, other.rpartition("_")[2])
            session.rows(_DROP, (slot,), 1)
            if session.one(_STATE, (slot,)) is not None:
                raise Retry("another connection still reads the capture's slot")
            return str(session.one(_CREATE, (slot,))[0])

        self._reading, self._waiting, self._proof = None, "", Proof()
        return str(Place(lsn_of(await self._base.run(job, deadline, write=False)), 0, ""))

    async def changes(self, after: str, limit: int, deadline: float) -> Batch:
        """A portion of what a peek answers."""
        if self._waiting and time.monotonic() - self._advanced[0] > _ADVANCE_EVERY:
            await self.release(self._waiting, deadline)
        found: Batch | None = None
        if self._reading is None and not self._many:
            found = await self._base.run(lambda session: self._glance(session, after, limit), deadline, write=False)
        if found is None:
            found = await self._pool.run(lambda session: self._portion(session, after, limit), deadline, write=False)
        return found

    def _glance(self, session: Session, after: str, limit: int) -> Batch | None:
        """All that a peek answers, where that is little."""
        decoding, rows = self._peeked(session, after, limit, lambda *asked: session.rows(_GLANCE, asked, _FEW))
        if len(rows) == _FEW:
            self._many = True
            return None
        return self._ended(session, decoding, _decoded(decoding, rows))

    def _portion(self, session: Session, after: str, limit: int) -> Batch:
        decoding = self._decoding
        if decoding is None or self._reading is not session or str(decoding.place) != after:
            decoding, self._first = self._peeked(session, after, limit, partial(_started, session))
            self._decoding, self._reading = decoding, session
        changes: list[Change] = []
        rows: Sequence[Any] = ()
        try:
            while not changes and (rows := self._more(session)):
                changes = _decoded(decoding, rows)
        except BaseException:
            self._reading = None  # what a cursor has given is gone: the next call peeks anew
            raise
        if len(rows) == _PORTION:
            return Batch(changes, str(decoding.place), True)
        self._reading, self._many = None, decoding.seen >= _FEW
        return self._ended(session, decoding, changes)

    def _more(self, session: Session) -> list[Any]:
        first, self._first = self._first, []
        return first + session.more(_PORTION - len(first))

    def _ended(self, session: Session, decoding: Decoding, changes: list[Change]) -> Batch:
        """The last portion. What others wrote meanwhile counts, so that the slot doesn't stand still."""
        self._full = decoding.seen >= decoding.limit
        place = decoding.place
        seen = decoding.end
        if not changes and seen.kept > _LONG and time.monotonic() - decoding.since > _SLOW:
            self._nudge(session)
        if self._full:
            return Batch(changes, str(place), True)
        if not place.stored and seen.flushed > place.lsn + (0 if changes else _IDLE_BYTES):
            place = place._replace(lsn=seen.flushed)
        until, settled = self._proof.told(seen)
        return Batch(changes, str(place), not until, until, settled=settled)

    def _peeked(
        self, session: Session, after: str, limit: int, ask: Callable[..., list[Any]]
    ) -> tuple[Decoding, list[Any]]:
        """A peek, and what of it is read at once; raises `PositionLost`."""
        place, slot, asked = Place.of(after), self._slot, time.time()
        try:
            rows = ask(slot, slot, limit, self._base.named)
        except DatabaseError:
            state = session.one(_STATE, (slot,))
            if state is not None and state[0] == "lost":
                raise self._lost() from None
            raise
        if not rows:
            raise PositionLost("the database has no slot for this capture (any more)")
        told, kept, flushed, inserted = (lsn_of(each) for each in rows[0][1:5])
        if told > place.lsn:
            raise self._lost()
        return Decoding(place, session, self._table, limit, Seen(asked, flushed - kept, flushed, inserted)), rows

    def _lost(self) -> PositionLost:
        return PositionLost("the database has thrown away what the slot had not told yet")

    def _nudge(self, session: Session) -> None:
        """Has the database note which transactions run: until it does so by itself, each peek reads everything since
        it last did."""
        if time.monotonic() - self._nudged < _NUDGE_EVERY:
            return
        self._nudged = time.monotonic()
        try:
            session.bound(0.25)
            session.rows(_NUDGE, (f"{self._slot}_n",), 1)
        except DatabaseError as error:
            if error.failure in (Failure.LOST, Failure.UNREACHABLE):
                raise

    async def release(self, position: str, deadline: float) -> None:
        """Moves the slot along, now or soon."""
        place, slot, now = Place.of(position), self._slot, time.monotonic()
        at, before = self._advanced
        if not self._full and now - at < _ADVANCE_EVERY and place.lsn - before < _IDLE_BYTES:
            self._waiting = position
            return
        self._waiting, self._advanced = "", (now, place.lsn)
        lsn = lsn_text(place.lsn)
        await self._base.run(lambda session: session.rows(_ADVANCE, (lsn, slot, lsn), 1), deadline, write=False)

    async def retained(self, deadline: float) -> Retained:
        """How much of the log the database keeps for the slot."""
        found = await self._base.run(lambda session: session.one(_RETAINED, (self._slot,)), deadline, write=False)
        return Retained() if found is None or found[0] is None else Retained(int(found[0]))

    async def close(self) -> None:
        """Closes its own connection."""
        await self._pool.close()


def _started(session: Session, *asked: Any) -> list[Any]:
    session.start(_PEEK, asked)
    return session.more(1)


def _decoded(decoding: Decoding, rows: Sequence[Any]) -> list[Change]:
    return [each for row in rows if row[0] is not None for each in decoding.changes(row[0])]
