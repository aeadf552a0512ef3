"""Both sides of a group held against each other: a sweep asked for, what was found, and repairs of it."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from gateway.admin.changing import PERMISSION, answer, invalid, known, told, workspace_body
from gateway.admin.control import Control
from gateway.admin.recording import noted
from gateway.admin.routes import Place
from gateway.errors import NotFound
from gateway.migration.reconcile.service import Reconciling

_DO = ("propose", "apply")


async def _show(control: Control, request: Request) -> Response:
    return answer(await told(_service(control).document(_group(control, request)), control))


async def _sweep(control: Control, request: Request) -> Response:
    """Asks for a sweep: 202, and it goes on by itself."""
    body, group, serving = await workspace_body(request), _group(control, request), control.serving()
    known(body, keys=list, details=bool)
    keys = body.get("keys")
    if not all(isinstance(key, str | int) and not isinstance(key, bool) for key in keys or ()):
        raise invalid("keys", "holds texts or whole numbers")
    about = (serving.compiled, serving.version, group, request.state.principal, keys)
    made = _service(control).sweep(*about, details=bool(body.get("details")))
    return answer(await told(made, control), status=202)


async def _repairs(control: Control, request: Request) -> Response:
    return answer(await told(_service(control).repairs(_group(control, request)), control))


async def _repair(control: Control, request: Request) -> Response:
    """`propose` goes on by itself; `apply` needs another person's yes to what is proposed."""
    body, group, serving = await workspace_body(request), _group(control, request), control.serving()
    known(body, do=str)
    if body.get("do") not in _DO:
        raise invalid("do", "is propose or apply")
    noted(request.scope).facts["asked"] = {"group": group, "do": body["do"]}
    service, who, means = _service(control), request.state.principal, control.means()
    if body["do"] == "propose":
        made: Any = service.propose(serving.compiled, serving.version, group, who)
    else:
        made = service.apply(group, who, means.approvals, means.offload, means.webhooks.tell)
    return answer(await told(made, control), status=202)


def _service(control: Control) -> Reconciling:
    return control.means().reconciling


def _group(control: Control, request: Request) -> str:
    name: str = request.path_params["group"]
    if name not in control.serving().compiled.groups:
        raise NotFound("There is no such group.", fix="Those that there are stand at /-/admin/groups.")
    return name


PLACES = (
    Place("/-/admin/groups/{group}/reconciliation", _show, PERMISSION),
    Place("/-/admin/groups/{group}/reconciliation", _sweep, PERMISSION, ("POST",)),
    Place("/-/admin/groups/{group}/repairs", _repairs, PERMISSION),
    Place("/-/admin/groups/{group}/repairs", _repair, PERMISSION, ("POST",)),
)
