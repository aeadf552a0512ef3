"""Tokens taken apart, strictly, before any cryptography sees them: a JWT (RFC 7519) in JWS compact form (RFC 7515).

One token has one spelling and one meaning: canonical base64url, exactly three parts, UTF-8 JSON without repeated
members, and a header in which nothing names a key other than by its id (RFC 8725 sections 3.1, 3.2, 3.10).
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MOST_BYTES = 16 * 1024
"""The longest token."""
_PARTS = re.compile(rb"([A-Za-z0-9_-]{2,})\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]+)")
_MOST_KID = 256
# Each changes how a token is to be read, or brings a key of the sender's own choice.
_FORBIDDEN = frozenset({"crit", "b64", "jku", "jwk", "x5u", "x5c", "cty", "enc", "zip"})
# RFC 7519 section 5.1, RFC 9068 section 2.1: not what a logout or a proof of possession would say.
_TYPES = frozenset({"jwt", "application/jwt", "at+jwt", "application/at+jwt"})


class Refused(Exception):
    """A credential proves nothing; the message says why, for tests and an operator's log, never for the caller."""


@dataclass(frozen=True, slots=True)
class Compact:
    """A token's parts. Nothing about it is proved."""

    algorithm: str
    key_id: str
    payload: bytes
    signed: bytes
    """What the signature is over."""
    signature: bytes


def take_apart(token: bytes) -> Compact:
    """The parts of a JWS; raises `Refused`."""
    if len(token) > MOST_BYTES:
        raise Refused("too long")
    match = _PARTS.fullmatch(token)
    if match is None:
        raise Refused("not three parts of base64url")
    header, payload, signature = (_decoded(part) for part in match.groups())
    algorithm, key_id = _header(read_object(header))
    return Compact(algorithm, key_id, payload, token[: match.end(2)], signature)


def read_object(text: bytes) -> dict[str, Any]:
    """A JSON object in which no member, at any depth, is given twice; raises `Refused`."""
    try:
        value = json.loads(text.decode(), object_pairs_hook=_members, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused("not JSON") from error
    if not isinstance(value, dict):
        raise Refused("not a JSON object")
    return value


def _decoded(part: bytes) -> bytes:
    if len(part) % 4 == 1:
        raise Refused("not base64url")
    value = urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    # The last character's unused bits must be zero, or one token would have several spellings.
    if urlsafe_b64encode(value).rstrip(b"=") != part:
        raise Refused("base64url that isn't canonical")
    return value


def _header(header: dict[str, Any]) -> tuple[str, str]:
    if not _FORBIDDEN.isdisjoint(header):
        raise Refused("a header member that isn't accepted")
    algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(algorithm, str):
        raise Refused("no algorithm")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= _MOST_KID:
        raise Refused("no key id")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise Refused("a token of another type")
    return algorithm, key_id


def _members(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is given twice")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
