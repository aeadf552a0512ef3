"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) and `Prefer: respond-async` (RFC 7240): a write with
either is kept before it is sent, so that the same request sent again gets the same reply and has no second effect.

A key counts per issuer, tenant, principal, agent and route, for 24 hours. It may be written as a structured field's
string (RFC 8941 §3.3.3), as the draft has it, or bare, as most callers do.
"""

from __future__ import annotations

import asyncio
import re
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

from adapters.contract import Effect
from gateway.call import Call, Reply
from gateway.errors import BadRequest, IdempotencyInProgress, IdempotencyMismatch, Problem, UnknownOutcome
from gateway.filters.fingerprint import fingerprint
from gateway.instants import spelt_of
from gateway.operations.outcome import reply_of
from gateway.operations.record import Begun, Intent, OperationState, StoredOperation, key_within, scoped_key
from gateway.operations.service import Operations, intent_of, told_unknown
from gateway.operations.undoable import told_left
from gateway.pipeline import Around, Handler
from gateway.policy.sight import Sights
from gateway.routing.model import Route

MOST_KEY = 255
_STRING = re.compile(rb'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BARE = re.compile(rb"[!#-+\--:<-~]+")  # visible ASCII but quotes, commas and semicolons
_ESCAPED = re.compile(rb'\\(["\\])')
_ASYNC = re.compile(rb"(?:^|[,;\s])respond-async(?:$|[,;\s])")
_WAIT = re.compile(rb"(?:^|[,;\s])wait=\"?([0-9]{1,6})")


Gate: TypeAlias = Callable[[Call], Awaitable[None]]


def key_of(header: bytes) -> bytes:
    """The key in an `Idempotency-Key` header: 1 to 255 characters of ASCII. Raises `BadRequest`."""
    quoted = _STRING.fullmatch(header)
    key = _ESCAPED.sub(rb"\1", quoted[1]) if quoted else header if _BARE.fullmatch(header) else b""
    if not 0 < len(key) <= MOST_KEY:
        raise BadRequest(
            f"Idempotency-Key must be a string of 1 to {MOST_KEY} characters of ASCII.",
            fix='Send a new UUID for each change, such as Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324".',
        )
    return key


def idempotency(
    route: Route,
    operations: Operations,
    sights: Sights,
    *,
    tells: bool,
    deadline: float,
    side: str = "",
    needs_key: bool = False,
    gate: Gate | None = None,
) -> Around:
    """A filter for writes: one with a key, or to be answered later, is kept before it's sent; of any other it's kept
    only that its outcome is unknown. `tells`: the upstream can say what became of a write; `deadline` in seconds.
    `side` is the one that does the writes now, where there are two; a key stays with the side that had it. `gate` is
    asked of each write before it is sent, and not of one whose reply is known: it raises where it may not be sent."""
    composite, undoes = route.compose is not None, route.compose is not None and route.compose.undoes
    resume_after = _resume_after(route, tells, deadline)

    async def around(call: Call, rest: Handler) -> Reply:
        key, later = _key(call, needs_key), _wait_of(call)
        if key is None and later is None and not undoes:
            return await _unkept(call, rest, operations, gate)
        assert call.principal is not None
        intent = replace(intent_of(call), side=side, snapshot=call.snapshot)
        sight = sights.of(call.principal, route.operation_id)
        if key is not None:
            intent = _keyed(call, intent, key, resume_after)
        begun = (await operations.begin(intent))._replace(promised=later is not None)
        if not begun.taken:
            call.noted["operation_id"] = begun.operation.id
            return _again(begun, sight)
        call.resuming, call.kept, call.repeated = begun.resumed and tells, begun.operation.id, begun.resumed
        if begun.resumed and side:
            call.pinned = begun.operation.side or "legacy"
        await _admitted(call, begun, operations, gate)
        if undoes:  # sent again it is done anew, or not at all: its parts' keys are of this time
            call.idempotency_key = begun.operation.id
        task = operations.run(call, begun, rest(call), sight, composite, undoes=undoes)
        if later is None:
            return await asyncio.shield(task)
        done, _ = await asyncio.wait((task,), timeout=later)
        if done:
            return task.result()
        call.later = task
        operations.record_late(task, call)
        return _accepted(begun)

    return around


async def _unkept(call: Call, rest: Handler, operations: Operations, gate: Gate | None) -> Reply:
    """Makes a write that isn't kept, unless nobody knows its end."""
    if gate is not None:
        await gate(call)
    try:
        return await rest(call)
    except UnknownOutcome as problem:
        if problem.operation is not None:
            raise
        raise await operations.note_unknown(call, problem) from problem


