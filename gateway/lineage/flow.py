"""What is known of a value without having it: which places of the input it may depend on.

A place is a path of member names and positions; `ANY` stands for every item of a list or member of an object. A
dependency on a place is `whole` (the value there and all below it) or not: then only on what kind of thing stands
there, so that it changes when something else is put at the place itself or above it, and not when something changes
below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

ANY = "*"
"""Every item of a list; as a member's name `*` stands for itself and for the rest, which is never too little."""

Place: TypeAlias = tuple[str, ...]


class Dependency(NamedTuple):
    """On a place of the input: on all of the value (`whole`), or only on what kind of thing it is."""

    place: Place
    whole: bool = True


Dependencies: TypeAlias = frozenset[Dependency]
NONE: Dependencies = frozenset()


@dataclass(frozen=True, slots=True)
class At:
    """Exactly the value at a place of the input."""

    place: Place


@dataclass(frozen=True, slots=True)
class Made:
    """Computed, in no matter which way, from these; a constant from none."""

    of: Dependencies = NONE


@dataclass(frozen=True, slots=True)
class Parts:
    """An object (or a list: then the names are positions) of these members; `of` decides whether it is there."""

    members: Mapping[str, Flow]
    of: Dependencies = NONE
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list whose items are all like `each`; `of` decides how many there are, and in which order."""

    each: Flow
    of: Dependencies = NONE


@dataclass(frozen=True, slots=True)
class Either:
    """One of several; `of` decides which."""

    options: tuple[Flow, ...]
    of: Dependencies = field(default=NONE)


Flow: TypeAlias = At | Made | Parts | Items | Either

NOTHING = Made()


def everything(flow: Flow) -> Dependencies:
    """All that a value depends on, in any of its parts."""
    if isinstance(flow, At):
        return frozenset([Dependency(flow.place)])
    if isinstance(flow, Made):
        return flow.of
    return flow.of.union(*(everything(each) for each in _inner(flow)))


def shape(flow: Flow) -> Dependencies:
    """What decides whether the value is null, or empty: what JMESPath takes for false."""
    if isinstance(flow, At):
        return frozenset([Dependency(flow.place, whole=False)])
    if isinstance(flow, Made):
        return flow.of
    if isinstance(flow, Items):
        return flow.of | shape(flow.each)
    return flow.of.union(*(shape(each) for each in _inner(flow)))


def presence(flow: Flow) -> Dependencies:
    """What decides whether the value is null."""
    if isinstance(flow, At | Made):
        return shape(flow)
    if isinstance(flow, Either):
        return flow.of.union(*(presence(each) for each in flow.options))
    return flow.of


def _inner(flow: Parts | Items | Either) -> Iterable[Flow]:
    if isinstance(flow, Parts):
        return flow.members.values()
    return (flow.each,) if isinstance(flow, Items) else flow.options


def member(flow: Flow, name: str) -> Flow:
    """The member of that name; null where there is none."""
    if isinstance(flow, At):
        return At((*flow.place, name))
    if isinstance(flow, Parts) and not flow.is_list and name in flow.members:
        return subject(flow.members[name], flow.of)
    return _otherwise(flow, lambda each: member(each, name))


def item(flow: Flow, position: int | None) -> Flow:
    """The item at a position; None: any of them."""
    if isinstance(flow, At):
        exact = position is not None and position >= 0
        return At((*flow.place, str(position) if exact else ANY))
    if isinstance(flow, Items):
        return subject(flow.each, flow.of | presence(flow.each))
    if isinstance(flow, Parts) and flow.is_list:
        if position is None:
            return subject(either(flow.members.values()), flow.of)
        index = position + len(flow.members) if position < 0 else position
        return subject(flow.members.get(str(index), NOTHING), flow.of)
    return _otherwise(flow, lambda each: item(each, position))


def _otherwise(flow: Flow, inner: Callable[[Flow], Flow]) -> Flow:
    if isinstance(flow, Either):
        return subject(either(inner(each) for each in flow.options), flow.of)
    # Of what isn't of the kind, there is null; whether it is of the kind is all that matters.
    return Made(flow.of if isinstance(flow, Made) else presence(flow))


def either(options: Iterable[Flow]) -> Flow:
    """One of several, the same one once."""
    found: list[Flow] = []
    for each in _flat(options):
        if each not in found:
            found.append(each)
    return found[0] if len(found) == 1 else Either(tuple(found)) if found else NOTHING


def _flat(options: Iterable[Flow]) -> Iterable[Flow]:
    for each in options:
        if isinstance(each, Either) and not each.of:
            yield from each.options
        else:
            yield each


def subject(flow: Flow, of: Dependencies) -> Flow:
    """The value, when more than itself decides what it is."""
    if isinstance(flow, Parts):
        return Parts(flow.members, flow.of | of, flow.is_list)
    if isinstance(flow, Items):
        return Items(flow.each, flow.of | of)
    if isinstance(flow, Either):
        return Either(flow.options, flow.of | of)
    return Either((flow,), of) if of else flow
