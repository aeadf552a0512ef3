"""How a capture begins, is asked for in another shape, and ends.

Rows of one shape are one replica, known by its number. Where rows are to have another shape, their replica is built
beside the one that is whole, which answers who still asks for its shape; one transaction then puts the new one in its
place, and tells as events what differs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from gateway.events.answers import index_name
from gateway.events.file import EventsFile
from gateway.events.model import Former, Phase, Standing

_NEXT = "SELECT 1 + coalesce(max(n), 0) FROM (SELECT replica AS n FROM captures UNION ALL SELECT replica FROM former)"
_BEGUN = (
    "UPDATE captures SET digest = ?, phase = ?, position = '', cursor = x'6e756c6c', note = '', wanted = '', "
    "loaded = 0, rows = 0, current = 0, as_of = 0, whole = 0, replica = ? WHERE number = ?"
)
_BUILT = (
    "INSERT INTO events (capture, id, what, key, before, after, captured) "
    "SELECT ?1, ?2 || n.key, iif(f.key IS NULL, 'insert', 'update'), n.key, f.row, n.row, ?5 "
    "FROM rows n LEFT JOIN rows f ON f.capture = ?4 AND f.key = n.key "
    # What has changed since is an event already.
    "WHERE n.capture = ?3 AND n.sequence = 0 AND f.row IS NOT n.row"
)
_LEFT = (
    "INSERT INTO events (capture, id, what, key, before, after, captured) "
    "SELECT ?1, ?2 || f.key, 'delete', f.key, f.row, NULL, ?5 FROM rows f WHERE f.capture = ?4 "
    "AND NOT EXISTS (SELECT 1 FROM rows n WHERE n.capture = ?3 AND n.key = f.key) "
    "AND NOT EXISTS (SELECT 1 FROM gone g WHERE g.capture = ?3 AND g.key = f.key)"
)


class EnrolledFile(EventsFile):
    """The open file, with what begins and ends captures and replicas."""

    def enrol(self, name: str, digest: str) -> Standing:
        """The capture's standing. `digest` stands for how it is asked for: with another one it begins anew, beside
        what it has."""
        with self.transaction():
            insert = "INSERT OR IGNORE INTO captures (name, digest, phase, replica) VALUES (?, ?, ?, ?)"
            self._db.execute(insert, (name, digest, Phase.NEW, self._asked(_NEXT)[0][0]))
            found = self._standing(name)
            if found.digest != digest:
                self._reshape(found, digest)
            return self._standing(name)

    def _reshape(self, found: Standing, digest: str) -> None:
        former = self.former(found.number)
        again = former is not None and former.digest == digest
        if found.whole:
            keep = "INSERT INTO former (capture, replica, digest, rows, current, as_of) VALUES (?, ?, ?, ?, ?, ?)"
            kept = (found.number, found.replica, found.digest, found.rows, found.current, found.as_of)
            self._db.execute(keep, kept)
        else:
            self._drop(found.replica)
        self._db.execute(_BEGUN, (digest, Phase.NEW, self._asked(_NEXT)[0][0], found.number))
        if former is not None and again:
            back = "UPDATE captures SET replica = ?, rows = ?, current = ?, as_of = ?, whole = 1 WHERE number = ?"
            self._db.execute(back, (former.replica, former.rows, former.current, former.as_of, found.number))
            self._db.execute("DELETE FROM former WHERE capture = ?", (found.number,))

    def former(self, number: int) -> Former | None:
        """The replica of another shape that a capture had before; None: there is none (any more)."""
        found = self._asked("SELECT replica, digest, rows, current, as_of FROM former WHERE capture = ?", number)
        return Former._make(found[0]) if found else None

    def _swap(self, found: Standing) -> None:
        """The replica takes its former's place."""
        former = self.former(found.number)
        if former is None:
            return
        values = (found.number, f"swap-{found.load}/", found.replica, former.replica, time.time())
        told = sum(self._db.execute(each, values).rowcount for each in (_BUILT, _LEFT))
        self._drop(former.replica)
        self._db.execute("DELETE FROM former WHERE capture = ?", (found.number,))
        self._trim(told)

    def _drop(self, replica: int) -> None:
        for (index,) in self._indexes(replica):
            self._db.execute(f"DROP INDEX {index}")
        for table in ("rows", "gone"):
            self._db.execute(f"DELETE FROM {table} WHERE capture = ?", (replica,))  # noqa: S608 - constant names

    def indexed(self, name: str, wanted: Sequence[str]) -> None:
        """Has a replica's rows found by these expressions, in these orders, and by no others."""
        with self.transaction():
            number = self._standing(name).replica
            made = {index_name(number, each): each for each in wanted}
            for (other,) in self._indexes(number):
                if other not in made:
                    self._db.execute(f"DROP INDEX {other}")
            for index, sql in made.items():
                self._db.execute(f"CREATE INDEX IF NOT EXISTS {index} ON rows ({sql}) WHERE capture = {number:d}")

    def _indexes(self, replica: int) -> list[tuple[str]]:
        query = "SELECT name FROM sqlite_master WHERE type = 'index' AND name GLOB ?"
        return self._asked(query, f"rows_{replica}_*")

    def forget(self, name: str) -> bool:
        """Deletes a capture with its replicas and events; False: there is none of that name."""
        with self.transaction():
            found = self.standing(name)
            if found is None:
                return False
            former = self.former(found.number)
            for replica in [found.replica, *([] if former is None else [former.replica])]:
                self._drop(replica)
            for table, column in (("events", "capture"), ("former", "capture"), ("captures", "number")):
                self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", (found.number,))  # noqa: S608 - constant names
            return True
