"""How far a group's two sides answer alike, as this host's workers compared them."""

from __future__ import annotations

from functools import partial

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from gateway.admin.control import Control
from gateway.admin.routes import Place
from gateway.errors import NotFound
from gateway.migration.proofs import parity_document

_PERMISSION = "gateway:administer"


async def _parity(control: Control, request: Request) -> Response:
    means, name = control.means(), request.path_params["group"]
    group = control.serving().compiled.groups.get(name)
    if group is None:
        raise NotFound("There is no such group.", fix="Those that there are stand at /-/admin/groups.")
    trying = group.stage.writes == "dry_run"
    found = await means.offload(partial(parity_document, means.folder.parity, name, trying=trying))
    return JSONResponse(found, headers={"cache-control": "no-store"})


PLACES = (Place("/-/admin/groups/{group}/parity", _parity, _PERMISSION),)
