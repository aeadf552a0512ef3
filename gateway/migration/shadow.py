"""The other side of some reads, asked off their path, so that the two answers can be held against each other.

A caller never waits for it: its reply is on its way when the job begins. A job has a call and a deadline of its own,
no place in an upstream's queue and no second attempt. Jobs are bounded; where there are too many the newest is left
out, and counted. Legacy is asked beyond its callers only as its budget allows (`gateway.migration.budget`): for the
reverse shadow, and once more when the two answers differ, since a legacy that differs from itself has merely changed.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gateway.breaker import BreakerOpen
from gateway.bulkhead import Busy
from gateway.call import Call, Reply
from gateway.errors import Problem
from gateway.migration.budget import Budget, Claim, Purpose, Strained
from gateway.migration.compare.model import Comparison, Observed
from gateway.migration.model import Side
from gateway.migration.switch import Notes, is_its_fault
from gateway.pipeline import Handler

logger = logging.getLogger("figway")

_QUEUE = 32
_STALE = 2.0
"""Seconds after which a job that waits isn't begun: legacy may have changed meanwhile."""
_LATE = 1.0
"""Seconds beyond its deadline after which a job is ended."""


class Judge(Protocol):
    """Holds the two sides' answers against each other."""

    def __call__(self, legacy: Observed, replacement: Observed, again: Observed | None) -> Awaitable[Comparison]: ...


class Keep(Protocol):
    """Keeps what came of comparisons (`gateway.migration.samples.Keeping`)."""

    def __call__(self, operation: str, comparison: Comparison) -> None: ...

    def left_out(self, why: str) -> None: ...


class Skipped(Exception):
    """The other side wasn't asked; the message is one word that says why."""


class Asked(NamedTuple):
    """What a side answered, and in how many seconds; `problem` where that was one."""

    observed: Observed
    seconds: float
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Aside:
    """What a route's jobs work with. `asides` ask a side without a queue, under `legacy`'s budget where it's legacy's;
    `rate` is the share of calls that are sampled, `deadline` seconds."""

    group: str
    operation: str
    asides: Mapping[Side, Handler]
    legacy: Strained
    rate: float
    extra: float
    """Calls a second that legacy may be asked beside its callers."""
    deadline: float
    slow_over: float | None
    compares: frozenset[Side]
    """The sides whose answers are held against the other's."""
    counts_replacement: bool
    """Whether what the replacement does here counts for the gates: while no caller's calls tell."""
    judge: Judge
    keep: Keep


class _Job(NamedTuple):
    aside: Aside
    call: Call
    side: Side
    bucket: int
    answer: Observed
    begun: float


