"""Deciding on what others want to change: `/-/approvals`, for whoever may `gateway:approve`."""

from __future__ import annotations

from functools import partial

from fastapi import Request, Response

from gateway.admin.changing import answer, body_of, known, told
from gateway.admin.control import Control
from gateway.admin.recording import noted
from gateway.admin.routes import Place
from gateway.approvals.record import Approval
from gateway.call import Principal
from gateway.errors import Forbidden, NotFound
from gateway.operations.record import caller_digest

_PERMISSION = "gateway:approve"
_POST = ("POST",)
_LONGEST_ID = 64
_LONGEST_NOTED = 500
"""Characters of a reason that the audit keeps."""


async def _list(control: Control, request: Request) -> Response:
    means, pending = control.means(), request.query_params.get("state") == "pending"
    newest = partial(means.approvals.newest, pending=pending, tenant=request.state.principal.tenant)
    found = await told(means.offload(newest), control)
    return answer({"items": [each.document() for each in found], "next": None})


async def _one(control: Control, request: Request) -> Response:
    """Whoever asked may see what became of it, too."""
    principal, means = await control.principal(request), control.means()
    found = await told(means.offload(means.approvals.get, request.path_params["id"][:_LONGEST_ID]), control)
    try:
        control.permit(principal, _PERMISSION)
        if found.asker.tenant is not None and principal.tenant not in (None, found.asker.tenant):
            raise Forbidden("It is another tenant's.")
    except Forbidden as error:
        if not _asked(found, principal):
            raise NotFound("There is no such approval.") from error
        return answer(found.told())
    return answer(found.document())


def _asked(found: Approval, principal: Principal) -> bool:
    """Whether it is a question of that principal's: of a call, by whom and for whom exactly that was made."""
    if found.asker.caller:
        return found.asker.caller == caller_digest(principal).hex()
    return found.asked_by == principal.id


async def _approve(control: Control, request: Request) -> Response:
    return await _decide(control, request, approve=True)


async def _deny(control: Control, request: Request) -> Response:
    return await _decide(control, request, approve=False)


async def _decide(control: Control, request: Request, *, approve: bool) -> Response:
    body = await body_of(request)
    known(body, reason=str)
    means, id = control.means(), request.path_params["id"][:_LONGEST_ID]
    reason = body.get("reason") or ""
    facts = noted(request.scope).facts
    facts["asked"] = {"id": id, "approve": approve, **({"reason": reason[:_LONGEST_NOTED]} if reason else {})}
    decide = partial(means.approvals.decide, approve=approve, reason=reason)
    found = await told(means.offload(decide, id, request.state.principal), control)
    facts["decided"] = {"summary": found.summary, "asked_by": found.asked_by, "state": found.state}
    means.webhooks.tell("approval.decided", found.announced())
    return answer(found.document())


PLACES = (
    Place("/-/approvals", _list, _PERMISSION),
    Place("/-/approvals/{id}", _one),
    Place("/-/approvals/{id}/approve", _approve, _PERMISSION, _POST),
    Place("/-/approvals/{id}/deny", _deny, _PERMISSION, _POST),
)
