"""The control API of what is served: snapshots, plans, and the stages of groups, each under its ETag."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request, Response

from gateway.admin.changing import (
    PERMISSION,
    about,
    answer,
    body_of,
    changed_answer,
    changes_of,
    invalid,
    known,
    plan_answer,
    told,
    workspace_body,
)
from gateway.admin.control import Control
from gateway.admin.routes import Place
from gateway.errors import NotFound
from gateway.migration.documents import BadFlip, flipped, group_document, snapshot_document, wanted_of
from gateway.migration.model import Group, Stage

_MOST = 500
_POST = ("POST",)
_FLIP: dict[str, type | tuple[type, ...]] = {
    "reads": str, "writes": str, "weight": (int, float), "holdback": (int, float), "probe": bool,
    "reason": str, "ticket": str, "plan_hash": str,
}  # fmt: skip


async def _history(control: Control, request: Request) -> Response:
    means, asked = control.means(), request.query_params.get("limit", "50")
    if not (asked.isascii() and asked.isdigit() and 0 < int(asked[:9]) <= _MOST):
        raise invalid("limit", f"is a number from 1 to {_MOST}")
    items = await told(means.offload(means.state.history, int(asked)), control)
    return answer({"items": [snapshot_document(each) for each in items], "next": None})


async def _snapshot(control: Control, request: Request) -> Response:
    means, text = control.means(), request.path_params["version"]
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise NotFound("There is no such snapshot.")
    snapshot, files = await told(means.offload(means.state.snapshot, int(text)), control)
    contents = {path: base64.b64encode(content).decode() for path, content in files.items()}
    return answer({**snapshot_document(snapshot), "contents": contents}, snapshot.version)


async def _plan(control: Control, request: Request) -> Response:
    body = await workspace_body(request)
    known(body, files=dict, overwrite_stages=bool)
    plan = changes_of(control).plan(_files(body), overwrite=bool(body.get("overwrite_stages")))
    return plan_answer(await told(plan, control))


async def _apply(control: Control, request: Request) -> Response:
    body = await workspace_body(request)
    known(body, files=dict, overwrite_stages=bool, plan_hash=str, reason=str, ticket=str)
    overwrite, plan_hash = bool(body.get("overwrite_stages")), body.get("plan_hash")
    made = changes_of(control).apply(_files(body), about(request, body), plan_hash=plan_hash, overwrite=overwrite)
    return changed_answer(await told(made, control))


async def _groups(control: Control, _: Request) -> Response:
    serving = control.serving()
    items = [group_document(each) for each in serving.compiled.groups.values()]
    return answer({"items": items, "next": None}, serving.version)


async def _group(control: Control, request: Request) -> Response:
    return answer(group_document(_named(control, request)), control.serving().version)


async def _plan_flip(control: Control, request: Request) -> Response:
    body = await body_of(request)
    known(body, **_FLIP)
    plan = changes_of(control).plan_move(_named(control, request).name, to(body), "flip")
    return plan_answer(await told(plan, control))


async def _flip(control: Control, request: Request) -> Response:
    body = await body_of(request)
    known(body, **_FLIP)
    wanted, why, group = to(body), about(request, body), _named(control, request)
    made = changes_of(control).move(group.name, wanted, why, "flip", body.get("plan_hash"))
    return changed_answer(await told(made, control))


async def _rollback(control: Control, request: Request) -> Response:
    body = await body_of(request)
    known(body, reason=str, ticket=str)
    group, why = _named(control, request), about(request, body)
    return changed_answer(await told(changes_of(control).rollback(group.name, why), control))


def to(body: Mapping[str, Any]) -> Callable[[Stage], Stage]:
    """From a stage to the one that a flip asks for; raises `InvalidRequest`."""
    try:
        wanted = wanted_of(body)
    except BadFlip as error:
        raise invalid(error.name, error.detail) from error
    return lambda before: flipped(before, wanted)


def _named(control: Control, request: Request) -> Group:
    group = control.serving().compiled.groups.get(request.path_params["group"])
    if group is None:
        raise NotFound("There is no such group.")
    return group


def _files(body: Mapping[str, Any]) -> dict[str, bytes]:
    try:
        return {path: base64.b64decode(text, validate=True) for path, text in (body.get("files") or {}).items()}
    except (TypeError, ValueError, binascii.Error) as error:
        raise invalid("files", "holds base64 by path") from error


PLACES = (
    Place("/-/admin/snapshots", _history, PERMISSION),
    Place("/-/admin/snapshots/{version}", _snapshot, PERMISSION),
    Place("/-/admin/plan", _plan, PERMISSION, _POST),
    Place("/-/admin/apply", _apply, PERMISSION, _POST),
    Place("/-/admin/groups", _groups, PERMISSION),
    Place("/-/admin/groups/{group}", _group, PERMISSION),
    Place("/-/admin/groups/{group}/plan", _plan_flip, PERMISSION, _POST),
    Place("/-/admin/groups/{group}/flip", _flip, PERMISSION, _POST),
    Place("/-/admin/groups/{group}/rollback", _rollback, PERMISSION, _POST),
)