class Shadows:
    """One snapshot's jobs in this process. `bound` is how many may run at once."""

    def __init__(self, budget: Budget, notes: Notes, bound: int = 4) -> None:
        self._budget, self._notes, self._bound = budget, notes, bound
        self._queues: dict[str, deque[_Job]] = {}
        self._running: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = False

    def sampler(self, aside: Aside) -> Callable[[Call, Side, int, Reply | Problem], None] | None:
        """What `switch` calls when a call has been answered; None: nothing is compared."""
        if not aside.compares or aside.rate <= 0:
            return None
        rate, compares, chance = aside.rate, aside.compares, random.random

        def sample(call: Call, side: Side, bucket: int, reply: Reply | Problem) -> None:
            if chance() < rate and side in compares:
                self._offer(aside, call, side, bucket, reply)

        return sample

    def _offer(self, aside: Aside, call: Call, side: Side, bucket: int, reply: Reply | Problem) -> None:
        group, now = aside.group, time.monotonic()
        if self._ended:  # a call that another snapshot has outlived
            return
        if reply.status >= 500 or (call.page and call.query.get("cursor")):
            # A failure has nothing to be compared, and a later page begins where only its own side knows.
            aside.keep.left_out("failed, or a further page")
            return
        running = self._running.get(group, 0)
        queue = self._queues.get(group)
        if running >= self._bound and queue is not None and len(queue) >= _QUEUE:
            aside.keep.left_out("dropped")
            return
        job = _Job(aside, cloned(call), side, bucket, observed(reply), now)
        if running >= self._bound:
            self._queues.setdefault(group, deque()).append(job)
            return
        self._running[group] = running + 1
        task = asyncio.create_task(self._work(group, job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, group: str, job: _Job | None) -> None:
        """Does the job, and then what waits."""
        try:
            while job is not None:
                await self._safely(job)
                queue = self._queues.get(group)
                job = queue.popleft() if queue else None
        finally:
            self._running[group] -= 1

    async def _safely(self, job: _Job) -> None:
        left_out = job.aside.keep.left_out
        try:
            if time.monotonic() - job.begun > _STALE:
                raise Skipped("stale")
            async with asyncio.timeout(2 * (job.aside.deadline + _LATE)):
                await self._compared(job)
        except Skipped as skipped:
            left_out(str(skipped))
        except TimeoutError:
            left_out("late")
        except Exception:  # broad: no fault of a comparison's may end the worker of the others
            logger.exception("a comparison of group %s failed", job.aside.group)
            left_out("failed here")

    async def _compared(self, job: _Job) -> None:
        aside = job.aside
        if job.side == "legacy":
            replacement = await self._replacement(job)
            legacy = job.answer
        else:
            replacement, legacy = job.answer, (await self._legacy(job, "reverse")).observed
        comparison = await aside.judge(legacy, replacement, None)
        if comparison.verdict == "mismatch":
            try:
                again = await self._legacy(job, "sandwich")
            except Skipped:
                pass  # what isn't known to be legacy's own doing counts against the replacement
            else:
                comparison = await aside.judge(legacy, replacement, again.observed)
        self._notes.note_parity(aside.group, comparison.verdict, comparison.signature, job.bucket)
        aside.keep(aside.operation, comparison)

    async def _replacement(self, job: _Job) -> Observed:
        """The replacement's answer, noted as its callers' would be."""
        aside = job.aside
        asked = await ask(aside.asides["replacement"], cloned(job.call), aside.deadline)
        problem, over = asked.problem, aside.slow_over
        error = problem is not None and is_its_fault(problem, asked.seconds, aside.deadline)
        slow = over is not None and asked.seconds > over
        if aside.counts_replacement:
            self._notes.note(aside.group, "replacement", error=error, slow=slow, key=job.bucket)
        if error:
            raise Skipped("replacement failed")
        return asked.observed

    async def _legacy(self, job: _Job, purpose: Purpose) -> Asked:
        aside = job.aside
        claim = self._budget.take(aside.legacy, purpose, aside.deadline + _LATE, aside.extra)
        if claim is None:
            raise Skipped("no budget")
        asked = await _claimed(claim, ask(aside.asides["legacy"], cloned(job.call), aside.deadline))
        if asked.observed.status >= 500:
            raise Skipped("legacy failed")
        return asked

    def end(self) -> None:
        """Ends all jobs: another snapshot is served."""
        self._ended = True
        self._queues.clear()
        for task in tuple(self._tasks):
            task.cancel()


async def _claimed(claim: Claim, asking: Awaitable[Asked]) -> Asked:
    try:
        return await asking
    finally:
        claim.release()


async def ask(handler: Handler, call: Call, deadline: float) -> Asked:
    """What one side answers to a call, within `deadline` seconds; raises `Skipped` where it had no room for it."""
    call.deadline = time.monotonic() + deadline
    started = time.perf_counter()
    try:
        async with asyncio.timeout(deadline + _LATE):
            reply: Reply | Problem = await handler(call)
    except Problem as problem:
        if isinstance(problem.__cause__, Busy | BreakerOpen):
            raise Skipped("no room") from problem
        return Asked(observed(problem), time.perf_counter() - started, problem)
    return Asked(observed(reply), time.perf_counter() - started)


def observed(reply: Reply | Problem) -> Observed:
    """A reply as comparisons see it."""
    if isinstance(reply, Problem):
        return Observed(reply.status, {"errors": list(reply.errors)}, reply.slug)
    return Observed(reply.status, reply.body)


def cloned(call: Call) -> Call:
    """The call as a job may keep it: nothing of it is the caller's own, nor leads back to its connection."""
    return Call(
        id=call.id,
        operation=call.operation,
        snapshot=call.snapshot,
        method=call.method,
        target=call.target,
        deadline=call.deadline,
        traceparent=call.traceparent,
        path=dict(call.path),
        query=dict(call.query),
        header=dict(call.header),
        body=copy.deepcopy(call.body),
        page=dict(call.page),
        principal=call.principal,
        grant=call.grant,
        policies=call.policies,
        route=call.route,
        effect=call.effect,
        max_reply=call.max_reply,
        batch=True,
        subject_token=call.subject_token,
    )
