"""Which routes this caller may use: as OpenAPI, and as a page to read."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from gateway.admin.control import Control
from gateway.admin.routes import Place
from gateway.docs import content_security_policy, page
from gateway.policy.grants import Grant
from gateway.policy.usable import usable
from gateway.routing.document import visible


async def _openapi(control: Control, request: Request) -> Response:
    principal, serving = await control.principal(request), control.serving()
    routes = {route.operation_id: route for route in serving.compiled.routes}
    decisions = await usable(serving.policies, principal, routes)
    document = visible(serving.compiled.document, decisions.keys())
    for item in document["paths"].values():
        for method, operation in item.items():
            grant = decisions[operation["operationId"]].grant
            if grant is not None:
                item[method] = {**operation, **_narrowed(grant)}
    return JSONResponse(document)


def _narrowed(grant: Grant) -> dict[str, Any]:
    """What an operation says of the fields and rows that this caller doesn't see."""
    left_out, tokens = grant.always()
    told = {"left-out": left_out, "tokens": tokens}
    found: dict[str, Any] = {f"x-figway-{name}": [".".join(path) for path in paths] for name, paths in told.items()}
    found["x-figway-some-rows"] = grant.narrows
    return {name: value for name, value in found.items() if value}


async def _docs(_: Control, __: Request) -> Response:
    return HTMLResponse(page(), headers={"content-security-policy": content_security_policy()})


PLACES = (Place("/openapi.json", _openapi), Place("/docs", _docs))
