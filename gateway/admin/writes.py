"""Writes that one side of a group hasn't seen, and a person's word on those of which nobody knows the end."""

from __future__ import annotations

from fastapi import Request, Response

from gateway.admin.changing import PERMISSION, answer, body_of
from gateway.admin.control import Control
from gateway.admin.recording import noted
from gateway.admin.routes import Place
from gateway.errors import Conflict, InvalidRequest, NotFound, StateUnavailable
from gateway.migration.open_writes import open_writes, write_document
from gateway.store.contract import StoreError


async def _writes(control: Control, request: Request) -> Response:
    group, outbox = _group(control, request), control.means().governance.outbox
    try:
        return answer(await open_writes(outbox, group))
    except StoreError as error:
        raise _unavailable(error) from error


async def _decide(control: Control, request: Request) -> Response:
    group, outbox = _group(control, request), control.means().governance.outbox
    happened = (await body_of(request)).get("happened")
    if not isinstance(happened, bool):
        raise InvalidRequest(
            "`happened` must be true or false.",
            errors=[
                {
                    "pointer": "/body/happened",
                    "detail": "is missing or no boolean",
                    "rule": "type",
                    "expected": "boolean",
                }
            ],
            fix="Send true where the change was made, false where it wasn't.",
        )
    id = request.path_params["id"]
    noted(request.scope).facts["asked"] = {"write": id, "happened": happened}
    try:
        known = next((each for each in await outbox.open_entries(group) if each.id == id), None)
        decided = None if known is None else await outbox.decide(id, happened=happened)
    except StoreError as error:
        raise _unavailable(error) from error
    if known is None:
        raise NotFound("The group has no such open write.", fix=f"Those that it has stand at /-/admin/groups/{group}.")
    if decided is None:
        raise Conflict("There is nothing to decide: the write goes on by itself.")
    return answer({"decided": happened, **write_document(decided)})


def _group(control: Control, request: Request) -> str:
    name: str = request.path_params["group"]
    if name not in control.serving().compiled.groups:
        raise NotFound("There is no such group.", fix="Those that there are stand at /-/admin/groups.")
    return name


def _unavailable(error: StoreError) -> StateUnavailable:
    return StateUnavailable("The outbox can't be read or written at present.", retry_after=5, note=str(error))


PLACES = (
    Place("/-/admin/groups/{group}/writes", _writes, PERMISSION),
    Place("/-/admin/groups/{group}/writes/{id}", _decide, PERMISSION, ("POST",)),
)
