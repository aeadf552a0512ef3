"""Who asks: the credential in `Authorization` becomes the call's principal, or the call ends with 401."""

from __future__ import annotations

from typing import Protocol

from gateway.call import Call, Principal, Reply
from gateway.errors import Overloaded, Unauthenticated
from gateway.pipeline import Filter, Handler
from gateway.store.contract import StoreError

# RFC 6750 §3: what a 401 must say.
_CHALLENGE = ((b"www-authenticate", b'Bearer realm="figway"'),)


class Verifier(Protocol):
    """Proves credentials: `cached` answers at once or not at all, `verify` may look one up."""

    def cached(self, header: bytes) -> Principal | None: ...

    async def verify(self, header: bytes) -> Principal | None: ...


def authenticate(verifier: Verifier) -> Filter:
    """A filter that sets `call.principal`; a composite's step keeps the composite's."""

    async def filter(call: Call, rest: Handler) -> Reply:
        if call.parent is None:
            call.principal = await identify(verifier, call.raw_headers.get(b"authorization"))
        else:
            call.principal = call.parent.principal
        return await rest(call)

    return filter


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
