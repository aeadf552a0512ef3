"""Entities as resources: one template for each route that shows the entities of a captured source one by one.

A resource is read by the route's own handler, as a tool of it is called: the same policies, limits and records.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, unquote

import orjson

from adapters.contract import Json
from gateway.errors import NotFound
from gateway.feeds.sources import Source
from gateway.following.events import Events
from gateway.ingress.mcp import McpIngress
from gateway.ingress.mcp_calls import Request, meta_of
from gateway.ingress.mcp_resources import CHANGES, JSON, SOURCE, WHOLE, NoResource, Unread, told
from gateway.ingress.mcp_search import UnknownTool
from gateway.ingress.mcp_visit import Visit
from gateway.ingress.response import Response
from gateway.routing.model import MappingFailed, Route

ENTITY = "figway://entity/"
_LONGEST = 4096
_AGE = re.compile(r"[0-9]{1,10}")
_ABSENT = (403, 404)


class Watched(NamedTuple):
    """A resource that is followed: a source as a whole, or its entity with this key, in the order of its columns."""

    uri: str
    source: Source
    key: tuple[Json, ...] | None


class _Asked(NamedTuple):
    operation: str
    values: list[str]
    max_age: int | None


class Entities:
    """The resources that captured sources have."""

    def __init__(self, door: McpIngress, events: Events) -> None:
        self._door, self._events = door, events

    async def listed(self, visit: Visit) -> list[dict[str, Any]]:
        """The sources that the caller may follow, as `resources/list` says them."""
        return [
            {
                "uri": CHANGES + name,
                "name": f"changes/{name}",
                "title": f"Changes of {name}",
                "description": f"What changed of late in {name}, as {source.route.operation_id} shows it to you.",
                "mimeType": JSON,
            }
            for name, source in (await self._events.followed(visit)).items()
        ]

    async def templates(self, visit: Visit) -> list[dict[str, Any]]:
        """The templates of entities that the caller may read, and of changes if there are any for it."""
        made = [_changes()] if await self._events.followed(visit) else []
        tools = await self._door.tools(visit.serving)
        for name, source in _single(self._events.sources(visit.serving)).items():
            if name in visit.serving.policies.listed(visit.principal, tools.by_name[name].needed):
                made.append(_template(source.route))
        return made

    async def read(self, visit: Visit, uri: str) -> dict[str, Any] | None:
        """What an entity's resource says, None: the URI is of another kind. Raises `NoResource` or `Unread`."""
        if not uri.startswith(ENTITY):
            return None
        asked = _asked(uri)
        source = None if asked is None else _single(self._events.sources(visit.serving)).get(asked.operation)
        path = None if asked is None or source is None else _path(source.route, asked.values)
        if asked is None or source is None or path is None:
            visit.refused = NotFound("There is no such resource.")
            raise NoResource
        try:
            tool = self._door.permitted(visit, await self._door.tools(visit.serving), asked.operation)
        except UnknownTool as error:
            raise NoResource from error
        how = [] if asked.max_age is None else [(b"cache-control", b"max-age=%d" % asked.max_age)]
        response = await self._door.made(visit, tool, Request(path, b"", how, b""), "resources/read")
        return _content(uri, source.route, asked, response)

    async def watched(self, visit: Visit, uris: list[str]) -> list[Watched]:
        """Those of the URIs that the caller may follow, each once."""
        followed = await self._events.followed(visit)
        single = {source.route.operation_id: source for source in _single(followed).values()}
        found = [_watched(uri, followed, single) for uri in dict.fromkeys(uris)]
        return [each for each in found if each is not None]


def _changes() -> dict[str, Any]:
    return {
        "uriTemplate": f"{CHANGES}{{source}}{{?after}}",
        "name": "changes",
        "title": "Changes of a source",
        "description": "What changed, as events: behind the place that `after` names, which an earlier answer told; "
        "`first`: from the oldest that is kept; left out: the latest.",
        "mimeType": JSON,
    }


