"""What a copybook declares: data items with their clauses, conditions and other names, as a tree."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapters.files.copybook.picture import Picture
from adapters.files.copybook.source import Fault


@dataclass(frozen=True, slots=True)
class Condition:
    """A level 88: a name for some values; `through` holds (first, last) pairs."""

    name: str
    values: tuple[str, ...]
    through: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Renames:
    """A level 66: another name for the items `first` to `last`."""

    name: str
    first: tuple[str, ...]
    last: tuple[str, ...]
    line: int


@dataclass(slots=True)
class Item:
    """One data description entry with what is subordinate to it."""

    level: int
    name: str
    line: int
    written: str = ""
    """The name as the copybook has it, in its own case."""
    picture: Picture | None = None
    usage: str | None = None
    sign_leading: bool | None = None
    sign_separate: bool = False
    low: int = 1
    high: int = 1
    occurs: bool = False
    depends: tuple[str, ...] = ()
    redefines: str | None = None
    blank_when_zero: bool = False
    right: bool = False
    synchronized: bool = False
    conditions: list[Condition] = field(default_factory=list)
    children: list[Item] = field(default_factory=list)
    lifted: bool = False
    """Its members appear in the group around it."""
    renames: list[Renames] = field(default_factory=list)
    broken: bool = False
    """Its entry has a fault that is told already: it isn't told what else it lacks."""


@dataclass(frozen=True, slots=True)
class Copybook:
    """The top items (levels 01 and 77, or what stands highest) of a copybook, and what was wrong on the way there."""

    tops: tuple[Item, ...]
    faults: tuple[Fault, ...]
