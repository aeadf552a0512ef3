"""How a layout is made of a copybook: the sizes that compilers choose, and the names under which items appear."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from adapters.files.copybook.item import Item

FillerNames = Literal["sequence_numbers", "previous_field_name"]


@dataclass(frozen=True, slots=True)
class Shape:
    """Choices of a layout; the options of the same names explain each."""

    smallest: int = 2
    """Bytes of a binary of one or two digits."""
    pointer: int = 4
    """Bytes of a POINTER."""
    natural: bool = False
    """SYNCHRONIZED as GnuCOBOL does it; else as IBM does."""
    cobol_names: bool = False
    """Names as the copybook has them, hyphens as underscores; else in lower case, too."""
    group_fillers: Literal["lift", "keep", "drop"] = "lift"
    value_fillers: bool = False
    filler_names: FillerNames = "sequence_numbers"
    several: Literal["choose", "consecutive", "redefine"] = "choose"
    keep_root: bool = False
    """The record itself is a member of what is decoded."""

    def name(self, item: Item) -> str:
        """The item's name in JSON."""
        return item.written.replace("-", "_").replace(":", "") if self.cobol_names else json_name(item.name)


def json_name(name: str) -> str:
    """A COBOL name as it appears in JSON: lower case, hyphens as underscores."""
    return name.lower().replace("-", "_")


class _Fillers:
    """Gives each kept FILLER a name of its own, in the order of the copybook."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._groups = self._values = 0

    def name(self, items: Iterable[Item], around: str) -> None:
        before = around
        for item in items:
            if item.children:
                self.name(item.children, item.written)
            if item.name == "FILLER" and self._kept(item):
                item.written = self._next(item, before)
                item.name = item.written.upper().replace("_", "-")
            before = item.written

    def _kept(self, item: Item) -> bool:
        if not item.children:
            return self._shape.value_fillers
        return self._shape.group_fillers == "keep" and not only_fillers(item.children)

    def _next(self, item: Item, before: str) -> str:
        if self._shape.filler_names == "previous_field_name":
            return f"FILLER_AFTER_{before}"
        if item.children:
            self._groups += 1
            return f"FILLER_{self._groups}"
        self._values += 1
        return f"FILLER_P{self._values}"


def only_fillers(items: Sequence[Item]) -> bool:
    """Is there nothing with a name below?"""
    return all(item.name == "FILLER" and (not item.children or only_fillers(item.children)) for item in items)


def name_fillers(tops: Sequence[Item], shape: Shape) -> None:
    """Names the FILLERs that the shape keeps, in the items themselves."""
    if shape.group_fillers == "keep" or shape.value_fillers:
        _Fillers(shape).name(tops, tops[0].written if tops else "")
