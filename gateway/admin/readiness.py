"""The readiness report of what is served, asked through the gateway's own upstreams: one at a time."""

from __future__ import annotations

import asyncio
from types import MappingProxyType

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from gateway.admin.control import Control
from gateway.admin.routes import Place
from gateway.errors import InvalidRequest, Overloaded
from gateway.readiness.assess import assess
from gateway.readiness.document import document
from gateway.readiness.estate import CALLS, MOST_CALLS, Estate

_PERMISSION = "gateway:administer"
_one = asyncio.Lock()


async def _assess(control: Control, request: Request) -> Response:
    """Asks every upstream some times: a POST, because a look that costs others' systems isn't safe to repeat."""
    calls = request.query_params.get("calls", str(CALLS))
    if not calls.isascii() or not calls.isdigit() or not 1 <= int(calls) <= MOST_CALLS:
        detail = f"a whole number from 1 to {MOST_CALLS}"
        raise InvalidRequest(
            f"'calls' is {detail}.", errors=[{"pointer": "/query/calls", "detail": detail}], fix="Mend 'calls'."
        )
    if _one.locked():
        raise Overloaded("A readiness report is being made already.", retry_after=30)
    async with _one:
        means = control.means()
        serving = control.serving()
        async with serving.held():
            adapters = {name: each.adapter for name, each in serving.upstreams.items()}
            asked = None if means.mocking else MappingProxyType(dict(serving.upstreams))
            cursors = means.governance.keyrings["cursor"]
            report = await assess(Estate(serving.compiled, adapters, asked, cursors, int(calls)))
    return JSONResponse(document(report), headers={"cache-control": "no-store"})


PLACES = (Place("/-/admin/readiness", _assess, _PERMISSION, methods=("POST",)),)
