"""Every call of the control plane goes into the audit: the record is written as the response begins, or not at all.

It wraps all of the gateway's own routes, so that no route can forget it. What changes something or is denied is on the
disk before its caller learns of it; where the audit can't be written, nothing is changed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote

from gateway.audit.file import AuditError
from gateway.audit.log import AuditLog
from gateway.audit.record import Record
from gateway.call import Principal, new_id
from gateway.errors import MEDIA_TYPE, AuditUnavailable, Problem, UnknownOutcome
from gateway.ingress.http import CALL_ID, NOTED
from gateway.telemetry.trace import continue_trace

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Asgi: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

# What machines ask every few seconds. A denial is recorded even there.
_QUIET = frozenset({"/-/live", "/-/ready", "/-/metrics"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_DENIED = (401, 403)
_LEFT = 499
_MOST_NOTED = 1024


@dataclass(slots=True)
class Noted:
    """What becomes known of a control call on its way, for its record."""

    id: str
    principal: Principal | None = None
    operation: str = ""
    """The permission that the place asks for, if any."""
    route: str = ""
    policies: tuple[str, ...] = ()
    snapshot: int = 0
    traceparent: str = ""
    problem: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    """What else its record says, by name."""
    started: float = field(default_factory=time.monotonic)


def noted(scope: MutableMapping[str, Any]) -> Noted:
    """What is noted of the call so far; it can be added to."""
    state = scope.setdefault("state", {})
    if "noted" not in state:
        # What another door says of it, which asks in its caller's place.
        state["noted"] = Noted(scope.get(CALL_ID) or new_id(), facts=dict(scope.get(NOTED) or {}))
    found: Noted = state["noted"]
    return found


class Recorded:
    """An ASGI application whose every call is recorded. `audit` gives the log once there is one."""

    def __init__(self, application: Asgi, audit: Callable[[], AuditLog | None]) -> None:
        self._application, self._audit = application, audit

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        recording = _Recording(scope, self._audit(), send)
        try:
            if await recording.admit():
                await self._application(scope, receive, recording.send)
        finally:
            await recording.end()


class _Recording:
    """One call and its record."""

    def __init__(self, scope: MutableMapping[str, Any], audit: AuditLog | None, send: Send) -> None:
        self._scope, self._audit, self._send = scope, audit, send
        self._note = noted(scope)
        self._note.traceparent = continue_trace(dict(scope["headers"]).get(b"traceparent"))
        self._changes = scope["method"] not in _READS
        self._began = self._replaced = False

    async def admit(self) -> bool:
        """Whether the call may be made; if not, it has been answered."""
        if not self._changes or await self._announced():
            return True
        refusal = AuditUnavailable("Nothing is changed while the audit log can't be written.", retry_after=5)
        await self._answer(refusal)
        self._note.problem = refusal.slug
        with suppress(AuditError):
            await self._record(refusal.status, 0)
        return False

    async def _announced(self) -> bool:
        """Whether the intent to change something is on the disk: no change without a record, whatever happens."""
        if self._audit is None or not self._audit.healthy:
            return False
        try:
            await asyncio.shield(self._audit.append_durable(self._made("intent", 0, 0)))
        except AuditError:
            return False
        return True

    async def send(self, message: Message) -> None:
        """Passes a message on; before the first one, the record is written."""
        if message["type"] == "http.response.start":
            self._began = True
            try:
                await self._record(message["status"], _length(message))
            except AuditError:
                self._replaced = True
                await self._answer(_unrecorded(self._changes))
                return
            own = ((b"figway-lineage", self._note.id.encode()), (b"traceparent", self._note.traceparent.encode()))
            message["headers"] = [*message.get("headers", ()), *own]
        if not self._replaced:
            await self._send(message)

    async def end(self) -> None:
        """A call that ended with no response, its caller having left, is recorded all the same."""
        if not self._began:
            self._began = True
            with suppress(AuditError):
                await asyncio.shield(self._record(_LEFT, 0))

    async def _answer(self, problem: Problem) -> None:
        self._began = True
        body = problem.encode(f"urn:figway:call:{self._note.id}")
        headers = [(b"content-type", MEDIA_TYPE), (b"content-length", b"%d" % len(body))]
        await self._send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def _record(self, status: int, size: int) -> None:
        denied = status in _DENIED
        if self._scope["path"] in _QUIET and not denied:
            return
        if self._audit is None:
            raise AuditError("there is no audit yet")
        record = self._made("control", status, size)
        if self._changes or denied or self._audit.crowded:
            await asyncio.shield(self._audit.append_durable(record))
        else:
            self._audit.append(record)

    def _made(self, kind: str, status: int, size: int) -> Record:
        note, scope = self._note, self._scope
        who = note.principal or Principal("")
        seconds = time.monotonic() - note.started
        return Record(
            id=note.id,
            time=time.time() - seconds,
            method=scope["method"],
            route=note.route or quote(scope["path"])[:_MOST_NOTED],
            status=status,
            seconds=seconds,
            operation=note.operation,
            effect="write" if self._changes else "read",
            principal=who.id,
            agent=who.agent,
            tenant=who.tenant,
            credential=who.credential,
            decision=_decision(note, status),
            policies=note.policies,
            problem=note.problem,
            reply_bytes=size,
            snapshot=note.snapshot,
            traceparent=note.traceparent,
            kind=kind,
            issuer=who.issuer,
            delegation=who.delegation,
            run=who.run,
            peer=(scope.get("client") or (None,))[0],
            noted=note.facts or None,
        )


def _decision(note: Noted, status: int) -> str:
    """What was decided; empty: nothing was to be decided, or it didn't come to that."""
    if status == 403:
        return "deny"
    return "allow" if note.principal is not None and note.operation and status != 401 else ""


def _length(message: Message) -> int:
    """The body's size in bytes, where the response says it beforehand."""
    for name, value in message.get("headers", ()):
        if name == b"content-length":
            return int(value)
    return 0


def _unrecorded(changes: bool) -> Problem:
    if not changes:
        return AuditUnavailable("The call can't be recorded, so it isn't answered.", retry_after=5)
    return UnknownOutcome(
        "The change may have been made, but its audit record can't be written.",
        fix="Look at what was to be changed before you ask for it again; tell the gateway's operator.",
    )
