"""Proves whatever credential a caller presents: an API key, a JWT, an opaque token, or a certificate by way of a proxy.

What was proved is remembered until it expires, under the header's hash: so no token stays in memory. It is forgotten
as soon as the store says that the token is revoked.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from hashlib import sha256

from gateway.call import Principal
from gateway.identity.certificates import Certificates
from gateway.identity.claims import Proof, prove
from gateway.identity.compact import Refused, read_object, take_apart
from gateway.identity.development import DevelopmentKey
from gateway.identity.fetching import Fetcher
from gateway.identity.introspection import Introspection
from gateway.identity.jwks import IssuerKeys
from gateway.identity.keys import PREFIX
from gateway.identity.keyset import signed_by
from gateway.identity.verifier import KeyVerifier, bearer
from gateway.routing.identity import Identity, Issuer

_REMEMBERED = 4096
_KEY_AT = len(b"Bearer ")
_KEY_END = _KEY_AT + len(PREFIX)
_PREFIX = PREFIX.encode()


class CallerVerifier:
    """`cached` answers on the spot for a header proved before, `verify` for any. Used on one event loop.

    Whose word counts is `identity` of the snapshot that is served: `follow` it. `development` is the key of the
    development issuer, where that one is accepted.
    """

    def __init__(self, keys: KeyVerifier, fetcher: Fetcher, development: DevelopmentKey | None = None) -> None:
        self._keys, self._fetcher, self._development = keys, fetcher, development
        self._identity = Identity()
        self._issuers: dict[str, tuple[Issuer, IssuerKeys]] = {}
        self._introspection: Introspection | None = None
        self._certificates: Certificates | None = None
        self._proved: dict[bytes, Proof] = {}
        self._revoked: frozenset[str] = keys.revoked

    def follow(self, identity: Identity) -> None:
        """From now on only what `identity` says counts; issuers that it keeps as they were keep their keys."""
        if identity == self._identity:
            return
        before = self._issuers
        self._issuers = {each.issuer: self._issuer(each, before.get(each.issuer)) for each in identity.issuers}
        asked = [each for each in identity.issuers if each.introspection is not None]
        self._introspection = Introspection(asked[0], self._fetcher) if asked else None
        self._certificates = Certificates(identity.proxy) if identity.proxy is not None else None
        self._identity = identity
        self._proved.clear()

    def cached(self, header: bytes) -> Principal | None:
        """Whom the header proves, if it has been proved before and nothing changed since; None: ask `verify`."""
        if header[_KEY_AT:_KEY_END] == _PREFIX:
            return self._keys.cached(header) if self._identity.api_keys else None
        proof = self._proved.get(sha256(header).digest())
        if proof is None or proof.expires <= time.time() or not self._keys.current():
            return None
        # What is revoked may have been read anew for another call.
        return proof.principal if self._revoked is self._keys.revoked else None

    async def verify(self, header: bytes) -> Principal | None:
        """Whom the header proves; None: nobody. Raises `StoreError` or `Unavailable` when that can't be told now."""
        token = bearer(header)
        if token is None:
            return None
        if token.startswith(_PREFIX):
            return await self._keys.verify(header) if self._identity.api_keys else None
        if not self._issuers and self._development is None:
            return None
        await self._keys.refresh()
        self._forget_revoked()
        digest = sha256(header).digest()
        proof = self._proved.get(digest)
        if proof is None or proof.expires <= time.time():
            identity = self._identity
            proof = await self._prove(token)
            if proof is None or proof.token in self._keys.revoked:
                return None
            if identity is self._identity:  # else its issuer may have been taken away meanwhile
                self._remember(digest, proof)
        return proof.principal

    def certified(self, peer: str | None, headers: Mapping[bytes, bytes]) -> Principal | None:
        """Whom a client certificate proves, when a trusted proxy says that it saw one; None: nobody."""
        return None if self._certificates is None else self._certificates.principal(peer, headers)

    async def keep_noting(self) -> None:
        """Notes when API keys were used last, for as long as the gateway runs."""
        await self._keys.keep_noting()

    async def close(self) -> None:
        """Ends what is under way, and writes down what isn't yet."""
        for _, keys in self._issuers.values():
            await keys.close()
        if self._introspection is not None:
            await self._introspection.close()
        await self._fetcher.close()
        await self._keys.note_uses()

    def _issuer(self, issuer: Issuer, before: tuple[Issuer, IssuerKeys] | None) -> tuple[Issuer, IssuerKeys]:
        same = before is not None and before[0].jwks_url == issuer.jwks_url
        return issuer, before[1] if before is not None and same else IssuerKeys(issuer, self._fetcher)

    async def _prove(self, token: bytes) -> Proof | None:
        try:
            # A JWS has two dots; no issuer makes opaque tokens that look like one.
            if token.count(b".") == 2:
                return await self._prove_jwt(token)
            if self._introspection is not None:
                return await self._introspection.prove(token, _short(token))
        except Refused:
            pass
        return None

    async def _prove_jwt(self, token: bytes) -> Proof | None:
        compact = take_apart(token)
        claims = read_object(compact.payload)
        # Not proved yet: it only says whose keys to try.
        issuer, keys = self._voices(claims.get("iss"))
        if issuer is None or keys is None or compact.algorithm not in issuer.algorithms:
            return None
        # Before any key is asked for: what can't be accepted anyway costs the issuer nothing.
        proof = prove(claims, issuer, time.time(), _short(token), lenient=keys is self._development)
        key = await keys.key(compact.key_id, compact.algorithm)
        return proof if key is not None and signed_by(key, compact) and time.time() < proof.expires else None

    def _voices(self, name: object) -> tuple[Issuer | None, IssuerKeys | DevelopmentKey | None]:
        """Who is called so, and its keys."""
        if self._development is not None and name == self._development.issuer.issuer:
            return self._development.issuer, self._development
        return self._issuers.get(name, (None, None)) if isinstance(name, str) else (None, None)

    def _remember(self, digest: bytes, proof: Proof) -> None:
        if len(self._proved) >= _REMEMBERED:
            self._proved.pop(next(iter(self._proved)))
        self._proved[digest] = proof

    def _forget_revoked(self) -> None:
        if self._revoked is not self._keys.revoked:
            self._revoked = self._keys.revoked
            self._proved = {at: proof for at, proof in self._proved.items() if proof.token not in self._revoked}


def _short(token: bytes) -> str:
    """What a token without a `jti` is called in the audit and revoked by."""
    return sha256(token).hexdigest()[:32]
