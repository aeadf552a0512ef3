"""A comparison: what a replica has is held against its source, page by page, while changes go on.

Changes tell what the source does. What they missed, or what happened to the replica itself, only the source's own rows
can tell. A row that has changed since its page was read isn't compared: it may be newer than the page.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from adapters.changes import Change, What
from gateway.events.enrolled import EnrolledFile
from gateway.events.file import PUT
from gateway.events.model import Standing

_MENDED = 2_000
_UNSEEN = (
    "FROM rows r WHERE r.capture = ? AND r.sequence <= ? "
    "AND NOT EXISTS (SELECT 1 FROM temp.seen s WHERE s.capture = r.capture AND s.key = r.key)"
)


class ComparedFile(EnrolledFile):
    """The open file, with what comparisons do to it."""

    def compare(self, name: str) -> int:
        """Begins a comparison; the number of the last event before it."""
        with self.transaction():
            replica = self._standing(name).replica
            self._db.execute(
                "CREATE TEMP TABLE IF NOT EXISTS seen (capture INTEGER, key TEXT, PRIMARY KEY (capture, key)) "
                "WITHOUT ROWID"
            )
            over = "DELETE FROM temp.seen WHERE capture = ? OR capture NOT IN (SELECT replica FROM captures)"
            self._db.execute(over, (replica,))
            return self.span()[1]

    def suspects(self, name: str, rows: Sequence[tuple[str, bytes]], since: int) -> list[tuple[str, bytes]]:
        """The rows of a page that the replica has otherwise, and that haven't changed since that event."""
        with self.transaction():
            found = self._standing(name)
            note = "INSERT OR IGNORE INTO temp.seen VALUES (?, ?)"
            self._db.executemany(note, [(found.replica, key) for key, _ in rows])
            return self._differing(found, rows, since)

    def _differing(self, found: Standing, rows: Sequence[tuple[str, bytes]], since: int) -> list[tuple[str, bytes]]:
        query = "SELECT DISTINCT key FROM events WHERE sequence > ? AND capture = ?"
        changed = {key for (key,) in self._asked(query, since, found.number)}
        if "" in changed:  # all rows did, or their columns
            return []
        return [(key, row) for key, row in rows if key not in changed and self._row(found.replica, key) != row]

    def mend(self, name: str, suspects: Sequence[tuple[str, bytes]], since: int, id: str) -> int:
        """Makes the replica have those of them that still haven't changed since that event; how many. Each is an
        event, whose id begins with `id`."""
        with self.transaction():
            found = self._standing(name)
            differing = self._differing(found, suspects, since)
            grown = 0
            for key, row in differing:
                before = self._row(found.replica, key)
                sequence = self._differs(found, id, key, before, row)
                self._db.execute(PUT, (found.replica, key, row, found.load, sequence))
                grown += before is None
            self._grow(found, grown, len(differing))
            return len(differing)

    def unseen(self, name: str, since: int) -> int:
        """How many rows no page had that haven't changed since the comparison began."""
        return int(self._asked(f"SELECT count(*) {_UNSEEN}", self._standing(name).replica, since)[0][0])

    def remove_unseen(self, name: str, since: int, id: str) -> bool:
        """Deletes some of them; whether there may be more."""
        with self.transaction():
            found = self._standing(name)
            gone = self._asked(f"SELECT r.key, r.row {_UNSEEN} LIMIT ?", found.replica, since, _MENDED)
            for key, row in gone:
                self._differs(found, id, key, row, None)
                self._db.execute("DELETE FROM rows WHERE capture = ? AND key = ?", (found.replica, key))
            self._grow(found, -len(gone), len(gone))
            return len(gone) == _MENDED

    def compared(self, name: str, differed: int) -> None:
        """Ends a comparison, in which so many rows differed."""
        with self.transaction():
            replica = self._standing(name).replica
            self._db.execute("DELETE FROM temp.seen WHERE capture = ?", (replica,))
            update = "UPDATE captures SET compared = ?, differed = ? WHERE name = ?"
            self._db.execute(update, (time.time(), differed, name))

    def _grow(self, found: Standing, rows: int, events: int) -> None:
        self._db.execute("UPDATE captures SET rows = rows + ? WHERE number = ?", (rows, found.number))
        self._trim(events)

    def _differs(self, to: Standing, id: str, key: str, before: bytes | None, after: bytes | None) -> int:
        what = What.DELETE if after is None else What.INSERT if before is None else What.UPDATE
        return self._record(to, Change(f"{id}/{key}", what), key, before, after)
