"""The layout of a record: every item's place in bytes, as an immutable tree. Codecs and schemas come from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from adapters.files.copybook.items import Condition, Item
from adapters.files.copybook.picture import Category, Picture
from adapters.files.copybook.source import CopybookError

_MAX_RECORD = 64 * 1024 * 1024
_HALF, _WORD, _DOUBLE = 4, 9, 18


@dataclass(frozen=True, slots=True)
class Occurs:
    """A table: `low` to `high` occurrences; `depends_on` is the ordinal of the field that counts them."""

    low: int
    high: int
    depends_on: int | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """An elementary item. `offset` counts from its parent's first byte; `size` is one occurrence, in bytes."""

    name: str
    cobol: str
    line: int
    ordinal: int
    offset: int
    size: int
    occurs: Occurs | None
    picture: Picture | None
    usage: str
    sign_leading: bool
    sign_separate: bool
    blank_when_zero: bool
    right: bool
    conditions: tuple[Condition, ...]

    @property
    def total(self) -> int:
        """Bytes of all occurrences."""
        return self.size * (self.occurs.high if self.occurs else 1)


@dataclass(frozen=True, slots=True)
class Group:
    """A group item; its members are areas, each with the alternatives that REDEFINES gives it."""

    name: str
    cobol: str
    line: int
    ordinal: int
    offset: int
    size: int
    occurs: Occurs | None
    areas: tuple[Area, ...]

    @property
    def total(self) -> int:
        """Bytes of all occurrences."""
        return self.size * (self.occurs.high if self.occurs else 1)


@dataclass(frozen=True, slots=True)
class Area:
    """Bytes at `offset` of a group, seen as one node or, redefined, as several; `size` is the largest one's."""

    offset: int
    size: int
    nodes: tuple[Node, ...]


Node: TypeAlias = Field | Group


@dataclass(frozen=True, slots=True)
class Layout:
    """One record: its tree, its length in bytes and the ordinals of the fields that count a table."""

    root: Group
    counts: frozenset[int]

    @property
    def size(self) -> int:
        return self.root.size


def binary_size(digits: int, smallest: int) -> int:
    """Bytes of a binary field. IBM and Cobrix use 2, 4 and 8; GnuCOBOL's default begins at 1 (`smallest`).

    Past 18 digits: the fewest whole bytes that hold them and a sign.
    """
    if digits <= 2 and smallest == 1:
        return 1
    if digits <= _DOUBLE:
        return 2 if digits <= _HALF else 4 if digits <= _WORD else 8
    ceiling: int = 10**digits
    return ((ceiling - 1).bit_length() + 8) // 8


def build(tops: Sequence[Item], *, record: str | None = None, smallest: int = 2) -> Layout:
    """The layout of the record called `record`, or of the only one; raises `CopybookError`."""
    builder = _Builder(smallest)
    top = _chosen(tops, record)
    item = top if top.children else Item(1, top.name, top.line, children=[top])
    node = builder.node(item, 0, None, False, None)
    if not isinstance(node, Group) or node.occurs:
        raise CopybookError(f"record {top.name} can't be a table", top.line)
    if node.size > _MAX_RECORD:
        raise CopybookError(f"record {top.name} has {node.size} bytes; at most {_MAX_RECORD} are allowed", top.line)
    return Layout(node, frozenset(builder.counts))


def _chosen(tops: Sequence[Item], record: str | None) -> Item:
    if tops[0].level not in (1, 77):
        return Item(1, "RECORD", tops[0].line, children=list(tops))
    records = [top for top in tops if top.level == 1] or list(tops)
    wanted = records if record is None else [top for top in records if json_name(top.name) == json_name(record)]
    if len(wanted) != 1:
        names = ", ".join(json_name(top.name) for top in records)
        raise CopybookError(f"option 'record' must name one of the copybook's records: {names}", records[0].line)
    return wanted[0]


def json_name(name: str) -> str:
    """A COBOL name as it appears in JSON: lower case, hyphens as underscores."""
    return name.lower().replace("-", "_")


