"""Records of several segments in one file: which one each is, ids that join them, and children put into their parents.

As Cobrix does it: a record belongs to the last record above it whose segment is its parent's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from adapters.contract import Json
from adapters.files.copybook.decoder import Decoder
from adapters.files.copybook.layout import Group, Layout, plain
from adapters.files.copybook.options import DecodeOptions

_REST = "_"


class SegmentIds:
    """Ids of the records of a hierarchy: `PREFIX_0_17` for a root, `PREFIX_0_17_L1_2` for its second child."""

    def __init__(self, levels: Sequence[Sequence[str]], prefix: str) -> None:
        self._levels = [frozenset(level) for level in levels]
        self._named = frozenset(id for level in levels for id in level)
        self._prefix = prefix
        self._root: str | None = None
        self._counts = [0] * len(levels)
        self._level = -1

    def of(self, segment: str, index: int) -> dict[str, Json] | None:
        """The ids of the record at `index`, null below its level; None before the first root."""
        level = self._level_of(segment)
        if level == 0:
            self._root = f"{self._prefix}_0_{index}"
            self._counts = [0] * len(self._levels)
        elif level is not None:
            self._counts[level] += 1
        self._level = self._level if level is None else level
        if self._root is None:
            return None
        return {f"Seg_Id{number}": self._id(number) for number in range(len(self._levels))}

    def _level_of(self, segment: str) -> int | None:
        for number, ids in enumerate(self._levels):
            if segment in ids or (_REST in ids and segment not in self._named):
                return number
        return None

    def _id(self, level: int) -> str | None:
        if level > self._level:
            return None
        return self._root if level == 0 else f"{self._root}_L{level}_{self._counts[level]}"


class Member(NamedTuple):
    """One record of a family: its segment's id, the group that shows it, and its bytes."""

    id: str
    segment: str
    data: bytes


class Families:
    """Puts each record's children into it, as arrays (`segment_children`)."""

    def __init__(self, layout: Layout, decoder: Decoder, options: DecodeOptions) -> None:
        """Raises `ValueError` where a parent or a child isn't a group of the redefinition map."""
        self._decoder = decoder
        self._children = {
            plain(parent): [plain(child) for child in children] for parent, children in options.segment_children.items()
        }
        below = {child for children in self._children.values() for child in children}
        mapped = {plain(name) for name in options.redefine_segment_id_map}
        self._paths = {}
        for name in sorted(below | self._children.keys()):
            path = _path(layout.root, name)
            if path is None or name not in mapped:
                raise ValueError(f"segment_children names {name}, which is no group of redefine_segment_id_map")
            self._paths[name] = path
        self._below = below
        self._roots = mapped - below

    def is_root(self, segment: str) -> bool:
        """Does a record of that segment begin a family?"""
        return segment in self._roots

    def assembled(self, members: Sequence[Member]) -> tuple[dict[str, Json], int]:
        """The family as one value, its root's, and how many values are null as they're none; raises `Undecodable`."""
        wrong = [0]
        value = self._value(members[0], wrong)
        for name in self._below:
            *around, last = self._paths[name]
            holder = _at(value, around)
            if holder is not None:
                holder.pop(last, None)
        root = _at(value, self._paths.get(members[0].segment, ())) if members[0].segment in self._paths else None
        if root is not None:
            self._adopt(root, members, 0, (members[0].id,), wrong)
        return value, wrong[0]

    def _value(self, member: Member, wrong: list[int]) -> dict[str, Json]:
        found = self._decoder.decode(member.data, member.segment)
        wrong[0] += found.wrong
        return found.value

    def _adopt(
        self, parent: dict[str, Json], members: Sequence[Member], at: int, above: tuple[str, ...], wrong: list[int]
    ) -> None:
        for child in self._children.get(members[at].segment, ()):
            parent[self._paths[child][-1]] = self._found(child, members, at + 1, above, wrong)

    def _found(
        self, child: str, members: Sequence[Member], at: int, above: tuple[str, ...], wrong: list[int]
    ) -> list[Json]:
        """The children of one kind, up to the next record that could be their parent, or one further up."""
        found: list[Json] = []
        for index in range(at, len(members)):
            member = members[index]
            if member.segment == child:
                value = _at(self._value(member, wrong), self._paths[child]) or {}
                self._adopt(value, members, index, (member.id, *above), wrong)
                found.append(value)
            elif member.id in above:
                break
        return found


def _path(group: Group, name: str, before: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    """The names that lead to a group in what is decoded."""
    for area in group.areas:
        for node in area.nodes:
            if not isinstance(node, Group) or node.occurs or node.shown == "hidden":
                continue
            here = before if node.shown == "lifted" else (*before, node.name)
            if plain(node.cobol) == name:
                return here
            found = _path(node, name, here)
            if found is not None:
                return found
    return None


def _at(value: Json, path: Sequence[str]) -> dict[str, Json] | None:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else None
