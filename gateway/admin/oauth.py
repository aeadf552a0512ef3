"""Where callers of `/mcp` get their tokens: the metadata of a protected resource (RFC 9728)."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from gateway.admin.control import Control
from gateway.admin.routes import Place
from gateway.errors import NoSuchRoute
from gateway.ingress.mcp import PATH
from gateway.ingress.mcp_oauth import METADATA, metadata, resource_of


async def _metadata(control: Control, request: Request) -> Response:
    identity = control.serving().compiled.identity
    found = metadata(identity, resource_of(identity, request.url.scheme, request.headers.get("host", "")))
    if found is None:
        raise NoSuchRoute("No issuer of tokens is configured: callers have API keys.")
    return JSONResponse(found)


PLACES = (Place(METADATA, _metadata), Place(METADATA + PATH, _metadata))
