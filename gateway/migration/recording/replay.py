"""A recording played to one side, and what it answers held against what legacy answered then."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.call import Call, Principal, new_id
from gateway.errors import Problem
from gateway.migration.compare.comparer import Comparer, compile_parity
from gateway.migration.compare.model import Comparison, Observed
from gateway.migration.compare.redact import Redactor
from gateway.migration.compare.summary import Summary
from gateway.migration.model import Group
from gateway.migration.recording.blind import Blind, blinded, judged
from gateway.migration.recording.model import Exchange, Head
from gateway.migration.shadow import Skipped, ask
from gateway.pipeline import Handler
from gateway.routing.model import Route
from gateway.routing.parity_schema import ParityModel
from gateway.telemetry import continue_trace

_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Player:
    """What plays the exchanges of one route; `trying`: as dry runs. `deadline` in seconds."""

    route: Route
    handler: Handler
    comparer: Comparer
    blind: Blind
    parity: ParityModel
    deadline: float
    trying: bool

    async def played(self, exchange: Exchange) -> Comparison:
        """Asks, and compares; raises `Skipped`."""
        call = _call(self.route, exchange, self.trying)
        try:
            asked = await ask(self.handler, call, self.deadline)
        except TimeoutError:
            raise Skipped("late") from None
        observed = asked.observed
        if isinstance(asked.problem, Problem) and asked.problem.status >= 500:
            observed = Observed(asked.problem.status, None, asked.problem.slug)
        shown = await asyncio.to_thread(self.blind.reply, observed)
        return judged(await asyncio.to_thread(self.comparer.compare, exchange.reply, shown), self.parity)


def player(route: Route, handler: Handler, group: Group, head: Head, deadline: float, *, trying: bool) -> Player:
    """What plays a route's exchanges of a recording to `handler`, by the group's rules of today."""
    given: ParityModel = group.parity or ParityModel()
    # What was kept, and what hidden, is the recording's affair: both sides are hidden alike.
    parity = blinded(given.model_copy(update={"samples": head.samples}), head.key)
    today = datetime.now(UTC).date()
    comparer = compile_parity(parity, route.reply, today, owner=group.owner, expires=group.expires)
    blind = Blind(comparer, Redactor(head.samples), head.key)
    return Player(route, handler, comparer, blind, parity, deadline, trying)


@dataclass(slots=True)
class Played:
    """What came of a replay."""

    summary: Summary = field(default_factory=Summary)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def result(self) -> str:
        """`alike`, `different` or `inconclusive`."""
        if self.summary.verdicts["mismatch"]:
            return "different"
        return "inconclusive" if self.summary.inconclusive else "alike"

    def to_json(self) -> dict[str, Any]:
        """It as JSON."""
        worst = [{"at": at, "kind": kind, **place.to_json()} for at, kind, place in self.summary.worst()]
        return {"result": self.result, **self.summary.to_json(), "left_out": dict(self.left_out), "worst": worst}


async def replay(head: Head, exchanges: Iterable[Exchange], players: Mapping[str, Player]) -> Played:
    """Plays all of them, four at a time; raises `BadRecording` for a line that is none."""
    played, redactor = Played(), Redactor(head.samples)

    async def one(exchange: Exchange) -> None:
        found = players.get(exchange.operation)
        if found is None:
            played.left_out[f"{exchange.operation} can't be asked there"] += 1
            return
        try:
            played.summary.add(await found.played(exchange), redactor)
        except Skipped as skipped:
            played.left_out[str(skipped)] += 1
            played.summary.add(Comparison("incomparable", reason=str(skipped)))

    running: set[asyncio.Task[None]] = set()
    async for exchange in _read(exchanges):
        if len(running) == _AT_ONCE:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        running.add(asyncio.create_task(one(exchange)))
    await asyncio.gather(*running)
    return played


async def _read(exchanges: Iterable[Exchange]) -> AsyncIterator[Exchange]:
    """The lines, read on a thread."""
    lines = iter(exchanges)
    while (found := await asyncio.to_thread(next, lines, None)) is not None:
        yield found


def _call(route: Route, exchange: Exchange, trying: bool) -> Call:
    request = exchange.request
    return Call(
        id=new_id(),
        operation=route.operation_id,
        snapshot=0,
        method=route.method,
        target=route.path,
        deadline=time.monotonic(),
        traceparent=continue_trace(None),
        path=dict(request["path"]),
        query=dict(request["query"]),
        header=dict(request["header"]),
        body=request.get("body"),
        principal=Principal("replay"),
        route=route.path,
        effect=route.effect.value,
        trying=trying,
    )
