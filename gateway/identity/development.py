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
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwk

from gateway.identity.claims import prove
from gateway.identity.compact import Refused
from gateway.identity.keyset import Key
from gateway.identity.signing import KeyFileError, SigningKey, load_or_create
from gateway.routing.identity import Issuer

ISSUER = "https://development.figway.invalid"
"""A name that can't be anyone's (RFC 2606): no real issuer is ever taken for it."""
NAME = "development"
_AUDIENCE = "figway"
_ALGORITHM = "EdDSA"
_LONGEST = 30 * 86_400.0


class InvalidToken(ValueError):
    """A token can't be made as asked; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class DevelopmentKey:
    """The issuer's key pair, and what is accepted from it."""

    id: str
    private: Ed25519PrivateKey = field(repr=False)
    public: jwk.OKPKey
    issuer: Issuer

    @classmethod
    def load(cls, folder: Path, *, make: bool) -> DevelopmentKey:
        """The key in that folder of keys; raises `KeyFileError`, also when there is none and it isn't to be made."""
        if not make and not (folder / f"{NAME}.json").exists():
            raise KeyFileError("there is no development issuer here: start 'figway serve --dev' or 'figway demo' first")
        return cls._of(load_or_create(folder, NAME))

    @classmethod
    def _of(cls, seed: SigningKey) -> DevelopmentKey:
        private = Ed25519PrivateKey.from_private_bytes(seed.secret)
        public = jwk.OKPKey.import_key(
            {"kty": "OKP", "crv": "Ed25519", "x": _encoded(private.public_key().public_bytes_raw())}
        )
        issuer = Issuer(issuer=ISSUER, audience=_AUDIENCE, tenant_claim="tenant", scope_prefix="", max_actors=16)
        return cls(seed.id, private, public, issuer)

    async def key(self, key_id: str, algorithm: str) -> Key | None:
        """The public key, if it is the one that is meant."""
        return self.public if (key_id, algorithm) == (self.id, _ALGORITHM) else None

    def mint(
        self,
        principal: str,
        *,
        via: Sequence[str] = (),
        roles: Sequence[str] = (),
        teams: Sequence[str] = (),
        tenant: str | None = None,
        scopes: Sequence[str] = (),
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
        header = {"alg": _ALGORITHM, "kid": self.id, "typ": "at+jwt"}
        parts = (_encoded(json.dumps(part).encode()) for part in (header, claims))
        signed = ".".join(parts)
        return f"{signed}.{_encoded(self.private.sign(signed.encode()))}"


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
