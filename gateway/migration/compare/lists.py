"""Two lists: which item of one stands for which of the other.

There may be several accounts of how two lists differ: by place, by key, by all of an item, by what lies between a
common head and tail. The least bad one is told, the shortest of equals, so that a rule never makes a verdict worse.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from adapters.contract import Json
from gateway.migration.compare.found import Found
from gateway.migration.compare.model import ABSENT, RANK
from gateway.migration.compare.nodes import Node
from gateway.migration.compare.normal import Normal

if TYPE_CHECKING:
    from gateway.migration.compare.walk import Path, Walk


class Pairing(NamedTuple):
    """Positions that stand for each other; None: the other list has no such item. `by`: the keys they were told by."""

    pairs: Sequence[tuple[int | None, int | None]]
    by: tuple[str, ...] = ()


def compare_lists(walk: Walk, legacy: list[Json], replacement: list[Json], node: Node, path: Path, depth: int) -> None:
    """Compares two lists into the walk's account."""
    if not legacy and not replacement:
        walk.found.fields += 1
        walk.found.covered += 1
        return
    whole, best = walk.found, None
    for number, pairing in enumerate(_pairings(walk, legacy, replacement, node, depth)):
        walk.found = Found()
        differing = _follow(walk, pairing, legacy, replacement, node, path, depth)
        if best is None or walk.found.badness() < best.badness():
            best = walk.found
        # One item that differs is what it is, in whatever order one looks at it.
        alone = number == 0 and differing < 2 and len(legacy) == len(replacement)
        if alone or RANK[best.verdict] <= RANK["tolerated"]:
            break
    walk.found = whole
    if best is not None:
        whole.take(best)


def _follow(
    walk: Walk, pairing: Pairing, legacy: list[Json], replacement: list[Json], node: Node, path: Path, depth: int
) -> int:
    """Compares item by item; returns how many items differ at all."""
    differing, last, ordered = 0, -1, True
    for one, other in pairing.pairs:
        before = walk.found.count
        if one is not None and other is not None:
            walk.values(legacy[one], replacement[other], node.item(one), (path, str(one)), depth + 1)
            ordered, last = ordered and other > last, other
        elif one is not None:
            walk.one_sided(legacy[one], ABSENT, node.item(one), (path, str(one)))
        elif other is not None:
            walk.one_sided(ABSENT, replacement[other], node.item(other), (path, str(other)))
        differing += walk.found.count > before
    if not ordered:
        rule = node.unordered[0][0] if node.unordered else None
        walk.differ("order", legacy, replacement, node, path, rule, pairing.by)
    return differing


def _pairings(walk: Walk, legacy: list[Json], replacement: list[Json], node: Node, depth: int) -> Iterator[Pairing]:
    """Ways to pair items, the cheaper first; each is made only when those before weren't good enough."""
    yield Pairing(_by_place(len(legacy), len(replacement)))
    normal = Normal(walk, node, depth)
    keys = [rule.by for _, rule in node.unordered if rule.by]
    if _has_ids(legacy) and _has_ids(replacement):
        keys.append(("id",))
    for by in keys:
        yield Pairing(_matched(normal.keys(legacy, by), normal.keys(replacement, by)), by)
    ones, others = normal.items(legacy), normal.items(replacement)
    yield Pairing(_paired_rest(_matched(ones, others), ones, others))
    if len(legacy) != len(replacement):
        yield Pairing(_between(ones, others))


def _by_place(one: int, other: int) -> list[tuple[int | None, int | None]]:
    return [(at if at < one else None, at if at < other else None) for at in range(max(one, other))]


def _has_ids(items: list[Json]) -> bool:
    ids = [item.get("id") for item in items if isinstance(item, dict)]
    told = {each for each in ids if isinstance(each, str | int)}
    return len(told) == len(items)


def _matched(ones: Sequence[Json], others: Sequence[Json]) -> list[tuple[int | None, int | None]]:
    """Equal keys matched in one pass; those of legacy first, in its order, then what only the replacement has."""
    waiting: dict[Json, list[int]] = {}
    for at in range(len(others) - 1, -1, -1):
        waiting.setdefault(others[at], []).append(at)
    pairs: list[tuple[int | None, int | None]] = []
    for at, key in enumerate(ones):
        same = waiting.get(key)
        pairs.append((at, same.pop() if same else None))
    left = sorted(at for each in waiting.values() for at in each)
    return [*pairs, *((None, at) for at in left)]


def _paired_rest(
    pairs: list[tuple[int | None, int | None]], ones: Sequence[Json], others: Sequence[Json]
) -> list[tuple[int | None, int | None]]:
    """Items that nothing equals, paired among themselves in the order of what they hold."""
    whole = [pair for pair in pairs if None not in pair]
    rest = sorted((one for one, other in pairs if one is not None and other is None), key=lambda at: repr(ones[at]))
    also = sorted((other for one, other in pairs if one is None and other is not None), key=lambda at: repr(others[at]))
    both = min(len(rest), len(also))
    alone: list[tuple[int | None, int | None]] = [(one, None) for one in rest[both:]]
    alone += [(None, other) for other in also[both:]]
    return sorted([*whole, *zip(rest, also, strict=False)], key=_legacy_place) + alone


def _legacy_place(pair: tuple[int | None, int | None]) -> int:
    return -1 if pair[0] is None else pair[0]


def _between(ones: Sequence[Json], others: Sequence[Json]) -> list[tuple[int | None, int | None]]:
    """A common head, a common tail, and what lies between by place: what was put in or left out is told as that."""
    shorter = min(len(ones), len(others))
    head = next((at for at in range(shorter) if ones[at] != others[at]), shorter)
    tail = next((at for at in range(shorter - head) if ones[-1 - at] != others[-1 - at]), shorter - head)
    middle = max(len(ones), len(others)) - head - tail
    one, other = len(ones) - tail, len(others) - tail
    pairs: list[tuple[int | None, int | None]] = [(at, at) for at in range(head)]
    pairs += [
        (head + at if head + at < one else None, head + at if head + at < other else None) for at in range(middle)
    ]
    return [*pairs, *((one + at, other + at) for at in range(tail))]
