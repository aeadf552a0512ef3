"""Values in one spelling of all that mean the same at a place, hashable, so that items are found by what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapters.contract import Json
from gateway.migration.compare.model import ABSENT
from gateway.migration.compare.nodes import Node
from gateway.migration.compare.scalars import meaning
from gateway.migration.compare.values import normal

if TYPE_CHECKING:
    from gateway.migration.compare.walk import Walk


class Normal:
    """The normal forms of the items of one list. What tolerances allow for isn't in them."""

    __slots__ = ("_depth", "_node", "_walk")

    def __init__(self, walk: Walk, node: Node, depth: int) -> None:
        self._walk, self._node, self._depth = walk, node, depth

    def items(self, items: Sequence[Json]) -> list[Json]:
        """Each item's whole form."""
        return [self._form(item, self._node.item(at), self._depth + 1) for at, item in enumerate(items)]

    def keys(self, items: Sequence[Json], by: Sequence[str]) -> list[Json]:
        """Each item's key: the forms of the members at `by`, such as `person/name`."""
        return [tuple(self._key(item, self._node.item(at), path) for path in by) for at, item in enumerate(items)]

    def _key(self, item: Json, node: Node, path: str) -> Json:
        for name in path.split("/"):
            item = item.get(name, ABSENT) if isinstance(item, dict) else ABSENT
            node = node.member(name)
        return self._form(item, node, self._depth + 1)

    def _form(self, value: Json, node: Node, depth: int) -> Json:
        self._walk.spend(depth)
        if node.ignore is not None:
            return ()
        if node.presence is not None and value is not None and value is not ABSENT:
            return ("there",)
        if isinstance(value, dict):
            return ("object", self._members(value, node, depth))
        if isinstance(value, list):
            forms = [self._form(item, node.item(at), depth + 1) for at, item in enumerate(value)]
            return ("list", tuple(sorted(forms, key=repr) if node.unordered else forms))
        for _, mapped in node.enum_map:
            value = meaning(value, mapped.values)
        return normal(value, node.form)

    def _members(self, value: dict[str, Json], node: Node, depth: int) -> Json:
        found = []
        for name in sorted(value):
            at = node.member(name)
            if at.ignore is None and not (value[name] is None and at.null_is_absent is not None):
                found.append((name, self._form(value[name], at, depth + 1)))
        return tuple(found)
