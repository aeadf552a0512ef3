"""The elected worker of a host that tells the subscribers of `gateway.yaml`: one follows the log for each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, Protocol

import httpx

from gateway.call import Principal
from gateway.events.log import EventLog
from gateway.feeds.feed import Feed
from gateway.feeds.jetstream import PAUSES as STREAM_PAUSES
from gateway.feeds.jetstream import JetStreamOutlet
from gateway.feeds.kept import Kept
from gateway.feeds.positions import Positions
from gateway.feeds.sources import sources_of
from gateway.feeds.telling import Measured, Outlet, Telling
from gateway.feeds.webhooks import PAUSES, TIMEOUT, WebhookOutlet
from gateway.policy.decide import Policies
from gateway.routing.events_schema import Events, Stream, Webhook
from gateway.routing.model import Compiled
from gateway.store.leader import Leader

LOCK = "webhooks.leader"
_LEAD_POLL, _LOOK = 1.0, 0.25


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
        kept: Kept,
        permit: Callable[[Principal], Awaitable[None]],
        pauses: tuple[Sequence[float], Sequence[float]] = (PAUSES, STREAM_PAUSES),
    ) -> None:
        """`permit` raises a `Problem` while a person has stopped a principal; `pauses`: of webhooks, and of streams."""
        self._log, self._current, self._positions, self._kept = log, current, positions, kept
        self._leader, self._permit, self._pauses = Leader(folder / LOCK), permit, pauses
        self.measured: dict[str, Measured] = {}
        """What is known of the subscribers that this process tells, by name."""

    async def work(self) -> None:
        """Tells subscribers until it's cancelled."""
        while not (events_of(self._current().compiled).subscribers and self._leader.try_lead()):  # noqa: ASYNC110 - nothing here tells
            await asyncio.sleep(_LEAD_POLL)
        try:
            # Nothing of the environment: a proxy named there would see what is signed for somebody else.
            client = await asyncio.to_thread(
                partial(
                    httpx.AsyncClient,
                    timeout=TIMEOUT,
                    follow_redirects=False,
                    trust_env=False,
                    cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                )
            )
            async with client:
                while True:
                    await self._snapshot(client)
        finally:
            self.measured.clear()
            self._leader.resign()

    async def _snapshot(self, client: httpx.AsyncClient) -> None:
        """Tells the subscribers of one snapshot, until another one is served."""
        served = self._current()
        subscribers = events_of(served.compiled).subscribers
        self.measured = {name: self.measured.get(name, Measured()) for name in subscribers}
        tasks = [asyncio.create_task(each.go_on()) for each in self._tellings(served, client)]
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

    def _tellings(self, served: Served, client: httpx.AsyncClient) -> list[Telling]:
        adapters = {name: upstream.adapter for name, upstream in served.upstreams.items()}
        sources = sources_of(served.compiled, adapters)
        made = []
        for name, model in events_of(served.compiled).subscribers.items():
            who = principal_of(model)
            feed, permit = (
                Feed(sources, served.policies, who, self._positions, model.sources),
                partial(self._permit, who),
            )
            outlet, measured = self._outlet(model, client), self.measured[name]
            made.append(Telling(name, model.sources, feed, self._log, self._kept, outlet, measured, permit))
        return made

    def _outlet(self, model: Webhook | Stream, client: httpx.AsyncClient) -> Outlet:
        if isinstance(model, Webhook):
            return WebhookOutlet(model, client, self._pauses[0])
        return JetStreamOutlet(model, self._pauses[1])


def principal_of(model: Webhook | Stream) -> Principal:
    """As whom a subscriber sees events."""
    who, kind = model.as_, "webhook" if isinstance(model, Webhook) else "stream"
    return Principal(who.principal, who.agent, who.roles, who.tenant, f"{kind}:{who.principal}", who.teams)


def events_of(compiled: Compiled) -> Events:
    """`events` of `gateway.yaml`."""
    found: Events = compiled.settings["events"]
    return found
