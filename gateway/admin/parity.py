"""How far a group's two sides answer alike, as this host's workers compared them."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from gateway.admin.control import Control
from gateway.admin.routes import Place
from gateway.errors import NotFound
from gateway.migration.samples import nothing_compared, parity_of

_PERMISSION = "gateway:administer"


async def _parity(control: Control, request: Request) -> Response:
    means, name = control.means(), request.path_params["group"]
    if name not in control.serving().compiled.groups:
        raise NotFound("There is no such group.", fix="Those that there are stand at /-/admin/groups.")
    found = await means.offload(parity_of, means.folder.parity, name)
    return JSONResponse(found or nothing_compared(name), headers={"cache-control": "no-store"})


PLACES = (Place("/-/admin/groups/{group}/parity", _parity, _PERMISSION),)
