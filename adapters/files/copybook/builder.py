"""Items → a layout: places in bytes, what groups declare for their members, which field counts which table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapters.files.copybook.item import Copybook, Item
from adapters.files.copybook.layout import Area, Field, Group, Layout, Node, Occurs, Shown, own_names
from adapters.files.copybook.picture import Category, Picture
from adapters.files.copybook.shape import Shape, json_name, name_fillers, only_fillers
from adapters.files.copybook.sizes import Storage, misfit, storage
from adapters.files.copybook.source import CopybookError, Fault

_MAX_RECORD = 64 * 1024 * 1024
_DEFAULT = Shape()


def build(copybook: Copybook, *, record: str | None = None, shape: Shape = _DEFAULT) -> Layout:
    """The layout of the record called `record`, or of the only one; raises `CopybookError` with every fault."""
    faults = list(copybook.faults)
    layouts = [_layout(top, shape, faults) for top in _chosen(copybook.tops, record, shape, faults)]
    if faults:
        raise CopybookError(faults)
    return layouts[0]


def _layout(top: Item, shape: Shape, faults: list[Fault]) -> Layout:
    name_fillers([top], shape)
    builder = _Builder(shape, faults)
    item = top if top.children else Item(1, top.name, top.line, top.written, children=[top])
    root = builder.group(item, 0, 0, _Declared(alone=shape.natural).under(item))
    if root.occurs:
        faults.append(Fault(f"record {top.name} can't be a table", top.line))
    if root.size > _MAX_RECORD:
        faults.append(Fault(f"record {top.name} has {root.size} bytes; at most {_MAX_RECORD} are allowed", top.line))
    builder.renamed(top)
    return Layout(replace(root, shown="named"), frozenset(builder.counts))


def _chosen(tops: Sequence[Item], record: str | None, shape: Shape, faults: list[Fault]) -> Sequence[Item]:
    """The one record that is meant; all there are, when that can't be told, so that their faults show now."""
    if not tops:
        return ()
    if tops[0].level not in (1, 77):
        return [Item(1, "RECORD", tops[0].line, "RECORD", children=list(tops))]
    records = [top for top in tops if top.level == 1] or list(tops)
    if record is None and shape.several != "choose" and len(records) > 1:
        return [_together(records, shape)]
    wanted = records if record is None else [top for top in records if json_name(top.name) == json_name(record)]
    if len(wanted) != 1:
        names = ", ".join(json_name(top.name) for top in records)
        faults.append(Fault(f"option 'record' must name one of the copybook's records: {names}", records[0].line))
        return records
    return [_rooted(wanted[0]) if shape.keep_root and wanted[0].children else wanted[0]]


def _rooted(top: Item) -> Item:
    return Item(1, "RECORD", top.line, "RECORD", children=[top])


