"""The elected worker of a host's captures: follows each one that the served snapshot asks for.

A source is asked again after a pause that is a multiple of what it took to answer, so that a capture that finds
nothing costs the source at most a fifth of one connection's time. What can't be read or stored is tried again, ever
more slowly.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from adapters.capabilities import SupportsChanges
from adapters.changes import Capture, Guarantee, Retained
from adapters.contract import Adapter
from adapters.errors import AdapterError
from gateway.events.answers import indexes
from gateway.events.loads import LoadedFile
from gateway.events.log import EventLog
from gateway.freshness.capturing import Capturing, Refused
from gateway.freshness.polled import polled
from gateway.routing.captures import CaptureModel, Materialized, materialized
from gateway.routing.model import Binding, Compiled, Route
from gateway.store.contract import StoreError
from gateway.store.leader import Leader

logger = logging.getLogger("figway")

LOCK = "capture.leader"
"""The lock in the state folder that the worker holds."""
_LEAD_POLL, _SNAPSHOT_POLL = 1.0, 0.5
_SHARE = 4
"""A pause is at least this multiple of what the source worked."""
_LEAST, _POLLED_LEAST, _LONGEST = 0.02, 1.0, 30.0
_WANTED, _RETAINED = 1.0, 10.0
_REFUSED = 2.0


class Served(Protocol):
    """The snapshot that a process serves (`gateway.serving.Serving`)."""

    @property
    def version(self) -> int: ...

    @property
    def compiled(self) -> Compiled: ...

    @property
    def upstreams(self) -> Mapping[str, Any]: ...

    def held(self) -> AbstractAsyncContextManager[Any]: ...


@dataclass(slots=True)
class Followed:
    """What the worker knows of one capture."""

    guarantee: Guarantee
    keeps: int
    capturing: Capturing
    retained: Retained = field(default_factory=Retained)
    problem: str = ""

    @property
    def alarm(self) -> str:
        """What somebody should look at, though it goes on; empty: nothing."""
        size = self.retained.size
        if size is None or size <= self.keeps:
            return ""
        return f"the source keeps more than {self.keeps / 2**20:.0f} MiB of its log for it"


class Follower:
    """One process's worker; it works while it leads."""

    def __init__(self, log: EventLog, current: Callable[[], Served], lock: Path) -> None:
        self._log, self._current, self._leader = log, current, Leader(lock)
        self.followed: dict[str, Followed] = {}
        """By `UPSTREAM.CAPTURE`, while this process leads."""

    async def work(self) -> None:
        """Follows captures until it's cancelled."""
        while not (any(wanted(self._current().compiled)) and self._leader.try_lead()):  # noqa: ASYNC110 - nothing here tells
            await asyncio.sleep(_LEAD_POLL)
        try:
            while True:
                await self._snapshot()
        finally:
            self.followed.clear()
            self._leader.resign()

    async def _snapshot(self) -> None:
        """Follows what one snapshot asks for, until another one is served."""
        served = self._current()
        async with served.held():
            captures = {
                name: asyncio.create_task(self._keep(name, model, adapter, indexed(served.compiled, adapter, name)))
                for name, upstream, model in wanted(served.compiled)
                for adapter in [served.upstreams[upstream].adapter]
            }
            try:
                while self._current().version == served.version:
                    await asyncio.sleep(_SNAPSHOT_POLL)
                    for task in captures.values():
                        if task.done():
                            task.result()  # a fault of ours: the supervisor tells of it, and begins anew
            finally:
                for task in captures.values():
                    task.cancel()
                await asyncio.gather(*captures.values(), return_exceptions=True)
                self.followed.clear()

    async def _keep(self, name: str, model: CaptureModel, adapter: Adapter, indexes: Sequence[str]) -> None:
        async with opened(adapter, model, name) as capture:
            digest, share = model.digest(model.form(adapter, name.partition(".")[2])), model.most_deletes / 100
            capturing = Capturing(name, capture, self._log, digest, share, indexes)
            followed = self.followed[name] = Followed(capture.guarantee, model.keeps, capturing)
            least = _POLLED_LEAST if model.method in ("watermark", "diff") else _LEAST
            await _Following(name, capture, followed, self._log, least).go_on()


