"""An issuer's public keys (RFC 7517), and whether one of them signed something.

A key serves one algorithm, given by its type, so that a public key is never taken for a shared secret (RFC 8725
section 3.1).
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, TypeAlias

from joserfc import jwk
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from gateway.identity.compact import Compact, Refused

Key: TypeAlias = jwk.RSAKey | jwk.ECKey | jwk.OKPKey
KeySet: TypeAlias = Mapping[tuple[str, str], Key]
"""Keys by key id and algorithm."""

_MOST_KEYS = 100
_ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
_RSA_BITS = range(2048, 8193)
_PRIVATE = frozenset({"d", "p", "q", "k"})


def read_keys(document: Mapping[str, Any]) -> KeySet:
    """The keys of a set that can be used; raises `Refused` when it isn't one.

    What can't be used is passed over: other types, other uses, keys without an id, and ids that several keys share.
    """
    members = document.get("keys")
    if not isinstance(members, list) or len(members) > _MOST_KEYS:
        raise Refused("not a key set")
    found: dict[tuple[str, str], Key] = {}
    twice: set[tuple[str, str]] = set()
    for member in members:
        read = _key(member) if isinstance(member, dict) else None
        if read is not None:
            name, key = read
            twice |= {name} & found.keys()
            found[name] = key
    return {name: key for name, key in found.items() if name not in twice}


def signed_by(key: Key, compact: Compact) -> bool:
    """Whether `key` made the signature; the token's algorithm must be the key's own."""
    # The algorithm itself, not `jws.deserialize_compact`: the token is taken apart already, more strictly.
    return bool(JWSRegistry.algorithms[compact.algorithm].verify(compact.signed, compact.signature, key))


def _key(member: Mapping[str, Any]) -> tuple[tuple[str, str], Key] | None:
    kind, key_id = member.get("kty"), member.get("kid")
    curve = None if kind == "RSA" else member.get("crv")
    algorithm = _ALGORITHMS.get((kind, curve)) if isinstance(curve, str | None) and isinstance(kind, str) else None
    if algorithm is None or not isinstance(key_id, str) or not _for_signatures(member, algorithm):
        return None
    try:
        if kind == "RSA" and not _strong(member):
            return None
        key = jwk.import_key(dict(member))
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return None if isinstance(key, jwk.OctKey) else ((key_id, algorithm), key)


def _for_signatures(member: Mapping[str, Any], algorithm: str) -> bool:
    operations = member.get("key_ops", ["verify"])
    return (
        member.get("use", "sig") == "sig"
        and member.get("alg", algorithm) == algorithm
        and isinstance(operations, list)
        and "verify" in operations
        # Whose private half is published can be forged by anyone.
        and _PRIVATE.isdisjoint(member)
    )


def _strong(member: Mapping[str, Any]) -> bool:
    """Whether an RSA key is neither too short to hold nor so long that checking it takes seconds."""
    modulus, exponent = (int.from_bytes(urlsafe_b64decode(f"{member[name]}==")) for name in ("n", "e"))
    return modulus.bit_length() in _RSA_BITS and exponent.bit_length() <= 32
