"""What a route is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.routing.model import Route


def parts_of(route: Route, routes: Mapping[str, Route]) -> Iterator[Route]:
    """The route and, of a composite, those of its steps, of their steps and so on, by the snapshot's `routes`; one that
    is called twice is there twice."""
    yield route
    for step in () if route.compose is None else route.compose.steps:
        yield from parts_of(routes[step.route], routes)
