"""The elected worker of a host's webhooks: each is told of events one after the other, signed as Standard Webhooks
1.0 has it, and goes on where it stood. What it doesn't take becomes a dead letter, which can be replayed.

Nothing waits in memory but the few events that were read last: a slow receiver is simply further behind in the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx
import orjson

from adapters.contract import Json
from gateway.approvals.webhook import signature
from gateway.call import Principal
from gateway.events.log import EventLog
from gateway.events.model import Event, Trimmed
from gateway.feeds.deliveries import FILE, Deliveries
from gateway.feeds.feed import Feed, tell
from gateway.feeds.positions import Positions
from gateway.feeds.sources import sources_of
from gateway.policy.decide import Policies
from gateway.routing.events_schema import Webhook
from gateway.routing.model import Compiled
from gateway.store.contract import StoreError
from gateway.store.leader import Leader
from gateway.store.offload import Offload

_T = TypeVar("_T")

logger = logging.getLogger("figway")

LOCK = "webhooks.leader"
PAUSES = (1.0, 5.0, 30.0, 120.0)
"""Seconds between two tries of one event; after the last it is a dead letter."""
_TIMEOUT, _LONGEST = httpx.Timeout(10.0, connect=5.0), 30.0
_BATCH, _LEAD_POLL, _LOOK, _AGAIN = 50, 1.0, 0.25, 5.0


class Served(Protocol):
    """The snapshot that a process serves (`gateway.serving.Serving`)."""

    @property
    def version(self) -> int: ...

    @property
    def compiled(self) -> Compiled: ...

    @property
    def policies(self) -> Policies: ...

    @property
    def upstreams(self) -> Mapping[str, Any]: ...


class Deliverer:
    """One process's worker; it works while it leads."""

    def __init__(
        self,
        log: EventLog,
        current: Callable[[], Served],
        folder: Path,
        positions: Positions,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._log, self._current, self._positions, self._pauses = log, current, positions, tuple(pauses)
        self._leader, self._file = Leader(folder / LOCK), folder / FILE

    async def work(self) -> None:
        """Tells webhooks until it's cancelled."""
        while not (_webhooks(self._current()) and self._leader.try_lead()):  # noqa: ASYNC110 - nothing here tells
            await asyncio.sleep(_LEAD_POLL)
        thread = Offload(threads=1, waiting=256)
        try:
            file = await thread(Deliveries, self._file)
            try:
                # Nothing of the environment: a proxy named there would see what is signed for somebody else.
                client = await asyncio.to_thread(
                    partial(httpx.AsyncClient, timeout=_TIMEOUT, follow_redirects=False, trust_env=False)
                )
                async with client:
                    while True:
                        await self._snapshot(partial(_on, thread, file), client)
            finally:
                await thread(file.close)
        finally:
            thread.close()
            self._leader.resign()

    async def _snapshot(self, kept: _Kept, client: httpx.AsyncClient) -> None:
        """Tells the webhooks of one snapshot, until another one is served."""
        served = self._current()
        adapters = {name: upstream.adapter for name, upstream in served.upstreams.items()}
        sources = sources_of(served.compiled, adapters)
        tasks = []
        for name, model in _webhooks(served).items():
            feed = Feed(sources, served.policies, principal_of(model), self._positions, model.sources)
            telling = _Telling(name, model, feed, self._log, kept, client, self._pauses)
            tasks.append(asyncio.create_task(telling.go_on()))
        try:
            while self._current().version == served.version:
                await asyncio.sleep(_LOOK)
                for task in tasks:
                    if task.done():
                        task.result()  # a fault of ours: the supervisor tells of it, and begins anew
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class _Kept(Protocol):
    """A method of the file, on its thread."""

    def __call__(self, do: Callable[..., _T], *values: Any) -> Awaitable[_T]: ...


def _on(thread: Offload, file: Deliveries, do: Callable[..., _T], *values: Any) -> Awaitable[_T]:
    return thread(partial(do, file, *values))


class _Telling:
    """One webhook, on one snapshot."""

    def __init__(
        self,
        name: str,
        model: Webhook,
        feed: Feed,
        log: EventLog,
        kept: _Kept,
        client: httpx.AsyncClient,
        pauses: tuple[float, ...],
    ) -> None:
        self._name, self._model, self._feed, self._log = name, model, feed, log
        self._kept, self._client, self._pauses = kept, client, pauses

    async def go_on(self) -> None:
        """Until it's cancelled."""
        hidden = sorted(set(self._model.sources) - set(self._feed.sources))
        if hidden:
            logger.error("webhook %s waits: no route and policy show its principal %s", self._name, ", ".join(hidden))
            await asyncio.Event().wait()
        while True:
            try:
                first, last = await self._log.span()
                place = await self._kept(Deliveries.place, self._name, last)
                if place > last:
                    logger.error("webhook %s begins anew: the log isn't the one that it was told of", self._name)
                    place = first - 1
                await self._from(place)
            except StoreError as error:
                logger.error("webhook %s can't go on, which is tried again: %s", self._name, error)
                await asyncio.sleep(_AGAIN)

    async def _from(self, after: int) -> None:
        while True:
            await self._replay()
            try:
                events = await self._log.read(after, _BATCH)
            except Trimmed:
                first, _ = await self._log.span()
                logger.error("webhook %s has missed events: it was too slow, and the log begins later now", self._name)
                after = first - 1
                await self._kept(Deliveries.taken, self._name, after)
                continue
            for sequence, document in await asyncio.to_thread(tell, self._feed, events):
                await self._tell(sequence, document)
            if not events:
                await asyncio.sleep(_LOOK)
            elif events[-1].sequence > after:
                after = events[-1].sequence
                await self._kept(Deliveries.taken, self._name, after)

    async def _tell(self, sequence: int, document: Mapping[str, Json]) -> None:
        """Tells one event, now or in the end as a dead letter."""
        why = await self._sent(document)
        for pause in self._pauses:
            if not why:
                break
            await asyncio.sleep(pause)
            why = await self._sent(document)
        while why:
            full = await self._kept(Deliveries.full, self._name)
            if not full:
                break
            await asyncio.sleep(self._pauses[-1])
            why = await self._sent(document)
        if why:
            logger.error("webhook %s doesn't take event %s (%s): a dead letter", self._name, document["id"], why)
            await self._kept(Deliveries.gave_up, self._name, sequence, why)
        else:
            await self._kept(Deliveries.taken, self._name, sequence)

    async def _replay(self) -> None:
        """Sends dead letters that somebody asked for, as policies are now."""
        for dead in await self._kept(Deliveries.wanted, self._name, _BATCH):
            try:
                events: list[Event] = await self._log.read(dead.sequence - 1, 1)
            except Trimmed:
                events = []
            told = tell(self._feed, [each for each in events if each.sequence == dead.sequence])
            why = await self._sent(told[0][1]) if told else ""
            if not told:
                logger.error("a dead letter of webhook %s isn't kept or isn't its to see any more", self._name)
            if why:
                await self._kept(Deliveries.gave_up, self._name, dead.sequence, why)
            else:
                await self._kept(Deliveries.settled, self._name, dead.sequence)

    async def _sent(self, document: Mapping[str, Json]) -> str:
        """Why it wasn't taken; empty: it was."""
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
                return "" if response.is_success else f"it answered {response.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return f"it can't be reached: {type(error).__name__}"


def principal_of(model: Webhook) -> Principal:
    """As whom a webhook sees events."""
    who = model.as_
    return Principal(who.principal, who.agent, who.roles, who.tenant, f"webhook:{who.principal}", who.teams)


def _webhooks(served: Served) -> Mapping[str, Webhook]:
    found: Mapping[str, Webhook] = served.compiled.settings["events"].webhooks
    return found
