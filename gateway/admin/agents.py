"""Kill switches: `/-/admin/stops`, for whoever may `gateway:stop_agents`."""

from __future__ import annotations

from functools import partial

from fastapi import Request, Response

from gateway.admin.changing import answer, body_of, invalid, known, told
from gateway.admin.control import Control
from gateway.admin.recording import noted
from gateway.admin.routes import Place
from gateway.errors import NotFound
from gateway.limits.stops import MOST_REASON, stop_document
from gateway.nearest import nearest

_PERMISSION = "gateway:stop_agents"
_MOST_NAME = 256
_LONGEST_ID = 64


async def _list(control: Control, request: Request) -> Response:
    means = control.means()
    found = await told(means.offload(means.governance.stops.all), control)
    return answer({"items": [stop_document(each) for each in found], "next": None})


async def _stop(control: Control, request: Request) -> Response:
    body = await body_of(request)
    known(body, agent=str, run=str, operation=str, reason=str)
    named = {name: body.get(name) for name in ("agent", "run", "operation")}
    _check(control, named, body.get("reason"))
    noted(request.scope).facts["asked"] = {name: value for name, value in body.items() if value is not None}
    means, author = control.means(), request.state.principal.id
    throw = partial(means.governance.stops.throw, **named, reason=body["reason"].strip(), author=author)
    return answer(stop_document(await told(means.offload(throw), control)), status=201)


def _check(control: Control, named: dict[str, str | None], reason: str | None) -> None:
    if not any(value is not None for value in named.values()):
        raise invalid("agent", "is missing: name an agent, a run or an operation")
    for name, value in named.items():
        if value is not None and not (0 < len(value) <= _MOST_NAME and value.isprintable()):
            raise invalid(name, f"must be 1 to {_MOST_NAME} printable characters")
    routes = [route.operation_id for route in control.serving().compiled.routes]
    operation = named["operation"]
    if operation is not None and operation not in routes:
        raise invalid("operation", f"is none of this gateway's{nearest(operation, routes)}")
    if not reason or not reason.strip():
        raise invalid("reason", "must say why: the agent is told it")
    if len(reason) > MOST_REASON or not reason.isprintable():
        raise invalid("reason", f"must be one line of at most {MOST_REASON} characters")


async def _resume(control: Control, request: Request) -> Response:
    means, id = control.means(), request.path_params["id"][:_LONGEST_ID]
    found = await told(means.offload(means.governance.stops.lift, id), control)
    if found is None:
        raise NotFound("There is no such stop.", fix="Those that there are stand at /-/admin/stops.")
    noted(request.scope).facts["resumed"] = {name: value for name, value in stop_document(found).items() if value}
    return answer(stop_document(found))


PLACES = (
    Place("/-/admin/stops", _list, _PERMISSION),
    Place("/-/admin/stops", _stop, _PERMISSION, ("POST",)),
    Place("/-/admin/stops/{id}", _resume, _PERMISSION, ("DELETE",)),
)
