"""A route with its names, and what makes them."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.importing.model import Found, Shape
from gateway.importing.queries import Asked, DoesntFit, asked
from gateway.importing.words import plural
from gateway.routing.paths import declared

METHODS = {
    Shape.LIST: "get",
    Shape.GET: "get",
    Shape.CREATE: "post",
    Shape.REPLACE: "put",
    Shape.UPDATE: "patch",
    Shape.DELETE: "delete",
}


def mappable(found: Found) -> bool:
    """Whether each member of the input can be passed on by its name: a dot in a binding's name leads inside."""
    return not any("." in name for name in declared(found.input))


@dataclass(frozen=True, slots=True)
class Named:
    """A route with its names. `asked` are the values in path and query; the rest of the input is the body."""

    found: Found
    shape: Shape
    method: str
    path: str
    operation_id: str
    group: str
    key: tuple[Asked, ...] = ()
    query: tuple[Asked, ...] = ()
    has_body: bool = False
    why: str = ""
    """What was guessed, as a sentence; empty: the upstream said so."""

    @property
    def id(self) -> str:
        """What stays the same between runs."""
        return route_id(self.found)


def route_id(found: Found) -> str:
    """What names a route from one run to the next: its operation, and the parent that a list stands below."""
    if found.parent is None:
        return found.operation
    return f"{found.parent.resource}/{found.parent.name or found.resource}:{found.operation}"


def noun_of(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Words as the name of many."""
    return (*parts[:-1], plural(parts[-1]))


def fitting(found: Found, keys: tuple[str, ...] = ()) -> list[Asked] | None:
    """An operation's values as parameters; None where they need a body."""
    try:
        return asked(found.input, keys or found.key)
    except DoesntFit:
        return None
