"""API keys: `figway_<id>_<secret><check>`, shown once and stored only as a MAC.

`id` is 12 characters of base 32 and names the key in lists and in the audit; `secret` is 256 random bits in base64url,
43 characters; `check` is the CRC-32 of all before it, 6 characters of base 62: a key that was mistyped or made up
is refused before anything is looked up, and scanners for leaked secrets know a real one.
"""

from __future__ import annotations

import hmac
import re
import secrets
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.identity.signing import SigningKey
from gateway.store.contract import State, StoredKey

PREFIX = "figway_"
_SHAPE = re.compile(rb"figway_([a-z2-7]{12})_[A-Za-z0-9_-]{43}([0-9A-Za-z]{6})")
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NAME = re.compile(r"[^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]{0,254}[^\x00-\x20\x7f])?")


class InvalidKey(ValueError):
    """A key can't be made as asked; the message is one sentence."""


def create(
    state: State,
    pepper: SigningKey,
    *,
    principal: str,
    agent: str | None = None,
    roles: Sequence[str] = (),
    tenant: str | None = None,
    expires: datetime | None = None,
    scopes: Sequence[str] = (),
) -> tuple[str, StoredKey]:
    """Makes and stores a key; the text is the only copy of its secret. Raises `InvalidKey` or `StoreError`.

    `scopes` narrow it to operationIds, effects or groups; none: it isn't narrowed.
    """
    lists = (*(("role", role) for role in roles), *(("scope", scope) for scope in scopes))
    for what, name in (("principal", principal), ("agent", agent), ("tenant", tenant), *lists):
        if name is not None and not _NAME.fullmatch(name):
            raise InvalidKey(f"the {what} {name!r} must be 1 to 256 printable characters")
    now = datetime.now(UTC).replace(microsecond=0)
    if expires is not None and expires <= now:
        raise InvalidKey("the key would have expired already")
    id = "".join(secrets.choice(_BASE32) for _ in range(12))
    text = _with_check(f"{PREFIX}{id}_{secrets.token_urlsafe(32)}")
    distinct = tuple(dict.fromkeys(roles))
    key = StoredKey(
        *(id, mac(pepper, text.encode()).hex(), pepper.id, principal, agent, distinct, tenant),
        created=now,
        expires=expires,
        scopes=tuple(dict.fromkeys(scopes)) or None,
    )
    state.add_key(key)
    return text, key


def key_id(key: bytes) -> str | None:
    """The id in a key's text; None when it isn't the text of any key (wrong shape or check)."""
    match = _SHAPE.fullmatch(key)
    if match is None or _check(key[:-6]) != match[2]:
        return None
    return match[1].decode()


def mac(pepper: SigningKey, key: bytes) -> bytes:
    """HMAC-SHA256 of a key's text: enough for 256 random bits, where a password would need a slow hash."""
    return hmac.digest(pepper.secret, key, "sha256")


def _with_check(body: str) -> str:
    return body + _check(body.encode()).decode()


def _check(body: bytes) -> bytes:
    value = zlib.crc32(body)
    digits = [_BASE62[value // 62**place % 62] for place in range(5, -1, -1)]
    return "".join(digits).encode()
