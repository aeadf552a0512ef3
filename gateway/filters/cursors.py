"""Cursors: the opaque, signed texts that continue a list.

Each is bound to the question that it was made for (HMAC-SHA256, 128 bits kept), so one that was tampered with, or is
used with another question, is a 400.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

import orjson

from adapters.contract import Json
from gateway.errors import BadRequest
from gateway.identity.signing import Keyring, SigningKey

_TAG = 16


def sealed(position: Json, bound: bytes, key: SigningKey) -> str:
    """The cursor that continues a list behind `position`, for the question `bound` only."""
    payload = orjson.dumps(position)
    return f"{key.id}.{urlsafe_b64encode(_tag(payload, bound, key) + payload).rstrip(b'=').decode()}"


def opened(cursor: str, bound: bytes, keys: Keyring) -> Json:
    """The position that a cursor stands for; raises `BadRequest`."""
    id, _, encoded = cursor.partition(".")
    key = keys.by_id(id)
    try:
        raw = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        raw = b""
    tag, payload = raw[:_TAG], raw[_TAG:]
    if key is None or not hmac.compare_digest(tag, _tag(payload, bound, key)):
        raise BadRequest(
            "The cursor isn't one that this list gave, or was given for other filters.",
            fix="Follow 'next' as it is, or leave the cursor out to start again.",
        )
    return orjson.loads(payload)


def _tag(payload: bytes, bound: bytes, key: SigningKey) -> bytes:
    return hmac.digest(key.secret, sha256(bound).digest() + payload, "sha256")[:_TAG]
