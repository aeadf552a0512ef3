"""How a group's entities are listed, read and written: which of its routes do what.

An entity is read by the first `GET` whose path ends in its one parameter, listed by the first list without one, and
written by the routes beside these. All of them have both sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adapters.contract import Effect, Json
from gateway.routing.model import Compiled, Route


@dataclass(frozen=True, slots=True)
class Ways:
    """A group's routes by what they do; None: there is none. `parameter` names the entity in the detail's path."""

    detail: Route | None
    listing: Route | None
    change: Route | None
    create: Route | None
    delete: Route | None
    parameter: str = "id"

    def identity(self, item: Json) -> Json:
        """What a list's item says of its id: the member that is named as the parameter, else `id`; None: nothing."""
        if not isinstance(item, Mapping):
            return None
        found = item.get(self.parameter, item.get("id"))
        plain = isinstance(found, str | int) and not isinstance(found, bool)
        return found if plain and found != "" else None


def ways_of(compiled: Compiled, group: str) -> Ways:
    """The ways of a group."""
    routes = [each for each in compiled.routes if each.group == group and _two_sided(each)]
    detail = next((each for each in routes if _is_detail(each)), None)
    listing = next((each for each in routes if each.is_list and "{" not in each.path and not _needs_more(each)), None)
    place = "" if detail is None else detail.path
    above = place.rpartition("/")[0] if detail is not None else "" if listing is None else listing.path
    written = [each for each in routes if each.effect is not Effect.READ]
    return Ways(
        detail=detail,
        listing=listing,
        change=_first(written, place, ("PATCH", "PUT")),
        create=_first(written, above, ("POST",)) or _first(written, place, ("PUT",)),
        delete=_first(written, place, ("DELETE",)),
        parameter=place[place.rfind("{") + 1 : -1] if detail is not None else "id",
    )


def _two_sided(route: Route) -> bool:
    """Whether both sides answer the whole of it."""
    whole = route.replacement is not None and not route.replacement.owns
    return route.compose is None and route.legacy is not None and whole


def _is_detail(route: Route) -> bool:
    plain = route.effect is Effect.READ and route.method == "GET" and not route.is_list and not _needs_more(route)
    return plain and route.path.count("{") == 1 and route.path.endswith("}")


def _needs_more(route: Route) -> bool:
    """Whether a call of it must bring a query or a header that nobody but its caller knows."""
    return any(each.required and each.where != "path" and each.default is None for each in route.parameters)


def _first(routes: Iterable[Route], path: str, methods: tuple[str, ...]) -> Route | None:
    found = {each.method: each for each in routes if each.path == path}
    return next((found[method] for method in methods if method in found), None)
