"""The tokens of one upstream: kept until they expire, fetched by one call for all that wait for the same."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from adapters.client import HttpReply
from adapters.contract import Context
from adapters.errors import NotMapped, Unavailable
from adapters.oauth.config import OAuth
from adapters.oauth.endpoint import ACCESS_TOKEN, SECONDS, Endpoint, Token

_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_KEPT = 1024
"""Exchanged tokens that are kept."""
_PAUSE = 10.0
"""Seconds between two renewals that a refusal or a failure asks for."""


class Tokens:
    """The access tokens of one upstream. Belongs to one event loop."""

    def __init__(self, config: OAuth, ca: str | None = None) -> None:
        """`ca`: authorities (PEM) to trust besides the system's."""
        self._config = config
        self._endpoint = Endpoint(config, ca)
        self._kept: OrderedDict[bytes, Token] = OrderedDict()
        self._fetching: dict[bytes, asyncio.Task[Token]] = {}
        self._paused: OrderedDict[bytes, float] = OrderedDict()
        self.missing = not (config.token_url and config.client_secret.get_secret_value())
        """Something that the configuration refers to isn't set."""

    async def close(self) -> None:
        """Ends what is under way; a later call connects anew."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._endpoint.close()

    async def send(self, context: Context, send: Callable[[str], Awaitable[HttpReply]]) -> HttpReply:
        """What `send`, given the `Authorization` header's value, answers; a 401 has it sent once more with a new token.

        Raises `NotMapped` (no token of the caller's, or one that isn't taken), `Refused` (the gateway isn't) and
        `Unavailable`; nothing was sent to the upstream then.
        """
        key, subject = self._subject(context)
        token = await self._good(key, subject, context)
        reply = await send(f"Bearer {token.value}")
        if reply.status != 401 or not self._forgotten(key, token):
            return reply
        fresh = await self._good(key, subject, context)
        fresh.renewed = time.monotonic()
        return await send(f"Bearer {fresh.value}")

    async def own(self, context: Context) -> str:
        """The `Authorization` header of the gateway itself, for a probe."""
        return f"Bearer {(await self._good(b'', None, context)).value}"

    def _subject(self, context: Context) -> tuple[bytes, str | None]:
        """What the caller's token is kept under, and the token to exchange for it."""
        if not self._config.exchange:
            return b"", None
        subject = context.subject_token
        if not subject:
            raise NotMapped("The route needs a caller with a token of an identity provider, to exchange for its own.")
        return hashlib.sha256(subject.encode("utf-8", "surrogatepass")).digest(), subject

    async def _good(self, key: bytes, subject: str | None, context: Context) -> Token:
        now = time.monotonic()
        token = self._kept.get(key)
        if token is not None and now < token.expires:
            self._kept.move_to_end(key)
            if now >= token.stale and key not in self._fetching and now >= self._paused.get(key, 0.0):
                self._fetch(key, subject)
            return token
        fetching = self._fetching.get(key) or self._fetch(key, subject)
        # One caller's leaving or lateness is nothing to the others who wait for the same token.
        done, _ = await asyncio.wait({fetching}, timeout=context.remaining())
        if not done or fetching.cancelled():
            raise Unavailable("The upstream's authorization server didn't answer in time; nothing was sent.")
        return fetching.result()

    def _fetch(self, key: bytes, subject: str | None) -> asyncio.Task[Token]:
        task = asyncio.create_task(self._fetched(key, subject))
        self._fetching[key] = task

        def ended(done: asyncio.Task[Token]) -> None:
            self._fetching.pop(key, None)
            if not done.cancelled() and done.exception() is not None:
                self._paused[key] = time.monotonic() + _PAUSE
                while len(self._paused) > _KEPT:
                    self._paused.popitem(last=False)

        task.add_done_callback(ended)
        return task

    async def _fetched(self, key: bytes, subject: str | None) -> Token:
        parameters = await self._parameters(subject)
        token = await self._endpoint.token(parameters, subject is not None)
        self._kept[key] = token
        # The gateway's own isn't one of those that make room for others.
        while len(self._kept) > _KEPT:
            oldest = next(each for each in self._kept if each)
            del self._kept[oldest]
        return token

    async def _parameters(self, subject: str | None) -> dict[str, str | None]:
        config = self._config
        common = {"scope": config.scope, "audience": config.audience}
        if subject is None:
            return {"grant_type": "client_credentials", **common}
        asked = {"subject_token": subject, "subject_token_type": ACCESS_TOKEN, "requested_token_type": ACCESS_TOKEN}
        if config.actor:
            actor = await self._good(b"", None, Context(time.monotonic() + SECONDS))
            asked |= {"actor_token": actor.value, "actor_token_type": ACCESS_TOKEN}
        return {"grant_type": _EXCHANGE, **asked, **common}

    def _forgotten(self, key: bytes, token: Token) -> bool:
        """Drops a token that was refused; False where a new one was just as little use a moment ago."""
        now = time.monotonic()
        if now - token.renewed < _PAUSE:
            return False
        if self._kept.get(key) is token:
            del self._kept[key]
        return True
