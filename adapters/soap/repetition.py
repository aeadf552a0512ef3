"""Splits the child elements of a repeated group into its repetitions, in document order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from adapters.soap.content import members
from adapters.soap.form import Element, Group, Particle


@dataclass(frozen=True, slots=True)
class Place:
    """Where an element stands within one repetition: branch of the choice, rank in it, and whose occurrence it is."""

    branch: int
    rank: int
    owner: int
    most: int | None
    """How often it may stand in one repetition."""

    def continues(self, last: Place, count: int) -> bool:
        """Whether it may stand behind `last`, which `count` of its own kind end with, in the same repetition."""
        if self.branch != last.branch or self.rank < last.rank:
            return False
        return self.rank > last.rank or (self.owner == last.owner and (self.most is None or count < self.most))


def tags(group: Group) -> Iterator[str]:
    """The tags of all elements in `group`, repeated groups within it included."""
    for item in group.items:
        if isinstance(item, Element):
            yield item.tag
        elif isinstance(item, Group):
            yield from tags(item)


def places(group: Group) -> Mapping[str, Place]:
    """The place of each tag of a repeated group."""
    found: dict[str, Place] = {}
    if group.order == "choice":
        for branch, item in enumerate(group.items):
            _place(item, branch, 0, found)
    else:
        rank = 0
        for item in group.items:
            rank = _place(item, 0, rank, found)
    return found


def split(nodes: list[etree._Element], known: Mapping[str, Place]) -> Iterator[list[etree._Element]]:
    """`nodes`, all of them in `known`, as one list a repetition."""
    current: list[etree._Element] = []
    last: Place | None = None
    count = 0
    for node in nodes:
        place = known[node.tag]
        if last is not None and not place.continues(last, count):
            yield current
            current, last = [], None
        count = count + 1 if last is not None and last.owner == place.owner else 1
        current.append(node)
        last = place
    if current:
        yield current


def _place(item: Particle, branch: int, rank: int, found: dict[str, Place]) -> int:
    """Notes the places in `item`, which begins at `rank`; the rank behind it."""
    if isinstance(item, Element):
        found[item.tag] = Place(branch, rank, len(found), item.most)
        return rank + 1
    if not isinstance(item, Group):
        return rank
    if item.key:
        owner = len(found)
        found.update((tag, Place(branch, rank, owner, None)) for tag in tags(item))
        return rank + 1
    if item.order == "choice":
        return max((_place(each, branch, rank, found) for each in item.items), default=rank)
    for each in item.items:
        rank = _place(each, branch, rank, found)
    return rank


def repeated_groups(content: Group) -> Iterator[Group]:
    """The repeated groups that are properties of an object of this content."""
    return (each for each in members(content) if isinstance(each, Group))
