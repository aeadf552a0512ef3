"""What a reconciliation is made of: runs, what was found of an entity, and repairs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from adapters.contract import Json
from gateway.call import Principal

_WHO = ("id", "agent", "tenant", "credential", "issuer")


class Kind(StrEnum):
    """What is found of an entity, as the replacement has it in comparison with legacy."""

    SAME = "same"
    MISSING = "missing"
    """Legacy has it, the replacement doesn't."""
    EXTRA = "extra"
    """Only the replacement has it."""
    DIFFERENT = "different"
    UNKNOWN = "unknown"
    """Nothing can be said: a side didn't answer, or a write of it is under way."""


UNCLEAN = (Kind.MISSING, Kind.EXTRA, Kind.DIFFERENT, Kind.UNKNOWN)


class Look(NamedTuple):
    """One look at an entity on both sides. `sample` is redacted; `passing`: a later look may tell more."""

    kind: Kind
    why: str = ""
    sample: dict[str, Any] | None = None
    passing: bool = False
    legacy: Json = None
    """Legacy's body where it has the entity; `replacement` the other one's. They are for repairs, and aren't kept."""
    replacement: Json = None
    members: tuple[str, ...] = ()
    """The top-level members in which the sides differ without an explanation."""


class RunState(StrEnum):
    """How far a run is."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class What(StrEnum):
    """What a run is for."""

    SWEEP = "sweep"
    """Every entity that either side's list names is looked at."""
    PROPOSE = "propose"
    """What was found is looked at once more, and repairs are proposed."""


class Run(NamedTuple):
    """A sweep, or the making of proposals. Times are seconds since the epoch."""

    id: int
    group: str
    what: What
    state: RunState
    reason: str
    """Why it was cancelled."""
    who: bytes
    """In whose name the sides are asked."""
    author: str
    snapshot: int
    rules: str
    """Changes with what decides what is compared, and how."""
    progress: bytes
    began: float
    updated: float
    ended: float


class Place(NamedTuple):
    """One entity of a run that isn't done with. `id` is what the path parameter says, as JSON; `body` what its list
    said where that is compared, `side` which list."""

    entity: str
    id: bytes
    side: str
    body: bytes | None
    tries: int


class Check(NamedTuple):
    """An entity that was written, and is to be looked at."""

    group: str
    entity: str
    path: bytes
    who: bytes
    since: float
    written: float
    tries: int


class RepairState(StrEnum):
    """How far a repair is."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    APPLYING = "applying"
    """It is in the outbox, which tells how far it is."""
    DONE = "done"
    DROPPED = "dropped"
    """The entity changed before it was applied."""


class Repair(NamedTuple):
    """One entity to be made as the side with the last word has it."""

    hash: str
    """Stands for what is written, where, and over what."""
    group: str
    entity: str
    id: bytes
    side: str
    """The side that is changed."""
    verb: str
    """`create`, `update` or `delete`."""
    route: str
    members: bytes
    """The members that are written, as a JSON list of names; `left` those that no route writes."""
    left: bytes
    state: RepairState
    who: bytes
    author: str
    entry: str
    """The id that it has in the outbox."""
    why: str
    created: float
    updated: float


@dataclass(frozen=True, slots=True)
class Mended:
    """What would mend an entity: a call of a route of the group, at one side."""

    side: str
    verb: str
    route: str
    path: dict[str, Json]
    body: Json
    members: tuple[str, ...]
    left: tuple[str, ...]
    hash: str


def spelt_who(who: Principal) -> bytes:
    """A principal as it is kept: no token, and nothing that isn't needed to ask in its name."""
    members: dict[str, Any] = {name: getattr(who, name) for name in _WHO}
    return orjson.dumps(members | {"roles": who.roles, "teams": who.teams, "delegation": who.delegation})


def read_who(kept: bytes) -> Principal:
    """The principal again."""
    members = orjson.loads(kept)
    for name in ("roles", "teams", "delegation"):
        members[name] = tuple(members[name])
    return Principal(**members)
