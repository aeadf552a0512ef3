"""Arranges a content model so that it fits a JSON object: single-item groups dissolved, repeated groups given a key,
names checked for clashes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from adapters.soap.form import WILD, Element, Group, Particle, Wildcard
from adapters.soap.xsd import CannotExpress


def arranged(group: Group, owner: str) -> Group:
    """`group`, the whole content of type `owner`, ready for JSON; raises `CannotExpress`."""
    simplified = _simplified(group)
    top = simplified if isinstance(simplified, Group) else Group("sequence", (simplified,))
    if _repeats(top):
        top = Group("sequence", (top,))
    keyed = _keyed(top, iter(_keys()))
    if any(_wild_within(each) for each in members(keyed)):
        raise CannotExpress(f"type {owner}, where a repeated group holds a wildcard")
    _names(keyed, owner)
    return keyed


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


def wild(particle: Particle) -> bool:
    """Whether one object of this content may hold elements that the schema doesn't name."""
    if isinstance(particle, Group):
        return not particle.key and any(wild(item) for item in particle.items)
    return isinstance(particle, Wildcard)


def required_names(particle: Particle) -> Iterator[str]:
    """The properties that XML Schema requires of every object of this content."""
    if isinstance(particle, Element):
        if particle.least > 0:
            yield particle.name
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
            yield particle.name
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
    yield "#items"
    number = 2
    while True:
        yield f"#items{number}"
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


def _names(group: Group, owner: str) -> dict[str, Element | Group]:
    """The properties of `group` by name; raises `CannotExpress` when two that may occur together share one."""
    found: dict[str, Element | Group] = {}
    for item in group.items:
        if isinstance(item, Group):
            inner = _names(item, owner)
            own: dict[str, Element | Group] = {item.key: item} if item.key else inner
        else:
            own = {item.name: item} if isinstance(item, Element) else {}
        for name, member in own.items():
            other = found.get(name)
            if other is not None and (group.order != "choice" or not _same(other, member)):
                raise CannotExpress(f"type {owner}, where '{name}' occurs at two places")
        found.update(own)
    return found


def _same(one: Element | Group, other: Element | Group) -> bool:
    if not isinstance(one, Element) or not isinstance(other, Element):
        return False
    return (one.tag, one.type, one.repeated, one.nillable) == (other.tag, other.type, other.repeated, other.nillable)
