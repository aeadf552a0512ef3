"""What a peek at a logical slot answers, message by message, as changes of one table."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from adapters.changes import Change, What
from adapters.contract import Json
from adapters.errors import BadReply
from adapters.odbc.capture.pgoutput import (
    UNCHANGED,
    Begin,
    Commit,
    Relation,
    Truncated,
    Tuple,
    Written,
    lsn_text,
    message,
)
from adapters.odbc.session import Session
from adapters.odbc.statements import TableSql
from adapters.odbc.values import decode

if TYPE_CHECKING:
    from adapters.odbc.capture.slot import Place

_TYPED = "SELECT format_type(CAST(CAST(? AS bigint) AS oid), CAST(? AS int))"


_PAGE, _HEADS = 8_192, (24, 40)
"""PostgreSQL's log is written in pages, and these are the lengths of their headers."""


class Seen(NamedTuple):
    """Where the log stood before a peek at it, which reads at least what is `flushed`."""

    asked: float
    """When that was asked for, in seconds since 1970."""
    kept: int
    """Bytes of the log that a peek has to read."""
    flushed: int
    inserted: int


class Proof:
    """Up to when all is told. What is committed without waiting for the disk is there before a peek can tell it."""

    def __init__(self) -> None:
        self._until = 0.0
        self._owed: tuple[float, int] | None = None

    def told(self, seen: Seen) -> tuple[float, bool]:
        """A peek was read to its end: up to when all is told (0: it isn't known yet), and whether that is all there
        was when it was asked for."""
        into = seen.inserted % _PAGE
        inserted = seen.inserted - into if into in _HEADS else seen.inserted
        if seen.flushed >= inserted:
            self._until, self._owed = seen.asked, None
        elif self._owed is None:
            self._owed = (seen.asked, inserted)
        elif seen.flushed >= self._owed[1]:
            self._until, self._owed = self._owed[0], (seen.asked, inserted)
        return self._until, self._owed is None


class Decoding:
    """One peek. `place` goes along with what `changes` has answered."""

    def __init__(self, place: Place, session: Session, table: TableSql, limit: int, end: Seen) -> None:
        self.place, self.limit, self.end = place, limit, end
        self.since = time.monotonic()
        self.seen = 0
        """Messages so far."""
        self._session, self._table = session, table
        self._relation: Relation | None = None
        self._skip = place.stored
        self._passing = False
        self._at: datetime | None = None

    def changes(self, data: bytes) -> Iterator[Change]:
        """What a message says, as far as it isn't stored already; raises `BadReply` and `DatabaseError`."""
        self.seen += 1
        said = message(data)
        if isinstance(said, Begin):
            self._begin(said)
        elif isinstance(said, Commit):
            if not self._passing:
                self.place = self.place._replace(lsn=said.end, stored=0)
        elif isinstance(said, Relation):
            yield from self._described(said)
        elif isinstance(said, Written | Truncated) and not self._passing:
            yield from self._told(said)

    def _begin(self, said: Begin) -> None:
        self._passing = said.lsn < self.place.lsn
        self._at = said.at
        if self._passing:
            return
        if said.lsn > self.place.lsn:
            self._skip = 0
            self.place = self.place._replace(lsn=said.lsn, stored=0)
        self._number = 0

    def _told(self, said: Written | Truncated) -> Iterator[Change]:
        self._number += 1
        if self._number <= self._skip:
            return
        id = f"{lsn_text(self.place.lsn)}:{self._number}"
        self.place = self.place._replace(stored=self._number)
        if isinstance(said, Truncated):
            yield Change(id, What.TRUNCATE, at=self._at)
        else:
            yield from self._written(said, id)

    def _written(self, said: Written, id: str) -> Iterator[Change]:
        if said.new is None:
            if said.old is None:
                raise BadReply("the database logs a delete without saying of which row")
            yield Change(id, What.DELETE, self._key(self._row(said.old)), None, self._at)
            return
        row = self._row(self._completed(said))
        key, before = self._key(row), None if said.old is None else self._key(self._row(said.old))
        if before is not None and before != key:
            yield Change(f"{id}a", What.DELETE, before, None, self._at)
            yield Change(f"{id}b", What.INSERT, key, row, self._at)
        else:
            yield Change(id, What.INSERT if said.kind == "I" else What.UPDATE, key, row, self._at)

    def _completed(self, said: Written) -> Tuple:
        """The new row, with what wasn't logged: from the old one, or as it is in the table now, where a later change
        is told later."""
        new = said.new or []
        if UNCHANGED not in new:
            return new
        if said.whole and said.old is not None:
            return [old if value == UNCHANGED else value for value, old in zip(new, said.old, strict=True)]
        return new

    def _row(self, values: Tuple) -> dict[str, Json]:
        assert self._relation is not None
        made: dict[str, Json] = {}
        missing = False
        for column, value in zip(self._relation.columns, values, strict=True):
            described = self._table.table.column(column.name)
            if value == UNCHANGED and isinstance(value, bytes):
                missing = missing or described is not None
            elif described is not None:
                made[column.name] = decode(described.type, value, self._table.zone)
        if missing:
            made = {**self._read(self._key(made)), **made}
        return made

    def _read(self, key: tuple[Json, ...]) -> Mapping[str, Json]:
        """The row as it is now; nothing, where it has gone since, which is told later."""
        named = dict(zip(self._table.table.primary_key, key, strict=True))
        found = self._session.one(
            self._table.get(self._table.table.columns), self._table.values(self._table.keys, named)
        )
        return {} if found is None else self._table.item(found)

    def _key(self, row: Mapping[str, Json]) -> tuple[Json, ...]:
        try:
            return tuple(row[name] for name in self._table.table.primary_key)
        except KeyError as error:
            raise BadReply(
                f"the database's log doesn't tell the key's column {error}: 'figway changes install' sets the "
                "replica identity"
            ) from None

    def _described(self, said: Relation) -> Iterator[Change]:
        self._relation = said
        spelt = ",".join(f"{each.name}:{each.type}:{each.modifier}" for each in said.columns)
        known = hashlib.blake2b(spelt.encode(), digest_size=6).hexdigest()
        if self._passing or self._number < self._skip or known == self.place.columns:
            return
        first, self.place = not self.place.columns, self.place._replace(columns=known)
        if first:
            return
        columns = {each.name: str(self._session.one(_TYPED, (each.type, each.modifier))[0]) for each in said.columns}
        id = f"{lsn_text(self.place.lsn)}:{self._number}s"
        yield Change(id, What.SCHEMA, after={"columns": columns}, at=self._at)