async def _admitted(call: Call, begun: Begun, operations: Operations, gate: Gate | None) -> None:
    """Asks the gate of a write that is kept, and takes that back where it isn't let through."""
    if gate is not None:
        try:
            await gate(call)
        except BaseException:
            await operations.withdraw(begun)
            raise


def _resume_after(route: Route, tells: bool, deadline: float) -> float | None:
    """When a write of unknown outcome may be taken up again. What can be repeated without harm: at once. What the
    upstream can tell of: once it can't be under way any more. Else never."""
    if route.compose is not None and route.compose.undoes:
        return None
    if route.compose is not None or route.effect is Effect.IDEMPOTENT_WRITE:
        return 0.0
    return deadline if tells else None


def _key(call: Call, needed: bool) -> bytes | None:
    """The call's key; raises `BadRequest` where it is `needed` and missing."""
    if call.parent is not None:
        over = call.parent.idempotency_key
        key = None if over is None else key_within(over, call.step)
    else:
        header = call.raw_headers.get(b"idempotency-key")
        key = None if header is None else key_of(header)
    if key is None and needed:
        raise BadRequest(
            "This write needs an Idempotency-Key: two systems are to see it, each of them once.",
            fix="Send a new UUID as Idempotency-Key with each change, and the same one to send it again.",
        )
    return key


def _wait_of(call: Call) -> float | None:
    """How many seconds to wait before the call is answered as one that goes on; None: to its end."""
    prefer = None if call.parent is not None else call.raw_headers.get(b"prefer")
    if prefer is None or not _ASYNC.search(lowered := prefer.lower()):
        return None
    wait = _WAIT.search(lowered)
    return float(wait[1]) if wait else 0.0


def _keyed(call: Call, intent: Intent, key: bytes, resume_after: float | None) -> Intent:
    scoped = scoped_key(intent.caller, call.operation, key)
    call.idempotency_key = urlsafe_b64encode(scoped).rstrip(b"=").decode()
    return replace(intent, key=scoped, fingerprint=fingerprint(call), resume_after=resume_after)


def _again(begun: Begun, sight: str) -> Reply:
    """What a request with a known key is answered: the reply that was kept, if the caller may still see as much."""
    found = begun.operation
    if not begun.same:
        raise IdempotencyMismatch(
            "This idempotency key was given to another request.",
            fix="Send a new key for another change; for the same one, send the same path, parameters and body.",
        )
    if found.state is OperationState.RUNNING:
        raise IdempotencyInProgress(
            "The first request with this idempotency key hasn't ended.", retry_after=1, operation=found.id
        )
    if found.state is OperationState.UNKNOWN:
        raise _unknown(found, sight)
    return reply_of(found.outcome, found.id, sight)


def _unknown(found: StoredOperation, sight: str) -> Problem:
    if found.outcome is not None:  # of a composite: what is left of it
        try:
            reply_of(found.outcome, found.id, sight)
        except Problem as kept:
            return told_left(kept, found.id)
    problem = UnknownOutcome("What became of the first request with this key isn't known.")
    return told_unknown(problem, found.id)


def _accepted(begun: Begun) -> Reply:
    found = begun.operation
    created = spelt_of(found.created, "milliseconds")
    body = {"id": found.id, "route": found.route, "state": "running", "created": created}
    headers = [
        (b"location", f"/-/operations/{found.id}".encode()),
        (b"preference-applied", b"respond-async"),
    ]
    return Reply(202, body, headers=headers)
