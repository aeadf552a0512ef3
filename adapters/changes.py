"""What an upstream tells of its changes: the values, and what a capture is.

A capture is pulled: it reads on when it is asked, so that who stores the changes sets the pace. What was read is told
to the source (`release`) only once it is stored, so that each change comes at least once; a change that comes again has
the same id. A change of a key is a delete of the old one and an insert of the new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol, TypeAlias

from adapters.contract import Json
from adapters.errors import AdapterError


class What(StrEnum):
    """What happened."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    STATE = "state"
    """The row is so now, which may be known already; it is stored as an insert or update where it is news."""
    TRUNCATE = "truncate"
    """Every row is gone; it has no key."""
    SCHEMA = "schema"
    """The columns are others from here on; `Change.after` is `{"columns": {name: type}}`, and there is no key."""


class Change(NamedTuple):
    """One change at the source."""

    id: str
    """Unique within its capture, and the same whenever the change is read again."""
    what: What
    key: tuple[Json, ...] = ()
    """The key's values, always in the same order."""
    after: Mapping[str, Json] | None = None
    """The row as it then was; None where it is gone."""
    at: datetime | None = None
    """When it was committed, as far as the source tells (aware, UTC)."""


class Batch(NamedTuple):
    """Some changes, in order. `position` resumes behind them; it may go on where there are none."""

    changes: Sequence[Change]
    position: str
    more: bool
    """There are more already. Else, what was committed by `until` has been told."""
    until: float | None = None
    """Seconds since 1970; None: when this was asked for. 0: what is told isn't all that there is."""
    as_of: float | None = None
    """When what is told was true, where the source has that from elsewhere, as files have it; None: then, too."""


class Page(NamedTuple):
    """Some rows, each with its key's values; `after` continues behind them, None: there are no more."""

    rows: Sequence[tuple[tuple[Json, ...], Mapping[str, Json]]]
    after: Json


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What a capture promises, for whoever relies on it."""

    deletes: Literal["all", "found by reconciliation", "found by comparison"]
    """Whether deletes are told, and how they are known."""
    order: Literal["commit", "key", "none"]
    """Changes come in the order of their commits; or of each key, at least."""
    every: bool
    """Each change is told; else several of one row may come as the last of them."""
    lag: str
    """In words: what it takes from the commit to the capture."""
    misses: str = ""
    """In words: what it doesn't see."""

    def document(self) -> dict[str, Json]:
        """As JSON."""
        return {name: getattr(self, name) for name in ("deletes", "order", "every", "lag", "misses")}


Kind: TypeAlias = Literal["integer", "number", "decimal", "text", "boolean", "instant", "date", "uuid"]
"""How a field's values compare; a decimal has at most 15 significant digits, which a double tells apart."""


@dataclass(frozen=True, slots=True)
class Form:
    """What rows that are kept elsewhere can be asked for, so that the answer is the upstream's own."""

    key: tuple[str, ...]
    fields: Mapping[str, Kind]
    """By dotted path; what isn't among them can't be filtered or sorted by there."""
    nested: bool
    """A dot in a name leads into a member."""
    nulls_last: bool
    """NULL sorts as greater than every value, else as less."""
    exact: bool
    """Text compares as it is written."""
    misses: bool
    """What isn't among the rows isn't there."""
    like: Literal["", "plain", "escaped"] = ""
    """Patterns compare as they are written, a backslash being itself or before a literal character; empty: not so."""

    shape: str = ""
    """Another one where rows have other members, or spell them otherwise, as far as that is known offline."""

    def digest(self) -> str:
        """Another one where rows, or what they are asked for, are otherwise."""
        return repr((self.key, sorted(self.fields.items()), self.nested, self.shape))


@dataclass(frozen=True, slots=True)
class Retained:
    """What the source keeps for the capture, beyond what it would keep anyway: `size` in bytes, None where that isn't
    known."""

    size: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be captured, and how, as `gateway.yaml` says it."""

    name: str
    table: str
    method: str
    owner: str = "figway"
    """What is made in the database for it is called by this and the name."""


class PositionLost(AdapterError):
    """The source can't tell what is behind the position (any more): everything is to be loaded anew."""


class NotInstalled(AdapterError):
    """What the capture needs in the database isn't there; `figway changes install` makes it."""


class Capture(Protocol):
    """The changes of one table. Used by one reader at a time; `deadline` is on `time.monotonic()`'s clock.

    Every method raises `AdapterError`s. A first load goes on beside the changes: `begin`, then again and again a
    `page`, and `changes` until there are no `more`, so that all is told that the page may show. A page's rows whose
    keys changed since `begin` are no newer than what was told of them.
    """

    @property
    def guarantee(self) -> Guarantee: ...

    async def begin(self, deadline: float) -> str:
        """A position before all that is committed from now on; what an earlier beginning kept is given up."""
        ...

    async def changes(self, after: str, limit: int, deadline: float) -> Batch:
        """Some `limit` changes behind a position; raises `PositionLost`. Calls with the last batch's position go on
        where it ended."""
        ...

    async def release(self, position: str, deadline: float) -> None:
        """What is before the position is stored: the source may forget it."""
        ...

    async def page(self, after: Json, limit: int, deadline: float) -> Page:
        """Rows as they are now, each once, behind another page's `after` (None: from the start)."""
        ...

    async def retained(self, deadline: float) -> Retained:
        """What the source keeps for this capture."""
        ...

    async def close(self) -> None: ...
