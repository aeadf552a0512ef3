"""Which entity of a group a call is about, so that its writes keep their order and its readers see them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TypeAlias

from adapters.contract import Json
from gateway.call import Call
from gateway.migration.model import Group
from gateway.routing.model import MappingFailed, Route
from gateway.routing.scope import scope_builder

EntityOf: TypeAlias = Callable[[Call], str | None]


def entity_in(group: Group, route: Route) -> EntityOf:
    """A function from a call of `route` to its entity: what the group's key says, else the route's first path
    parameter; None: it's about no one entity, as a list, or about one that has no id yet."""
    name = _first(route)
    expression = group.key
    if expression is None:
        return (lambda _: None) if name is None else lambda call: _spelt(call.path.get(name))
    scope = scope_builder(expression.names())

    def entity(call: Call) -> str | None:
        try:
            found = _spelt(expression(scope(call)))
        except MappingFailed:
            found = None
        return _spelt(call.path.get(name)) if found is None and name is not None else found

    return entity


def learner(group: Group, route: Route, routes: Iterable[Route]) -> Callable[[Call, Json], tuple[str, Call] | None]:
    """A function from a call that made an entity, and its answer's body, to the entity and the call as it would have
    been with the id that the answer gives; None: it gives none. Ids are named as the group's path parameters are."""
    names = sorted({name for each in routes if each.group == group.name and (name := _first(each)) is not None})
    key = group.key

    def learn(call: Call, body: Json) -> tuple[str, Call] | None:
        ids = {name: body[name] for name in names if name in body} if isinstance(body, Mapping) else {}
        if not ids:
            return None
        known = copy.copy(call)
        known.path = {**ids, **call.path}
        entity = _spelt(ids[names[0]] if names[0] in ids else next(iter(ids.values())))
        if key is not None:
            with suppress(MappingFailed):
                entity = _spelt(key(scope_builder(key.names())(known))) or entity
        return None if entity is None else (entity, known)

    return learn


def _first(route: Route) -> str | None:
    start, end = route.path.find("{"), route.path.find("}")
    return route.path[start + 1 : end] if start >= 0 else None


def _spelt(value: Json) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value) or None
