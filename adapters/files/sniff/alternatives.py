"""Which field tells the alternatives of a REDEFINES apart, measured on records that hold all that decode.

A field tells them when each of its values goes with one alternative: the only one that decodes in every record of
that value, the one that is called as the field's condition (level 88) or its value is, or the only one whose texts
are whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from adapters.files.copybook.layout import Area, Field, Group, Layout, Node, fields, own_names
from adapters.files.copybook.picture import Category
from adapters.files.sniff.sample import at_path

_MOST_VALUES = 30
_FEWEST = 3
"""Records of each value, on average."""
_CLEAN, _TORN = 0.02, 0.9


class Choice(NamedTuple):
    """The alternatives that stand in the same bytes, and how they are told apart."""

    path: str
    """The dotted path of the group around them; empty: the record."""
    names: tuple[str, ...]
    """As they are called in JSON."""
    cobol: tuple[str, ...]
    field: str | None
    """The dotted path of the field that tells them; None: none does."""
    field_cobol: str
    meant: Mapping[str, str]
    """The field's value → the alternative."""
    whole: bool = False
    """The field's values are integers."""


def choices(layout: Layout, values: Sequence[Mapping[str, Any]]) -> list[Choice]:
    """The choices of a layout whose alternatives are groups or fields under names of their own."""
    return [_choice(layout, path, area, values) for path, area in _areas(layout.root, "")]


def _areas(group: Group, prefix: str) -> Iterator[tuple[str, Area]]:
    for area in group.areas:
        named = [node for node in area.nodes if node.shown == "named"]
        if len(named) > 1:
            yield prefix.rstrip("."), Area(area.offset, area.size, tuple(named))
        for node in area.nodes:
            if isinstance(node, Group) and node.occurs is None and node.shown != "hidden":
                yield from _areas(node, prefix if node.shown == "lifted" else f"{prefix}{node.name}.")


def _choice(layout: Layout, path: str, area: Area, values: Sequence[Mapping[str, Any]]) -> Choice:
    names = tuple(node.name for node in area.nodes)
    cobol = tuple(node.cobol for node in area.nodes)
    inside = {name for node in area.nodes for name in own_names(node)}
    around = f"{path}." if path else ""
    for name, field in fields(layout.root):
        within = name.startswith(around) and name[len(around) :].partition(".")[0] in inside
        meant = {} if within else _meant(name, field, path, area.nodes, values)
        if meant and len(set(meant.values())) > 1:
            return Choice(path, names, cobol, name, field.cobol, meant, not _is_text(field))
    return Choice(path, names, cobol, None, "", {})


class _Seen:
    """What the records of one value of a field showed of the alternatives."""

    def __init__(self, names: Iterable[str]) -> None:
        self.count = 0
        self.always = set(names)
        self.torn: Counter[str] = Counter()
        """How often an alternative's texts held control characters, which texts don't: it cuts another's in two."""

    def add(self, group: Mapping[str, Any], nodes: Sequence[Node]) -> None:
        self.count += 1
        self.always &= set(group)
        self.torn.update(node.name for node in nodes if node.name in group and _torn(node, group[node.name]))

    def meant(self, called: Sequence[str]) -> str | None:
        """The one alternative that fits; None: none, or several do."""
        fitting = [name for name in called if name in self.always] or sorted(self.always)
        if len(fitting) > 1:
            whole = [name for name in fitting if self.torn[name] <= self.count * _CLEAN]
            others_torn = all(self.torn[name] >= self.count * _TORN for name in fitting if name not in whole)
            fitting = whole if others_torn else []
        return fitting[0] if len(fitting) == 1 else None


def _meant(
    name: str, field: Field, path: str, nodes: Sequence[Node], values: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """The field's values, each with its alternative; none where one of them can't be told."""
    seen: dict[str, _Seen] = {}
    for value in values:
        told = at_path(value, name)
        group = at_path(value, path) if path else value
        if not isinstance(told, str | int) or isinstance(told, bool) or told == "" or not isinstance(group, dict):
            return {}
        seen.setdefault(str(told), _Seen(node.name for node in nodes)).add(group, nodes)
        if len(seen) > _MOST_VALUES:
            return {}
    # What tells each record by a value of its own tells nothing.
    if len(seen) * _FEWEST > len(values):
        return {}
    meant = {
        told: each.meant([node.name for node in nodes if _called(told, field, node)]) for told, each in seen.items()
    }
    return {told: name for told, name in meant.items() if name} if all(meant.values()) else {}


def _torn(node: Node, value: Any) -> bool:
    """A text within holds a control character that isn't at its end. What has alternatives itself isn't asked."""
    if isinstance(value, list):
        return any(_torn(node, each) for each in value)
    if isinstance(node, Field):
        return isinstance(value, str) and any(each < " " for each in value.rstrip("\0"))
    members = [area.nodes[0] for area in node.areas if len(area.nodes) == 1]
    return isinstance(value, dict) and any(_torn(each, value[each.name]) for each in members if each.name in value)


def _is_text(field: Field) -> bool:
    return field.picture is not None and field.picture.category in (Category.TEXT, Category.NATIONAL)


def _called(told: str, field: Field, node: Node) -> bool:
    """The value, or the condition that stands for it, is called as the alternative is."""
    words = set(node.name.lower().split("_"))
    titles = [each.name for each in field.conditions if told in each.values]
    return any(set(title.lower().replace("-", "_").split("_")) & words - _COMMON for title in (*titles, told))


_COMMON = {"is", "rec", "record", "type", "kind", "data", "detail", "segment", "group", "the"}
