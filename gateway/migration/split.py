"""A read of which the replacement answers some fields only: both sides are asked at once, and put together.

The reply is legacy's, with the replacement's fields in the place of its own: a field that the replacement leaves out is
left out. Whichever side fails makes the call fail, in that side's name; nothing is half filled. Items of lists are
joined by the group's key, and a page continues on both sides from where each of them was.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from adapters.contract import Json
from gateway.call import Call, Reply
from gateway.errors import BadUpstreamReply, NotFound
from gateway.migration.compare.model import Observed
from gateway.migration.model import Group, Side
from gateway.pipeline import Handler
from gateway.routing.model import Route
from gateway.routing.splits import joined_by

Owned: TypeAlias = tuple[tuple[str, ...], ...]
"""The replacement's fields, as paths of members."""
BOTH = "both"
"""What `Figway-Served-By` says of such a reply."""


def joined(route: Route, group: Group, sides: Mapping[Side, Handler]) -> Handler:
    """The handler that asks both of `sides` and answers what they make together."""
    assert route.replacement is not None
    owns = route.replacement.owns
    join = _pages(owns, joined_by(group) or "") if route.is_list else _entities(owns)

    async def handler(call: Call) -> Reply:
        call.side = BOTH
        asked = {side: asyncio.create_task(_asked(call, side, sides[side])) for side in ("legacy", "replacement")}
        try:
            # Legacy has the first word: what it refuses is refused, whatever the replacement says of it.
            legacy = await _of(asked["legacy"], call, "legacy")
            replacement = await _of(asked["replacement"], call, "replacement")
        except NotFound as problem:
            if call.side == "legacy":
                raise
            detail = "The system that answers some of the fields doesn't have what the other one has."
            raise BadUpstreamReply(detail, note=problem.detail) from problem
        finally:
            for task in asked.values():
                task.cancel()
            await asyncio.gather(*asked.values(), return_exceptions=True)
        call.side = "replacement"
        body = join(legacy.body, replacement.body)
        call.side = BOTH
        times = [each.as_of for each in (legacy, replacement) if each.as_of is not None]
        warnings = (*legacy.warnings, *replacement.warnings)
        return Reply(route.status, body, min(times, default=None), BOTH, legacy.headers, warnings)

    return handler


async def _of(task: asyncio.Task[Reply], call: Call, side: Side) -> Reply:
    """The side's reply; while it's waited for, a failure is that side's."""
    call.side = side
    return await task


async def _asked(call: Call, side: Side, handler: Handler) -> Reply:
    part = copy.copy(call)
    # Neither side may leave out rows by fields that the other one has: who may see what is looked at when all is there.
    part.grant = None
    part.reading = None  # two lists can't be read on one way
    after = call.page.get("after") if call.page else None
    if after is not None:
        if after.get(side) is None:
            return Reply(200, {"items": [], "next": None})
        part.page = {**call.page, "after": after[side]}
    return await handler(part)


def _entities(owns: Owned) -> Callable[[Json, Json], Json]:
    def join(legacy: Json, replacement: Json) -> Json:
        if not (isinstance(legacy, Mapping) and isinstance(replacement, Mapping)):
            raise BadUpstreamReply("The answers of the two systems can't be put together.", note="not an object")
        for path in owns:
            legacy = _taken(legacy, replacement, path)
        return legacy

    return join


def _pages(owns: Owned, key: str) -> Callable[[Json, Json], Json]:
    one = _entities(owns)

    def join(legacy: Json, replacement: Json) -> Json:
        mine, known = _items(legacy, key), dict(_items(replacement, key))
        lacking = sum(name not in known for name, _ in mine)
        if lacking:
            note = f"{lacking} of {len(mine)} items aren't on the replacement's page"
            raise BadUpstreamReply("The two systems behind the list don't list the same items.", note=note)
        following = {"legacy": legacy.get("next"), "replacement": replacement.get("next")}
        items = [one(item, known[name]) for name, item in mine]
        return {**legacy, "items": items, "next": None if following["legacy"] is None else following}

    return join


def _items(body: Json, key: str) -> list[tuple[str, Json]]:
    """The items of a page by their keys; 7 and "7" are one, as sides may spell it either way."""
    items = body.get("items") if isinstance(body, Mapping) else None
    if not isinstance(items, list) or not all(isinstance(each, Mapping) and key in each for each in items):
        raise BadUpstreamReply("The answers of the two systems can't be put together.", note=f"no items with '{key}'")
    return [(str(each[key]), each) for each in items]


def _taken(whole: Mapping[str, Json], part: Json, path: tuple[str, ...]) -> dict[str, Json]:
    """`whole` with what stands at `path` taken from `part`; nothing, where nothing stands there."""
    name, *rest = path
    inner = part.get(name, _NOTHING) if isinstance(part, Mapping) else _NOTHING
    if rest and isinstance(mine := whole.get(name), Mapping):
        return {**whole, name: _taken(mine, inner, tuple(rest))}
    for each in rest:
        inner = inner.get(each, _NOTHING) if isinstance(inner, Mapping) else _NOTHING
    if inner is _NOTHING:
        return {key: value for key, value in whole.items() if key != name}
    for each in reversed(rest):
        inner = {each: inner}
    return {**whole, name: inner}


_NOTHING: Any = object()


def narrowed(observed: Observed, owns: Owned, key: str | None, *, is_list: bool) -> Observed:
    """A reply with nothing but the replacement's fields in it, and what tells items apart: what is compared."""
    body = observed.body
    if observed.problem is not None or not isinstance(body, Mapping):
        return observed
    if not is_list:
        return observed._replace(body=_only(body, owns))
    items = body.get("items")
    kept: Iterable[tuple[str, ...]] = owns if key is None else (*owns, (key,))
    only = [_only(each, kept) for each in items] if isinstance(items, list) else items
    return observed._replace(body={"items": only, "next": body.get("next")})


def _only(entity: Json, kept: Iterable[tuple[str, ...]]) -> Json:
    found: dict[str, Json] = {}
    for path in kept:
        found = _taken(found, entity, path)
    return found
