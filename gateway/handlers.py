"""What answers each route of a compiled workspace: the filters that it needs, around what answers in the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.contract import Effect
from gateway.compose.undoing import Undoing
from gateway.dispatch import bound
from gateway.filters.aged import aged
from gateway.filters.paginate import paginate, side_of_cursor
from gateway.filters.sparse import sparse
from gateway.filters.stream import media_of, stream
from gateway.filters.validate import validate_reply, validate_request
from gateway.filters.versions import versions
from gateway.identity.signing import Keyring
from gateway.invoker import Invoker
from gateway.migration.reads import Reads
from gateway.migration.split import joined
from gateway.migration.writing import Writes
from gateway.pipeline import Filter, Handler, chain
from gateway.routing.groups import Served, Side
from gateway.routing.model import Compiled, Route
from gateway.stand_in import answering, stand_in


@dataclass(slots=True)
class Handlers:
    """A snapshot's handlers by operationId."""

    answers: dict[str, Handler] = field(default_factory=dict)
    pages: dict[str, Handler] = field(default_factory=dict)
    """Of lists: what answers a call that was let in and found valid."""
    streams: dict[str, Handler] = field(default_factory=dict)
    """What tells all of a list, where it can be told."""


def handlers(
    compiled: Compiled,
    upstreams: Mapping[str, Invoker],
    admission: Callable[[Route], list[Filter]],
    cursor_keys: Keyring,
    keeping: Callable[[Route], list[Filter]] = lambda _: [],
    seeing: Callable[[Route], list[Filter]] = lambda _: [],
    reads: Reads | None = None,
    writes: Writes | None = None,
    by_side: Callable[[Route, Side], Sequence[Filter]] = lambda *_: (),
    *,
    mocking: bool = False,
    undoing: Undoing | None = None,
) -> Handlers:
    """Every route's handlers; `admission` gives the filters that decide who may come in, `keeping` those
    that keep a write: behind what validates the request, around what shapes the reply, which is kept as it is told;
    `seeing` those right before the binding, which leave out what the caller may not see. `reads` chooses the side of
    groups that migrate, and `writes` does so where both sides can write; without them legacy serves. `by_side` gives
    the filters of limits that only calls of one side meet. When `mocking`, examples answer all of them. `undoing` is
    what undoes composites that fail; without it nothing does."""

    def one_side(route: Route, side: Served, called: Mapping[str, Invoker]) -> Handler:
        judged = judging(route, compiled, cursor_keys, side)
        return chain([*judged, *seeing(route)], _last(route, side, compiled, called))

    routes = {route.operation_id: route for route in compiled.routes}
    made = Handlers()
    for name, route in routes.items():
        entry = [*admission(route), validate_request(route)]
        wanting: list[Filter] = [sparse(route)] if route.sparse else []
        written = None if writes is None or mocking else writes.handler(route)
        if writes is not None and written is not None:
            behind = chain([validate_request(route), *keeping(route), *judging(route, compiled, cursor_keys)], written)
            made.answers[name] = chain(admission(route), writes.admitted(route, behind))
            continue
        aging: list[Filter] = [aged] if route.effect is Effect.READ else []
        filters = [*aging, *wanting, *keeping(route)]
        last = None if reads is None or mocking else reads.handler(route, one_side, side_of_cursor, by_side)
        if last is None:
            last = answering(route, routes, made.answers, upstreams, mocking=mocking, undoing=undoing)
            filters += [*judging(route, compiled, cursor_keys), *seeing(route)]
        made.answers[name] = chain([*entry, *filters], last)
        if media_of(route):
            made.pages[name] = chain(filters, last)
            made.streams[name] = chain(entry, stream(route, made.pages[name], compiled.defaults.max_page))
    return made


def _last(route: Route, side: Served, compiled: Compiled, called: Mapping[str, Invoker]) -> Handler:
    """What answers in the end."""
    if side == "both":
        sides: Mapping[Side, Handler] = {
            "legacy": bound(route, "legacy", called),
            "replacement": bound(route, "replacement", called),
        }
        return joined(route, compiled.groups[route.group], sides)
    if side == "replacement" and route.missing is not None:
        return stand_in(route)
    return bound(route, side, called)


def judging(route: Route, compiled: Compiled, cursor_keys: Keyring, side: Served = "legacy") -> list[Filter]:
    """The filters that hold a reply of that side against the route's contract."""
    filters: list[Filter] = []
    in_part = side == "replacement" and route.replacement is not None and bool(route.replacement.owns)
    if route.reply is not None and route.enforcement != "off" and not in_part:
        filters.append(validate_reply(route))
    if route.is_list:
        filters.append(paginate(route, compiled.defaults, cursor_keys, side))
    if route.versioned and side != "both":
        filters.append(versions(route, cursor_keys))
    return filters
