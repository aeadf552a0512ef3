"""Events as messages of NATS JetStream, in the structured mode of CloudEvents' binding for NATS 1.0.2
(https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/nats-protocol-binding.md).

A stream keeps a message once that was sent twice within its duplicate window, by `Nats-Msg-Id`. A server that is away,
full or says no is waited for: what isn't published yet stays in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol

import orjson

from gateway.feeds.subjects import subject_of
from gateway.feeds.telling import BATCH, Document, Refused
from gateway.routing.events_schema import Stream

PAUSES = (0.5, 1.0, 2.0, 5.0, 15.0)
"""Seconds between two tries; the last one for good."""
_CLIENT = "gateway.feeds.nats_client"


class _Connection(Protocol):
    """`gateway.feeds.nats_client.Connection`, which needs the extra."""

    @property
    def good(self) -> bool: ...

    async def publish(self, subject: str, body: bytes, headers: dict[str, str]) -> Refused | None: ...

    async def close(self) -> None: ...


class JetStreamOutlet:
    """One stream, over one connection."""

    gives_up, at_once = False, BATCH

    def __init__(self, model: Stream, pauses: Sequence[float] = PAUSES) -> None:
        self._model, self.pauses = model, pauses
        self._opening: asyncio.Task[_Connection | Refused] | None = None

    async def send(self, document: Document, origin: str) -> Refused | None:
        """Publishes one event, and waits until the stream has it."""
        connection = await self._connection()
        if isinstance(connection, Refused):
            return connection
        # Ids of events are numbers of a log: other hosts, and other subscribers of this one, may have the same.
        headers = {"Nats-Msg-Id": f"{origin}.{document['id']}", "content-type": "application/cloudevents+json"}
        return await connection.publish(subject_of(self._model.prefix, document), orjson.dumps(document), headers)

    async def close(self) -> None:
        """Ends the connection."""
        if self._opening is not None:
            opening, self._opening = self._opening, None
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            await _end(opening)

    async def _connection(self) -> _Connection | Refused:
        """The one that is open, or that is being opened for all who wait."""
        opening = self._opening
        if opening is None or (opening.done() and not _good(opening)):
            self._opening = asyncio.create_task(self._opened(opening))
        assert self._opening is not None
        return await asyncio.shield(self._opening)

    async def _opened(self, before: asyncio.Task[_Connection | Refused] | None) -> _Connection | Refused:
        if before is not None:
            await _end(before)
        try:
            client = await asyncio.to_thread(import_module, _CLIENT)
        except ModuleNotFoundError:
            return Refused("streams of NATS need a package: pip install 'figway[nats]'")
        opened: _Connection | Refused = await client.connected(self._model)
        return opened


def _good(opening: asyncio.Task[_Connection | Refused]) -> bool:
    if opening.cancelled() or opening.exception() is not None:
        return False
    result = opening.result()
    return not isinstance(result, Refused) and result.good


async def _end(opening: asyncio.Task[_Connection | Refused]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        result = opening.result()
        if not isinstance(result, Refused):
            await result.close()
