"""The answers that are kept of one route: which of them serve, and how the next one is come by."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from time import monotonic_ns

import orjson

from gateway.cache.bounds import ANY, Bounds, nothing_kept
from gateway.cache.cache import Cache
from gateway.cache.flights import Flight, Landed
from gateway.cache.memory import Entry
from gateway.cache.question import Question, behind
from gateway.cache.waiting import STORED, Found, Waiting, again
from gateway.call import Call, Reply, UpstreamCall
from gateway.errors import NotFound
from gateway.pipeline import Handler
from gateway.routing.freshness import Freshness

_SECOND = 10**9
_ABSENT = 10.0
"""Seconds for which it is kept, at most, that there is no such thing."""
_HOT, _AHEAD = 8, 0.8
"""An answer that was told so often has its successor fetched at this share of its time."""
_PAUSE = _SECOND


class Keeping:
    """The answers of one route. `deadline`: seconds that a call of its system may take."""

    def __init__(self, times: Freshness, cache: Cache, deadline: float) -> None:
        self._times, self._cache, self._deadline = times, cache, deadline

    async def answer(self, call: Call, question: Question, accepts: Bounds, rest: Handler) -> Reply:
        key = question.key(call)
        if key is None:
            return await rest(call)
        cache, places = self._cache, question.places(call)
        entry = cache.memory.get(key)
        if entry is not None and cache.marks.since(places, entry.asked):
            cache.memory.drop(key)
            entry = None
        seen = b""
        if cache.far is not None:
            look = await cache.far.look(key, entry, places)
            if look is None and accepts.asks:
                return await rest(call)
            if look is None:
                raise nothing_kept()
            if look.entry is not None and look.entry is not entry:
                cache.memory.put(key, look.entry)
            seen, entry = look
        found = Found(key, places, entry, seen)
        if entry is not None:
            now = monotonic_ns()
            age = (now - entry.asked) / _SECOND
            if self._serves(entry, age, accepts):
                if age > self._times.fresh * _AHEAD and entry.problem is None and now >= entry.pause:
                    self._next(call, question, found, entry, age, rest)
                return self.told(call, question, entry, b"figway; hit; ttl=%d" % math.floor(self._times.fresh - age))
        if not accepts.asks:
            raise nothing_kept()
        return await Waiting(self, call, question, found, rest).reply()

    # ── whether an entry serves ──────────────────────────────────────────────────────────────────────────────

    def _serves(self, entry: Entry, age: float, accepts: Bounds) -> bool:
        """Whether an entry that was asked for `age` seconds ago is told without asking the system first."""
        times = self._times
        if entry.problem is not None:
            return age <= min(times.fresh, _ABSENT) and (accepts is ANY or self._permits(entry, accepts))
        if accepts is ANY:
            return age <= times.revalidating
        if not accepts.asks:
            return age <= times.kept and accepts.takes(entry.as_of)
        limit = times.revalidating
        if accepts.max_stale is not None and accepts.max_age is None:
            limit = min(times.fresh + accepts.max_stale, times.kept)
        return age <= limit and self._permits(entry, accepts)

    @staticmethod
    def _permits(entry: Entry, accepts: Bounds) -> bool:
        return entry.asked >= accepts.arrived if accepts.now else accepts.wants(entry.as_of)

    def serves_instead(self, entry: Entry | None, accepts: Bounds) -> bool:
        """Whether it is told where the system fails."""
        if entry is None or entry.problem is not None or accepts.now or not accepts.takes(entry.as_of):
            return False
        times, limit = self._times, self._times.on_error
        if accepts.max_stale is not None:
            limit = times.kept if accepts.max_age is not None else min(times.fresh + accepts.max_stale, times.kept)
        return (monotonic_ns() - entry.asked) / _SECOND <= limit

    # ── telling ──────────────────────────────────────────────────────────────────────────────────────────────

    @staticmethod
    def told(call: Call, question: Question, entry: Entry, status: bytes, outcome: str = STORED) -> Reply:
        """An entry as a reply; raises the problem that it holds."""
        question.watch(call)
        binding = question.binding
        call.upstream_calls.append(UpstreamCall(binding.upstream, binding.operation, 0.0, outcome, entry.sources))
        entry.hits += 1
        if entry.problem is not None:
            raise again(entry.problem)
        assert entry.body is not None
        call.version = entry.version
        return Reply(
            entry.status,
            orjson.loads(entry.body),
            entry.as_of,
            question.side,
            [*entry.headers, (b"cache-status", status)],
            entry.warnings,
            stored=True,
        )

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────

    def _next(self, call: Call, question: Question, found: Found, entry: Entry, age: float, rest: Handler) -> None:
        """Gets the next answer behind one that is told: where that is stale, or is told often and soon will be."""
        if age <= self._times.fresh and entry.hits < _HOT:
            return
        entry.pause = monotonic_ns() + _PAUSE
        if self._cache.flights.get(found.key) is not None or question.upstream.strained:
            return
        if age > self._times.fresh:
            self.fly(call, question, found, rest, batch=True)
        elif claim := self._cache.claim(question.upstream, self._deadline):
            held = claim
            flight = self.fly(call, question, found, rest, batch=True)
            flight.task.add_done_callback(lambda _: held.release())

    def fly(self, call: Call, question: Question, found: Found, rest: Handler, *, batch: bool) -> Flight:
        """Asks the system, on nobody's behalf."""
        made = behind(call, self._deadline, batch=batch)

        async def fetch(asked: int) -> Landed:
            began, begun = time.monotonic(), datetime.now(UTC)
            try:
                reply = await rest(made)
            except NotFound as problem:
                entry = Entry(problem.status, b"", begun, asked, problem=problem)
                self._keep(found, entry)
                return Landed(entry)
            question.usual.note(time.monotonic() - began)
            entry = entry_of(made, reply, asked, begun)
            self._keep(found, entry)
            return Landed(entry, reply)

        return self._cache.flights.begin(found.key, question.usual.patience, fetch, made.upstream_calls, found.seen)

    def _keep(self, found: Found, entry: Entry) -> None:
        memory, far, key = self._cache.memory, self._cache.far, found.key
        before, entry.seen = memory.peek(key), found.seen
        if entry.body is not None and (before is None or before.asked <= entry.asked):
            memory.put(key, entry)
            if far is not None:
                far.keep(key, entry, self._times.kept)

    def joins(self, flight: Flight, accepts: Bounds, found: Found) -> bool:
        """Whether what a flight brings will do: nothing was changed since it began, and it is new enough."""
        if flight.task.done() or flight.seen != found.seen or self._cache.marks.since(found.places, flight.asked):
            return False
        if accepts is ANY:
            return True
        if accepts.now and flight.asked < accepts.arrived:
            return False
        return accepts.max_age is None or accepts.arrived - flight.asked <= accepts.max_age * _SECOND

    def flight(self, key: bytes) -> Flight | None:
        """The latest one to a question."""
        return self._cache.flights.get(key)


def entry_of(call: Call, reply: Reply, asked: int, begun: datetime) -> Entry:
    """What a system answered, to be kept."""
    try:
        body: bytes | None = None if reply.content is not None else orjson.dumps(reply.body)
    except orjson.JSONEncodeError:
        body = None
    sources = tuple(source for each in call.upstream_calls for source in each.sources)
    headers = list(reply.headers)
    return Entry(reply.status, body, reply.as_of or begun, asked, headers, sources, reply.warnings, call.version)
