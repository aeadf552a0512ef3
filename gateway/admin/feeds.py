"""What subscribers of `gateway.yaml` didn't take, and sending it again, for whoever may `gateway:replay_events`."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from fastapi import Request, Response

from gateway.admin.changing import answer, body_of, invalid, known
from gateway.admin.control import Control
from gateway.admin.recording import noted
from gateway.admin.routes import Place
from gateway.errors import StateUnavailable
from gateway.feeds.deliveries import MOST_SHOWN, Deliveries
from gateway.feeds.delivery import events_of
from gateway.feeds.documents import dead_document, subscriber_documents
from gateway.nearest import nearest
from gateway.store.contract import StoreError

_PERMISSION = "gateway:replay_events"
_T = TypeVar("_T")


async def _dead(control: Control, _: Request) -> Response:
    kept, names = control.means().deliveries, events_of(control.serving().compiled).subscribers
    dead = await _told(kept(Deliveries.dead, MOST_SHOWN))
    subscribers = subscriber_documents(names, await _told(kept(Deliveries.waiting)))
    return answer({"items": [dead_document(each) for each in dead], "subscribers": subscribers, "next": None})


async def _replay(control: Control, request: Request) -> Response:
    body = await body_of(request)
    known(body, subscriber=str)
    name, names = body.get("subscriber"), sorted(events_of(control.serving().compiled).subscribers)
    if name is None:
        raise invalid("subscriber", "is missing: name a webhook or a stream")
    if name not in names:
        raise invalid("subscriber", f"is none of this gateway's{nearest(name, names)}")
    noted(request.scope).facts["asked"] = {"subscriber": name}
    count = await _told(control.means().deliveries(Deliveries.replay, name))
    return answer({"subscriber": name, "dead": count})


async def _told(made: Awaitable[_T]) -> _T:
    try:
        return await made
    except StoreError as error:
        raise StateUnavailable("The file of deliveries can't be used now.", retry_after=1, note=str(error)) from error


PLACES = (
    Place("/-/events/dead", _dead, _PERMISSION, ("GET",)),
    Place("/-/events/replay", _replay, _PERMISSION, ("POST",)),
)
