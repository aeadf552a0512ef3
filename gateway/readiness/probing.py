"""Live probes: reads only, few, one at a time but for one short burst, in the gateway's own name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import orjson

from adapters.contract import Context, Effect, Json, Result
from gateway.call import Call, Principal, Reply, new_id
from gateway.errors import Problem
from gateway.pipeline import Handler
from gateway.readiness.model import SECOND, Burst, Probed, Timing
from gateway.readiness.samples import Sample
from gateway.routing.model import Route
from gateway.telemetry import continue_trace
from gateway.upstream import Upstream

PRINCIPAL = Principal("figway:readiness")
AT_ONCE, _ROUNDS = 4, 2
_ENOUGH = 3
"""Calls after which no more are made where each took longer than it may."""
_EXCUSED: Mapping[str, str] = {
    "not-found": "mend the contract's example: it names what isn't there",
    "invalid-request": "mend the contract's example: the route itself refuses it",
    "rejected": "mend the contract's example: the system refuses it",
    "forbidden": f"let the upstream's `callers` map {PRINCIPAL.id}, or call the route by hand",
    "upstream-refused": "give the gateway credentials that the system takes",
    "upstream-busy": "ask again when fewer callers wait",
    "closed": "ask again when it is open",
    "not-built": "bind the route once there is a system",
}
"""Problems that say nothing of how fast a system is, each with the next step."""


class Once:
    """An upstream as a probe sees it: one attempt, and no place in the queue."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def call(self, operation: str, input: Mapping[str, Json], *, effect: Effect, context: Context) -> Awaitable[Result]:
        """Asks; raises `Busy` where its callers use every connection."""
        return self._upstream.once(operation, input, context=context, purpose="readiness")

    resume = look = call


@dataclass(frozen=True, slots=True)
class Asking:
    """One read with all that judges its reply. `deadline` in seconds."""

    route: Route
    handler: Handler
    sample: Sample
    deadline: float

    async def once(self) -> tuple[float, Call, Reply]:
        """Seconds, the call and its reply; raises `Problem`."""
        call = self._call()
        started = time.perf_counter()
        reply = await self.handler(call)
        return time.perf_counter() - started, call, reply

    def _call(self) -> Call:
        route, asked = self.route, self.sample
        body = b"" if asked.body is None else orjson.dumps(asked.body)
        media = next(iter(route.body.media), "") if route.body is not None else ""
        headers = {name.lower().encode(): value.encode() for name, value in asked.header.items()}

        async def read_body() -> bytes:
            return body

        return Call(
            id=new_id(),
            operation=route.operation_id,
            snapshot=0,
            method=route.method,
            target=route.path,
            deadline=time.monotonic() + self.deadline,
            traceparent=continue_trace(None),
            path=dict(asked.path),
            raw_query=urlencode(asked.query).encode(),
            raw_headers={b"content-type": media.encode(), **headers} if media else headers,
            read_body=read_body,
            principal=PRINCIPAL,
            route=route.path,
            effect=route.effect.value,
        )


async def probed(asking: Asking, calls: int, until: float) -> Probed:
    """Asks `calls` times, one behind the other, until `until` (monotonic) at the latest; less often where it is clear
    that the answers take too long."""
    took: list[float] = []
    sources = empty = False
    while len(took) < calls and (not took or time.monotonic() < until):
        try:
            seconds, call, reply = await asking.once()
        except Problem as problem:
            return _failed(problem, took)
        took.append(seconds)
        sources = any(each.sources for each in call.upstream_calls)
        empty = asking.route.is_list and isinstance(reply.body, dict) and not reply.body.get("items")
        if len(took) == _ENOUGH and min(took) > SECOND:
            break
    return Probed(Timing(tuple(took)), sources=sources, empty=empty)


def _failed(problem: Problem, took: Sequence[float]) -> Probed:
    timing = Timing(tuple(took)) if took else None
    said = problem.title[:1].lower() + problem.title[1:]
    step = _EXCUSED.get(problem.slug, "")
    return Probed(timing, f"call {len(took) + 1}: {said}", excused=bool(step) and not took, next=step)


async def burst(asking: Asking, concurrency: int, alone: float) -> Burst:
    """Some calls at once, twice: never more than the upstream takes, and of one that takes over a second for one call
    alone no more than two, once."""
    slow = alone > SECOND
    at_once, rounds = min(2 if slow else AT_ONCE, concurrency), 1 if slow else _ROUNDS
    took: list[float] = []
    failed = 0
    for _ in range(rounds):
        for outcome in await asyncio.gather(*(asking.once() for _ in range(at_once)), return_exceptions=True):
            if isinstance(outcome, Problem):
                failed += 1
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                took.append(outcome[0])
    return Burst(at_once, at_once * rounds, Timing(tuple(took)) if took else None, failed)
