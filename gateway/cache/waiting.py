"""A call that nothing kept serves: it waits for the system's answer, its own or another call's."""

from __future__ import annotations

import asyncio
import copy
import time
from typing import TYPE_CHECKING, NamedTuple

from gateway.cache.bounds import ANY, Bounds, too_old
from gateway.cache.flights import Flight, Landed
from gateway.cache.memory import Entry
from gateway.cache.question import Question
from gateway.call import Call, Reply, UpstreamCall
from gateway.errors import DeadlineExceeded, InternalError, Problem
from gateway.pipeline import Handler

if TYPE_CHECKING:
    from gateway.cache.keeping import Keeping

STORED, SHARED = "stored", "shared"
"""How lineage tells of a system that wasn't asked: its answer was kept, or another call's was waited for."""


class Found(NamedTuple):
    """What there is to a question: its key, the places that its answer depends on, and one that doesn't serve."""

    key: bytes
    places: tuple[int, ...]
    entry: Entry | None
    seen: bytes
    """The fleet's marks."""


class Waiting:
    """One call that the system has to be asked for, by itself or by another."""

    def __init__(
        self,
        keeping: Keeping,
        call: Call,
        question: Question,
        found: Found,
        rest: Handler,
    ) -> None:
        self._keeping, self._call, self._question, self._rest = keeping, call, question, rest
        self._found, self._key, self._entry = found, found.key, found.entry
        self._accepts: Bounds = call.accepts
        self._began = False

    async def reply(self) -> Reply:
        flight = self._joined(None)
        while True:
            now, instead = time.monotonic(), self._keeping.serves_instead(self._entry, self._accepts)
            until = self._call.deadline if flight.last and not instead else min(self._call.deadline, flight.until)
            if until > now:
                await asyncio.wait({flight.task}, timeout=until - now)
            if flight.task.done():
                return await self._landed(flight)
            if instead or time.monotonic() >= self._call.deadline:
                late = DeadlineExceeded(
                    "The system behind the route didn't answer in time.", fix="Try again, or allow more time."
                )
                return self._instead(late)
            flight = self._joined(flight)

    def _joined(self, late: Flight | None) -> Flight:
        """The flight to wait for: another's, where that will do, and isn't the one that is late."""
        flight = self._keeping.flight(self._key)
        if (
            flight is not None
            and flight is not late
            and self._keeping.joins(flight, self._accepts, self._found)
            and (flight.last or time.monotonic() < flight.until)
        ):
            self._began = False
            return flight
        self._began = True
        return self._keeping.fly(self._call, self._question, self._found, self._rest, batch=False)

    async def _landed(self, flight: Flight) -> Reply:
        if flight.task.cancelled():
            raise InternalError("The gateway stopped before the call ended.")
        error = flight.task.exception()
        if error is None:
            return await self._brought(flight, flight.task.result())
        self._note(flight)
        if not isinstance(error, Problem):
            raise InternalError("The gateway failed; the operator can find the call by its id.") from error
        if error.status >= 500:
            return self._instead(error)
        raise error if self._began else again(error)

    async def _brought(self, flight: Flight, landed: Landed) -> Reply:
        entry, call = landed.entry, self._call
        if self._began and landed.reply is not None:
            self._note(flight)
            call.version = entry.version
            reply, why = landed.reply, b"miss" if self._entry is None else b"stale"
            kept = b"; stored" if entry.body is not None else b""
            reply.headers.append((b"cache-status", b"figway; fwd=%b%b" % (why, kept)))
            return reply
        if entry.body is None:  # it can't be shared
            return await self._rest(call)
        return self._keeping.told(call, self._question, entry, b"figway; fwd=miss; collapsed", SHARED)

    def _note(self, flight: Flight) -> None:
        """Has the call tell of those that were made for it: whoever began them tells how long they took."""
        if self._began:
            self._call.upstream_calls += flight.calls
            return
        made = (UpstreamCall(each.upstream, each.operation, 0.0, SHARED) for each in flight.calls)
        self._call.upstream_calls.extend(made)

    def _instead(self, problem: Problem) -> Reply:
        """What there is in place of an answer that didn't come; raises where it is too old, or nothing."""
        entry, accepts = self._entry, self._accepts
        if self._keeping.serves_instead(entry, accepts):
            assert entry is not None
            told = b"figway; hit; fwd=stale; fwd-status=%d" % problem.status
            reply = self._keeping.told(self._call, self._question, entry, told)
            reply.failed = problem
            return reply
        if entry is not None and entry.problem is None and accepts is not ANY:
            raise too_old(accepts, entry.as_of, problem.note or problem.detail) from problem
        raise problem if self._began else again(problem)


def again(problem: Problem) -> Problem:
    """A problem for another caller: each has one of its own."""
    made = copy.copy(problem)
    made.__cause__ = problem.__cause__
    return made
