"""What became of a write: `/-/operations/{id}`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from gateway.admin.control import Control
from gateway.admin.routes import Place
from gateway.call import Principal
from gateway.errors import Forbidden, NotFound
from gateway.operations.outcome import shown
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
    headers = {"retry-after": "1"} if found.state is OperationState.RUNNING else {}
    return JSONResponse(
        _document(found, _sight(control, principal, found) if own else None),
        headers={**headers, "cache-control": "no-store"},
    )


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
        "created": _instant(found.created),
        "updated": _instant(found.updated),
    }
    return {**members, **({} if sight is None else shown(found.outcome, sight))}


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


PLACES = (Place("/-/operations/{id}", _operation),)
