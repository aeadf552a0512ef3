"""`/-/events/page`: what changed of late, for those who ask now and then; and who follows changes by MCP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractContextManager

import orjson
from fastapi import Request, Response

from gateway.admin.control import Control
from gateway.admin.events import PERMISSION, Subscriber, only_of, start
from gateway.admin.routes import Place
from gateway.errors import Overloaded, Problem
from gateway.events.log import EventLog
from gateway.events.model import Trimmed
from gateway.feeds.feed import Feed, tell
from gateway.feeds.sources import Source
from gateway.feeds.stream import Waiting, too_late
from gateway.ingress.mcp_visit import Serving, Visit
from gateway.store.contract import StoreError

PAGE = "/-/events/page"
_LOOKED, _BATCH = 1_000, 100
"""Events that one answer looks at, and reads at a time."""
_TOLD = 100
_BYTES = 1024 * 1024
"""Beyond so many bytes, or events, an answer ends."""


async def _page(control: Control, request: Request) -> Response:
    subscriber = Subscriber(control, request, only_of(request), request.state.principal)
    feed, log = await subscriber.feed(), control.means().events
    after = await start(control, request, subscriber.positions, _LOOKED)
    try:
        items, after = await _told(log, feed, after)
        more = (await log.span())[1] > after
    except Trimmed as trimmed:
        raise too_late() from trimmed
    except StoreError as error:
        raise Overloaded("The log of changes can't be read now.", retry_after=1, note=str(error)) from error
    parts = (b'{"items":[', b",".join(items), b'],"after":', orjson.dumps(subscriber.positions.place(after)))
    body = b"".join((*parts, b',"more":', orjson.dumps(more), b"}"))
    return Response(body, headers={"cache-control": "no-store"}, media_type="application/json")


async def _told(log: EventLog, feed: Feed, after: int) -> tuple[list[bytes], int]:
    """The next events that the caller may see, as JSON, and how far the log was looked at."""
    items: list[bytes] = []
    for _ in range(_LOOKED // _BATCH):
        events = await log.read(after, _BATCH)
        for sequence, document in await asyncio.to_thread(tell, feed, events):
            items.append(orjson.dumps(document))
            if len(items) >= _TOLD or sum(map(len, items)) >= _BYTES:
                return items, sequence
        if not events:
            break
        after = events[-1].sequence
    return items, after


class Changes:
    """The changes of this host, for MCP (`gateway.following.events.Events`)."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def log(self) -> EventLog:
        """What was captured."""
        return self._control.means().events

    def waiting(self) -> Waiting:
        """What looks at it for all who wait."""
        return self._control.subscribers.waiting(self.log())

    def serving(self) -> Serving:
        """The snapshot that is served; raises a `Problem` where none is."""
        return self._control.serving()

    def alive(self) -> bool:
        """Whether streams go on."""
        return self._control.ready()[0]

    def sources(self, serving: Serving) -> Mapping[str, Source]:
        """The sources that a snapshot's routes tell."""
        adapters = {name: upstream.adapter for name, upstream in serving.upstreams.items()}
        return self._control.subscribers.sources(serving.version, serving.compiled, adapters)

    async def followed(self, visit: Visit) -> Mapping[str, Source]:
        """Those of them that the caller may follow."""
        sources = self.sources(visit.serving)
        if not sources:
            return {}
        try:
            told = (await self.follower(visit, frozenset()).feed()).sources
        except Problem:
            return {}
        return {name: sources[name] for name in told if name in sources}

    def follower(self, visit: Visit, only: frozenset[str]) -> Subscriber:
        """The caller, who follows these sources."""
        return Subscriber(self._control, Request(visit.scope), only, visit.principal)

    def full(self, principal: str) -> bool:
        """Whether as many streams are open as may be."""
        return self._control.subscribers.full(principal)

    def counted(self, principal: str) -> AbstractContextManager[None]:
        """Counts a stream while it lasts."""
        return self._control.subscribers.counted(principal)


PLACES = (Place(PAGE, _page, PERMISSION),)
