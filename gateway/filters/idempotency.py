"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) and `Prefer: respond-async` (RFC 7240): a write with
either is kept before it is sent, so that the same request sent again gets the same reply and has no second effect.

A key counts per issuer, tenant, principal, agent and route, for 24 hours. It may be written as a structured field's
string (RFC 8941 §3.3.3), as the draft has it, or bare, as most callers do.
"""

from __future__ import annotations

import asyncio
import re
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson

from adapters.contract import Effect
from gateway.call import Call, Reply
from gateway.errors import BadRequest, IdempotencyInProgress, IdempotencyMismatch, Problem, UnknownOutcome
from gateway.operations.outcome import reply_of
from gateway.operations.record import Begun, Intent, OperationState
from gateway.operations.service import Operations, intent_of, told_unknown
from gateway.pipeline import Around, Handler
from gateway.policy.sight import Sights
from gateway.routing.model import Route

MOST_KEY = 255
_STRING = re.compile(rb'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BARE = re.compile(rb"[!#-+\--:<-~]+")  # visible ASCII but quotes, commas and semicolons
_ESCAPED = re.compile(rb'\\(["\\])')
_ASYNC = re.compile(rb"(?:^|[,;\s])respond-async(?:$|[,;\s])")
_WAIT = re.compile(rb"(?:^|[,;\s])wait=\"?([0-9]{1,6})")
# Headers that say how a request is to be done, not what it asks for.
_MANNER = frozenset({"idempotency-key", "prefer", "authorization", "traceparent", "figway-approval", "figway-plan"})


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
) -> Around:
    """A filter for writes: one with a key, or to be answered later, is kept before it's sent; of any other it's kept
    only that its outcome is unknown. `tells`: the upstream can say what became of a write; `deadline` in seconds.
    `side` is the one that does the writes now, where there are two; a key stays with the side that had it."""
    composite = route.compose is not None
    resume_after = _resume_after(route, tells, deadline)

    async def around(call: Call, rest: Handler) -> Reply:
        key, later = _key(call, needs_key), _wait_of(call)
        if key is None and later is None:
            try:
                return await rest(call)
            except UnknownOutcome as problem:
                if problem.operation is not None:
                    raise
                raise await operations.note_unknown(call, problem) from problem
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
        task = operations.run(call, begun, rest(call), sight, composite)
        if later is None:
            return await asyncio.shield(task)
        done, _ = await asyncio.wait((task,), timeout=later)
        if done:
            return task.result()
        call.later = task
        operations.record_late(task, call)
        return _accepted(begun)

    return around


def _resume_after(route: Route, tells: bool, deadline: float) -> float | None:
    """When a write of unknown outcome may be taken up again. What can be repeated without harm: at once. What the
    upstream can tell of: once it can't be under way any more. Else never."""
    if route.compose is not None or route.effect is Effect.IDEMPOTENT_WRITE:
        return 0.0
    return deadline if tells else None


def _key(call: Call, needed: bool) -> bytes | None:
    """The call's key; raises `BadRequest` where it is `needed` and missing."""
    if call.parent is not None:
        over = call.parent.idempotency_key
        key = None if over is None else f"{over}\n{call.step}".encode()
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
    scoped = sha256(intent.caller + orjson.dumps([call.operation, key.decode("latin-1")])).digest()
    call.idempotency_key = urlsafe_b64encode(scoped).rstrip(b"=").decode()
    return replace(intent, key=scoped, fingerprint=_fingerprint(call), resume_after=resume_after)


def _fingerprint(call: Call) -> bytes:
    """SHA-256 of what the validated request asks for: path, query, headers that the contract declares, body."""
    headers = {name: value for name, value in call.header.items() if name.lower() not in _MANNER}
    if b"if-match" in call.raw_headers:  # also where the contract doesn't declare it
        headers["if-match"] = call.raw_headers[b"if-match"].decode("latin-1")
    request = [call.path, call.query, headers, call.body]
    return sha256(orjson.dumps(request, default=_no_body, option=orjson.OPT_SORT_KEYS)).digest()


def _no_body(_: Any) -> str:
    return "no body"


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
        problem: Problem = UnknownOutcome("What became of the first request with this key isn't known.")
        raise told_unknown(problem, found.id)
    return reply_of(found.outcome, found.id, sight)


def _accepted(begun: Begun) -> Reply:
    found = begun.operation
    created = datetime.fromtimestamp(found.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = {"id": found.id, "route": found.route, "state": "running", "created": created}
    headers = [
        (b"location", f"/-/operations/{found.id}".encode()),
        (b"preference-applied", b"respond-async"),
    ]
    return Reply(202, body, headers=headers)
