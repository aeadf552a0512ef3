"""Replacements that answer some of a route's fields, or nothing yet: what can be put together, and what can't."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from adapters.contract import Effect, JsonSchema
from gateway.mock.mock import CantMock, mocked
from gateway.routing.groups import Group
from gateway.routing.model import Route
from gateway.routing.paths import ITEM, Chain, at_member, required
from gateway.routing.report import Place, Report
from gateway.routing.routes import Bound

_KEY = re.compile(r"path\.([A-Za-z_][A-Za-z0-9_]*)")
_OPERATOR = re.compile(r"\.(eq|ne|lt|le|gt|ge|in|like|null)$")
NO_EXAMPLE = "no example of the reply can be made from its schema: give one, as 'example' beside it"
_PAGING = frozenset({"limit", "cursor", "sort"})


def joined_by(group: Group) -> str | None:
    """The member by which items of both sides' lists are told apart: the path parameter that is the group's key."""
    found = _KEY.fullmatch(group.key.source) if group.key is not None else None
    return found[1] if found else None


def check_splits(bound: Iterable[Bound], groups: Mapping[str, Group], report: Report) -> None:
    """Notes each replacement that can't be put together with legacy, or that nothing can stand for."""
    for each in bound:
        route = each.route
        for place, sentence in (*_missing(route), *_split(route, groups[route.group])):
            at = (*each.operation.place, "x-gateway", "replacement", *place)
            report.add(each.operation.document, at, sentence)


def _missing(route: Route) -> Iterator[tuple[Place, str]]:
    if route.missing is None:
        return
    place = ("missing",)
    if route.legacy is None:
        yield place, "there is nothing that could answer instead: give legacy, too"
    if route.effect is not Effect.READ:
        yield place, "a write can't be answered by nothing: leave replacement out until there is one"
    elif route.missing == "mock" and not can_be_mocked(route):
        yield place, NO_EXAMPLE


def can_be_mocked(route: Route) -> bool:
    """Whether there is an example of the route's reply."""
    try:
        mocked(route.reply, route.examples)
    except CantMock:
        return False
    return True


def _split(route: Route, group: Group) -> Iterator[tuple[Place, str]]:
    owns = () if route.replacement is None else route.replacement.owns
    if not owns:
        return
    place: Place = ("fields",)
    if route.legacy is None:
        yield place, "there is no legacy to answer the other fields: remove fields, or give legacy"
    if route.effect is not Effect.READ:
        yield place, "only a read can be split by fields: a write is one side's, or the other's"
    if route.reply is None:
        yield place, "the reply has no body whose fields could be told apart: declare its schema"
        return
    to_row = ("items", ITEM) if route.is_list else ()
    for position, path in enumerate(owns):
        yield from (((*place, str(position)), sentence) for sentence in _field(path, owns, route.reply, to_row))
    if route.is_list:
        yield from ((place, sentence) for sentence in _list(route, group, route.reply))


def _field(path: Chain, owns: tuple[Chain, ...], reply: JsonSchema, to_row: Chain) -> Iterator[str]:
    name = "/".join(path)
    if not at_member(reply, (*to_row, *path), reply, follow=False):
        yield f"the reply has no field '{name}': name one that its schema declares; a field within a list can't be"
    if any(path[: len(other)] == other for other in owns if other is not path):
        yield f"'{name}' stands twice, or within another of the fields: name it once"


def _list(route: Route, group: Group, reply: JsonSchema) -> Iterator[str]:
    key = joined_by(group)
    if key is None:
        yield (
            f"the items of this list can't be joined: the key of group '{group.name}' in policies/migration.yaml must "
            "be path.NAME, where the items have NAME"
        )
        return
    needed = frozenset[str]().union(*(required(each) for each in at_member(reply, ("items", ITEM), reply)))
    if key not in needed:
        yield f"the items of this list can't be joined: their schema must require '{key}', the group's key"
    heads = {path[0] for path in route.replacement.owns} if route.replacement is not None else set()
    if key in heads:
        yield f"'{key}' is what items are joined by: both sides have it, so it can't be one of the fields"
    for each in route.parameters:
        if each.where == "query" and each.name not in _PAGING and _OPERATOR.sub("", each.name) in heads:
            yield f"the list can be asked by '{each.name}', which only the replacement knows: remove that parameter"
