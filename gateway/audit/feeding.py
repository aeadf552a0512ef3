"""How the index learns of what was written since it was last looked at."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

import orjson

from gateway.audit.archive import Archive, Readable
from gateway.audit.index import NAMED, Index, writer_number
from gateway.audit.question import FIELDS, NO_RECORD, microseconds, status, upstreams
from gateway.audit.sink import Segment

_BATCH = 10_000
"""Records a transaction, about; so many are in memory at most."""
_MOST_NAMES = 50_000
_INSERT = f"INSERT OR REPLACE INTO entries VALUES ({', '.join('?' * (11 + len(NAMED)))})"  # noqa: S608 - ?, ?, …
_NOTE = "INSERT INTO fed VALUES (?, ?, ?, 0) ON CONFLICT DO UPDATE SET segment = excluded.segment, hash = excluded.hash"

_Row: TypeAlias = tuple[Any, ...]


def feed(index: Index, archive: Archive, until: float | None = None) -> bool:
    """Notes what was written since; False: there is more, but `until` (`time.monotonic()`) has come."""
    with index.described():
        for source in archive:
            feeding = _Feeding(index, source)
            while feeding.some():
                if until is not None and time.monotonic() >= until:
                    return False
    return True


class _Feeding:
    """The feeding of one writer's records."""

    def __init__(self, index: Index, source: Readable) -> None:
        self._db, self._source = index.connection, source
        self._number = writer_number(source.writer)
        self._names: dict[str, int] = {}

    def some(self) -> bool:
        """Notes some 10,000 records; False: there are no more."""
        if self._nothing_new():
            return False
        rows: list[_Row] = []
        last: Segment | None = None
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for segment in self._source.segments(self._fed()):
                rows += self._rows(segment)
                last = segment
                if len(rows) >= _BATCH:
                    break
            if last is not None:
                self._db.executemany(_INSERT, rows)
                self._db.execute(_NOTE, (self._source.writer, last.number, last.hash))
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        return last is not None

    def _nothing_new(self) -> bool:
        """Found out without keeping others from the index, as that is the usual case."""
        row = self._db.execute("SELECT segment, hash FROM fed WHERE writer = ?", (self._source.writer,)).fetchone()
        return row is not None and self._source.link(row[0]) == row[1] and self._source.link(row[0] + 1) is None

    def _fed(self) -> int:
        """The segment noted last; 0 where none is, or where what is noted isn't what is there."""
        query = "SELECT segment, hash, pruned FROM fed WHERE writer = ?"
        row = self._db.execute(query, (self._source.writer,)).fetchone()
        if row is None:
            return 0
        number, hash, pruned = row
        gone = max((each.segment for each in self._source.prunings()), default=0)
        if gone > pruned:
            self._forget(gone)
        found = self._source.link(number)
        if found == hash or (found is None and gone >= number):
            return int(number)
        self._forget(None)
        return 0

    def _forget(self, segment: int | None) -> None:
        """Drops the entries up to a segment, or all of them."""
        if segment is None:
            self._db.execute("DELETE FROM entries WHERE writer = ?", (self._number,))
            self._db.execute("DELETE FROM fed WHERE writer = ?", (self._source.writer,))
        else:
            self._db.execute("DELETE FROM entries WHERE writer = ? AND segment <= ?", (self._number, segment))
            self._db.execute("UPDATE fed SET pruned = ? WHERE writer = ?", (segment, self._source.writer))

    def _rows(self, segment: Segment) -> Iterator[_Row]:
        start = 0
        for sequence, line in enumerate(segment.body.split(b"\n")[:-1], segment.first):
            size = len(line)
            # A line that is no record is for `verify` to tell.
            with suppress(*NO_RECORD):
                record = orjson.loads(line)
                place = (microseconds(record["time"]), self._number, sequence, segment.number, start, size)
                yield (*place, *self._values(record))
            start += size + 1

    def _values(self, record: Mapping[str, Any]) -> _Row:
        reached = upstreams(record)
        return (
            FIELDS["id"](record),
            FIELDS["trace"](record),
            FIELDS["operation_id"](record),
            status(record),
            self._named(f"|{'|'.join(sorted(reached))}|" if reached else None),
            *(self._named(FIELDS[name](record)) for name in NAMED),
        )

    def _named(self, text: str | None) -> int | None:
        if text is None:
            return None
        number = self._names.get(text)
        if number is None:
            self._db.execute("INSERT OR IGNORE INTO names (text) VALUES (?)", (text,))
            (number,) = self._db.execute("SELECT number FROM names WHERE text = ?", (text,)).fetchone()
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            self._names[text] = number
        return number
