"""Which routes this caller may use: as OpenAPI, and as a page to read."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from gateway.admin.control import Control
from gateway.admin.routes import Place
from gateway.docs import content_security_policy, page
from gateway.policy.usable import narrowed, usable
from gateway.routing.document import visible


async def _openapi(control: Control, request: Request) -> Response:
    principal, serving = await control.principal(request), control.serving()
    routes = {route.operation_id: route for route in serving.compiled.routes}
    decisions = await usable(serving.policies, principal, routes)
    return JSONResponse(narrowed(visible(serving.compiled.document, decisions.keys()), decisions))


async def _docs(_: Control, __: Request) -> Response:
    return HTMLResponse(page(), headers={"content-security-policy": content_security_policy()})


PLACES = (Place("/openapi.json", _openapi), Place("/docs", _docs))
