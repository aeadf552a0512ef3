"""What a token's claims make of its bearer, once its issuer is known to have made them.

RFC 7519 section 4.1 (iss, sub, aud, exp, nbf, iat, jti), RFC 8693 section 4.1 (act), RFC 9068 section 2.2 (scope, roles
and groups). A claim that has another shape than it should is never passed over: it refuses the token.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.call import Principal
from gateway.identity.compact import Refused
from gateway.routing.identity import Issuer

_MOST_NAME = 256
_MOST_NAMES = 256
# An issuer's clock is seldom further ahead; a token "issued" later than that counts in another unit.
_CLOCK_AHEAD = 60.0
_LAST_SECOND = 253_402_300_800  # the year 10000


@dataclass(frozen=True, slots=True)
class Proof:
    """What a credential proved: whom, until when (seconds since the epoch), and the id by which it can be revoked."""

    principal: Principal
    expires: float
    token: str


def prove(claims: Mapping[str, Any], issuer: Issuer, now: float, digest: str, *, lenient: bool = False) -> Proof:
    """The principal that `claims` speak of, at `now`; raises `Refused`.

    `digest` stands for a token that has no `jti`. `lenient`: one without a scope isn't narrowed, and one
    without a tenant has none.
    """
    if claims.get("iss") != issuer.issuer:
        raise Refused("another issuer")
    if issuer.audience not in _audience(claims.get("aud")):
        raise Refused("another audience")
    expires = check_times(claims, now, issuer.leeway or 0.0)
    if "cnf" in claims:
        # RFC 7800: whoever presents it must prove to hold a key, which isn't checked here.
        raise Refused("bound to a key")
    token = _optional(claims, "jti", _name) or digest
    delegation = _actors(claims, issuer.max_actors)
    run = _optional(claims, issuer.run_claim, _name)
    principal = Principal(
        id=_name(claims.get("sub")),
        agent=delegation[0] if delegation else None,
        roles=_optional(claims, issuer.roles_claim, _names) or (),
        tenant=_tenant(claims, issuer.tenant_claim, lenient),
        credential=f"token:{token}",
        teams=_optional(claims, issuer.teams_claim, _names) or (),
        scopes=_scopes(claims, issuer.scope_prefix, lenient),
        issuer=issuer.issuer,
        delegation=delegation,
        run=run,
        expires=0.0 if run is None else expires,
    )
    return Proof(principal, expires, token)


def check_times(claims: Mapping[str, Any], now: float, leeway: float) -> float:
    """When the claims expire, leeway included; raises `Refused` when they have, or don't hold yet."""
    expires = _moment(claims.get("exp")) + leeway
    if now >= expires:
        raise Refused("expired")
    if "nbf" in claims and _moment(claims["nbf"]) > now + leeway:
        raise Refused("not valid yet")
    if "iat" in claims and _moment(claims["iat"]) > now + leeway + _CLOCK_AHEAD:
        raise Refused("issued in the future")
    return expires


def _moment(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("a time that isn't a number")
    if not 0 <= value < _LAST_SECOND or not math.isfinite(value):
        raise Refused("a time out of range")
    return float(value)


def _audience(value: Any) -> Sequence[str]:
    audience = [value] if isinstance(value, str) else value
    if not isinstance(audience, list) or not all(isinstance(each, str) for each in audience):
        raise Refused("no audience")
    return audience


def _actors(claims: Mapping[str, Any], most: int) -> tuple[str, ...]:
    """RFC 8693 section 4.1: the current actor outermost, each earlier one within it."""
    chain: list[str] = []
    within = claims
    while "act" in within:
        within = within["act"]
        if not isinstance(within, dict):
            raise Refused("a malformed actor")
        chain.append(_name(within.get("sub")))
        if len(chain) > most:
            raise Refused("too many actors")
    return tuple(chain)


def _tenant(claims: Mapping[str, Any], claim: str | None, lenient: bool) -> str | None:
    value = None if claim is None else _at(claims, claim)
    return None if claim is None or (lenient and value is None) else _name(value)


def _scopes(claims: Mapping[str, Any], prefix: str | None, lenient: bool) -> tuple[str, ...] | None:
    if prefix is None:
        return None
    # RFC 8693 section 4.2 says `scope`, one text; some issuers say `scp`, a text or a list.
    value = claims.get("scope", claims.get("scp"))
    if value is None:
        return None if lenient else ()
    scopes = value.split(" ") if isinstance(value, str) else value
    if not isinstance(scopes, list) or not all(isinstance(each, str) for each in scopes):
        raise Refused("a malformed scope")
    ours = (each.removeprefix(prefix) for each in scopes if each.startswith(prefix))
    return tuple(dict.fromkeys(_name(each) for each in ours if each))


def _optional(claims: Mapping[str, Any], claim: str, read: Callable[[Any], Any]) -> Any:
    value = _at(claims, claim)
    return None if value is None else read(value)


def _at(claims: Mapping[str, Any], claim: str) -> Any:
    """A claim by its name, or a nested one by a JSON Pointer (RFC 6901); None: it isn't there."""
    if not claim.startswith("/"):
        return claims.get(claim)
    value: Any = claims
    for part in claim[1:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _names(value: Any) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or len(values) > _MOST_NAMES:
        raise Refused("a malformed list of names")
    return tuple(dict.fromkeys(_name(each) for each in values))


def _name(value: Any) -> str:
    """A name that reads as what it is: no control, format or surrogate characters, no space around it."""
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_NAME:
        raise Refused("a name is missing or too long")
    if not value.isprintable() or value != value.strip():
        raise Refused("a name that isn't printable")
    return value
