"""Arrays of SOAP encoding between the flat list of their message and JSON's arrays of arrays (SOAP 1.1, section
5.4.2; SOAP 1.2 part 2, section 3.1.6): the last dimension runs fastest."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import islice

from lxml import etree

from adapters.contract import Json
from adapters.soap.values import BadValue
from adapters.soap.xsd import ENCODINGS

_SIZE = re.compile(r"\[([0-9]{1,9}(?:,[0-9]{1,9})*)\]\s*$")
_PLACE = re.compile(r"\s*\[([0-9]{1,9}(?:,[0-9]{1,9})*)\]\s*")
_NUMBERS = re.compile(r"[0-9]{1,9}")
_OLD, _NEW = (f"{{{namespace}}}" for namespace in ENCODINGS)
_MOST = 1_000_000
"""Places of an array, unless as many items came: what nothing was sent for costs the sender nothing."""


def flattened(value: Json, dimensions: int) -> tuple[list[Json], list[int]]:
    """The items of `dimensions` levels of arrays, one behind another, and the length of each level; raises `BadValue`
    where arrays of one level differ in length."""
    items, size = list(value), [len(value)]
    for _ in range(dimensions - 1):
        lengths = {len(each) for each in items}
        if len(lengths) > 1:
            raise BadValue("holds rows of different lengths, which its array can't")
        size.append(lengths.pop() if lengths else 0)
        items = [each for row in items for each in row]
    return items, size


def placed(items: list[Json], node: etree._Element, dimensions: int) -> list[Json]:
    """`items`, the values of the children of `node`, as arrays of so many levels; raises `BadValue` for a size that
    isn't theirs."""
    if dimensions == 1 and not _in_part(node):
        return items
    size = _size(node, dimensions, len(items))
    if _in_part(node):
        items = _spread(items, node, size)
    if math.prod(size) != len(items):
        raise BadValue(f"is an array of {len(items)} items that says it has {math.prod(size)}")
    return _levels(iter(items), size)


def _levels(items: Iterator[Json], size: list[int]) -> list[Json]:
    length, *inner = size
    return [_levels(items, inner) for _ in range(length)] if inner else list(islice(items, length))


def _in_part(node: etree._Element) -> bool:
    """Whether an array says of itself or of an item where in it that stands (SOAP 1.1, sections 5.4.2.1 and 2)."""
    return node.get(_OLD + "offset") is not None or (len(node) > 0 and node[0].get(_OLD + "position") is not None)


def _size(node: etree._Element, dimensions: int, count: int) -> list[int]:
    said = _SIZE.search(node.get(_OLD + "arrayType", ""))
    size = said[1].split(",") if said is not None else _NUMBERS.findall(node.get(_NEW + "arraySize", ""))
    if len(size) != dimensions:
        if dimensions == 1 or count:
            raise BadValue(f"is an array that doesn't say how long each of its {dimensions} dimensions is")
        return [0] * dimensions
    lengths = [int(each) for each in size]
    if math.prod(filter(None, lengths)) > max(_MOST, count):
        raise BadValue(f"is an array that says it has more than {_MOST} places")
    return lengths


def _spread(items: list[Json], node: etree._Element, size: list[int]) -> list[Json]:
    """The items at their places, null where nothing was sent."""
    whole: list[Json] = [None] * math.prod(size)
    next_place = _at(node.get(_OLD + "offset", "[" + ",".join("0" * len(size)) + "]"), size)
    for child, item in zip(node, items, strict=True):
        said = child.get(_OLD + "position")
        place = next_place if said is None else _at(said, size)
        if place >= len(whole):
            raise BadValue("is an array with an item beyond its size")
        whole[place], next_place = item, place + 1
    return whole


def _at(text: str, size: list[int]) -> int:
    """The place that `[1,2]` means, counted item by item."""
    found = _PLACE.fullmatch(text)
    places = [] if found is None else [int(each) for each in found[1].split(",")]
    if len(places) != len(size) or any(place >= length for place, length in zip(places, size, strict=True)):
        raise BadValue("is an array with an item at a place that it hasn't")
    flat = 0
    for place, length in zip(places, size, strict=True):
        flat = flat * length + place
    return flat
