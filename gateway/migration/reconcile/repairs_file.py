"""Repairs in the file of the reconciliations: proposed, approved together, applied one by one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from hashlib import sha256

import orjson

from gateway.migration.reconcile.file import FoundFile
from gateway.migration.reconcile.model import Mended, Repair, RepairState

MOST_REPAIRS = 500
"""Repairs of a group that are proposed at a time: what one person can look through and say yes to."""
_COLUMNS = (
    'hash, "group", entity, id, side, verb, route, members, left, state, who, author, entry, why, created, updated'
)
_SELECT = f"SELECT {_COLUMNS} FROM repairs "  # noqa: S608 - constant columns
_PROPOSE = f"INSERT OR REPLACE INTO repairs ({_COLUMNS}) VALUES ({', '.join('?' * 16)})"  # noqa: S608 - constant
_KEEP_SECONDS = 31 * 24 * 3600.0


class ReconcileFile(FoundFile):
    """The open file, with its repairs. All but `close` runs within `transaction`."""

    def withdraw(self, group: str) -> None:
        """Forgets what was proposed and that nobody has approved: it is proposed anew."""
        self._connection.execute("DELETE FROM repairs WHERE \"group\" = ? AND state = 'proposed'", (group,))
        over = "DELETE FROM repairs WHERE state IN ('done', 'dropped') AND updated < ?"
        self._connection.execute(over, (time.time() - _KEEP_SECONDS,))

    def propose(self, group: str, entity: str, id: bytes, mended: Mended, who: bytes, author: str) -> bool:
        """Keeps a proposal; False: there are as many as may be, or one of the entity is being applied."""
        query = "SELECT count(*) FROM repairs WHERE \"group\" = ? AND state = 'proposed'"
        busy = "SELECT count(*) FROM repairs WHERE \"group\" = ? AND entity = ? AND state IN ('approved', 'applying')"
        if self._one(query, group) >= MOST_REPAIRS or self._one(busy, group, entity):
            return False
        now = time.time()
        lists = (_json(mended.members), _json(mended.left))
        about = (mended.hash, group, entity, id, mended.side, mended.verb, mended.route, *lists)
        self._connection.execute(_PROPOSE, (*about, RepairState.PROPOSED.value, who, author, "", "", now, now))
        return True

    def repairs(self, group: str, states: Sequence[str] = (), limit: int = MOST_REPAIRS) -> list[Repair]:
        """The group's repairs in the order of their entities, those of these states if any are named."""
        where = 'WHERE "group" = ? ORDER BY created DESC, entity LIMIT ?'
        if states:
            where = f'WHERE "group" = ? AND state IN ({", ".join("?" * len(states))}) ORDER BY entity LIMIT ?'
        return [_repair(row) for row in self._connection.execute(_SELECT + where, (group, *states, limit))]

    def approve(self, group: str, hashes: Sequence[str], who: bytes, author: str) -> int:
        """What was proposed is to be applied, in `author`'s name; how many there were."""
        update = """UPDATE repairs SET state = 'approved', who = ?, author = ?, updated = ?
            WHERE hash = ? AND "group" = ? AND state = 'proposed'"""
        count = 0
        for each in hashes:
            count += self._connection.execute(update, (who, author, time.time(), each, group)).rowcount
        return count

    def open_repairs(self, limit: int) -> list[Repair]:
        """The repairs that are to be applied or are being applied, the oldest first."""
        where = "WHERE state IN ('approved', 'applying') ORDER BY updated LIMIT ?"
        return [_repair(row) for row in self._connection.execute(_SELECT + where, (limit,))]

    def wait_repair(self, hash: str) -> None:
        """A repair can't go on now: it is looked at again behind the others."""
        self._connection.execute("UPDATE repairs SET updated = ? WHERE hash = ?", (time.time(), hash))

    def move_repair(self, hash: str, state: RepairState, *, entry: str = "", why: str = "") -> None:
        """Notes how far a repair is."""
        update = "UPDATE repairs SET state = ?, entry = ?, why = ?, updated = ? WHERE hash = ?"
        self._connection.execute(update, (state.value, entry, why, time.time(), hash))


def set_hash(repairs: Sequence[Repair]) -> str:
    """Stands for repairs that are approved together."""
    return sha256("\n".join(sorted(each.hash for each in repairs)).encode()).hexdigest()


def _json(names: Sequence[str]) -> bytes:
    return orjson.dumps(names)


def _repair(row: tuple[object, ...]) -> Repair:
    found = Repair._make(row)
    return found._replace(state=RepairState(found.state))