def _template(route: Route) -> dict[str, Any]:
    names = "/".join(f"{{{name}}}" for name in _names(route))
    return {
        "uriTemplate": f"{ENTITY}{route.operation_id}/{names}{{?max_age}}",
        "name": f"entity/{route.operation_id}",
        "title": route.summary or route.operation_id,
        "description": f"What {route.operation_id} answers. `max_age`: the age in seconds beyond which it is refused.",
        "mimeType": JSON,
    }


def _names(route: Route) -> list[str]:
    return re.findall(r"\{([^{}]+)\}", route.path)


def _single(sources: Mapping[str, Source]) -> dict[str, Source]:
    """The sources whose route answers one entity, by the route's name, where its path says which."""
    return {
        source.route.operation_id: source
        for source in sources.values()
        if source.binding is not None
        and _names(source.route)
        and not any(each.required and each.where != "path" for each in source.route.parameters)
    }


def _asked(uri: str) -> _Asked | None:
    """What the URI of an entity says; None: it says nothing."""
    place, mark, query = uri[len(ENTITY) :].partition("?")
    given = parse_qs(query, keep_blank_values=True, max_num_fields=8) if query.count("&") < 8 else {"": [""]}
    ages = given.pop("max_age", [])
    if len(uri) > _LONGEST or given or len(ages) > 1 or (mark and not ages) or not all(map(_AGE.fullmatch, ages)):
        return None
    operation, *values = place.split("/")
    try:
        spelt = [unquote(each, errors="strict") for each in values]
    except UnicodeDecodeError:
        return None
    return _Asked(operation, spelt, int(ages[0]) if ages else None)


def _path(route: Route, values: list[str]) -> bytes | None:
    """The path of the request for one entity; None: the values aren't as many as its parameters, or can't be sent."""
    names = _names(route)
    if len(names) != len(values) or not all(values) or any("\0" in each for each in values):
        return None
    spelt = dict(zip(names, (quote(each, safe="") for each in values), strict=True))
    return re.sub(r"\{([^{}]+)\}", lambda found: spelt[found[1]], route.path).encode()


def _content(uri: str, route: Route, asked: _Asked, response: Response) -> dict[str, Any]:
    if response.status in _ABSENT:
        raise NoResource
    if response.problem is not None:
        raise Unread(orjson.loads(response.body))
    meta = meta_of(response)
    ttl = 0.0
    if route.freshness is not None:
        most = route.freshness.fresh if asked.max_age is None else min(route.freshness.fresh, asked.max_age)
        ttl = max(most - float(meta.get("figway/age", most)), 0.0)
    return {**told(uri, response.body), "_meta": {**meta, "figway/untrusted": WHOLE}, "ttlMs": int(ttl * 1000)}


def _watched(uri: str, followed: Mapping[str, Source], single: Mapping[str, Source]) -> Watched | None:
    name = uri.removeprefix(CHANGES)
    if name != uri:
        return Watched(uri, followed[name], None) if SOURCE.fullmatch(name) and name in followed else None
    asked = _asked(uri) if uri.startswith(ENTITY) else None
    source = None if asked is None else single.get(asked.operation)
    if asked is None or source is None:
        return None
    key = _key(source, asked.values)
    return None if key is None else Watched(uri, source, key)


def _key(source: Source, values: list[str]) -> tuple[Json, ...] | None:
    """The key of the entity that the route is asked for by these values; None: that can't be told."""
    names, binding = _names(source.route), source.binding
    if binding is None or len(names) != len(values) or not source.columns:
        return None
    path: dict[str, Json] = dict(zip(names, values, strict=True))
    try:
        given = path if binding.input is None else {name: each({"path": path}) for name, each in binding.input.items()}
        return tuple(given[column] for column in source.columns)
    except (KeyError, MappingFailed):
        return None
