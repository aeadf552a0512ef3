"""Who asks: the credential in `Authorization` becomes the call's principal, or the call ends with 401."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from gateway.call import Call, Principal
from gateway.errors import Overloaded, Unauthenticated
from gateway.pipeline import Stage
from gateway.store.contract import StoreError

# RFC 6750 §3: what a 401 must say.
_CHALLENGE = ((b"www-authenticate", b'Bearer realm="figway"'),)


class Verifier(Protocol):
    """Proves credentials: `cached` answers at once or not at all, `verify` may look one up."""

    def cached(self, header: bytes) -> Principal | None: ...

    async def verify(self, header: bytes) -> Principal | None: ...


def authenticate(verifier: Verifier) -> Stage:
    """A filter that sets `call.principal`; a composite's step keeps the composite's."""

    def before(call: Call) -> Awaitable[None] | None:
        if call.parent is not None:
            call.principal = call.parent.principal
            return None
        header = call.raw_headers.get(b"authorization")
        call.principal = None if header is None else verifier.cached(header)
        return None if call.principal is not None else look_up(call, header)

    async def look_up(call: Call, header: bytes | None) -> None:
        call.principal = await identify(verifier, header)

    return Stage(before)


async def identify(verifier: Verifier, header: bytes | None) -> Principal:
    """Whom a credential proves; raises `Unauthenticated`, or `Overloaded` when it can't be checked now."""
    if header is None:
        raise _refused("The call carries no credential.")
    try:
        principal = verifier.cached(header) or await verifier.verify(header)
    except StoreError as error:
        raise Overloaded("The credential can't be checked now.", retry_after=1, note=str(error)) from error
    if principal is None:
        raise _refused("The credential isn't valid, or no longer.")
    return principal


def _refused(detail: str) -> Unauthenticated:
    """The 401 problem, with the challenge that RFC 6750 asks for."""
    return Unauthenticated(detail, fix="Send 'Authorization: Bearer <API key>'.", headers=_CHALLENGE)
