"""Undoing a composite that failed: what undoes each part that was done is called, the last part first.

A part whose outcome isn't known is asked for; where nobody can tell, nothing undoes it, unless the contract says that
this does no harm. What came before a part that can't be undone stays as it is: it may be what that one stands on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from adapters.contract import Effect, Json
from gateway.call import Call, Principal
from gateway.compose import notes
from gateway.compose.step_call import place, step_call
from gateway.errors import Forbidden, Problem, UnknownOutcome
from gateway.limit_errors import Stopped
from gateway.operations.outcome import reply_of
from gateway.operations.parts import Part, PartState
from gateway.operations.parts_ledger import PartLedger
from gateway.operations.record import OperationState, StoredOperation, caller_digest, key_within, scoped_key
from gateway.pipeline import Handler
from gateway.routing.model import Composite, Route
from gateway.upstream import NeverHappened

_UNDO = "~"
"""What the step of a compensation's call ends in, and so its idempotency key; no step's name has it."""
_CAUSES = 5
_GONE = "its route isn't there any more"


class _Seen(NamedTuple):
    """A part after a look at it. `again`: something can be done later. `stop`: those before it stay as they are."""

    part: Part
    again: bool = False
    stop: bool = False


class Undone(NamedTuple):
    """What undoing came to: the parts as they are, and whether it goes on later."""

    parts: list[Part]
    again: bool

    @property
    def clean(self) -> bool:
        """Whether nothing is left of it."""
        return not self.again and all(each.state in (PartState.NOT_DONE, PartState.UNDONE) for each in self.parts)


@dataclass(frozen=True, slots=True)
class Undoing:
    """What undoes composites of one snapshot; `handlers` is filled before any call.

    `may` tells whether a principal may call a route, `tells` whether an upstream of a route can say what became of a
    write, `deadline` how many seconds a call of a route has.
    """

    ledger: PartLedger
    routes: Mapping[str, Route]
    handlers: Mapping[str, Handler]
    may: Callable[[Principal, Route], bool]
    tells: Callable[[Route], bool]
    deadline: Callable[[Route], float]

    def check(self, composite: Composite, principal: Principal) -> None:
        """Raises `Forbidden` for who may not call what would undo it: then nothing is begun."""
        for step in composite.steps:
            undo = step.compensate
            if undo is not None and not self.may(principal, self.routes[undo.route]):
                raise Forbidden(
                    f"You may not call '{undo.route}', which would have to undo this if a part of it failed.",
                    fix="Ask the owner of the gateway's policies for it; nothing was sent.",
                )

    async def undo(self, whole: Call, until: float) -> Undone:
        """Undoes what can be undone of the operation `whole.kept`; what it comes to after `until`, on
        `time.monotonic()`'s clock, is left for later. Raises `StateUnavailable`."""
        parts = await self.ledger.parts(whole.kept)
        again = False
        for at in reversed(range(len(parts))):
            late = time.monotonic() > until
            seen = (
                _Seen(parts[at], again=True, stop=True)
                if late and _open(parts[at])
                else await self._one(whole, parts[at])
            )
            if seen.part != parts[at]:
                parts[at] = seen.part
                await self.ledger.note_part(whole.kept, seen.part)
            again = again or seen.again
            if seen.stop:
                break
        return Undone(parts, again)

    async def _one(self, whole: Call, part: Part) -> _Seen:
        if part.state in (PartState.NOT_DONE, PartState.UNDONE):
            return _Seen(part)
        if part.state is PartState.LEFT:
            return _Seen(part, stop=True)
        if part.state in (PartState.SENT, PartState.UNKNOWN):
            part, again = await self._looked_up(whole, part)
            if again:
                return _Seen(part, again=True, stop=True)
            if part.state is PartState.NOT_DONE:
                return _Seen(part)
        undo = notes.read(part.undo).get("undo")
        if undo is None:
            return _Seen(part)  # nothing undoes it, as its contract has it
        if part.state is PartState.UNKNOWN and not undo["if_unknown"]:
            return _Seen(part, stop=True)
        return await self._compensated(whole, part, undo)

    async def _compensated(self, whole: Call, part: Part, undo: Mapping[str, Any]) -> _Seen:
        route = self.routes.get(undo["route"])
        if route is None or undo.get("broken"):
            why = _GONE if route is None else "its reply lacks what would undo it"
            return _Seen(part._replace(state=PartState.LEFT, note=why), stop=True)
        try:
            await self._sent(whole, route, part.key + _UNDO, dict(undo["input"]))
        except Problem as problem:
            unknown = isinstance(problem, UnknownOutcome)
            if _passes(problem) or (unknown and self._resumes(route)):
                return _Seen(part._replace(note=problem.title), again=True, stop=True)
            why = "whether it was undone isn't known" if unknown else problem.title.lower()
            return _Seen(part._replace(state=PartState.LEFT, note=f"{route.operation_id}: {why}"), stop=True)
        return _Seen(part._replace(state=PartState.UNDONE, note=""))

    async def _looked_up(self, whole: Call, part: Part) -> tuple[Part, bool]:
        """The part once it is known what became of it, as far as that can be, and whether to look again later."""
        route = self.routes.get(part.route)
        if route is None:
            return part._replace(state=PartState.UNKNOWN, note=_GONE), False
        found = await self.ledger.find(self._key(whole, part))
        if found is None:
            half = route.compose is not None and not route.compose.undoes
            # It is kept before it is sent, so it wasn't; but for one that gives its key back when half of it is done.
            state = part.state if half or part.state is PartState.UNKNOWN else PartState.NOT_DONE
            return _known(part._replace(state=state)), False
        if found.state is OperationState.FAILED:
            return part._replace(state=PartState.NOT_DONE), False
        if found.state is OperationState.SUCCEEDED:
            return self._done(part, found), False
        if found.state is OperationState.RUNNING or await self.ledger.phase(found.id) not in ("", "over"):
            return part, True
        return await self._asked(whole, part, route)

    async def _asked(self, whole: Call, part: Part, route: Route) -> tuple[Part, bool]:
        """The same, where the route itself can be asked: by looking, or by doing again what may be repeated."""
        asked = notes.read(part.undo).get("call")
        if asked is None or not self._resumes(route):
            return _known(part), False
        try:
            made = self._made(whole, route, part.key)
            made.path, made.query, made.header, made.body = (
                asked[name] for name in ("path", "query", "header", "body")
            )
            made.looking = self.tells(route)
            reply = await self.handlers[route.operation_id](made)
        except Problem as problem:
            if _never_happened(problem):
                return part._replace(state=PartState.NOT_DONE, note=""), False
            return part._replace(note=problem.title), _passes(problem) or isinstance(problem, UnknownOutcome)
        assert part.undo is not None
        return part._replace(state=PartState.DONE, undo=notes.after(part.undo, reply.body), note=""), False

    def _done(self, part: Part, found: StoredOperation) -> Part:
        body: Json = None
        if found.outcome is not None:
            reply = reply_of(found.outcome, found.id, orjson.loads(found.outcome)["sight"])
            body = reply.body if reply.encoded is None else orjson.loads(reply.encoded)
        undo = None if part.undo is None else notes.after(part.undo, body)
        return part._replace(state=PartState.DONE, undo=undo, note="")

    def _resumes(self, route: Route) -> bool:
        """Whether a write of unknown outcome can be asked for, or done again."""
        return route.compose is None and (route.effect is Effect.IDEMPOTENT_WRITE or self.tells(route))

    def _key(self, whole: Call, part: Part) -> bytes:
        assert whole.principal is not None
        return scoped_key(caller_digest(whole.principal), part.route, key_within(whole.kept, part.key))

    def _made(self, whole: Call, route: Route, key: str) -> Call:
        return step_call(whole, route, key, time.monotonic() + self.deadline(route))

    async def _sent(self, whole: Call, route: Route, key: str, input: dict[str, Json]) -> None:
        made = self._made(whole, route, key)
        made.undoing = True
        place(made, route, input)
        try:
            await self.handlers[route.operation_id](made)
        finally:
            whole.upstream_calls += made.upstream_calls