class _Following:
    """One capture's loop."""

    def __init__(self, name: str, capture: Capture, followed: Followed, log: EventLog, least: float) -> None:
        self._name, self._capture, self._followed, self._log, self._least = name, capture, followed, log, least
        self._looked = self._measured = 0.0
        self._failures = 0

    async def go_on(self) -> None:
        """Until it's cancelled."""
        while True:  # noqa: ASYNC110 - what it waits for is a pause
            await asyncio.sleep(await self._step())

    async def _step(self) -> float:
        """Reads on; how long to wait then."""
        busy = self._followed.capturing.measured.busy
        try:
            await self._look_around()
            more = await self._followed.capturing.step()
        except Refused as refused:
            self._say(str(refused))
            await self._noted(str(refused))
            return _REFUSED
        except (AdapterError, StoreError) as error:
            return await self._failed(error)
        self._failures = 0
        self._say("")
        took = self._followed.capturing.measured.busy - busy
        if self._followed.capturing.loading:
            return took / 2
        return 0.0 if more else min(_LONGEST, max(self._least, _SHARE * took))

    async def _failed(self, error: AdapterError | StoreError) -> float:
        detail = f" ({error.detail})" if isinstance(error, AdapterError) and error.detail else ""
        if self._say(str(error)):
            logger.warning("%s can't be captured, which is tried again: %s%s", self._name, error, detail)
        await self._noted(str(error))
        self._failures += 1
        return float(min(_LONGEST, 0.1 * 2.0 ** min(self._failures, 10)))

    def _say(self, problem: str) -> bool:
        known, self._followed.problem = self._followed.problem, problem
        return problem != known

    async def _noted(self, problem: str) -> None:
        try:
            await self._log.write(LoadedFile.note, self._name, problem)
        except StoreError:
            return  # which is most likely what the problem is

    async def _look_around(self) -> None:
        """What somebody asks for, and what the source keeps."""
        if not self._followed.capturing.enrolled:
            return
        now = time.monotonic()
        if now - self._looked >= _WANTED:
            self._looked = now
            standings = await self._log.standings()
            if any(each.name == self._name and each.wanted == "load" for each in standings):
                await self._followed.capturing.load_anew()
        if now - self._measured >= _RETAINED:
            self._measured = now
            before = self._followed.alarm
            self._followed.retained = await self._capture.retained(now + 10.0)
            alarm = self._followed.alarm
            if alarm != before:
                await self._log.write(LoadedFile.alarm, self._name, alarm)
                logger.warning("%s: %s", self._name, alarm or "the source keeps no more of its log than it should")


def wanted(compiled: Compiled) -> list[tuple[str, str, CaptureModel]]:
    """(`UPSTREAM.CAPTURE`, upstream, what is asked for) of every capture."""
    return [
        (f"{upstream}.{name}", upstream, model)
        for upstream, spec in compiled.upstreams.items()
        for name, model in spec.changes.items()
    ]


def indexed(compiled: Compiled, adapter: Adapter, name: str) -> list[str]:
    """What of a replica is indexed for the routes that are answered from it."""
    made: dict[str, None] = {}
    for route in compiled.routes:
        for binding in (route.legacy, route.replacement):
            if route.freshness is None or not route.freshness.materialized or binding is None:
                continue
            changes = compiled.upstreams[binding.upstream].changes
            found = materialized(binding.upstream, changes, adapter, binding.operation)
            if binding.upstream == name.partition(".")[0] and found is not None and found.capture == name:
                made |= dict.fromkeys(indexes(found.form, _filtered(route, binding, found)))
    return list(made)


def _filtered(route: Route, binding: Binding, found: Materialized) -> list[str]:
    """The fields that a route's callers may filter by."""
    if found.spelling is not None:
        return list(found.spelling.filters.values())
    names = (each.name.partition(".")[0] for each in route.parameters if each.where == "query")
    return [binding.fields.get(each, each) for each in names]


def capture_of(adapter: Adapter, model: CaptureModel, name: str) -> Capture:
    """What captures; `name` is `UPSTREAM.CAPTURE`. Raises `ConfigError`."""
    own = name.partition(".")[2]
    if model.operation is not None or model.method == "watermark":
        return polled(adapter, model, own)
    assert isinstance(adapter, SupportsChanges)
    return adapter.capture(model.asked(adapter.name, own))


@asynccontextmanager
async def opened(adapter: Adapter, model: CaptureModel, name: str) -> AsyncIterator[Capture]:
    """What captures, closed in the end."""
    capture = capture_of(adapter, model, name)
    try:
        yield capture
    finally:
        await capture.close()
