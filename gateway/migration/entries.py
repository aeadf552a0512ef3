"""What the outbox keeps of one write that both sides of a group are to see."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class EntryState(StrEnum):
    """How far a write is. The side that has the last word is asked first; the other one is told afterwards."""

    SENT = "sent"
    """The first side is being asked; if the process that asks is gone, its outcome is unknown."""
    UNKNOWN = "unknown"
    """Nobody knows what became of it at the first side."""
    OWED = "owed"
    """The first side has done it, the other one is to be told."""
    APPLYING = "applying"
    """The other side is being told."""
    UNSETTLED = "unsettled"
    """Nobody knows what became of it at the other side."""
    PARKED = "parked"
    """The other side refuses it for good."""
    DONE = "done"
    VOID = "void"
    """It never happened."""


ENDED = (EntryState.DONE, EntryState.VOID)
FOR_PEOPLE = (EntryState.UNKNOWN, EntryState.UNSETTLED, EntryState.PARKED)
"""What people may have to look at."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A write that is about to be sent. `fence` is the snapshot that admits it, `patience` the seconds after which it
    can't be under way any more."""

    id: str
    group: str
    entity: str
    """Whose writes are told to the other side in their order; one that makes an entity has its own until it's known."""
    route: str
    authority: str
    """The side that has the last word, legacy or replacement."""
    fence: int
    key: str
    """By what both sides' upstreams may know it again."""
    request: bytes
    patience: float


class StoredEntry(NamedTuple):
    """A write as it is kept. Times are seconds since the epoch."""

    sequence: int
    id: str
    group: str
    entity: str
    route: str
    authority: str
    fence: int
    key: str
    request: bytes | None
    """None once it is over."""
    patience: float
    state: EntryState
    owner: str
    tried: int
    """Whether the other side may have heard of it."""
    attempts: int
    due: float
    problem: str
    created: float
    updated: float


class Begun(NamedTuple):
    """What became of an entry: `taken`: to be sent to the first side now; `resumed`: taken again, and the first side
    may have heard of it; `made`: the first side has done it already; `busy`: another write of the entity is under way;
    `fenced`: a newer snapshot has the writes; `owing`: the side that had the last word still has something to tell."""

    what: str
    entry: StoredEntry | None = None
