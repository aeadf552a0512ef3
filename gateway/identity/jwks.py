"""An issuer's keys: fetched once for all who wait, renewed in the background, kept while it doesn't answer."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from gateway.identity.compact import Refused
from gateway.identity.fetching import SECONDS, Unavailable
from gateway.identity.keyset import Key, KeySet, read_keys
from gateway.routing.identity import Issuer

logger = logging.getLogger("figway")

_FRESH = 300.0
"""Seconds after which keys are fetched anew, in the background."""
_USABLE = 3600.0
"""Seconds after which nobody is let in before they have been fetched anew: one may have been withdrawn since."""
_LAST_RESORT = 24 * 3600.0
"""Seconds for which they are used all the same when the issuer can't be reached."""
_COOLDOWN = 5.0
"""Seconds between two fetches, whatever key ids are asked for."""
_MOST_WAITING = 256
"""Callers that may wait for a fetch: made-up key ids mustn't take the places of calls that need none."""


class Source(Protocol):
    """Where documents come from: a `Fetcher`, or a test's."""

    async def get(self, url: str) -> dict[str, Any]: ...


class IssuerKeys:
    """The keys of one issuer. For one event loop."""

    def __init__(self, issuer: Issuer, source: Source) -> None:
        self._issuer = issuer
        self._source = source
        self._keys: KeySet = {}
        self._fetched = -float("inf")
        self._tried = -float("inf")
        self._failed = ""
        self._fetching: asyncio.Task[None] | None = None
        self._waiting = 0

    async def key(self, key_id: str, algorithm: str) -> Key | None:
        """The key of that id for that algorithm; None: the issuer has none. Raises `Unavailable`."""
        age = time.monotonic() - self._fetched
        found = self._keys.get((key_id, algorithm))
        if found is not None and age < _USABLE:
            if age >= _FRESH and self._may_fetch():
                self._start()
            return found
        await self._renewed()
        if time.monotonic() - self._fetched >= _LAST_RESORT:
            raise Unavailable(self._failed or f"the keys of {self._issuer.issuer} are being fetched")
        found = self._keys.get((key_id, algorithm))
        if found is None and self._failed:
            # It may be a new one: that the issuer can't be asked proves nothing about the caller.
            raise Unavailable(self._failed)
        return found

    async def close(self) -> None:
        """Ends a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    async def _renewed(self) -> None:
        """Waits for the fetch that is under way, or starts one unless the last is too recent."""
        if self._fetching is None and self._may_fetch():
            self._start()
        if self._fetching is None:
            return
        if self._waiting >= _MOST_WAITING:
            raise Unavailable(f"{_MOST_WAITING} callers wait for the keys of {self._issuer.issuer} already")
        self._waiting += 1
        try:
            # Shielded: a caller that leaves doesn't end it for the others.
            await asyncio.shield(self._fetching)
        finally:
            self._waiting -= 1

    def _may_fetch(self) -> bool:
        return self._fetching is None and time.monotonic() - self._tried >= _COOLDOWN

    def _start(self) -> None:
        self._fetching = asyncio.create_task(self._fetch())

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                keys = read_keys(await self._source.get(await self._address()))
        except (Unavailable, Refused, TimeoutError) as error:
            self._failed = f"the keys of {self._issuer.issuer} can't be fetched: {str(error) or 'it took too long'}"
            logger.warning("%s", self._failed)
        else:
            self._keys, self._failed = keys, ""
            self._fetched = time.monotonic()
        finally:
            self._tried = time.monotonic()
            self._fetching = None

    async def _address(self) -> str:
        """Where the keys are: as configured, or as OpenID Connect Discovery 1.0 or else RFC 8414 finds them."""
        if self._issuer.jwks_url is not None:
            return self._issuer.jwks_url
        try:
            document = await self._source.get(f"{self._issuer.issuer.rstrip('/')}/.well-known/openid-configuration")
        except Unavailable:
            document = await self._source.get(_rfc_8414(self._issuer.issuer))
        # RFC 8414 section 3.3: else any issuer could speak for another.
        if document.get("issuer") != self._issuer.issuer or not isinstance(document.get("jwks_uri"), str):
            raise Unavailable("its discovery document isn't its own, or names no keys")
        return str(document["jwks_uri"])


def _rfc_8414(issuer: str) -> str:
    """Section 3.1: the well-known path stands between the host and the issuer's own path."""
    parts = urlsplit(issuer)
    return urlunsplit((parts.scheme, parts.netloc, f"/.well-known/oauth-authorization-server{parts.path}", "", ""))
