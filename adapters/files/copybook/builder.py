"""Items → a layout: places in bytes, what groups declare for their members, which field counts which table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapters.files.copybook.items import Copybook, Item
from adapters.files.copybook.layout import Area, Field, Group, Layout, Node, Occurs, own_names
from adapters.files.copybook.picture import Category, Picture
from adapters.files.copybook.source import CopybookError, Fault

_MAX_RECORD = 64 * 1024 * 1024
_HALF, _WORD, _DOUBLE = 4, 9, 18


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


def build(copybook: Copybook, *, record: str | None = None, smallest: int = 2) -> Layout:
    """The layout of the record called `record`, or of the only one; raises `CopybookError` with every fault."""
    faults = list(copybook.faults)
    layouts = [_layout(top, smallest, faults) for top in _chosen(copybook.tops, record, faults)]
    if faults:
        raise CopybookError(faults)
    return layouts[0]


def _layout(top: Item, smallest: int, faults: list[Fault]) -> Layout:
    builder = _Builder(smallest, faults)
    item = top if top.children else Item(1, top.name, top.line, children=[top])
    root = builder.group(item, 0, _Declared().under(item))
    if root.occurs:
        faults.append(Fault(f"record {top.name} can't be a table", top.line))
    if root.size > _MAX_RECORD:
        faults.append(Fault(f"record {top.name} has {root.size} bytes; at most {_MAX_RECORD} are allowed", top.line))
    return Layout(root, frozenset(builder.counts))


def _chosen(tops: Sequence[Item], record: str | None, faults: list[Fault]) -> Sequence[Item]:
    """The one record that is meant; all there are, when that can't be told, so that their faults show now."""
    if not tops:
        return ()
    if tops[0].level not in (1, 77):
        return [Item(1, "RECORD", tops[0].line, children=list(tops))]
    records = [top for top in tops if top.level == 1] or list(tops)
    wanted = records if record is None else [top for top in records if json_name(top.name) == json_name(record)]
    if len(wanted) != 1:
        names = ", ".join(json_name(top.name) for top in records)
        faults.append(Fault(f"option 'record' must name one of the copybook's records: {names}", records[0].line))
        return records
    return wanted


def json_name(name: str) -> str:
    """A COBOL name as it appears in JSON: lower case, hyphens as underscores."""
    return name.lower().replace("-", "_")


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a group declares for what is subordinate to it."""

    usage: str | None = None
    leading: bool = False
    separate: bool = False

    def under(self, item: Item) -> _Declared:
        """The same with what the item itself says."""
        declared = replace(self, usage=item.usage or self.usage)
        if item.sign_leading is None:
            return declared
        return replace(declared, leading=item.sign_leading, separate=item.sign_separate)


class _Builder:
    """Builds one record. A faulty item is told and stands in the layout as something, which then is never used."""

    def __init__(self, smallest: int, faults: list[Fault]) -> None:
        self._smallest = smallest
        self._faults = faults
        self._ordinal = 0
        self._paths: list[tuple[tuple[str, ...], int]] = []
        self._path: list[str] = []
        self.counts: set[int] = set()

    def _node(self, item: Item, offset: int, declared: _Declared) -> Node:
        declared = declared.under(item)
        return self.group(item, offset, declared) if item.children else self._field(item, offset, declared)

    def group(self, item: Item, offset: int, declared: _Declared) -> Group:
        """The group with all that is subordinate to it."""
        ordinal, occurs = self._next(item)
        if item.picture is not None:
            self._tell(item, f"{item.name} has a picture and also subordinate items")
        areas: list[Area] = []
        at = 0
        names: dict[str, int] = {}
        self._path.append(item.name)
        for child in item.children:
            target = self._redefined(child, areas)
            node = self._node(child, at if target is None else target.offset, declared)
            for name in own_names(node):
                if names.setdefault(name, child.line) != child.line:
                    self._tell(child, f"{item.name} has two items called {name}; give one another name")
            if target is None:
                areas.append(Area(at, node.total, (node,)))
            else:
                areas[-1] = Area(target.offset, max(target.size, node.total), (*target.nodes, node))
            at = areas[-1].offset + areas[-1].size
        self._path.pop()
        return Group(json_name(item.name), item.name, item.line, ordinal, offset, at, occurs, tuple(areas))

    def _next(self, item: Item) -> tuple[int, Occurs | None]:
        """The item's ordinal, and its occurrences."""
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
        picture, usage = item.picture, declared.usage
        wrong = _misfit(item, usage)
        if wrong is not None:
            self._tell(item, wrong)
            picture = None
        separate = declared.separate and _has_sign(item, picture)
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
            declared.leading,
            separate,
            item.blank_when_zero,
            item.right,
            tuple(item.conditions),
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
        return picture.length + separate

    def _count(self, item: Item) -> int | None:
        if not item.depends:
            return None
        found = [ordinal for path, ordinal in self._paths if _qualified(path, item.depends)]
        if not found:
            self._tell(item, f"{item.name} depends on {' OF '.join(item.depends)}, which isn't declared before it")
            return None
        self.counts.add(found[-1])
        return found[-1]


def _misfit(item: Item, usage: str | None) -> str | None:
    """Why picture and usage don't go together, if they don't."""
    picture, floating = item.picture, usage in ("float", "double")
    if picture is None:
        return None if floating else f"{item.name} has neither a picture nor subordinate items"
    if floating:
        return f"{item.name} is COMP-1 or COMP-2 and can't have a picture"
    if usage in ("binary", "native", "little", "packed") and picture.category is not Category.NUMBER:
        return f"{item.name} is a binary or packed number and can't have PIC {picture.text}"
    return None


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
