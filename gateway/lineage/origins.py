"""From a reply's field back to its upstreams: through a route's mapping, and through those of a composite's steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from gateway.lineage.fields import Field, fields, value
from gateway.lineage.flow import (
    ANY,
    At,
    Dependencies,
    Dependency,
    Flow,
    Place,
    either,
    everything,
    item,
    member,
    presence,
)
from gateway.lineage.tracing import WHOLE_INPUT, trace
from gateway.routing.mapping import Mapped
from gateway.routing.model import Binding, Compiled, Expression, Route

_Way: TypeAlias = Callable[[Flow], Dependencies]
_DEEPEST = 5
"""Composites within composites."""


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """A place in what an upstream's operation answered, and the mappings that lead from there to the reply."""

    upstream: str
    operation: str
    place: Place
    through: tuple[str, ...] = ()
    """The operationIds of the routes whose mappings made it, the one that was called first."""


@dataclass(frozen=True, slots=True)
class Told:
    """A field of the reply: where its value came from, and what decided whether it's there."""

    place: Place
    origins: frozenset[Origin]
    when: frozenset[Origin]
    own: bool = False
    """The gateway itself made it, such as the address of a list's next page."""


class Origins:
    """One snapshot's mappings, each traced when it's first asked for."""

    def __init__(self, compiled: Compiled) -> None:
        self._routes = {route.operation_id: route for route in compiled.routes}
        self._flows: dict[tuple[str, str], Flow] = {}

    def route(self, operation: str) -> Route | None:
        """The route of that operationId."""
        return self._routes.get(operation)

    def fields(self, route: Route, side: str | None) -> list[Told]:
        """Every field of the route's reply when `side` (`legacy`, `replacement` or `both`) served it."""
        if route.replacement is not None and len(sides_of(route, side)) > 1:
            heads = [("items", ANY, *each) if route.is_list else each for each in route.replacement.owns]
            kept = [each for each in self.fields(route, "legacy") if not _within(each.place, heads)]
            return [*kept, *(each for each in self.fields(route, "replacement") if _within(each.place, heads))]
        return [self._told(route, side, each) for each in fields(self._flow(route, side), route.reply)]

    def _told(self, route: Route, side: str | None, field: Field) -> Told:
        if route.is_list and field.place == ("next",):
            return Told(field.place, frozenset(), frozenset(), own=True)
        origins = frozenset(self._of(route, side, field.value, value, 0))
        telling = frozenset(each for each in field.when if each.whole or not _around(each.place, field.value))
        when = frozenset(self._of(route, side, field.value | telling, everything, 0))
        return Told(field.place, origins, when - origins)

    def _flow(self, route: Route, side: str | None) -> Flow:
        key = (route.operation_id, side or "")
        if key not in self._flows:
            output = output_of(route, side)
            node = cast(Mapped, output).node if output is not None else None
            self._flows[key] = trace(node, WHOLE_INPUT) if node is not None else WHOLE_INPUT
        return self._flows[key]

    def _of(self, route: Route, side: str | None, on: Dependencies, way: _Way, depth: int) -> Iterator[Origin]:
        binding = binding_of(route, side)
        for each in on:
            if binding is not None:
                yield Origin(binding.upstream, binding.operation, each.place, (route.operation_id,))
            elif depth < _DEEPEST:
                yield from self._of_step(route, side, each, way, depth)

    def _of_step(self, route: Route, side: str | None, on: Dependency, way: _Way, depth: int) -> Iterator[Origin]:
        """Where a place among the steps' results came from; `way` says which of a step's dependencies count."""
        steps = {step.name: step for step in route.compose.steps} if route.compose is not None else {}
        names = [on.place[0]] if on.place and on.place[0] != ANY else list(steps)
        for name in names:
            target = self._routes.get(steps[name].route) if name in steps else None
            if target is None:
                continue
            flow = self._flow(target, side)
            for segment in on.place[1 if steps[name].for_each is None else 2 :]:  # a list has a reply for each item
                flow = _into(flow, segment)
            inner = way(flow) if on.whole else presence(flow)
            for origin in self._of(target, side, inner, way, depth + 1):
                yield Origin(origin.upstream, origin.operation, origin.place, (route.operation_id, *origin.through))


def _around(place: Place, dependencies: Dependencies) -> bool:
    """Whether a place only holds what is depended on anyway: that it must be there goes without saying."""
    return not place or any(each.place[: len(place)] == place for each in dependencies)


def _within(place: Place, heads: Iterable[Place]) -> bool:
    return any(place[: len(head)] == head for head in heads)


def _into(flow: Flow, segment: str) -> Flow:
    if isinstance(flow, At) or not (segment == ANY or segment.isdecimal()):
        return member(flow, segment)
    inner = item(flow, None if segment == ANY else int(segment))
    return either((inner, member(flow, segment)))


def sides_of(route: Route, side: str | None) -> tuple[str | None, ...]:
    """The sides whose mappings made the reply: both, where they were put together."""
    split = side == "both" and route.replacement is not None and bool(route.replacement.owns)
    return ("legacy", "replacement") if split else (side,)


def binding_of(route: Route, side: str | None) -> Binding | None:
    """The binding that served the call; None for a composite."""
    sides: Mapping[str, Binding | None] = {"legacy": route.legacy, "replacement": route.replacement}
    return sides.get(side or "") or route.legacy or route.replacement


def output_of(route: Route, side: str | None) -> Expression | None:
    """The expression that made the reply's body; None: the upstream's value is the body."""
    if route.compose is not None:
        return route.compose.output
    binding = binding_of(route, side)
    return binding.output if binding is not None else None


def used(told: Iterable[Told]) -> list[str]:
    """The operationIds of all routes whose mappings took part, the one that was called first."""
    through = [origin.through for each in told for origin in (*each.origins, *each.when)]
    return list(dict.fromkeys(name for names in sorted(through, key=len) for name in names))
