"""The layout of a record: every item's place in bytes, as an immutable tree. Codecs and schemas come from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from adapters.files.copybook.item import Condition
from adapters.files.copybook.picture import Picture

Shown: TypeAlias = Literal["named", "lifted", "hidden"]
"""How an item appears: under its name, its members in the group around it, or not at all."""


@dataclass(frozen=True, slots=True)
class Occurs:
    """A table: `low` to `high` occurrences; `depends_on` is the ordinal of the field that counts them."""

    low: int
    high: int
    depends_on: int | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """What every item has. `offset` counts from its parent's first byte; `size` is one occurrence, in bytes."""

    name: str
    cobol: str
    line: int
    ordinal: int
    offset: int
    size: int
    occurs: Occurs | None
    shown: Shown

    @property
    def total(self) -> int:
        """Bytes of all occurrences."""
        return self.size * (self.occurs.high if self.occurs else 1)


@dataclass(frozen=True, slots=True)
class Field(_Place):
    """An elementary item."""

    picture: Picture | None
    usage: str
    sign_leading: bool
    sign_separate: bool
    blank_when_zero: bool
    right: bool
    conditions: tuple[Condition, ...]
    encoding: str | None = None
    """The code page of this field alone."""


@dataclass(frozen=True, slots=True)
class Group(_Place):
    """A group item; its members are areas, each with the alternatives that REDEFINES gives it."""

    areas: tuple[Area, ...]


@dataclass(frozen=True, slots=True)
class Area:
    """Bytes at `offset` of a group, seen as one node or, redefined, as several; `size` is the largest one's.
    `overlays` show the same bytes once more."""

    offset: int
    size: int
    nodes: tuple[Node, ...]
    overlays: tuple[Field, ...] = ()


Node: TypeAlias = Field | Group


@dataclass(frozen=True, slots=True)
class Layout:
    """One record: its tree, its length in bytes and the ordinals of the fields that count a table."""

    root: Group
    counts: frozenset[int]

    @property
    def size(self) -> int:
        return self.root.size


def own_names(node: Node) -> list[str]:
    """The names under which a node stands in its parent's object; of a lifted group, those of its members."""
    if node.shown == "named":
        return [node.name]
    if node.shown == "hidden" or isinstance(node, Field):
        return []
    return [name for area in node.areas for inner in area.nodes for name in own_names(inner)]


def fields(group: Group, prefix: str = "") -> Iterator[tuple[str, Field]]:
    """Every named elementary item outside tables, with its dotted JSON path."""
    for area in group.areas:
        for node in area.nodes:
            if node.occurs or node.shown == "hidden":
                continue
            if isinstance(node, Group):
                yield from fields(node, prefix if node.shown == "lifted" else f"{prefix}{node.name}.")
            else:
                yield prefix + node.name, node


def only(group: Group, path: str) -> Group | None:
    """The same group with nothing but the elementary item at dotted `path`, for decoding that alone."""
    for area in group.areas:
        for node in area.nodes:
            if node.occurs:
                continue
            kept = _kept(node, path)
            if kept is not None:
                return replace(group, areas=(Area(area.offset, area.size, (kept,)),))
    return None


def _kept(node: Node, path: str) -> Node | None:
    if node.shown == "hidden":
        return None
    if isinstance(node, Field):
        return node if node.name == path else None
    if node.shown == "lifted":
        return only(node, path)
    name, _, rest = path.partition(".")
    return only(node, rest) if name == node.name and rest else None


def plain(name: str) -> str:
    """A COBOL name for comparing: upper case, with hyphens."""
    return name.strip().upper().replace("_", "-")


def walk(group: Group) -> Iterator[Node]:
    """Every node below a group, whatever it is shown as."""
    for area in group.areas:
        for node in area.nodes:
            yield node
            if isinstance(node, Group):
                yield from walk(node)


def find(group: Group, cobol: str, offset: int = 0) -> tuple[Node, int] | None:
    """The first item of that COBOL name, and its offset in the record."""
    wanted = plain(cobol)
    for area in group.areas:
        for node in area.nodes:
            if plain(node.cobol) == wanted:
                return node, offset + node.offset
            found = find(node, cobol, offset + node.offset) if isinstance(node, Group) else None
            if found is not None:
                return found
    return None
