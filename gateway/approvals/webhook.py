"""Webhooks, signed as Standard Webhooks 1.0 has it (https://www.standardwebhooks.com): told in the background, tried
again a few times, bounded. Only https, or this host's loopback, is told; no redirect is followed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from gateway.call import new_id
from gateway.instants import spelt

logger = logging.getLogger("figway")

MOST_WAITING = 1000
"""Messages that wait to be sent; of more the oldest is dropped, and logged."""
_PAUSES = (1.0, 5.0, 30.0, 120.0)
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who is told: `secret` signs, as text or as `whsec_` and base64."""

    url: str
    secret: str = field(repr=False)


def receivers(notify: Iterable[Any]) -> tuple[Receiver, ...]:
    """The receivers of `notify` in gateway.yaml."""
    return tuple(Receiver(each.url, each.secret.get_secret_value()) for each in notify)


@dataclass(slots=True)
class _Message:
    receiver: Receiver
    id: str
    body: bytes
    tries: int = 0
    due: float = 0.0


def signature(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` of a message: HMAC-SHA256 over `id.timestamp.body`."""
    signed = f"{id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()}"


def _key(secret: str) -> bytes:
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


class Webhooks:
    """What is to be told, and to whom. Belongs to one event loop once `run` runs; `tell` never waits."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None, pauses: Sequence[float] = _PAUSES) -> None:
        self._receivers: tuple[Receiver, ...] = ()
        self._waiting: deque[_Message] = deque()
        self._wake = asyncio.Event()
        self._transport, self._pauses = transport, tuple(pauses)

    def follow(self, receivers: Sequence[Receiver]) -> None:
        """From now on these are told."""
        self._receivers = tuple(receivers)

    def tell(self, kind: str, data: Mapping[str, Any]) -> None:
        """Tells every receiver of an event, such as `stage.flipped`, soon."""
        if not self._receivers:
            return
        now = spelt(datetime.now(UTC), "milliseconds")
        body = orjson.dumps({"type": kind, "timestamp": now, "data": dict(data)}, default=str)
        for receiver in self._receivers:
            if len(self._waiting) >= MOST_WAITING:
                dropped = self._waiting.popleft()
                logger.error("webhook %s to %s is dropped: %d wait", dropped.id, dropped.receiver.url, MOST_WAITING)
            self._waiting.append(_Message(receiver, f"msg_{new_id()}", body))
        self._wake.set()

    async def run(self) -> None:
        """Sends what is told, for good."""
        # A client reads the host's certificate authorities, tens of milliseconds in which nobody is served.
        await self._wake.wait()
        async with self._client() as client:
            while True:
                self._wake.clear()
                await self._round(client)
                pause = min((each.due - time.monotonic() for each in self._waiting), default=60.0)
                try:
                    await asyncio.wait_for(self._wake.wait(), max(pause, 0.01))
                except TimeoutError:
                    continue

    async def flush(self, seconds: float) -> None:
        """Tries once to send all that waits, for at most so many seconds."""
        if not self._waiting:
            return
        try:
            async with asyncio.timeout(seconds), self._client() as client:
                await self._round(client)
        except TimeoutError:
            logger.error("%d webhooks aren't sent", len(self._waiting))

    def _client(self) -> httpx.AsyncClient:
        # Nothing of the environment: a proxy named there would see what is signed for somebody else.
        return httpx.AsyncClient(transport=self._transport, timeout=_TIMEOUT, follow_redirects=False, trust_env=False)

    async def _round(self, client: httpx.AsyncClient) -> None:
        now = time.monotonic()
        due = [each for each in self._waiting if each.due <= now]
        self._waiting = deque(each for each in self._waiting if each.due > now)
        outcomes = await asyncio.gather(*(self._send(client, each) for each in due))
        for message, sent in zip(due, outcomes, strict=True):
            if not sent:
                self._again(message)

    async def _send(self, client: httpx.AsyncClient, message: _Message) -> bool:
        timestamp, receiver = int(time.time()), message.receiver
        headers = {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(receiver.secret, message.id, timestamp, message.body),
        }
        try:
            async with client.stream("POST", receiver.url, content=message.body, headers=headers) as response:
                return response.is_success
        except (httpx.HTTPError, httpx.InvalidURL):
            return False

    def _again(self, message: _Message) -> None:
        if message.tries >= len(self._pauses):
            logger.error("webhook %s to %s isn't taken, and given up", message.id, message.receiver.url)
            return
        message.due = time.monotonic() + self._pauses[message.tries]
        message.tries += 1
        self._waiting.append(message)
