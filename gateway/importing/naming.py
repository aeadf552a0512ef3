"""What an operation becomes: a method, a path and a tool's name, by what its reader says or else by its own name.

Every guess is a sentence for a human. What was named before keeps its name, however the upstream has grown since.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from gateway.importing.guessing import called, guessed
from gateway.importing.model import Found, Shape
from gateway.importing.named import METHODS, Named, fitting, mappable, noun_of, route_id
from gateway.importing.queries import Asked, parameter_name
from gateway.importing.words import kebab, singular, snake, words

_PLAIN = re.compile("[A-Za-z_][A-Za-z0-9_]*")

__all__ = ["Named", "Names", "draw", "route_id"]


class Names:
    """Gives routes their names: those of `before` (route id → method, path, operationId) first, none that is
    `taken_ids` or `taken_routes` (method and path) by other contracts."""

    def __init__(
        self,
        upstream: str,
        before: Mapping[str, tuple[str, str, str]],
        taken_ids: Iterable[str] = (),
        taken_routes: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._upstream, self._before = upstream, before
        kept = before.values()
        self._ids = {*taken_ids, *(name for _, _, name in kept)}
        self._others = {(method, _bare(path)) for method, path in taken_routes}
        self._routes = self._others | {(method, _bare(path)) for method, path, _ in kept}

    def name(self, found: Found) -> Named:
        """The route of an operation."""
        drawn = draw(found)
        before = self._before.get(route_id(found))
        if before is not None:
            moved = _without_key(replace(drawn, path=before[1], operation_id=before[2]))
            if moved.method == before[0] and _templates(drawn.path if moved.key else "") == _templates(before[1]):
                return moved
            # Its key is another one: the place moves, the tool keeps its name.
            self._ids.discard(before[2])
            self._routes -= {(before[0], _bare(before[1]))} - self._others
            drawn = replace(drawn, operation_id=before[2])
        drawn = self._free_route(drawn)
        name = self._free_id(drawn.operation_id)
        self._ids.add(name)
        self._routes.add((drawn.method, _bare(drawn.path)))
        return replace(drawn, operation_id=name)

    def _free_route(self, drawn: Named) -> Named:
        if not self._taken(drawn.method, drawn.path):
            return drawn
        tail = kebab(words(drawn.found.operation))
        prefixed, beside = f"/{kebab(words(self._upstream))}{drawn.path}", f"/{drawn.group}/{tail}"
        foreign = (drawn.method, _bare(drawn.path)) in self._others
        found = [prefixed, beside] if foreign or drawn.found.shape is not None else [beside, prefixed]
        for path in [*found, *(f"{beside}-{number}" for number in range(2, 10_000))]:
            moved = _without_key(replace(drawn, path=path))
            if not self._taken(moved.method, moved.path):
                return moved
        raise AssertionError("more than 10,000 routes of one path")

    def _taken(self, method: str, path: str) -> bool:
        return (method, _bare(path)) in self._routes

    def _free_id(self, wanted: str) -> str:
        if wanted not in self._ids:
            return wanted
        prefixed = snake([*words(self._upstream), wanted])
        if prefixed not in self._ids:
            return prefixed
        number = 2
        while f"{wanted[:58]}_{number}" in self._ids:
            number += 1
        return f"{wanted[:58]}_{number}"


def _without_key(named: Named) -> Named:
    """A route whose path lost its parameters takes them in the query, or in the body."""
    if named.key and "{" not in named.path:
        if named.has_body:
            return replace(named, key=(), method="post")
        return replace(named, key=(), query=(*named.key, *named.query))
    return named


def _templates(path: str) -> tuple[str, ...]:
    return tuple(part[1:-1] for part in path.split("/") if part.startswith("{"))


def draw(found: Found) -> Named:
    """An operation's route as it would be if no other had its names."""
    return _told(found) if found.shape is not None else guessed(found)


def _bare(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def _told(found: Found) -> Named:
    noun = noun_of(words(found.resource or found.operation))
    one = (*noun[:-1], singular(noun[-1]))
    shape = found.shape or Shape.CALL
    group = kebab(noun)
    if shape is Shape.CALL:
        return called(found, f"/{group}", group, snake(words(found.operation)))
    if shape is Shape.LIST:
        return _listed(found, noun, group)
    values = fitting(found) or []
    key = tuple(replace(each, name=_key_name(each, one)) for each in values if each.member in found.key)
    if not key and found.key:
        key = tuple(
            Asked(_key_name(Asked(parameter_name(each), each, {}, True), one), each, _member(found, each), True)
            for each in found.key
        )
    if not mappable(found) and all(_PLAIN.fullmatch(each.member) for each in key):
        # Without a binding's input, each value is passed on by its own name.
        key = tuple(replace(each, name=each.member) for each in key)
    path = f"/{group}" + "".join(f"/{{{each.name}}}" for each in key)
    query = tuple(each for each in values if each.member not in found.key)
    bodied = shape in (Shape.CREATE, Shape.REPLACE, Shape.UPDATE)
    if shape is Shape.CREATE:
        path, key = f"/{group}", ()
    verb = {Shape.REPLACE: "replace"}.get(shape, shape.value)
    operation_id = snake((verb, *one))
    return Named(
        found, shape, METHODS[shape], path, operation_id, group, key, () if bodied else query, bodied, found.guess
    )


def _listed(found: Found, noun: tuple[str, ...], group: str) -> Named:
    if found.parent is None:
        return Named(found, Shape.LIST, "get", f"/{group}", snake(("list", *noun)), group, why=found.guess)
    above = noun_of(words(found.parent.resource))
    one = (*above[:-1], singular(above[-1]))
    keys = tuple(
        Asked(_key_name(Asked(parameter_name(each), each, {}, True), one), column, _item_member(found, column), True)
        for each, column in found.parent.columns.items()
    )
    own = noun if not found.parent.name else noun_of(words(found.parent.name))
    path = f"/{kebab(above)}" + "".join(f"/{{{each.name}}}" for each in keys) + f"/{kebab(own)}"
    return Named(found, Shape.LIST, "get", path, snake(("list", *one, *own)), group, keys, why=found.guess)


def _key_name(each: Asked, one: tuple[str, ...]) -> str:
    """`id` of a customer as `customer_id`."""
    return snake((*one, each.name)) if each.name in ("id", "key", "code", "number", "no", "name") else each.name


def _member(found: Found, name: str) -> Mapping[str, object]:
    member: Mapping[str, object] = found.input.get("properties", {}).get(name, {"type": "string"})
    return member


def _item_member(found: Found, name: str) -> Mapping[str, object]:
    member: Mapping[str, object] = (found.output or {}).get("properties", {}).get(name, {"type": "string"})
    return member