def _together(records: Sequence[Item], shape: Shape) -> Item:
    """All records as one: behind each other, or, as in a file's description, each redefining the first."""
    if shape.several == "redefine":
        for top in records[1:]:
            top.redefines = records[0].name
    for top in records:
        top.lifted = bool(top.children) and not shape.keep_root
    return Item(1, "RECORD", records[0].line, "RECORD", children=list(records))


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a group declares for what is subordinate to it."""

    usage: str | None = None
    leading: bool = False
    separate: bool = False
    synchronized: bool = False
    alone: bool = False
    """SYNCHRONIZED on a group says nothing of its members (GnuCOBOL)."""

    def under(self, item: Item) -> _Declared:
        """The same with what the item itself says."""
        synchronized = item.synchronized or (self.synchronized and not self.alone)
        declared = replace(self, usage=item.usage or self.usage, synchronized=synchronized)
        if item.sign_leading is None:
            return declared
        return replace(declared, leading=item.sign_leading, separate=item.sign_separate)


class _Builder:
    """Builds one record. A faulty item is told and stands in the layout as something, which then is never used."""

    def __init__(self, shape: Shape, faults: list[Fault]) -> None:
        self._shape = shape
        self._faults = faults
        self._ordinal = 0
        self._paths: list[tuple[tuple[str, ...], int]] = []
        self._path: list[str] = []
        self._names: list[tuple[str, ...]] = []
        self.counts: set[int] = set()

    def _node(self, item: Item, at: int, base: int, declared: _Declared) -> Node:
        if item.children:
            return self.group(item, at, base + at, declared.under(item))
        return self._field(item, at, declared.under(item))

    def group(self, item: Item, offset: int, base: int, declared: _Declared) -> Group:
        """The group with all that is subordinate to it; `base` is its first byte's place in the record."""
        ordinal, occurs = self._next(item)
        if item.picture is not None:
            self._tell(item, f"{item.name} has a picture and also subordinate items")
        self._path.append(item.name)
        areas = self._areas(item, base, declared)
        self._path.pop()
        size = areas[-1].offset + areas[-1].size
        slack = -size % _boundary(item, declared, self._shape) if item.occurs else 0
        if slack and self._shape.natural and not item.children[-1].occurs:  # where GnuCOBOL 3.1 puts it
            areas[-1] = _moved(areas[-1], slack)
        # Each occurrence ends where the next one stands as this one does.
        size += slack
        return Group(
            self._shape.name(item), item.name, item.line, ordinal, offset, size, occurs, self._shown(item), tuple(areas)
        )

    def _areas(self, item: Item, base: int, declared: _Declared) -> list[Area]:
        areas: list[Area] = []
        at = 0
        names: dict[str, int] = {}
        for child in item.children:
            target = self._redefined(child, areas)
            if target is None:
                at += -(base + at) % self._slack(child, declared)
            node = self._node(child, at if target is None else target.offset, base, declared)
            for name in own_names(node):
                if names.setdefault(name, child.line) != child.line:
                    self._tell(child, f"{item.name} has two items called {name}; give one another name")
            if target is None:
                areas.append(Area(at, node.total, (node,)))
            else:
                areas[-1] = Area(target.offset, max(target.size, node.total), (*target.nodes, node))
            at = areas[-1].offset + areas[-1].size
        return areas

    def _slack(self, child: Item, declared: _Declared) -> int:
        """The boundary that the child begins on: IBM's slack bytes stand before a group that begins with such an item,
        GnuCOBOL's inside of it."""
        if child.children and self._shape.natural:
            return 1
        first, declared = child, declared.under(child)
        while first.children:
            first = first.children[0]
            declared = declared.under(first)
        return _own_boundary(first, declared, self._shape)

    def _shown(self, item: Item) -> Shown:
        if item.lifted:
            return "lifted"
        if self._shape.group_fillers != "lift" and item.children and only_fillers(item.children):
            return "hidden"
        if item.name != "FILLER" or not item.children:
            return "named" if item.name != "FILLER" else "hidden"
        if self._shape.group_fillers == "drop":
            return "hidden"
        return "named" if item.occurs else "lifted"

    def _next(self, item: Item) -> tuple[int, Occurs | None]:
        """The item's ordinal, and its occurrences."""
        self._names.append((item.name, *reversed(self._path)))
        self._ordinal += 1
        ordinal = self._ordinal
        return ordinal, Occurs(item.low, item.high, self._count(item)) if item.occurs else None

    def _tell(self, item: Item, sentence: str) -> None:
        if not item.broken:
            self._faults.append(Fault(sentence, item.line))

    def _redefined(self, child: Item, areas: Sequence[Area]) -> Area | None:
        if child.redefines is None:
            return None
        if not areas or child.redefines not in {node.cobol for node in areas[-1].nodes}:
            self._tell(child, f"{child.name} must directly follow {child.redefines}, which it redefines")
            return None
        return areas[-1]

    def _field(self, item: Item, offset: int, declared: _Declared) -> Field:
        ordinal, occurs = self._next(item)
        self._paths.append(((item.name, *reversed(self._path)), ordinal))
        wrong = misfit(item.name, item.picture, declared.usage)
        if wrong is not None:
            self._tell(item, wrong)
        picture = None if wrong else item.picture
        separate = declared.separate and _has_sign(item, picture)
        stored = Storage("double", None, 8) if wrong else _stored(item, declared, separate, self._shape)
        return Field(
            self._shape.name(item),
            item.name,
            item.line,
            ordinal,
            offset,
            stored.size,
            occurs,
            self._shown(item),
            stored.picture,
            stored.usage,
            declared.leading,
            separate,
            item.blank_when_zero,
            item.right,
            tuple(item.conditions),
        )

    def _count(self, item: Item) -> int | None:
        if not item.depends:
            return None
        found = [ordinal for path, ordinal in self._paths if _qualified(path, item.depends)]
        if not found:
            self._tell(item, f"{item.name} depends on {' OF '.join(item.depends)}, which isn't declared before it")
            return None
        self.counts.add(found[-1])
        return found[-1]

    def renamed(self, top: Item) -> None:
        """Tells what a level 66 renames that isn't there, or stands the wrong way round."""
        for other in top.renames:
            places = []
            for name in (other.first, other.last):
                found = [at for at, path in enumerate(self._names) if _qualified(path, name)]
                if not found:
                    sentence = f"{other.name} renames {' OF '.join(name)}, which isn't in the record before it"
                    self._faults.append(Fault(sentence, other.line))
                    break
                places.append(found[0])
            if len(places) == 2 and places[0] > places[1]:
                self._faults.append(Fault(f"{other.name} must rename from the first item through the last", other.line))


def _moved(area: Area, by: int) -> Area:
    nodes = tuple(replace(node, offset=node.offset + by) for node in area.nodes)
    return replace(area, offset=area.offset + by, nodes=nodes)


def _stored(item: Item, declared: _Declared, separate: bool, shape: Shape) -> Storage:
    return storage(item.picture, declared.usage or "display", separate, shape)


def _own_boundary(item: Item, declared: _Declared, shape: Shape) -> int:
    if not declared.synchronized or misfit(item.name, item.picture, declared.usage) is not None:
        return 1
    return _stored(item, declared, separate=False, shape=shape).boundary


def _boundary(item: Item, declared: _Declared, shape: Shape) -> int:
    """The widest boundary of what is below."""
    if not item.children:
        return _own_boundary(item, declared, shape)
    return max(_boundary(child, declared.under(child), shape) for child in item.children)


def _has_sign(item: Item, picture: Picture | None) -> bool:
    """A group's SIGN clause is for its signed numbers; one of the item's own gives even an unsigned one a sign."""
    if picture is None or picture.category is not Category.NUMBER:
        return False
    return picture.signed or item.sign_leading is not None


def _qualified(path: Sequence[str], wanted: Sequence[str]) -> bool:
    """Is `wanted` (name, then qualifying names outwards) the item at `path` (the same way round)?"""
    if path[0] != wanted[0]:
        return False
    rest = iter(path[1:])
    return all(name in rest for name in wanted[1:])
