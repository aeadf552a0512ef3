"""Arranges a content model so that it fits a JSON object: single-item groups dissolved, repeated groups given a key,
names checked for clashes."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

from adapters.soap.form import ITEMS, WILD, Element, Group, Particle, Wildcard
from adapters.soap.xsd import CannotExpress

_Alike: TypeAlias = Callable[[str, str], bool]
"""Whether two keys mean one type."""


def arranged(group: Group, owner: str, alike: _Alike = operator.eq) -> tuple[Group, Group | None]:
    """`group`, the whole content of type `owner`, ready for JSON. Where one name stands at two places, or a wildcard in
    a repeated group, an object can't tell the places: then all elements stand one by one under `#items`, and the
    second value is the model that their order must follow. Raises `CannotExpress`."""
    simplified = _simplified(spelt_apart(group))
    top = simplified if isinstance(simplified, Group) else Group("sequence", (simplified,))
    if _repeats(top):
        top = Group("sequence", (top,))
    keyed = _keyed(top, iter(_keys()))
    if any(_wild_within(each) for each in members(keyed)) or _clashes(keyed, alike) or _shares_tags(keyed):
        return _one_by_one(top, owner, alike), top
    return keyed, None


def spelt_apart(group: Group) -> Group:
    """`group` with the elements that share a name across namespaces spelt `{namespace}name`."""
    namespaces: dict[str, set[str]] = defaultdict(set)
    for each in elements(group):
        namespaces[each.name].add(each.namespace)
    shared = {name for name, found in namespaces.items() if len(found) > 1}
    return _spelt(group, shared) if shared else group


def _spelt(group: Group, shared: set[str]) -> Group:
    items: list[Particle] = []
    for item in group.items:
        if isinstance(item, Group):
            items.append(_spelt(item, shared))
        elif isinstance(item, Element) and item.name in shared:
            items.append(replace(item, spelling=f"{{{item.namespace}}}{item.name}"))
        else:
            items.append(item)
    return replace(group, items=tuple(items))


def elements(particle: Particle) -> Iterator[Element]:
    """All elements in `particle`, those of repeated groups included."""
    if isinstance(particle, Element):
        yield particle
    elif isinstance(particle, Group):
        for item in particle.items:
            yield from elements(item)


def _one_by_one(model: Group, owner: str, alike: _Alike) -> Group:
    branches: dict[str, Element] = {}
    for each in elements(model):
        other = branches.setdefault(each.tag, replace(each, least=1, most=1))
        if not alike(other.type, each.type):
            raise CannotExpress(f"type {owner}, where '{each.name}' occurs with two types")
        if each.nillable:
            branches[each.tag] = replace(other, nillable=True)
    wildcards = (Wildcard(1, 1),) if _wild_within(model) else ()
    choice = Group("choice", (*branches.values(), *wildcards), 0, None, key=ITEMS)
    return Group("sequence", (choice,))


def members(particle: Particle) -> Iterator[Element | Group]:
    """The elements and repeated groups that become properties of one object; wildcards left out."""
    if isinstance(particle, Element):
        yield particle
    elif isinstance(particle, Group):
        if particle.key:
            yield particle
        else:
            for item in particle.items:
                yield from members(item)


def labels(particle: Particle) -> Iterator[str]:
    """The names of all properties that `particle` becomes, `#any` included."""
    for each in members(particle):
        yield each.label if isinstance(each, Element) else each.key
    if wild(particle):
        yield WILD


def wild(particle: Particle) -> bool:
    """Whether one object of this content may hold elements that the schema doesn't name."""
    if isinstance(particle, Group):
        return not particle.key and any(wild(item) for item in particle.items)
    return isinstance(particle, Wildcard)


def wildcard_span(particle: Particle) -> dict[str, int]:
    """How many elements `#any` has, as JSON Schema says it; there is one wildcard in an object."""
    if isinstance(particle, Wildcard):
        least = {"minItems": particle.least} if particle.least else {}
        return least if particle.most is None else {**least, "maxItems": particle.most}
    if isinstance(particle, Group) and not particle.key:
        return next((wildcard_span(item) for item in particle.items if wild(item)), {})
    return {}


