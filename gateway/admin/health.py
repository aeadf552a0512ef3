"""Is the gateway alive, and is it ready."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from gateway.admin.control import Control
from gateway.admin.routes import Place
from gateway.feeds.deliveries import Deliveries
from gateway.feeds.delivery import events_of
from gateway.feeds.documents import warnings
from gateway.freshness.documents import troubles
from gateway.store.contract import StoreError


async def _live(_: Control, __: Request) -> Response:
    return JSONResponse({"status": "live"})


async def _ready(control: Control, _: Request) -> Response:
    """Unready is a 503. An upstream that is down is told here, but doesn't make the gateway unready."""
    ready, status = control.ready()
    body: dict[str, Any] = {"status": status}
    if control.runtime is not None and control.runtime.serving is not None:
        serving = control.runtime.serving
        body["snapshot"] = serving.version
        body["limits"] = serving.limiter.state()
        mocked = sum(len(group.mocked) for group in serving.compiled.groups.values())
        if mocked:
            body["mocked_routes"] = mocked
        if control.runtime.means.mocking:
            body["upstreams"] = dict.fromkeys(serving.compiled.upstreams, "mocked")
            return JSONResponse(body, 200 if ready else 503)
        body["upstreams"] = {name: _health(upstream.state()) for name, upstream in serving.upstreams.items()}
        if any(spec.changes for spec in serving.compiled.upstreams.values()):
            body["captures"] = await _captures(control)
        subscribers = events_of(serving.compiled).subscribers
        if subscribers:
            body["subscribers"] = await _subscribers(control, subscribers)
    return JSONResponse(body, 200 if ready else 503)


async def _captures(control: Control) -> dict[str, str]:
    """Captures that can't go on or need a look. They don't make the gateway unready either."""
    try:
        return troubles(await control.means().events.standings())
    except StoreError:
        return {"": "the log of changes can't be read"}


async def _subscribers(control: Control, names: Collection[str]) -> dict[str, str]:
    """Webhooks and streams that wait or have dead letters. They don't make the gateway unready either."""
    try:
        return warnings(names, await control.means().deliveries(Deliveries.waiting))
    except StoreError:
        return {"": "the file of deliveries can't be read"}


def _health(state: Mapping[str, Any]) -> str:
    """`up`, `down` or, while nothing is known, `unknown`; details are the operator's, in the log."""
    if state["breaker"] != "closed" or (state["last_error"] and not state["opened"]):
        return "down"
    return "up" if state["opened"] else "unknown"


PLACES = (Place("/-/live", _live, unlimited=True), Place("/-/ready", _ready, unlimited=True))
