"""The development issuer: tokens for trying things out, made by `figway token`, accepted under `--dev` only.

Its key is in the state folder beside the others. A gateway that runs with `--dev` makes it; any other gateway never
reads it, so that what it signed is worth nothing there.
"""

from __future__ import annotations

import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwk

from gateway.identity.claims import prove
from gateway.identity.compact import Refused
from gateway.identity.keyset import Key
from gateway.identity.signing import KeyFileError, Keyring, SigningKey
from gateway.routing.identity import Issuer

ISSUER = "https://development.figway.invalid"
"""A name that can't be anyone's (RFC 2606): no real issuer is ever taken for it."""
NAME = "development"
_AUDIENCE = "figway"
_ALGORITHM = "EdDSA"
_LONGEST = 30 * 86_400.0


class InvalidToken(ValueError):
    """A token can't be made as asked; the message is one sentence."""


class DevelopmentKey:
    """The issuer's ring of keys, and what is accepted from it."""

    issuer = Issuer(issuer=ISSUER, audience=_AUDIENCE, tenant_claim="tenant", scope_prefix="", max_actors=16)

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring

    @classmethod
    def existing(cls, folder: Path) -> DevelopmentKey:
        """The ring in that folder of keys; raises `KeyFileError`, also when there is none: the gateway makes it."""
        if not (folder / f"{NAME}.json").exists():
            raise KeyFileError("there is no development issuer here: start 'figway serve --dev' or 'figway demo' first")
        return cls(Keyring.open(folder, NAME))

    @property
    def id(self) -> str:
        """The id of the key that signs."""
        return self._ring.current.id

    async def key(self, key_id: str, algorithm: str) -> Key | None:
        """The public key of that id, if the ring has it."""
        seed = self._ring.by_id(key_id) if algorithm == _ALGORITHM else None
        if seed is None:
            return None
        public = _private(seed).public_key().public_bytes_raw()
        return jwk.OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": _encoded(public)})

    def mint(
        self,
        principal: str,
        *,
        via: Sequence[str] = (),
        roles: Sequence[str] = (),
        teams: Sequence[str] = (),
        tenant: str | None = None,
        scopes: Sequence[str] = (),
        run: str | None = None,
        seconds: float = 3600.0,
    ) -> tuple[str, str]:
        """A token and its `jti`. `via`: who acts, the one that makes the calls first. Raises `InvalidToken`."""
        if not 0 < seconds <= _LONGEST:
            raise InvalidToken("a development token is valid for at most 30 days")
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": _AUDIENCE,
            "sub": principal,
            "iat": now,
            "exp": now + max(1, int(seconds)),
            "jti": secrets.token_hex(8),
            "roles": list(roles),
            "groups": list(teams),
        }
        if tenant is not None:
            claims["tenant"] = tenant
        if run is not None:
            claims["run_id"] = run
        if scopes:
            claims["scope"] = " ".join(scopes)
        for actor in reversed(via):
            claims["act"] = {"sub": actor, **({"act": claims["act"]} if "act" in claims else {})}
        try:
            prove(claims, self.issuer, now, "", lenient=True)
        except Refused as error:
            raise InvalidToken(f"a token of this would be refused: {error}") from error
        return self._signed(claims), str(claims["jti"])

    def _signed(self, claims: dict[str, object]) -> str:
        seed = self._ring.current
        header = {"alg": _ALGORITHM, "kid": seed.id, "typ": "at+jwt"}
        parts = (_encoded(json.dumps(part).encode()) for part in (header, claims))
        signed = ".".join(parts)
        return f"{signed}.{_encoded(_private(seed).sign(signed.encode()))}"


def _private(seed: SigningKey) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed.secret)


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
