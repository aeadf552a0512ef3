"""`Figway-Side`: a signed word by which one caller is served by one side, to try it before others are.

`replacement;1790000000;<hmac>`: the side, until when (seconds since the epoch), and HMAC-SHA256 under the gateway's own
ring `side` over the group, the principal and both. So a word is good for one group and one principal, until its time;
it counts only while the group's stage lets both sides serve.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Sequence
from hashlib import sha256
from typing import Protocol, cast

from gateway.call import Call
from gateway.errors import BadRequest
from gateway.migration.model import Side

HEADER = b"figway-side"
LONGEST = 7 * 86_400
"""Seconds that a word is good for at most."""
_SIDES = ("legacy", "replacement")
_LONGEST_TEXT = 200


class Key(Protocol):
    """A key of the ring."""

    @property
    def secret(self) -> bytes: ...


class Ring(Protocol):
    """The ring `side`, as `gateway.identity.signing.Keyring` is one."""

    @property
    def current(self) -> Key: ...

    @property
    def keys(self) -> Sequence[Key]: ...


def signed(side: Side, group: str, principal: str, until: int, ring: Ring) -> str:
    """The header's value that lets `principal` be served by `side` of `group` until that second."""
    said = f"{side};{until}"
    return f"{said};{_tag(said, group, principal, ring.current)}"


def side_said(call: Call, group: str, ring: Ring) -> Side | None:
    """The side that the call's word names; None: it brings none. Raises `BadRequest` for one that isn't good."""
    raw = call.raw_headers.get(HEADER)
    if raw is None:
        return None
    text = raw.decode("latin-1")
    said, _, tag = text.rpartition(";")
    side, _, until = said.partition(";")
    known = len(text) <= _LONGEST_TEXT and side in _SIDES and until.isascii() and until.isdecimal()
    principal = "" if call.principal is None else call.principal.id
    if not known or not principal or not _is_true(tag, said, group, principal, ring) or int(until) < time.time():
        raise BadRequest(
            "Figway-Side isn't one that was given to you for this route, or its time is over.",
            fix="Leave Figway-Side out, or ask the operator for a new one.",
        )
    return cast(Side, side)


def _is_true(tag: str, said: str, group: str, principal: str, ring: Ring) -> bool:
    shown = tag.encode("latin-1")
    return any(hmac.compare_digest(shown, _tag(said, group, principal, key).encode()) for key in ring.keys)


def _tag(said: str, group: str, principal: str, key: Key) -> str:
    # A zero byte stands in none of the parts, so that no two lists of parts read alike.
    message = "\0".join(("v1", group, principal, said)).encode()
    return hmac.new(key.secret, message, sha256).hexdigest()
