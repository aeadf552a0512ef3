"""`If-Match` (RFC 9110 §13.1.1): a write that changes the version alone that its caller has read.

A read's `ETag` holds the entity's version, sealed for its path (AES-SIV, RFC 5297), so that it says nothing to anybody
and no other text is taken for it. A write hands the version back to the upstream, which compares and changes in one
step. A write that nothing would hold to its condition is refused: its caller would believe it to be guarded.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from adapters.contract import Effect, Json
from gateway.adapter_problems import moved
from gateway.call import Call, Reply
from gateway.control_errors import PreconditionRequired
from gateway.errors import BadRequest
from gateway.identity.signing import Keyring, SigningKey
from gateway.pipeline import Stage
from gateway.routing.model import Route
from gateway.routing.versions import is_if_match

_ANY = b"*"
_MATCH, _NONE_MATCH = b"if-match", b"if-none-match"
_TAG = re.compile(rb'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_READ = "Read the entity, and send the ETag of that as If-Match; '*' stands for any version."


def conditions(route: Route) -> Callable[[Call], None] | None:
    """A function that refuses the conditions of a write that can't be obeyed, and one without the condition that its
    contract asks for; None: it only reads. Raises `BadRequest` and `PreconditionRequired`."""
    if route.effect is Effect.READ:
        return None
    asked = [each for each in route.parameters if is_if_match(each)]
    versioned, obeyed = route.versioned, route.versioned or bool(asked)
    needed = any(each.required for each in asked)
    creates = any(each.where == "header" and each.name.lower() == "if-none-match" for each in route.parameters)

    def check(call: Call) -> None:
        if call.parent is not None:  # a step has what its composite gives it; the composite is asked itself
            return
        given = call.raw_headers.get(_MATCH)
        if given is None:
            if needed:
                raise PreconditionRequired("This change must say which version it starts from.", fix=_READ)
        elif not obeyed:
            raise _refused("If-Match")
        elif versioned and given != _ANY and _TAG.fullmatch(given) is None:
            raise BadRequest("If-Match must be one ETag, or '*'.", fix=_READ)
        if _NONE_MATCH in call.raw_headers and not creates:
            raise _refused("If-None-Match")

    return check


def _refused(name: str) -> BadRequest:
    return BadRequest(
        f"This route can't hold a change to {name}; nothing was sent.",
        fix="Leave it out, if the change is meant whatever is there.",
    )


def versions(route: Route, keys: Keyring) -> Stage:
    """A filter that seals the version that was read, and opens the one that a write is to change."""
    writes = route.effect is not Effect.READ
    declared = next((each.name for each in route.parameters if is_if_match(each)), "")

    def before(call: Call) -> None:
        given = call.raw_headers.get(_MATCH)
        if call.parent is not None:
            given = str(call.header[declared]).encode() if declared in call.header else None
        if given is not None and given != _ANY:
            call.expected = _opened(given, _bound_to(route, call), keys)

    def after(call: Call, reply: Reply) -> None:
        if call.version is not None:
            reply.version = _sealed(call.version, _bound_to(route, call), keys.current)

    return Stage(before if writes else None, after)


def _bound_to(route: Route, call: Call) -> bytes:
    """What a version is one of: reads and writes of an entity have one path."""
    return orjson.dumps([route.path, {name: str(value) for name, value in call.path.items()}])


def _sealed(version: tuple[str, Json], bound: bytes, key: SigningKey) -> bytes:
    raw = _cipher(key.secret).encrypt(orjson.dumps(version), [bound])
    return b"%b.%b" % (key.id.encode(), urlsafe_b64encode(raw).rstrip(b"="))


def _opened(given: bytes, bound: bytes, keys: Keyring) -> tuple[str, Json]:
    """The version that an `If-Match` names; raises `PreconditionFailed` where it is none of this entity's, or weak
    (RFC 9110 §13.1.1 compares strongly)."""
    tag = _TAG.fullmatch(given)
    id, _, rest = (b"" if tag is None or tag[1] else tag[2]).partition(b".")
    key = keys.by_id(id.decode("latin-1"))
    sealed = rest.partition(b".")[0]
    try:
        if key is None:
            raise moved(note="If-Match holds no version")
        raw = urlsafe_b64decode(sealed + b"=" * (-len(sealed) % 4))
        upstream, version = orjson.loads(_cipher(key.secret).decrypt(raw, [bound]))
    except (InvalidTag, ValueError):
        raise moved(note="If-Match holds no version of this entity") from None
    return upstream, version


@lru_cache(maxsize=16)
def _cipher(secret: bytes) -> AESSIV:
    return AESSIV(hmac.digest(secret, b"versions of entities", "sha512"))
