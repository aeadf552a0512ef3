"""Fields: what the caller may not see is left out of the reply, or a token stands for it, and nothing tells of it.

A filter or a sort by such a field would tell its value bit by bit, so it is refused; so are parameters of which nobody
can say which field they are about. What an upstream says of a failure may speak of rows and fields that the caller may
not see, so only that it failed is passed on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

import orjson

from adapters.contract import Effect, Json
from gateway.call import Call, Reply
from gateway.errors import BadUpstreamReply, Conflict, InvalidRequest, NotFound, Problem, Rejected, UnknownOutcome
from gateway.filters.rows import HIDDEN
from gateway.pipeline import Around, Handler
from gateway.policy.grants import Grant
from gateway.routing.model import Route
from gateway.routing.paths import ITEM, at_member
from gateway.routing.shown import SHOWN, claimed_by

_PAGING = frozenset({"limit", "cursor"})
_SAID: Mapping[type[Problem], str] = {
    NotFound: HIDDEN,
    Conflict: "The state of the entity forbids the change.",
    Rejected: "The system behind the route refuses the request.",
    BadUpstreamReply: "The answer of the system behind the route can't be used.",
    UnknownOutcome: "The outcome of the change isn't known.",
}


def redact(route: Route) -> Around:
    """A filter that leaves the caller only the fields that its grant shows; around what judges replies."""
    asks = _question(route)

    def around(call: Call, rest: Handler) -> Awaitable[Reply]:
        grant = call.grant
        return rest(call) if grant is None else guarded(call, rest, grant)

    async def guarded(call: Call, rest: Handler, grant: Grant) -> Reply:
        if grant.redacts:
            asks(call, grant)
        try:
            reply = await rest(call)
        except Problem as problem:
            raise _told(problem) from problem
        if grant.redacts:
            body = reply.body if reply.encoded is None else orjson.loads(reply.encoded)
            reply.body, reply.encoded = _shown(body, grant, route.is_list), None
            if reply.tried is not None and reply.tried.before is not None:
                reply.tried = reply.tried._replace(before=grant.redacted(reply.tried.before))
        return reply

    return around


def _shown(body: Json, grant: Grant, is_list: bool) -> Json:
    if not is_list:
        return grant.redacted(body)
    if not isinstance(body, dict) or not isinstance(body.get("items"), list):
        raise BadUpstreamReply("The answer isn't a list of items.")
    return {**body, "items": [grant.redacted(item) for item in body["items"]]}


def _told(problem: Problem) -> Problem:
    said = _SAID.get(type(problem))
    if said is None:
        return problem
    note = problem.note or problem.detail
    return type(problem)(said, retry_after=problem.retry_after, headers=problem.headers, note=note)


# ── questions ────────────────────────────────────────────────────────────────────────────────────────────────


def _question(route: Route) -> Callable[[Call, Grant], None]:
    """A function that raises `InvalidRequest` when a call asks by a field that its grant doesn't show."""
    to_row = ("items", ITEM) if route.is_list else ()
    row = at_member(route.reply or {}, to_row, route.reply or {})
    fields = sorted({name for branch in row for name in branch.get("properties", {})}, key=len, reverse=True)
    names = {each.name for each in route.parameters if each.where != "path"} - _PAGING - {"sort"}
    about = {name: _about(name, fields) for name in names}
    strict = route.effect is Effect.READ and route.compose is None
    # What is shown of an entity asks nothing: what may not be seen is left out of that, too.
    told = _PAGING | (SHOWN - claimed_by(route) if strict else set())

    def asks(call: Call, grant: Grant) -> None:
        unsafe = {path[0] for path in grant.unsafe}
        given: Iterable[tuple[str, str]] = [("query", name) for name in call.query] + [
            ("header", name) for name in call.header
        ]
        if strict and isinstance(call.body, dict):
            given = [*given, *(("body", name) for name in call.body)]
        for where, name in given:
            if where == "query" and name in told:
                continue
            wanted = _sorted_by(call.query[name]) if name == "sort" else [about.get(name) or _about(name, fields)]
            if any(each in unsafe or (each is None and strict) for each in wanted):
                raise InvalidRequest(
                    f"You may not ask by '{name}': it tells of fields that you may not see.",
                    errors=[{"pointer": f"/{where}/{name}", "detail": "is about a field that you may not see"}],
                    fix="Leave it out.",
                )

    return asks


def _sorted_by(value: Json) -> list[str | None]:
    texts = value if isinstance(value, list) else str(value).split(",")
    return [str(each).lstrip("-").split(".")[0] for each in texts if each]


def _about(name: str, fields: list[str]) -> str | None:
    """The field that a parameter is about: the longest that it is called by, as in `city`, `city.like`, `city_like`."""
    for field in fields:
        if name == field or name.startswith((f"{field}.", f"{field}_")):
            return field
    return None
