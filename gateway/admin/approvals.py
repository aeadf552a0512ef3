"""Deciding on what others want to change: `/-/approvals`, for whoever may `gateway:approve`."""

from __future__ import annotations

from functools import partial

from fastapi import Request, Response

from gateway.admin.changing import answer, body_of, known, told
from gateway.admin.control import Control
from gateway.admin.recording import noted
from gateway.admin.routes import Place
from gateway.errors import Forbidden, NotFound

_PERMISSION = "gateway:approve"
_POST = ("POST",)
_LONGEST_ID = 64


async def _list(control: Control, request: Request) -> Response:
    means, pending = control.means(), request.query_params.get("state") == "pending"
    found = await told(means.offload(partial(means.approvals.newest, pending=pending)), control)
    return answer({"items": [each.document() for each in found], "next": None})


async def _one(control: Control, request: Request) -> Response:
    """Whoever asked may see what became of it, too."""
    principal, means = await control.principal(request), control.means()
    found = await told(means.offload(means.approvals.get, request.path_params["id"][:_LONGEST_ID]), control)
    if found.asked_by != principal.id:
        try:
            control.permit(principal, _PERMISSION)
        except Forbidden as error:
            raise NotFound("There is no such approval.") from error
    return answer(found.document())


async def _approve(control: Control, request: Request) -> Response:
    return await _decide(control, request, approve=True)


async def _deny(control: Control, request: Request) -> Response:
    return await _decide(control, request, approve=False)


async def _decide(control: Control, request: Request, *, approve: bool) -> Response:
    body = await body_of(request)
    known(body, reason=str)
    means, id = control.means(), request.path_params["id"][:_LONGEST_ID]
    noted(request.scope).facts["asked"] = {"id": id, "approve": approve}
    decide = partial(means.approvals.decide, approve=approve, reason=body.get("reason") or "")
    found = await told(means.offload(decide, id, request.state.principal), control)
    means.webhooks.tell("approval.decided", found.document())
    return answer(found.document())


PLACES = (
    Place("/-/approvals", _list, _PERMISSION),
    Place("/-/approvals/{id}", _one),
    Place("/-/approvals/{id}/approve", _approve, _PERMISSION, _POST),
    Place("/-/approvals/{id}/deny", _deny, _PERMISSION, _POST),
)
