"""Who asks: the caller's credential becomes the call's principal, or the call ends with 401."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Protocol

from gateway.call import Call, Principal
from gateway.errors import IdentityUnavailable, Unauthenticated
from gateway.identity.fetching import Unavailable
from gateway.limit_errors import RateLimited
from gateway.limits.floods import Floods
from gateway.pipeline import Stage
from gateway.store.contract import StoreError

# RFC 6750 §3: what a 401 must say; no more than that helps whoever tries tokens out.
_NONE = ((b"www-authenticate", b'Bearer realm="figway"'),)
_INVALID = ((b"www-authenticate", b'Bearer realm="figway", error="invalid_token"'),)
_FIX = "Send 'Authorization: Bearer CREDENTIAL', with an API key or a token of an issuer that this gateway accepts."

_failures = Floods()


class Verifier(Protocol):
    """Proves credentials: `cached` answers at once or not at all, `verify` may look one up."""

    def cached(self, header: bytes) -> Principal | None: ...

    async def verify(self, header: bytes) -> Principal | None: ...

    def certified(self, peer: str | None, headers: Mapping[bytes, bytes]) -> Principal | None:
        """Whom a client certificate proves, as a trusted proxy tells; where a call has both, `Authorization` counts."""
        ...


def authenticate(verifier: Verifier) -> Stage:
    """A filter that sets `call.principal`; a composite's step keeps the composite's."""

    def before(call: Call) -> Awaitable[None] | None:
        if call.parent is not None:
            call.principal, call.subject_token = call.parent.principal, call.parent.subject_token
            return None
        header = call.raw_headers.get(b"authorization")
        principal = None if header is None else verifier.cached(header)
        if principal is None:
            return look_up(call)
        _admit(call, principal)
        return None

    async def look_up(call: Call) -> None:
        _admit(call, await identify(verifier, call.peer, call.raw_headers))

    return Stage(before)


def _admit(call: Call, principal: Principal) -> None:
    call.principal = principal
    if principal.issuer:
        # What an issuer vouches for is always a bearer token.
        call.subject_token = call.raw_headers[b"authorization"].partition(b" ")[2].strip(b" ").decode("latin-1")


async def identify(verifier: Verifier, peer: str | None, headers: Mapping[bytes, bytes]) -> Principal:
    """Whom a call's credential proves; `peer` is the address that it came from.

    Raises `Unauthenticated`, `RateLimited` when too many calls from that address were, or `IdentityUnavailable` when
    it can't be checked now.
    """
    header = headers.get(b"authorization")
    principal = verifier.certified(peer, headers) if header is None else verifier.cached(header)
    if principal is None:
        principal = await _proved(verifier, peer, header)
    return principal


async def _proved(verifier: Verifier, peer: str | None, header: bytes | None) -> Principal:
    if _failures.wait(peer):
        fix = "Wait a second, and call with a credential that is valid."
        raise RateLimited("Too many calls from this address had no valid credential.", fix=fix, retry_after=1)
    try:
        principal = None if header is None else await verifier.verify(header)
    except (StoreError, Unavailable) as error:
        raise IdentityUnavailable("The credential can't be checked now.", retry_after=5, note=str(error)) from error
    if principal is not None:
        return principal
    _failures.failed(peer)
    if header is None:
        raise Unauthenticated("The call carries no credential.", fix=_FIX, headers=_NONE)
    raise Unauthenticated("The credential isn't valid, or no longer.", fix=_FIX, headers=_INVALID)
