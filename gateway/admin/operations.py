"""What became of a write: `/-/operations/{id}`."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from gateway.admin.control import Control
from gateway.admin.routes import Place
from gateway.call import Principal
from gateway.errors import Forbidden, NotFound
from gateway.filters.content import HEADER, ContentFilters
from gateway.instants import spelt_of
from gateway.operations.outcome import shown
from gateway.operations.parts import Part
from gateway.operations.record import OperationState, StoredOperation, caller_digest
from gateway.policy.sight import Sights

_PERMISSION = "gateway:read_operations"


async def _operation(control: Control, request: Request) -> Response:
    principal = await control.principal(request)
    found = await control.means().governance.operations.read(request.path_params["id"])
    own = found is not None and found.caller == caller_digest(principal)
    if found is None or not (own or _may_see(control, principal)):
        # Somebody else's operation is told apart from none by nobody.
        raise NotFound("There is no such operation of yours.", fix="An operation is kept for a day after its end.")
    parts = await control.means().governance.operations.parts.parts(found.id)
    headers = {"retry-after": "1"} if found.state is OperationState.RUNNING else {}
    document = _document(found, _sight(control, principal, found) if own else None)
    headers |= await _looked_at(control, principal, found.route, document)
    return JSONResponse(
        {**document, "parts": [_part(each) for each in parts]} if parts else document,
        headers={**headers, "cache-control": "no-store"},
    )


async def _looked_at(control: Control, principal: Principal, route: str, document: dict[str, Any]) -> dict[str, str]:
    """What is said of the texts of a kept reply, as it was where the route answered it; raises `ContentRefused`."""
    if "reply" not in document:
        return {}
    looking = ContentFilters(control.serving().compiled)
    told = await asyncio.to_thread(looking.kept, route, principal, document["reply"]["body"])
    return {HEADER.decode(): told.decode()} if told else {}


def _may_see(control: Control, principal: Principal) -> bool:
    try:
        control.permit(principal, _PERMISSION)
    except Forbidden:
        return False
    return True


def _sight(control: Control, principal: Principal, found: StoredOperation) -> str:
    serving = control.serving()
    return Sights(serving.policies, serving.compiled).of(principal, found.route)


def _document(found: StoredOperation, sight: str | None) -> dict[str, Any]:
    """The operation for whoever may see it; the reply only for its owner (others have no `sight`), whose rights shaped
    it, while those are the same."""
    members: dict[str, Any] = {
        "id": found.id,
        "route": found.route,
        "state": found.state.value,
        "principal": found.principal,
        "agent": found.agent,
        "tenant": found.tenant,
        "created": spelt_of(found.created, "milliseconds"),
        "updated": spelt_of(found.updated, "milliseconds"),
    }
    return {**members, **({} if sight is None else shown(found.outcome, sight))}


def _part(part: Part) -> dict[str, str]:
    """A part of a composite that undoes what it has done; `sent`: it may be under way."""
    told = {"step": part.step, "route": part.route, "state": part.state.value}
    return {**told, "note": part.note} if part.note else told


PLACES = (Place("/-/operations/{id}", _operation),)
