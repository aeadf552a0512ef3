"""One upstream, so that it can hurt nobody but its own callers: deadline, bulkhead, circuit breaker and retries.

Upstreams share nothing: each has its own slots, queue, breaker and retry budget. A caller that leaves cancels its
read; a write that has a slot runs to its end in a task of its own. Only reads are retried.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar, cast

from adapters.capabilities import SupportsBulk, SupportsLookup
from adapters.contract import Adapter, Context, Effect, Json, Probe, Result
from adapters.errors import AdapterError, BadReply, DoNotRetry, Retry, Unavailable, UnknownOutcome
from gateway.breaker import Breaker, BreakerLimits, BreakerOpen, Verdict
from gateway.bulk import Batches, Wholes
from gateway.bulkhead import Busy, Cutoff, Slots
from gateway.pace import Pace
from gateway.retries import Retries

logger = logging.getLogger("figway")

T = TypeVar("T")
Work: TypeAlias = Callable[[Context], Awaitable[T]]

# An adapter knows better than we whether anything was sent: it gets this long to say so after the deadline (seconds).
_GRACE = 0.1
_EXPIRED = 0.01


class NeverHappened(AdapterError):
    """An upstream that can tell says that a write was never made."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one upstream may take. `deadline` in seconds; `concurrency` calls at once, `queue` more waiting, first come
    first served; `retries` of a failed read at most, and over all reads no more than a tenth of the calls and five."""

    deadline: float = 5.0
    concurrency: int = 8
    queue: int = 64
    retries: int = 2
    breaker: BreakerLimits = field(default_factory=BreakerLimits)


class Upstream:
    """One adapter under its limits. Belongs to one event loop."""

    def __init__(self, adapter: Adapter, limits: Limits) -> None:
        self.adapter = adapter
        self.limits = limits
        self._breaker = Breaker(limits.breaker)
        self._slots = Slots(limits.concurrency, limits.queue)
        self._cutoff = Cutoff()
        self._pace = Pace()
        self._retries = Retries(limits.retries)
        self._wholes = Wholes(self._breaker)
        self._writes: set[asyncio.Task[Any]] = set()
        self.watcher: Callable[[str, str, Context], None] | None = None
        """Called before each call of the adapter with its operation and purpose; it may refuse by an `AdapterError`."""
        self._opened = False
        self._last_error = ""
        self._counts = {"calls": 0, "failures": 0, "retries": 0, "rejected": 0}

    @property
    def name(self) -> str:
        return self.adapter.name

    async def open(self) -> None:
        """Opens the adapter within one deadline. A failure is remembered, not raised: calls try again by themselves."""
        try:
            async with asyncio.timeout(self.limits.deadline):
                await self.adapter.open()
        except TimeoutError:
            self._last_error = "The connection couldn't be opened before the deadline."
        except AdapterError as error:
            self._last_error = error.message
        else:
            self._opened = True

    async def close(self) -> None:
        """Waits for the calls in flight (each ends at its deadline), then closes the adapter."""
        await self._slots.idle()
        await self.adapter.close()

    async def probe(self, context: Context) -> Probe:
        """The adapter's own look at its health, outside slots and breaker, ended at `context.deadline`."""
        start = time.monotonic()
        try:
            self._seen("", "probe", context)
            async with asyncio.timeout(context.deadline - start + _GRACE):
                return await self.adapter.probe(context)
        except Unavailable as error:
            return Probe(False, error.message, time.monotonic() - start)
        except TimeoutError:
            return Probe(False, "no answer before the deadline", time.monotonic() - start)

    def state(self) -> dict[str, Json]:
        """For health: `breaker` (closed, open, half_open), `opened`, `in_flight`, `queued`, `last_error` and counts."""
        return {
            "breaker": self._breaker.state,
            "opened": self._opened,
            "in_flight": self._slots.taken,
            "queued": self._slots.queued,
            "last_error": self._last_error,
            **self._counts,
        }

    def call(self, operation: str, input: Mapping[str, Json], *, effect: Effect, context: Context) -> Awaitable[Result]:
        """Invokes one operation; raises what `adapters.errors` defines, `BreakerOpen` and `Busy` among it."""
        self._seen(operation, "caller", context)
        invoke = self.adapter.invoke
        return self.run(lambda within: invoke(operation, input, within), effect=effect, context=context)

    def _seen(self, operation: str, purpose: str, context: Context) -> None:
        if self.watcher is not None:
            self.watcher(operation, purpose, context)

    @property
    def strained(self) -> str:
        """Why no caller should add to its work without need: `breaker`, `queue` or `slow`; empty: it is well."""
        if self._breaker.state != "closed":
            return "breaker"
        if self._slots.queued:
            return "queue"
        return "slow" if self._pace.slow else ""

    async def once(self, operation: str, input: Mapping[str, Json], *, context: Context, purpose: str) -> Result:
        """A read that no caller waits for: without a queue and without a second attempt. Raises like `call`; `Busy`
        where no slot is free now."""
        deadline = min(context.deadline, time.monotonic() + self.limits.deadline)
        within = context._replace(deadline=deadline, effect=Effect.READ)
        self._seen(operation, purpose, context)
        self._counts["calls"] += 1
        self._breaker.check()
        if not self._slots.take():
            raise Busy("Every connection to the system behind the route is in use.")
        invoke = self.adapter.invoke
        return await self._attempt(lambda limited: invoke(operation, input, limited), within)

    @property
    def tells(self) -> bool:
        """Whether the upstream can say what became of a write."""
        return isinstance(self.adapter, SupportsLookup)

    async def resume(self, operation: str, input: Mapping[str, Json], *, effect: Effect, context: Context) -> Result:
        """What became of the write that `context.idempotency_key` names; if the upstream says that it never happened,
        it is invoked now. Only where the upstream `tells`."""
        return await self._found(operation, context) or await self.call(
            operation, input, effect=effect, context=context
        )

    async def look(self, operation: str, input: Mapping[str, Json], *, effect: Effect, context: Context) -> Result:
        """The same, but the write isn't sent in any case; raises `NeverHappened`."""
        found = await self._found(operation, context)
        if found is None:
            raise NeverHappened("The change was never made.")
        return found

    async def _found(self, operation: str, context: Context) -> Result | None:
        lookup, key = cast(SupportsLookup, self.adapter).lookup, context.idempotency_key or ""
        reading = context._replace(effect=Effect.READ)
        self._seen(operation, "lookup", context)
        return await self.run(lambda within: lookup(operation, key, within), effect=Effect.READ, context=reading)

    @property
    def reads_whole(self) -> bool:
        """Whether it can read all of a list at once."""
        return isinstance(self.adapter, SupportsBulk)

    def whole(self, operation: str, input: Mapping[str, Json], context: Context) -> Batches:
        """All of a list in batches, none of which may take longer than a call. Raises like `call`, also between
        batches."""
        self._seen(operation, "caller", context)
        self._counts["calls"] += 1
        adapter = cast(SupportsBulk, self.adapter)
        return self._wholes.read(adapter, operation, input, context, self.limits.deadline)

    async def run(self, work: Work[T], *, effect: Effect, context: Context) -> T:
        """Any call of the adapter under the same protection as `call`; `work` gets the context to obey."""
        deadline = time.monotonic() + self.limits.deadline
        if deadline < context.deadline:
            context = Context(deadline, *context[1:])
        self._counts["calls"] += 1
        self._retries.earn()
        try:
            waiting = self._admitted(effect, context)
            if waiting is not None:
                await waiting
            if effect is not Effect.READ:
                return await asyncio.shield(self._detached(work, context))
            try:
                return await self._attempt(work, context)
            except (Retry, Unavailable, UnknownOutcome) as error:
                if isinstance(error, BreakerOpen | Busy):
                    raise
                return await self._again(work, context, error)
        except (BreakerOpen, Busy):
            self._counts["rejected"] += 1
            raise

    def _detached(self, work: Work[T], context: Context) -> asyncio.Task[T]:
        """The attempt in a task of its own: there are never more than slots, and `close` waits for them."""
        task = asyncio.create_task(self._attempt(work, context))
        self._writes.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """Looks at the outcome, as the caller may have left; of an adapter's error the state has told already."""
        self._writes.discard(task)
        defect = None if task.cancelled() else task.exception()
        if defect is not None and not isinstance(defect, AdapterError):
            logger.error("a write to upstream %s failed unexpectedly", self.name, exc_info=defect)

    async def _again(self, work: Work[T], context: Context, error: AdapterError) -> T:
        """A failed read's further attempts, while there are any; then its failure."""
        attempt = 0
        while (pause := self._retries.pause(attempt, error, context.deadline)) is not None:
            self._counts["retries"] += 1
            await asyncio.sleep(pause)
            attempt += 1
            waiting = self._admitted(Effect.READ, context)
            if waiting is not None:
                await waiting
            try:
                return await self._attempt(work, context)
            except (Retry, Unavailable, UnknownOutcome) as failed:
                if isinstance(failed, BreakerOpen | Busy):
                    raise
                error = failed
        raise error

    def _admitted(self, effect: Effect, context: Context) -> Awaitable[None] | None:
        """Takes a slot; an awaitable where one must be waited for, until the deadline at most."""
        self._breaker.check()
        remaining = context.deadline - time.monotonic()
        if remaining <= 0:
            raise _too_late(effect)
        return None if self._slots.take() else self._waited(effect, remaining, context.priority)

    async def _waited(self, effect: Effect, seconds: float, points: int) -> None:
        try:
            await self._slots.wait(seconds, points)
        except TimeoutError:
            raise _too_late(effect) from None

    async def _attempt(self, work: Work[T], context: Context) -> T:
        """One call with a slot, which it gives back, and its verdict for the breaker."""
        try:
            ticket = self._breaker.admit()
            verdict = Verdict.NEUTRAL
            begun_at = time.monotonic()
            given = context.deadline - begun_at
            begun, cut = self._cutoff.begin(context.deadline + _GRACE), None
            try:
                result = await work(context)
                verdict = Verdict.SUCCESS
            except asyncio.CancelledError:
                cut = self._cutoff.end(begun)
                if not cut:
                    raise
                late = UnknownOutcome("The system behind the route didn't answer before the deadline.")
                verdict = self._failed(late, given, context.deadline)
                raise late from None
            except AdapterError as error:
                verdict = self._failed(error, given, context.deadline)
                raise
            finally:
                if cut is None:
                    self._cutoff.end(begun)
                self._breaker.record(ticket, verdict)
        finally:
            self._slots.release()
        self._opened = True
        self._pace.note(time.monotonic() - begun_at)
        return result

    def _failed(self, error: AdapterError, given: float, deadline: float) -> Verdict:
        """What a failure says of the upstream's health. Running out of time says something only when the upstream
        had at least half of its own deadline: else callers in a hurry could open the breaker for all."""
        if isinstance(error, DoNotRetry) and not isinstance(error, BadReply):
            return Verdict.NEUTRAL
        self._counts["failures"] += 1
        self._last_error = error.message
        if time.monotonic() >= deadline - _EXPIRED and given < self.limits.deadline / 2:
            return Verdict.NEUTRAL
        return Verdict.FAILURE


def _too_late(effect: Effect) -> AdapterError:
    """No slot before the deadline. A read took too long; of a write it matters more that nothing was sent."""
    if effect is Effect.READ:
        return UnknownOutcome("No connection to the system behind the route became free before the deadline.")
    return Busy("The system behind the route is busy; nothing was sent to it.")
