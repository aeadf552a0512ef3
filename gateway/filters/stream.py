"""All of a list instead of a page: its pages follow each other, each with all that a page goes through.

Where the upstream reads a list as a whole (`SupportsBulk`), the pages are cut from that; elsewhere they are asked for
one by one. Nothing is sent before the first page is there, so that what is refused is refused as ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson

from adapters.contract import Json, Source
from gateway.bulk import Reading
from gateway.call import Call, Reply, UpstreamCall
from gateway.errors import BadUpstreamReply, InvalidRequest
from gateway.filters.parameters import split_query
from gateway.filters.renderings import CSV, NDJSON, Render, csv, csv_head, ndjson
from gateway.pipeline import Handler
from gateway.routing.model import Route
from gateway.routing.shown import expandable, members_of

_WIDEST = 500


def media_of(route: Route) -> tuple[str, ...]:
    """The media types in which all of a route's list is told; none: it is no list that can be."""
    # What a call costs may be measured by its reply, which here is none.
    if not route.is_list or route.method != "GET" or route.measured is not None:
        return ()
    return (NDJSON, CSV) if members_of(route.reply, is_list=True) else (NDJSON,)


def stream(route: Route, paged: Handler, max_page: int) -> Handler:
    """The handler that tells all of a list into `call.sink`; `paged` answers a page, `max_page` items at most."""
    limit = min(_WIDEST, max_page)

    async def handler(call: Call) -> Reply:
        if any(name == "limit" for name, _ in split_query(call.raw_query)):
            raise InvalidRequest(
                "All of a list has no limit.",
                errors=[{"pointer": "/query/limit", "detail": "isn't taken here"}],
                fix="Leave it out, or ask for application/json to get a page.",
            )
        call.reading = Reading()
        try:
            return await _told(route, paged, call, limit)
        finally:
            await call.reading.close()
            call.reading = None

    return handler


async def _told(route: Route, paged: Handler, call: Call, limit: int) -> Reply:
    rows, before = 0, len(call.upstream_calls)
    render: Render | None = None
    while True:
        call.query, call.following = {**call.query, "limit": limit}, None
        reply = await paged(call)
        items = _items(reply)
        _as_one(call.upstream_calls, before)
        if render is None:
            render = await _begun(route, call, reply)
        call.noted["rows"] = rows = rows + len(items)
        await call.sink.write(render(items))
        if call.following is None or call.method == "HEAD":
            return Reply(reply.status, served_by=reply.served_by, encoded=b"")
        call.query["cursor"] = call.following
        await asyncio.sleep(0)  # others' calls have their turn, however quickly pages come


async def _begun(route: Route, call: Call, reply: Reply) -> Render:
    """Sends the head, and what goes before the first item."""
    head = Reply(reply.status, None, reply.as_of, reply.served_by, reply.headers, reply.warnings, b"")
    await call.sink.begin(head)
    if call.sink.media == NDJSON:
        return ndjson
    columns = _columns(route, call)
    await call.sink.write(csv_head(columns))
    return csv(columns)


def _items(reply: Reply) -> Sequence[Json]:
    body = reply.body if reply.encoded is None else orjson.loads(reply.encoded)
    items = body.get("items") if isinstance(body, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BadUpstreamReply("The answer isn't a list of objects.")
    return items


def _columns(route: Route, call: Call) -> Sequence[str]:
    """The members that the caller asked for, else all of the contract's, but for what it may see in no row, and what
    would have to be joined first."""
    hidden = {path[0] for path in call.grant.always()[0] if len(path) == 1} if call.grant is not None else set()
    hidden |= {name for name in expandable(route) if name not in (call.query.get("expand") or ())}
    return [name for name in call.fields or members_of(route.reply, is_list=True) if name not in hidden]


def _as_one(calls: list[UpstreamCall], before: int) -> None:
    """Makes one of all calls of an operation since `before`: however long a list is, its record stays small."""
    kept: dict[tuple[str, str], UpstreamCall] = {}
    for each in calls[before:]:
        first = kept.setdefault((each.upstream, each.operation), each)
        sources = {(source.system, source.object): source for source in (*each.sources, *first.sources)}
        if first is not each:
            first.seconds += each.seconds
        first.sources = tuple(Source(system, object, as_of=one.as_of) for (system, object), one in sources.items())
    calls[before:] = kept.values()
