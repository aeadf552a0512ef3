"""`/mcp` as a resource of OAuth: where its issuers are (RFC 9728), and what a refusal says (RFC 6750 section 3).

https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from gateway.call import Principal
from gateway.errors import BadRequest, Forbidden, Problem
from gateway.policy.decide import Policies, in_scope
from gateway.routing.identity import Identity, is_loopback
from gateway.routing.model import Route

METADATA = "/.well-known/oauth-protected-resource"
_PATH = "/mcp"
_LONGEST_HOST = 255
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 section 3.3


def refuse_pages(headers: Mapping[bytes, bytes]) -> None:
    """Raises `Forbidden` for a request that a page of another host has a browser make: a name of its own may lead it
    to this address (DNS rebinding), and browsers then say whose page it is."""
    origin = headers.get(b"origin")
    if origin is None:
        return
    try:
        host = urlsplit(origin.decode("latin-1")).hostname or ""
    except ValueError:
        host = ""
    if not is_loopback(host):
        raise Forbidden("A browser's page may not call tools here.", fix="Call from a program that sends no Origin.")


def resource_of(identity: Identity, scheme: str, host: str) -> str:
    """The resource's identifier: an issuer's audience, where that is the URL of a `/mcp`, as tokens name it; else the
    URL at which it was asked for. Raises `BadRequest` for a `Host` that is none."""
    for issuer in identity.issuers:
        parts = urlsplit(issuer.audience)
        if parts.scheme in ("https", "http") and parts.path == _PATH:
            return issuer.audience
    if not 0 < len(host) <= _LONGEST_HOST or set(host) - _IN_HOST:
        raise BadRequest("The Host header field names no host.", fix="Send the gateway's own host as Host.")
    return f"{scheme}://{host}{_PATH}"


_IN_HOST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]")


def metadata(identity: Identity, resource: str) -> dict[str, Any] | None:
    """What RFC 9728 section 2 has a resource say of itself; None: no issuer vouches for its callers."""
    if not identity.issuers:
        return None
    return {
        "resource": resource,
        "resource_name": "figway",
        "authorization_servers": [each.issuer for each in identity.issuers],
        "bearer_methods_supported": ["header"],
    }


def metadata_url(resource: str) -> str:
    """Where a resource's metadata is (RFC 9728 section 3.1)."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}{METADATA}{parts.path}"


def challenged(problem: Problem, identity: Identity, scheme: str, headers: Mapping[bytes, bytes]) -> Problem:
    """A refusal for want of a credential that also says where to get one (RFC 9728 section 5.1)."""
    if problem.status not in (401, 403) or not identity.issuers:
        return problem
    url = metadata_url(resource_of(identity, scheme, headers.get(b"host", b"").decode("latin-1")))
    problem.headers = tuple(
        (name, value + f', resource_metadata="{url}"'.encode()) if name == b"www-authenticate" else (name, value)
        for name, value in problem.headers
    )
    return problem


def missing_scope(principal: Principal, route: Route, policies: Policies, identity: Identity) -> Forbidden | None:
    """How a caller is told that it may use a route with a token that isn't narrowed to others; None: it may not."""
    prefix = next((each.scope_prefix for each in identity.issuers if each.issuer == principal.issuer), None)
    if prefix is None or principal.scopes is None or in_scope(principal, route):
        return None
    if not policies.decide(replace(principal, scopes=(*principal.scopes, route.operation_id)), route).allowed:
        return None
    named = (f"{prefix}{each}" for each in (*principal.scopes, route.operation_id))
    scopes = " ".join(each for each in named if _SCOPE.fullmatch(each))
    challenge = f'Bearer realm="figway", error="insufficient_scope", scope="{scopes}"'
    return Forbidden(
        f"Your token is narrowed to other tools than {route.operation_id}.",
        fix="Ask the issuer for a token with the scopes that WWW-Authenticate names.",
        headers=[(b"www-authenticate", challenge.encode("ascii"))],
    )
