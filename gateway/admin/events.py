"""`/-/events`: what changes in the systems, as its subscriber may see it, as Server-Sent Events."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from functools import partial

from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from gateway.admin.control import Control
from gateway.admin.routes import Place
from gateway.call import Principal
from gateway.errors import BadRequest, Forbidden, InvalidRequest, Overloaded
from gateway.feeds.asyncapi import document, listeners, subscriber
from gateway.feeds.delivery import events_of, principal_of
from gateway.feeds.feed import Feed, sights_of
from gateway.feeds.positions import BadPosition, Positions
from gateway.feeds.stream import stream, too_late
from gateway.filters.stopped import check
from gateway.store.contract import StoreError

PERMISSION = "gateway:read_events"
_FIRST = "first"
_ASK_AGAIN = 3.0
"""Seconds for which a credential that was good is taken to be good."""


class Subscriber:
    """One caller that follows: what it may see is looked at again as long as the stream lasts."""

    def __init__(self, control: Control, request: Request, only: frozenset[str], principal: Principal) -> None:
        self._control, self._request, self._only = control, request, only
        self._who = self._judged = principal
        self._proved = float("-inf")
        self._version = -1
        self._permitted = False
        self.positions = Positions(control.means().governance.keyrings["cursor"])
        self._feed = Feed({}, control.serving().policies, principal, self.positions)

    async def who(self) -> Principal:
        """Who it is, proved again every few seconds; raises `Problem`s once it is nobody, or was stopped."""
        if time.monotonic() - self._proved >= _ASK_AGAIN:
            self._who = await self._control.principal(self._request)
            await check(self._control.means().governance.stops, self._who, None)
            self._proved, self._permitted = time.monotonic(), False
        return self._who

    async def feed(self) -> Feed:
        """What the caller may see now, the same object while nothing changes. Raises `Problem`s once it is nothing."""
        principal, serving = await self.who(), self._control.serving()
        changed = serving.version != self._version or principal != self._judged
        if changed or not self._permitted:
            self._control.permit(principal, PERMISSION)
            self._permitted = True
        if changed:
            adapters = {name: upstream.adapter for name, upstream in serving.upstreams.items()}
            sources = self._control.subscribers.sources(serving.version, serving.compiled, adapters)
            self._feed = Feed(sources, serving.policies, principal, self.positions, self._only)
            self._version, self._judged = serving.version, principal
            if not self._feed.sources or self._only - set(self._feed.sources):
                raise Forbidden(
                    "There is no such source, or no policy lets you follow it.",
                    fix="You follow what a route shows you that is bound to a captured source: see /-/changes.",
                )
        return self._feed


async def _events(control: Control, request: Request) -> Response:
    principal: Principal = request.state.principal
    subscriber = Subscriber(control, request, only_of(request), principal)
    await subscriber.feed()
    log, subscribers = control.means().events, control.subscribers
    after = await start(control, request, subscriber.positions)
    if subscribers.full(principal.id):
        raise Overloaded("As many streams of events are open as may be.", retry_after=10)

    async def body() -> AsyncIterator[bytes]:
        with subscribers.counted(principal.id):
            waiting = subscribers.waiting(log)
            told = stream(log, waiting, after, subscriber.positions, subscriber.feed, lambda: control.ready()[0])
            async for block in told:
                yield block

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(body(), headers=headers, media_type="text/event-stream")


def only_of(request: Request) -> frozenset[str]:
    """The sources that a caller names; none: all that it may follow."""
    unknown = sorted(set(request.query_params) - {"source", "after"})
    if unknown:
        detail = "takes source and after"
        raise InvalidRequest(
            f"There is no parameter '{unknown[0][:64]}'.",
            fix="Leave it out: source and after are all that there is.",
            errors=[{"pointer": "/query", "detail": detail}],
        )
    return frozenset(request.query_params.getlist("source"))


async def start(control: Control, request: Request, positions: Positions, recent: int = 0) -> int:
    """The number of the event behind which a caller begins; where it names no place, `recent` events before the end."""
    asked = request.headers.get("last-event-id") or request.query_params.get("after")
    try:
        first, last = await control.means().events.span()
    except StoreError as error:
        raise Overloaded("The log of changes can't be read now.", retry_after=1, note=str(error)) from error
    if asked is None or asked == _FIRST:
        return max(last - recent, first - 1) if asked is None else first - 1
    try:
        after = positions.opened(asked)
    except BadPosition as error:
        raise BadRequest(
            "The place is none that was given here, or was given too long ago.",
            fix="Subscribe without a place, then read the routes' lists anew.",
        ) from error
    if after > last or after + 1 < first:
        raise too_late()
    return after


async def _asyncapi(control: Control, request: Request) -> Response:
    """What the caller may follow, with its own subscribers of `gateway.yaml`."""
    principal: Principal = request.state.principal
    serving = control.serving()
    adapters = {name: upstream.adapter for name, upstream in serving.upstreams.items()}
    sources = control.subscribers.sources(serving.version, serving.compiled, adapters)
    sights = partial(sights_of, sources, serving.policies)
    audiences = [listeners(sights(principal), str(request.base_url))]
    for name, model in events_of(serving.compiled).subscribers.items():
        own = principal_of(model)
        if (own.id, own.agent, own.tenant) == (principal.id, principal.agent, principal.tenant):
            audiences.append(subscriber(name, model, sights(own)))
    info = serving.compiled.document["info"]
    return JSONResponse(document(info["title"], str(info["version"]), audiences), headers={"cache-control": "no-store"})


PLACES = (
    Place("/-/events", _events, PERMISSION, ("GET",)),
    Place("/-/asyncapi.json", _asyncapi, PERMISSION, ("GET",)),
)