def required_names(particle: Particle) -> Iterator[str]:
    """The properties that XML Schema requires of every object of this content."""
    if isinstance(particle, Wildcard) and particle.least > 0:
        yield WILD
    if isinstance(particle, Element):
        if particle.least > 0:
            yield particle.label
    elif isinstance(particle, Group):
        if particle.key:
            if particle.least > 0:
                yield particle.key
        elif particle.order != "choice" and particle.least > 0:
            for item in particle.items:
                yield from required_names(item)


def always_arrays(particle: Particle) -> Iterator[str]:
    """The properties that are arrays in every decoded object, empty ones too: those outside of choices and optional
    groups, whose absence they would hide."""
    if isinstance(particle, Element):
        if particle.repeated:
            yield particle.label
    elif isinstance(particle, Wildcard):
        yield WILD
    elif particle.key:
        yield particle.key
    elif particle.order != "choice" and particle.least > 0:
        for item in particle.items:
            yield from always_arrays(item)


def _repeats(group: Group) -> bool:
    return group.most is None or group.most > 1


def _simplified(particle: Particle) -> Particle:
    if not isinstance(particle, Group):
        return particle
    items: list[Particle] = []
    for item in map(_simplified, particle.items):
        if isinstance(item, Group) and (not item.items or item.most == 0):
            continue
        if not isinstance(item, Group) and item.most == 0:
            continue
        plain = isinstance(item, Group) and item.order == "sequence" and (item.least, item.most) == (1, 1)
        if plain and isinstance(item, Group) and particle.order == "sequence":
            items.extend(item.items)
        else:
            items.append(item)
    group = replace(particle, items=tuple(items))
    return _single(group) if len(items) == 1 else group


def _wild_within(particle: Particle) -> bool:
    if isinstance(particle, Group):
        return any(_wild_within(item) for item in particle.items)
    return isinstance(particle, Wildcard)


def _single(group: Group) -> Particle:
    """A group of one item is that item, with both numbers of occurrences multiplied."""
    item = group.items[0]
    # (x{2,3}){0,2} may not occur once: only a factor that leaves no gap can be multiplied.
    if _span(group) != (1, 1) and _span(item) != (1, 1) and item.least > 1:
        return group
    most = None if item.most is None or group.most is None else item.most * group.most
    return replace(item, least=item.least * group.least, most=most)


def _span(particle: Particle) -> tuple[int, int | None]:
    return particle.least, particle.most


def _keys() -> Iterator[str]:
    yield ITEMS
    number = 2
    while True:
        yield f"{ITEMS}{number}"
        number += 1


def _keyed(group: Group, keys: Iterator[str]) -> Group:
    items: list[Particle] = []
    for item in group.items:
        if not isinstance(item, Group):
            items.append(item)
        elif _repeats(item):
            items.append(replace(_keyed(item, iter(_keys())), key=next(keys)))
        else:
            items.append(_keyed(item, keys))
    return replace(group, items=tuple(items))


def _clashes(group: Group, alike: _Alike) -> bool:
    try:
        _names(group, alike)
    except _Clash:
        return True
    return False


def _shares_tags(group: Group) -> bool:
    """Whether an element may belong to a repeated group of an object or to something else in it."""
    seen = {each.tag for each in members(group) if isinstance(each, Element)}
    for inner in members(group):
        if isinstance(inner, Group):
            tags = {each.tag for each in elements(inner)}
            if tags & seen or _shares_tags(replace(inner, key="")):
                return True
            seen |= tags
    return False


class _Clash(Exception):
    """Two properties that may occur together share a name."""


def _names(group: Group, alike: _Alike) -> dict[str, Particle]:
    """The properties of `group` by name; raises `_Clash`."""
    found: dict[str, Particle] = {}
    for item in group.items:
        if isinstance(item, Group):
            inner = _names(item, alike)
            own: dict[str, Particle] = {item.key: item} if item.key else inner
        else:
            own = {item.label if isinstance(item, Element) else WILD: item}
        for name, member in own.items():
            other = found.get(name)
            if other is not None and (group.order != "choice" or not _same(other, member, alike)):
                raise _Clash
        found.update(own)
    return found


def _same(one: Particle, other: Particle, alike: _Alike) -> bool:
    if isinstance(one, Wildcard) and isinstance(other, Wildcard):
        return True
    if not isinstance(one, Element) or not isinstance(other, Element):
        return False
    plain = (one.tag, one.repeated, one.nillable) == (other.tag, other.repeated, other.nillable)
    return plain and alike(one.type, other.type)
