"""Which field tells the alternatives of a REDEFINES apart, measured on records that hold all that decode.

A field tells them when each of its values goes with one alternative: the only one that decodes in every record of that
value, or the one that is called as the field's condition (level 88) or its value is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from adapters.files.copybook.layout import Area, Field, Group, Layout, Node, own_names
from adapters.files.copybook.picture import Category
from adapters.files.sniff.sample import at_path

_MOST_VALUES = 30


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
    for name, field in _fields(layout.root, ""):
        within = name.startswith(around) and name[len(around) :].partition(".")[0] in inside
        meant = {} if within else _meant(name, field, path, area.nodes, values)
        if meant and len(set(meant.values())) > 1:
            return Choice(path, names, cobol, name, field.cobol, meant, not _is_text(field))
    return Choice(path, names, cobol, None, "", {})


def _fields(group: Group, prefix: str) -> Iterator[tuple[str, Field]]:
    for area in group.areas:
        for node in area.nodes:
            if node.occurs or node.shown == "hidden":
                continue
            if isinstance(node, Group):
                yield from _fields(node, prefix if node.shown == "lifted" else f"{prefix}{node.name}.")
            else:
                yield prefix + node.name, node


def _meant(
    name: str, field: Field, path: str, nodes: Sequence[Node], values: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """The field's values, each with its alternative; none where one of them can't be told."""
    seen: dict[str, set[str]] = {}
    names = {node.name for node in nodes}
    for value in values:
        told = at_path(value, name)
        if not isinstance(told, str | int) or isinstance(told, bool) or told == "":
            return {}
        group = at_path(value, path) if path else value
        there = names & set(group) if isinstance(group, dict) else set()
        seen[str(told)] = seen[str(told)] & there if str(told) in seen else there
        if len(seen) > _MOST_VALUES:
            return {}
    meant: dict[str, str] = {}
    for told, always in seen.items():
        called = [node.name for node in nodes if node.name in always and _called(told, field, node)]
        fitting = called or sorted(always)
        if len(fitting) != 1:
            return {}
        meant[told] = fitting[0]
    return meant


def _is_text(field: Field) -> bool:
    return field.picture is not None and field.picture.category in (Category.TEXT, Category.NATIONAL)


def _called(told: str, field: Field, node: Node) -> bool:
    """The value, or the condition that stands for it, is called as the alternative is."""
    words = set(node.name.lower().split("_"))
    titles = [each.name for each in field.conditions if told in each.values]
    return any(set(title.lower().replace("-", "_").split("_")) & words - _COMMON for title in (*titles, told))


_COMMON = {"is", "rec", "record", "type", "kind", "data", "detail", "segment", "group", "the"}
