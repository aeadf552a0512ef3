"""Answers that are kept: one call of a system serves all who ask the same, and what is stale is never told as fresh.

It stands around a route's binding, where what callers may not see isn't left out yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import cast

from gateway.cache.cache import Cache
from gateway.cache.keeping import Keeping
from gateway.cache.places import places_written
from gateway.cache.question import Question
from gateway.call import Call, Reply
from gateway.errors import Problem, UnknownOutcome
from gateway.pipeline import Around, Handler
from gateway.routing.groups import Side
from gateway.routing.model import Compiled, Route
from gateway.upstream import Upstream


def cached(route: Route, compiled: Compiled, upstreams: Mapping[str, Upstream], cache: Cache) -> Around | None:
    """The filter of a route whose answers are kept; None: they aren't."""
    if route.freshness is None or route.freshness.materialized or (route.legacy is None and route.replacement is None):
        return None
    sides = questions(route, compiled, upstreams)
    sides[""] = sides.get("legacy") or sides["replacement"]
    keeping = Keeping(route.freshness, cache, route.deadline or compiled.defaults.deadline)

    def around(call: Call, rest: Handler) -> Awaitable[Reply]:
        accepts, question = call.accepts, sides.get(call.side)
        if accepts is None or question is None or call.sink is not None or not accepts.stores:
            return rest(call)
        return keeping.answer(call, question, accepts, rest)

    return around


def questions(route: Route, compiled: Compiled, upstreams: Mapping[str, Upstream]) -> dict[str, Question]:
    """What is asked of each side that a route has."""
    sides: dict[str, Question] = {}
    for side, binding in (("legacy", route.legacy), ("replacement", route.replacement)):
        if binding is not None:
            digest = compiled.upstreams[binding.upstream].digest
            sides[side] = Question(route, cast(Side, side), binding, upstreams[binding.upstream], digest)
    return sides


def marking(route: Route, compiled: Compiled, cache: Cache) -> Around:
    """The filter of a write: what is kept of what it changes is let go, before it and again behind it."""
    places_of = places_written(route, compiled.routes)
    grace = route.deadline or compiled.defaults.deadline

    async def around(call: Call, rest: Handler) -> Reply:
        places = places_of(call)
        await cache.let_go(places)
        later = grace  # unless it is known to have ended, it may go on
        try:
            reply = await rest(call)
            later = 0.0
        except Problem as problem:
            later = grace if isinstance(problem, UnknownOutcome) else 0.0
            raise
        finally:
            await asyncio.shield(cache.let_go(places, later))  # also where the gateway stops meanwhile
        return reply

    return around
