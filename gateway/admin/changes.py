"""`/-/changes`: what is captured, how current it is, and what each capture promises."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from gateway.admin.control import Control
from gateway.admin.routes import Place
from gateway.errors import Overloaded
from gateway.freshness.documents import documents
from gateway.store.contract import StoreError


async def _changes(control: Control, _: Request) -> Response:
    serving, means = control.serving(), control.means()
    try:
        standings = await means.events.standings()
    except StoreError as error:
        raise Overloaded("The log of changes can't be read now.", retry_after=1, note=str(error)) from error
    adapters = {name: upstream.adapter for name, upstream in serving.upstreams.items()}
    return JSONResponse({"captures": documents(serving.compiled, adapters, standings)})


PLACES = (Place("/-/changes", _changes, permission="gateway:read_changes"),)
