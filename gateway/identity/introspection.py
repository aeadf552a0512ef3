"""Opaque tokens: what their issuer says of them (RFC 7662), one question for all who wait."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any, Protocol

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc7009 import prepare_revoke_token_request

from gateway.identity.claims import Proof, prove
from gateway.identity.compact import Refused
from gateway.routing.identity import Issuer

_LONGEST = 60.0
"""Seconds for which an answer holds: how long a token may live on after its issuer revoked it."""
_REFUSED_SECONDS = 10.0
_MOST_REFUSED = 4096
# RFC 6750 section 2.1, b64token; shorter ones would be guessed.
_OPAQUE = re.compile(rb"[A-Za-z0-9._~+/-]{16,4096}=*")


class Source(Protocol):
    """Who asks: a `Fetcher`, or a test's."""

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> dict[str, Any]: ...


class Introspection:
    """The issuer that opaque tokens belong to. For one event loop."""

    def __init__(self, issuer: Issuer, source: Source) -> None:
        assert issuer.introspection is not None
        self._issuer, self._source = issuer, source
        self._url = issuer.introspection.url
        # Authlib writes the request; it's sent by our own client, whose bounds hold for it too.
        secret = issuer.introspection.client_secret.get_secret_value()
        self._client = ClientAuth(issuer.introspection.client_id, secret, "client_secret_basic")
        self._asking: dict[str, asyncio.Task[dict[str, Any]]] = {}
        self._refused: dict[str, float] = {}

    async def prove(self, token: bytes, digest: str) -> Proof:
        """Whom the token proves, for a minute at most; raises `Refused` or `Unavailable`."""
        if _OPAQUE.fullmatch(token) is None or self._refused.get(digest, 0.0) > time.monotonic():
            raise Refused("not an opaque token, or refused lately")
        try:
            return self._read(await self._asked(token.decode(), digest), digest)
        except Refused:
            self._note_refused(digest)
            raise

    async def close(self) -> None:
        """Ends the questions that are under way."""
        tasks = tuple(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _asked(self, token: str, digest: str) -> dict[str, Any]:
        task = self._asking.get(digest)
        if task is None:
            task = self._asking[digest] = asyncio.create_task(self._ask(token))
            task.add_done_callback(lambda ended: self._ended(digest, ended))
        # Shielded: a caller that leaves doesn't end it for the others.
        return await asyncio.shield(task)

    def _ended(self, digest: str, task: asyncio.Task[dict[str, Any]]) -> None:
        del self._asking[digest]
        if not task.cancelled():
            task.exception()  # all its callers may have left: then nobody else looks at it

    async def _ask(self, token: str) -> dict[str, Any]:
        body, headers = prepare_revoke_token_request(token, "access_token")
        _, headers, body = self._client.prepare("POST", self._url, headers, body)
        return await self._source.post(self._url, headers, body.encode())

    def _read(self, answer: dict[str, Any], digest: str) -> Proof:
        # Section 2.2; a refresh token is active too, but isn't made to be presented here.
        if answer.get("active") is not True or answer.get("token_type", "Bearer") not in ("Bearer", "bearer"):
            raise Refused("not active, or not a bearer token")
        now = time.time()
        claims = {"iss": self._issuer.issuer, "exp": now + _LONGEST, **answer}
        if "sub" not in claims and "client_id" in claims:
            # Nobody stands behind it but the client itself, as RFC 9068 section 2.2 has it for JWTs.
            claims["sub"] = claims["client_id"]
        proof = prove(claims, self._issuer, now, digest)
        return Proof(proof.principal, min(proof.expires, now + _LONGEST), proof.token)

    def _note_refused(self, digest: str) -> None:
        if len(self._refused) >= _MOST_REFUSED:
            self._refused.pop(next(iter(self._refused)))
        self._refused[digest] = time.monotonic() + _REFUSED_SECONDS
