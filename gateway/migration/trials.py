"""What the replacement says it would make of writes that legacy answered, at the stage `dry_run`.

A caller never waits for it: its reply is on its way when the replacement is asked, once at a time in each group and
worker, and of a share of the writes only. Held against each other are acceptance, and what legacy answered against
what the replacement says it would answer. No write is ever sent: the replacement is asked through a `Trial`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from adapters.errors import NotTried, Unacknowledged
from gateway.call import Call, Reply
from gateway.errors import Problem
from gateway.migration.compare.model import Observed
from gateway.migration.model import MILLION, Group
from gateway.migration.proofs import Proofs
from gateway.migration.reads import Migrating, judging
from gateway.migration.shadow import Judge, Keep, Skipped, ask, cloned, observed
from gateway.pipeline import Around, Handler
from gateway.routing.model import Route
from gateway.routing.parity_schema import ParityModel

logger = logging.getLogger("figway")

_QUEUE = 32
_STALE = 2.0
"""Seconds after which a write that waits isn't tried any more: others have followed it."""


@dataclass(frozen=True, slots=True)
class Trying:
    """What a route's writes are tried with: `trial` is the replacement's, `rate` the share of writes, `deadline` in
    seconds."""

    group: str
    operation: str
    trial: Handler
    rate: float
    deadline: float
    judge: Judge
    keep: Keep


def trying(means: Migrating, route: Route, group: Group, trial: Handler, deadline: float) -> Trying:
    """What a write of the route is tried with."""
    parity = group.parity or ParityModel()
    keep = means.samples.trying(group, parity, means.notes.generation)
    rate, judge = group.sample / MILLION, judging(route, group, parity)
    return Trying(group.name, route.operation_id, trial, rate, deadline, judge, keep)


class _Job(NamedTuple):
    trying: Trying
    call: Call
    answer: Observed
    begun: float


class Trials:
    """One snapshot's in this process."""

    def __init__(self, proofs: Proofs) -> None:
        self._proofs = proofs
        self._beginning: asyncio.Task[None] | None = None
        self._queues: dict[str, deque[_Job]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ended = False

    def begin(self, groups: Mapping[str, Group], before: Trials | None) -> None:
        """From now on this is served: what was to be tried `before` ends, and proofs of other stages are forgotten."""
        if before is not None:
            before.end()
        self._beginning = asyncio.create_task(asyncio.to_thread(self._proofs.forget, dict(groups)))

    def filter(self, trying: Trying) -> Around:
        """Has a share of what passes tried at the replacement, once it is answered."""
        rate, chance = trying.rate, random.random

        def around(call: Call, rest: Handler) -> Awaitable[Reply]:
            # What has an earlier attempt isn't a new write.
            return rest(call) if call.pinned or chance() >= rate else answered(call, rest)

        async def answered(call: Call, rest: Handler) -> Reply:
            try:
                reply = await rest(call)
            except Problem as problem:
                self._offer(trying, call, problem)
                raise
            self._offer(trying, call, reply)
            return reply

        return around

    def _offer(self, trying: Trying, call: Call, reply: Reply | Problem) -> None:
        if self._ended:  # a call that another snapshot has outlived
            return
        if reply.status >= 500:
            trying.keep.left_out("legacy failed")
            return
        queue = self._queues.setdefault(trying.group, deque())
        if len(queue) >= _QUEUE:
            trying.keep.left_out("dropped")
            return
        queue.append(_Job(trying, cloned(call), observed(reply), time.monotonic()))
        if trying.group not in self._tasks:
            self._tasks[trying.group] = asyncio.create_task(self._work(trying.group, queue))

    async def _work(self, group: str, queue: deque[_Job]) -> None:
        try:
            while queue:
                await self._safely(queue.popleft())
        finally:
            del self._tasks[group]

    async def _safely(self, job: _Job) -> None:
        try:
            await self._compared(job)
        except Skipped as skipped:
            job.trying.keep.left_out(str(skipped))
        except OSError as error:
            logger.error("whether dry runs of group %s are proven can't be told: %s", job.trying.group, error)
            job.trying.keep.left_out("failed here")

    async def _compared(self, job: _Job) -> None:
        trying = job.trying
        if time.monotonic() - job.begun > _STALE:
            raise Skipped("stale")
        job.call.trying = True
        try:
            asked = await ask(trying.trial, job.call, trying.deadline)
        except TimeoutError:
            raise Skipped("late") from None
        if asked.problem is not None:
            _check_tried(asked.problem)
        trying.keep(trying.operation, await trying.judge(job.answer, asked.observed, None))

    def end(self) -> None:
        """Ends all: another snapshot is served."""
        self._ended = True
        self._queues.clear()
        for task in tuple(self._tasks.values()):
            task.cancel()


def _check_tried(problem: Problem) -> None:
    """Raises where a problem isn't the replacement's judgement of the write."""
    if isinstance(problem.__cause__, Unacknowledged):
        raise Skipped("unacknowledged")
    if isinstance(problem.__cause__, NotTried):
        raise Skipped("can't be tried")
    if problem.status >= 500:
        raise Skipped("replacement failed")