def _never_happened(problem: Problem) -> bool:
    """Whether the upstream said so; the problem may have become another one on its way."""
    cause, seen = problem.__cause__, 0
    while cause is not None and seen < _CAUSES and not isinstance(cause, NeverHappened):
        cause, seen = cause.__cause__, seen + 1
    return isinstance(cause, NeverHappened)


def _passes(problem: Problem) -> bool:
    """Whether the same may work later: also where somebody has stopped the caller, who may be resumed."""
    return problem.retryable or isinstance(problem, Stopped)


def _open(part: Part) -> bool:
    return part.state in (PartState.SENT, PartState.UNKNOWN, PartState.DONE)


def _known(part: Part) -> Part:
    return part._replace(state=PartState.UNKNOWN) if part.state is PartState.SENT else part


def told(parts: Sequence[Part], *, again: bool) -> str:
    """Sentences on what became of the parts, each by its name, once."""

    def named(*states: PartState) -> str:
        return ", ".join(dict.fromkeys(each.step for each in parts if each.state in states))

    groups = (
        ("Undone", named(PartState.UNDONE)),
        ("Done, and not undone", named(PartState.DONE, PartState.LEFT)),
        ("Not known", named(PartState.UNKNOWN, PartState.SENT)),
    )
    sentences = [f"{head}: {names}." for head, names in groups if names]
    return " ".join([*sentences, *(["What isn't undone yet is tried again."] if again else [])])
