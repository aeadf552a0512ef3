"""What a call's answer depends on, and what a write changes, as places of marks.

A path parameter names one entity: a write below `/customers/7` changes what is asked below `/customers/7`, every list
of its group, and whatever the group asks by another parameter; not `/customers/8`. A write without a path parameter
may change all of its group. Whoever wrote sees nothing that it asked of that upstream before, in no group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from gateway.cache.marks import place
from gateway.call import Call, Principal
from gateway.routing.model import Route

PlacesOf: TypeAlias = Callable[[Call], tuple[int, ...]]
_NOBODY = Principal("")


def first_of(route: Route) -> str:
    """The name of a route's first path parameter; empty: it has none."""
    start, end = route.path.find("{"), route.path.find("}")
    return route.path[start + 1 : end] if start >= 0 else ""


def group_places(group: str, routes: Iterable[Route]) -> tuple[int, ...]:
    """The places that all answers of a group depend on."""
    return tuple(place("group", group, name) for name in sorted({"", *map(first_of, routes)}))


def entity_place(group: str, name: str, value: str) -> int:
    """The place that the answers about one entity depend on."""
    return place("entity", group, name, value)


def places_read(route: Route, upstream: str) -> PlacesOf:
    """A function from a call to the places that its answer depends on."""
    name, group = first_of(route), route.group
    whole = place("group", group, name)

    def places(call: Call) -> tuple[int, ...]:
        who = _caller(call, upstream)
        if not name:
            return whole, who
        return whole, who, place("entity", group, name, str(call.path.get(name)))

    return places


def places_written(route: Route, routes: Iterable[Route]) -> PlacesOf:
    """A function from a write to the places that it changes; `routes` are the workspace's."""
    name, group = first_of(route), route.group
    names = {"", *(first_of(each) for each in routes if each.group == group)}
    others = tuple(place("group", group, each) for each in sorted(names) if each != name or not name)
    upstreams = sorted({each.upstream for each in (route.legacy, route.replacement) if each is not None})

    def places(call: Call) -> tuple[int, ...]:
        mine = [_caller(call, each) for each in upstreams]
        if name:
            mine.append(entity_place(group, name, str(call.path.get(name))))
        return *others, *mine

    return places


def _caller(call: Call, upstream: str) -> int:
    who = call.principal or _NOBODY
    return place("caller", upstream, who.id, who.agent or "", who.tenant or "")