class _Builder:
    def __init__(self, smallest: int) -> None:
        self._smallest = smallest
        self._ordinal = 0
        self._paths: list[tuple[tuple[str, ...], int]] = []
        self._path: list[str] = []
        self.counts: set[int] = set()

    def node(self, item: Item, offset: int, usage: str | None, separate: bool, leading: bool | None) -> Node:
        """`usage` and the sign are what the group above declares for its subordinate items."""
        usage = item.usage or usage
        if item.sign_leading is not None:
            leading, separate = item.sign_leading, item.sign_separate
        self._ordinal += 1
        ordinal = self._ordinal
        occurs = Occurs(item.low, item.high, self._count(item)) if item.occurs else None
        self._path.append(item.name)
        try:
            if item.children:
                return self._group(item, offset, ordinal, occurs, usage, separate, leading)
            field = self._field(item, offset, ordinal, occurs, usage, separate, leading)
            self._paths.append((tuple(reversed(self._path)), ordinal))
            return field
        finally:
            self._path.pop()

    def _group(
        self,
        item: Item,
        offset: int,
        ordinal: int,
        occurs: Occurs | None,
        usage: str | None,
        separate: bool,
        leading: bool | None,
    ) -> Group:
        if item.picture is not None:
            raise CopybookError(f"{item.name} has a picture and also subordinate items", item.line)
        areas: list[Area] = []
        at = 0
        names: dict[str, int] = {}
        for child in item.children:
            target = self._redefined(child, areas)
            node = self.node(child, at if target is None else target.offset, usage, separate, leading)
            if node.cobol != "FILLER" and names.setdefault(node.name, child.line) != child.line:
                raise CopybookError(f"{item.name} has two items called {child.name}", child.line)
            if target is None:
                areas.append(Area(at, node.total, (node,)))
            else:
                areas[-1] = Area(target.offset, max(target.size, node.total), (*target.nodes, node))
            at = areas[-1].offset + areas[-1].size
        return Group(json_name(item.name), item.name, item.line, ordinal, offset, at, occurs, tuple(areas))

    @staticmethod
    def _redefined(child: Item, areas: Sequence[Area]) -> Area | None:
        if child.redefines is None:
            return None
        if not areas or child.redefines not in {node.cobol for node in areas[-1].nodes}:
            raise CopybookError(f"{child.name} must directly follow {child.redefines}, which it redefines", child.line)
        return areas[-1]

    def _field(
        self,
        item: Item,
        offset: int,
        ordinal: int,
        occurs: Occurs | None,
        usage: str | None,
        separate: bool,
        leading: bool | None,
    ) -> Field:
        picture = item.picture
        if picture is None and usage not in ("float", "double"):
            raise CopybookError(f"{item.name} has neither a picture nor subordinate items", item.line)
        if picture is not None and usage in ("float", "double"):
            raise CopybookError(f"{item.name} is COMP-1 or COMP-2 and can't have a picture", item.line)
        if picture is not None and usage in ("binary", "native", "little", "packed"):
            self._numeric(item, picture)
        size = self._size(picture, usage or "display", separate)
        return Field(
            json_name(item.name),
            item.name,
            item.line,
            ordinal,
            offset,
            size,
            occurs,
            picture,
            usage or "display",
            bool(leading),
            separate and (picture is not None and picture.category is Category.NUMBER),
            item.blank_when_zero,
            item.right,
            tuple(item.conditions),
        )

    @staticmethod
    def _numeric(item: Item, picture: Picture) -> None:
        if picture.category is not Category.NUMBER:
            raise CopybookError(
                f"{item.name} is a binary or packed number and can't have PIC {picture.text}", item.line
            )

    def _size(self, picture: Picture | None, usage: str, separate: bool) -> int:
        if picture is None:
            return 4 if usage == "float" else 8
        if usage == "packed":
            return picture.stored // 2 + 1
        if usage in ("binary", "native", "little"):
            return binary_size(picture.stored, self._smallest)
        if picture.category is Category.NATIONAL or usage == "national":
            return picture.length * 2
        return picture.length + (separate and picture.category is Category.NUMBER)

    def _count(self, item: Item) -> int | None:
        if not item.depends:
            return None
        found = [ordinal for path, ordinal in self._paths if _qualified(path, item.depends)]
        if not found:
            name = " OF ".join(item.depends)
            raise CopybookError(f"{item.name} depends on {name}, which isn't declared before it", item.line)
        self.counts.add(found[-1])
        return found[-1]


def _qualified(path: Sequence[str], wanted: Sequence[str]) -> bool:
    """Is `wanted` (name, then qualifying names outwards) the item at `path` (the same way round)?"""
    if path[0] != wanted[0]:
        return False
    rest = iter(path[1:])
    return all(name in rest for name in wanted[1:])


def fields(group: Group, prefix: str = "") -> Iterator[tuple[str, Field]]:
    """Every named elementary item outside tables, with its dotted JSON path."""
    for area in group.areas:
        for node in area.nodes:
            if node.occurs:
                continue
            if isinstance(node, Group):
                yield from fields(node, prefix if node.cobol == "FILLER" else f"{prefix}{node.name}.")
            elif node.cobol != "FILLER":
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
    if isinstance(node, Field):
        return node if node.name == path and node.cobol != "FILLER" else None
    if node.cobol == "FILLER":
        return only(node, path)
    name, _, rest = path.partition(".")
    return only(node, rest) if name == node.name and rest else None
