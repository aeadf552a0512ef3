"""The parts of a composite write that can be undone, kept beside its operation: which were begun, done and undone.

A part is on the disk before it is sent, so that whoever finds a composite whose process was killed knows all that may
have happened. Of an operation that has parts, `undoings` says how far it is:

    doing ──► over                          it ended as any write does
      └─────► undoing ──► settled ──► over  it failed, and all that can be undone is
                 ▲  │
                 └─ waiting                 something couldn't be undone yet; it is tried again
"""

from __future__ import annotations

import time
from dataclasses import asdict, fields
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from gateway.call import Principal
from gateway.operations.file import OperationFile, lives
from gateway.operations.record import OperationState, StoredOperation

GIVE_UP_SECONDS = 20 * 3600.0
"""How long undoing is tried again: less than the keys of what was done are remembered."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 600.0
_AT_ONCE = 20


class PartState(StrEnum):
    """How far a part is. `sent`: it may be under way; `left`: it is done and can't be undone."""

    SENT = "sent"
    NOT_DONE = "not_done"
    DONE = "done"
    UNKNOWN = "unknown"
    UNDONE = "undone"
    LEFT = "left"


class Part(NamedTuple):
    """One call of a write. `number` is its place in the order of sending, `key` what its idempotency key is made of."""

    number: int
    step: str
    key: str
    route: str
    state: PartState
    undo: bytes | None
    """What is needed to undo it, as `gateway.compose.notes` spells it."""
    note: str = ""
    """A sentence on why it is as it is."""


class Undoing(NamedTuple):
    """A composite write that is to be undone. `tries`: how often it was tried."""

    operation: StoredOperation
    who: bytes
    sight: str
    tries: int


def spelt(principal: Principal) -> bytes:
    """Who made the call, for when it is undone without them."""
    return orjson.dumps(asdict(principal))


def principal_of(text: bytes) -> Principal:
    """The same, read back."""
    told, known = orjson.loads(text), {each.name for each in fields(Principal)}
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in told.items() if name in known
    }
    return Principal(**given)


class PartFile(OperationFile):
    """The operations' file, with the parts of those that can be undone."""

    def expect(self, operation: str, who: bytes, sight: str) -> None:
        """Notes that an operation is to have parts, who makes it and what they may see of its reply."""
        self._connection.execute(
            "INSERT INTO undoings (operation, who, sight, phase, due, tries) VALUES (?, ?, ?, 'doing', 0, 0)",
            (operation, who, sight),
        )

    def add_part(self, operation: str, part: Part) -> None:
        """Notes that a part is about to be sent."""
        self._connection.execute(
            "INSERT INTO parts (operation, number, step, key, route, state, undo, note) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (operation, *part[:4], part.state.value, part.undo, part.note),
        )

    def note_part(self, operation: str, part: Part) -> None:
        """Notes how far a part is."""
        self._connection.execute(
            "UPDATE parts SET state = ?, undo = ?, note = ? WHERE operation = ? AND number = ?",
            (part.state.value, part.undo, part.note, operation, part.number),
        )

    def parts(self, operation: str) -> list[Part]:
        """The parts of an operation, in the order in which they were sent."""
        columns = "number, step, key, route, state, undo, note"
        query = f"SELECT {columns} FROM parts WHERE operation = ? ORDER BY number"  # noqa: S608 - constant columns
        rows = self._connection.execute(query, (operation,)).fetchall()
        return [Part._make(row)._replace(state=PartState(row[4])) for row in rows]

    def phase(self, operation: str) -> str:
        """How far its undoing is; empty: it has no parts."""
        query = "SELECT phase FROM undoings WHERE operation = ?1 AND EXISTS (SELECT 1 FROM parts WHERE operation = ?1)"
        row = self._connection.execute(query, (operation,)).fetchone()
        return "" if row is None else str(row[0])

    def undo(self, operation: str, phase: str = "undoing") -> None:
        """Notes that it failed, and is being undone or, when `settled`, that this has ended."""
        self._connection.execute("UPDATE undoings SET phase = ? WHERE operation = ?", (phase, operation))

    def wait(self, operation: str, tries: int) -> None:
        """Notes that something is left to be undone later."""
        due = time.time() + min(_FIRST_PAUSE * 2.0**tries, _LONGEST_PAUSE)
        self._connection.execute(
            "UPDATE undoings SET phase = 'waiting', due = ?, tries = ? WHERE operation = ?", (due, tries + 1, operation)
        )

    def over(self, operation: str) -> None:
        """Notes that nothing more is done about it. What was needed to undo it isn't kept any longer."""
        self._connection.execute("UPDATE undoings SET phase = 'over', who = x'' WHERE operation = ?", (operation,))
        self._connection.execute("UPDATE parts SET undo = NULL WHERE operation = ?", (operation,))

    def find(self, key: bytes) -> StoredOperation | None:
        """The operation that has this key, None when there is none (any more)."""
        row = self._connection.execute("SELECT id FROM operations WHERE key = ?", (key,)).fetchone()
        return None if row is None else self.read(row[0])

    def take_undoing(self) -> list[Undoing]:
        """Some that nobody is at: their process is gone, or their time has come. They are this process's now."""
        now = time.time()
        rows = self._connection.execute(
            "SELECT u.operation, u.who, u.sight, u.tries, u.phase, u.due, o.owner FROM undoings u JOIN operations o "
            "ON o.id = u.operation WHERE u.phase != 'over' ORDER BY u.due"
        ).fetchall()
        alive = {owner: owner == self.owner or lives(owner) for owner in {row[6] for row in rows}}
        free = [row for row in rows if not alive[row[6]] or (row[4] == "waiting" and row[5] <= now)]
        return [self._taken(id, who, sight, tries, now) for id, who, sight, tries, *_ in free[:_AT_ONCE]]

    def _taken(self, id: str, who: bytes, sight: str, tries: int, now: float) -> Undoing:
        self._connection.execute(
            "UPDATE operations SET state = ?, owner = ?, updated = ? WHERE id = ?",
            (OperationState.RUNNING.value, self.owner, now, id),
        )
        self.undo(id)
        found = self.read(id)
        assert found is not None
        return Undoing(found, who, sight, tries)
