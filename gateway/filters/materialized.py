"""Routes that a replica answers: the `get` and `list` of what is captured, without asking its system.

It stands around a route's binding, where what callers may not see isn't left out yet. The replica answers where it is
proven to be new enough for the route and its caller, and has every write that went through the gateway; whatever it
can't tell for certain the system is asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.contract import Json, Source
from gateway.cache.bounds import Bounds, nothing_kept, too_old
from gateway.cache.cache import Cache
from gateway.cache.question import Question
from gateway.cache.waiting import STORED
from gateway.call import Call, Reply, UpstreamCall
from gateway.control_errors import Stale
from gateway.errors import BadUpstreamReply, NotFound, Problem
from gateway.events.answers import KEPT
from gateway.events.bindable import Unanswerable
from gateway.events.model import Standing
from gateway.events.replicas import Answer, Replicas
from gateway.filters.cache import questions
from gateway.pipeline import Around, Handler
from gateway.routing.captures import Materialized
from gateway.routing.captures import materialized as captured
from gateway.routing.freshness import Freshness
from gateway.routing.model import Compiled, MappingFailed, Route
from gateway.store.contract import StoreError
from gateway.upstream import Upstream

_SECOND = 10**9
_HIT = b"figway; hit; detail=replica"


def materialized(
    route: Route, compiled: Compiled, upstreams: Mapping[str, Upstream], cache: Cache, replicas: Replicas
) -> Around | None:
    """The filter of a route that replicas answer; None: they don't."""
    times = route.freshness
    if times is None or not times.materialized:
        return None
    sides: dict[str, _Side] = {}
    for name, question in questions(route, compiled, upstreams).items():
        binding, adapter = question.binding, question.upstream.adapter
        changes = compiled.upstreams[binding.upstream].changes
        found = captured(binding.upstream, changes, adapter, binding.operation)
        if found is not None:
            sides[name] = _Side(route.status, question, found, times, cache, replicas)
    first = "legacy" if route.legacy is not None else "replacement"

    async def around(call: Call, rest: Handler) -> Reply:
        side = sides.get(call.side or first)
        if side is None or call.accepts is None or call.sink is not None:
            return await rest(call)
        return await side.reply(call, call.accepts, rest)

    return around


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a route, and the replica of what it asks."""

    status: int
    question: Question
    asked: Materialized
    times: Freshness
    cache: Cache
    replicas: Replicas

    async def reply(self, call: Call, accepts: Bounds, rest: Handler) -> Reply:
        input = self.question.build(call)
        try:
            found = await self.replicas.answer(self.asked, input)
        except (Unanswerable, StoreError):
            found = None
        if _goes_on(input, self.asked.after):  # the system knows no such position
            return await self._going_on(call, accepts, found)
        if found is not None and self._serves(call, accepts, found.standing):
            return await self._told(call, input, found, _HIT)
        if not accepts.asks:
            raise nothing_kept()
        if found is not None and self.times.refuses and self._behind(found.standing) > self.times.fresh:
            raise self._refused(found.standing)
        return await self._live(call, accepts, rest, input, found)

    # ── whether it serves ────────────────────────────────────────────────────────────────────────────────────

    @staticmethod
    def _behind(standing: Standing) -> float:
        """Seconds for which nothing proves that the replica has all."""
        return max(0.0, time.time() - standing.current)

    def _serves(self, call: Call, accepts: Bounds, standing: Standing) -> bool:
        """Whether it is told without asking the system first."""
        behind, stale = self._behind(standing), 0
        if accepts.max_stale is not None and accepts.max_age is None:
            stale = accepts.max_stale
        if behind > self.times.fresh + stale or accepts.now or not accepts.wants(_moment(standing.true)):
            return False
        proven = time.monotonic_ns() - int(behind * _SECOND)
        return not self.cache.marks.since(self.question.places(call), proven)

    async def _going_on(self, call: Call, accepts: Bounds, found: Answer | None) -> Reply:
        """A further page, which is told from where the first one was, or not at all."""
        if found is None:
            raise Stale(
                "The list can't be continued: the replica that it began in doesn't answer now.",
                fix="Leave the cursor out to start again.",
            )
        if self._behind(found.standing) > self.times.on_error or accepts.now:
            raise self._refused(found.standing)
        return await self._told(call, {}, found, _HIT)

    def _refused(self, standing: Standing) -> Stale:
        problem = too_old(Bounds(), _moment(standing.true))
        behind = self._behind(standing)
        problem.detail = f"The replica is {behind:.0f} s behind, and the route promises {self.times.fresh:g} s."
        problem.fix = "Try again once it has caught up, or leave the cursor out to start a list again."
        return problem

    # ── telling ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _live(
        self, call: Call, accepts: Bounds, rest: Handler, input: Mapping[str, Json], found: Answer | None
    ) -> Reply:
        """What the system answers, or in its stead the replica, where the system fails and the route allows it."""
        try:
            reply = await rest(call)
        except Problem as problem:
            if found is None or problem.status < 500 or not self._instead(accepts, found.standing):
                raise
            told = await self._told(call, input, found, b"figway; hit; fwd=stale; fwd-status=%d" % problem.status)
            told.failed = problem
            return told
        reply.headers.append((b"cache-status", b"figway; fwd=%b" % (b"miss" if found is None else b"stale")))
        return reply

    def _instead(self, accepts: Bounds, standing: Standing) -> bool:
        fits = not accepts.now and accepts.takes(_moment(standing.true))
        return fits and self._behind(standing) <= self.times.on_error > self.times.fresh

    async def _told(self, call: Call, input: Mapping[str, Json], found: Answer, status: bytes) -> Reply:
        """The replica's value as a reply."""
        question, binding = self.question, self.question.binding
        question.watch(call)
        as_of, value = _moment(found.standing.true), found.value
        key = None if self.asked.verb == "list" else ",".join(str(each) for each in input.values())
        source = Source(binding.upstream, self.asked.capture.partition(".")[2], key, as_of=as_of)
        made = UpstreamCall(binding.upstream, binding.operation, 0.0, STORED, (source,))
        call.upstream_calls.append(made)
        if value is None:
            raise NotFound("There is nothing of this name.")
        if binding.version is not None and isinstance(value, dict) and value.get(binding.version) is not None:
            call.version = (binding.upstream, value[binding.version])
        headers = [(b"cache-status", status)]
        return Reply(self.status, await self._mapped(value), as_of, question.side, headers, stored=True)

    async def _mapped(self, value: Json) -> Json:
        output = self.question.binding.output
        if output is None:
            return value
        try:
            return output(value) if output.compiled else await asyncio.to_thread(output, value)
        except MappingFailed as error:
            note = f"output mapping failed: {error}"
            raise BadUpstreamReply("The answer can't be mapped to the route's contract.", note=note) from error


def _goes_on(input: Mapping[str, Json], name: str) -> bool:
    after = input.get(name)
    return isinstance(after, dict) and KEPT in after


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
