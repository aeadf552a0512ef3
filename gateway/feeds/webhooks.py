"""Events as HTTP requests, signed as Standard Webhooks 1.0 has it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import httpx
import orjson

from gateway.approvals.webhook import signature
from gateway.feeds.telling import Document, Refused
from gateway.routing.events_schema import Webhook

PAUSES = (1.0, 5.0, 30.0, 120.0)
"""Seconds between two tries of one event; after the last it is a dead letter."""
TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_LONGEST = 30.0


class WebhookOutlet:
    """One receiver; `client` is shared with others."""

    gives_up, at_once = True, 1

    def __init__(self, model: Webhook, client: httpx.AsyncClient, pauses: Sequence[float]) -> None:
        self._model, self._client, self.pauses = model, client, pauses

    async def send(self, document: Document, origin: str) -> Refused | None:
        """One request, without following redirects."""
        body, id, now = orjson.dumps(document), str(document["id"]), int(time.time())
        headers = {
            "content-type": "application/cloudevents+json",
            "webhook-id": id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self._model.secret.get_secret_value(), id, now, body),
        }
        try:
            async with (
                asyncio.timeout(_LONGEST),
                self._client.stream("POST", self._model.url, content=body, headers=headers) as response,
            ):
                return None if response.is_success else Refused(f"it answered {response.status_code}")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return Refused(f"it can't be reached: {type(error).__name__}")

    async def close(self) -> None:
        """The client is everybody's."""
