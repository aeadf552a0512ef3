"""Letting go of what is kept of answers, for whoever may `gateway:administer`."""

from __future__ import annotations

from fastapi import Request, Response

from gateway.admin.changing import PERMISSION, answer, body_of, known
from gateway.admin.control import Control
from gateway.admin.recording import noted
from gateway.admin.routes import Place
from gateway.cache.cache import NothingLike, places_of
from gateway.errors import InvalidRequest, StateUnavailable


async def _purge(control: Control, request: Request) -> Response:
    body = await body_of(request)
    known(body, group=str, entity=dict)
    group, entity = body.get("group"), body.get("entity")
    noted(request.scope).facts["asked"] = {"group": group, "entity": entity}
    pair = next(iter(entity.items())) if entity else None
    if entity and (len(entity) > 1 or group is None or not all(isinstance(each, str) for each in pair or ())):
        raise InvalidRequest(
            "An entity is one text by its name, of a group.",
            fix='Send such as {"group": "customers", "entity": {"customer_id": "C-1001"}}.',
            errors=[{"pointer": "/entity", "detail": 'such as {"customer_id": "C-1001"}, beside group'}],
        )
    try:
        places = None if group is None else places_of(control.serving().compiled, group, pair)
    except NothingLike as error:
        raise InvalidRequest(
            str(error),
            fix="Name a group of the workspace, and what names its entities in their paths.",
            errors=[{"pointer": "", "detail": "nothing was let go"}],
        ) from error
    if not await control.means().governance.cache.let_go(places):
        raise StateUnavailable(
            "The store of kept answers doesn't answer; other hosts may tell them still.", retry_after=1
        )
    return answer({"purged": group or "everything", "entity": entity or None})


PLACES = (Place("/-/admin/cache/purge", _purge, PERMISSION, ("POST",)),)
