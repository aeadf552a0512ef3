"""A load: all rows of a source, page by page, held against the replica while changes go on.

Of a first load nothing but its end is an event; of another one each difference is, and of one that is built beside a
replica of another shape each difference to that. Rows that changed since it began
are newer than what its pages say: they have the load's number already, and `gone` keeps the keys of those that were
deleted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import orjson

from adapters.changes import Page
from adapters.contract import Json
from gateway.events.compared import ComparedFile
from gateway.events.file import EVENT, PUT
from gateway.events.model import LOADED, Phase, Standing, key_text, row_bytes

_SWEPT = 2_000


class LoadedFile(ComparedFile):
    """The open file, with what loads do to it."""

    def begin(self, name: str, position: str) -> Standing:
        """Begins a load; changes are read from the position on."""
        with self.transaction():
            found = self._standing(name)
            self._db.execute("DELETE FROM gone WHERE capture = ?", (found.replica,))
            begin = (
                "UPDATE captures SET phase = ?, position = ?, cursor = ?, load = load + 1, loaded = 0, note = '', "
                "wanted = '' WHERE number = ?"
            )
            self._db.execute(begin, (Phase.LOADING, position, b"null", found.number))
            return self._standing(name)

    def loaded(self, name: str, rows: Sequence[tuple[str, bytes]], cursor: Json, truncates: int) -> Standing:
        """Stores a page of the load: (key, row) each. `truncates` is what the standing said when it was read."""
        with self.transaction():
            found = self._standing(name)
            grown = 0
            if found.truncates == truncates:
                grown = sum(self._load(found, key, row) for key, row in rows)
            update = "UPDATE captures SET cursor = ?, loaded = loaded + ?, rows = rows + ?, note = '' WHERE number = ?"
            self._db.execute(update, (orjson.dumps(cursor), len(rows), grown, found.number))
            self._trim(len(rows) if found.whole else 0)
            return self._standing(name)

    def _load(self, to: Standing, key: str, row: bytes) -> int:
        known = self._db.execute(
            "SELECT row, load, sequence FROM rows WHERE capture = ? AND key = ?", (to.replica, key)
        ).fetchone()
        if known is not None and known[1] == to.load:
            return 0  # it changed since the load began
        if known is None and self._asked("SELECT 1 FROM gone WHERE capture = ? AND key = ?", to.replica, key):
            return 0
        before, _, sequence = known or (None, 0, 0)
        # What one that is built beside another has of pages alone is told when it takes the other's place.
        if before != row and (to.whole or sequence or (known is not None and to.former is None)):
            sequence = self._differs(to, f"load-{to.load}", key, before, row)
        self._db.execute(PUT, (to.replica, key, row, to.load, sequence))
        return int(known is None)

    def stale(self, name: str) -> tuple[int, int]:
        """How many rows the load that ends didn't find, and of how many."""
        found = self._standing(name)
        query = "SELECT count(*) FROM rows WHERE capture = ? AND load < ?"
        stale = int(self._asked(query, found.replica, found.load)[0][0])
        former = self.former(found.number)
        return (stale, found.rows) if former is None else (max(stale, former.rows - found.rows), former.rows)

    def sweep(self, name: str) -> bool:
        """Deletes some of the rows that the load that ends didn't find; whether there may be more of them."""
        with self.transaction():
            found = self._standing(name)
            select = "SELECT key, row, sequence FROM rows WHERE capture = ? AND load < ? LIMIT ?"
            stale = self._asked(select, found.replica, found.load, _SWEPT)
            for key, row, sequence in stale:
                if sequence or found.former is None:  # else its former one is told to be gone
                    self._differs(found, f"load-{found.load}", key, row, None)
                    self._db.execute("INSERT OR IGNORE INTO gone VALUES (?, ?)", (found.replica, key))
            delete = "DELETE FROM rows WHERE capture = ? AND key = ?"
            self._db.executemany(delete, [(found.replica, key) for key, *_ in stale])
            self._db.execute("UPDATE captures SET rows = rows - ? WHERE number = ?", (len(stale), found.number))
            self._trim(len(stale))
            return len(stale) == _SWEPT

    def whole(self, name: str, current: float, as_of: float | None = None) -> Standing:
        """Ends a load: the replica has all that was committed by then; see `current`."""
        with self.transaction():
            found = self._standing(name)
            self._swap(found)
            update = (
                "UPDATE captures SET phase = ?, current = ?, as_of = ?, rows = ?, cursor = ?, note = '', "
                "whole = 1 WHERE number = ?"
            )
            count = self._count(found.replica)
            self._db.execute(update, (Phase.LIVE, current, as_of or 0.0, count, b"null", found.number))
            self._db.execute("DELETE FROM gone WHERE capture = ?", (found.replica,))
            after = row_bytes({"rows": count})
            values = (found.number, f"load-{found.load}", LOADED, "", None, after, None, time.time())
            self._db.execute(EVENT, values)
            return self._standing(name)


def keyed(page: Page) -> list[tuple[str, bytes]]:
    """A page as `LoadedFile.loaded` takes it."""
    return [(key_text(key), row_bytes(row)) for key, row in page.rows]
