"""A request becomes a call, a reply a response, and no response leaves before its audit record is written."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias
from urllib.parse import quote

from gateway.audit.arguments import Keeps
from gateway.audit.file import AuditError
from gateway.audit.log import AuditLog
from gateway.audit.record import intent_of, record_of
from gateway.call import Call, Reply, new_id
from gateway.errors import (
    AuditUnavailable,
    BadRequest,
    InternalError,
    MethodNotAllowed,
    NoSuchRoute,
    NotAcceptable,
    Overloaded,
    Problem,
    UriTooLong,
)
from gateway.ingress.body import BodyReader, ClientLeft, Receive, Watch
from gateway.ingress.exchange import EXCHANGE, TASK, Exchange
from gateway.ingress.failures import failed, too_large, unrecorded
from gateway.ingress.fitting import fitted
from gateway.ingress.framing import read_headers
from gateway.ingress.prefer import JSON, accepted, prefer
from gateway.ingress.response import Response, Send
from gateway.ingress.streaming import Stream, sent
from gateway.pipeline import Handler
from gateway.routing.table import AmbiguousPath, Match, Table
from gateway.telemetry import continue_trace

Scope: TypeAlias = MutableMapping[str, Any]
Out: TypeAlias = tuple[Send, Exchange | None]  # where a response goes
NOTED, CALL_ID = "figway.noted", "figway.id"  # the scope's keys of what another door says of a call: facts, its id

logger = logging.getLogger("figway")

_MOST_IN_FLIGHT = 2_000
_MOST_TARGET = 8 * 1024
_MOST_NOTED = 1024
_LONGER = 60  # times a route's deadline, which a stream may take as a whole
_CLIENT_LEFT, _DENIED = 499, (401, 403)
_TAGGED = frozenset({"GET", "HEAD"})
_VARY = (b"vary", b"Accept")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route as the ingress sees it. `deadline` in seconds, `max_body` and `max_reply` in bytes."""

    operation_id: str
    path: str
    effect: str
    writes: bool
    handler: Handler
    deadline: float
    max_body: int
    max_reply: int
    takes_body: bool
    keeps: Keeps | None = None
    """What the audit keeps of a call's arguments."""
    pages: Handler | None = None
    """Of a list: what answers a call that was let in and found valid."""
    streamed: Handler | None = None
    """What answers with all of a list instead of a page, into `Call.sink`."""
    streams: tuple[str, ...] = ()
    """The media types in which it does."""


Observer: TypeAlias = Callable[[Call, Response, float], None]
"""Looks at a call that has ended: its response and how many seconds it took. Quick, and never raises."""


class Serving(Protocol):
    """What is served now: one snapshot's table. `calls` counts the calls in flight on it, `writes` the writes."""

    table: Table[Endpoint]
    version: int
    calls: int
    writes: int


class HttpIngress:
    """The data plane: an ASGI application over the snapshot that `current` gives."""

    def __init__(self, current: Callable[[], Serving], audit: AuditLog, observers: Sequence[Observer] = ()) -> None:
        self._current = current
        self._audit = audit
        self._observers = tuple(observers)
        self._watch = Watch()
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # What stays in the scope would be a circle of references, which only the collector could undo.
        exchange = scope.pop(EXCHANGE, None)
        response = await self.answer(self._current(), scope, receive, (send, exchange))
        # The call has ended: who reads its answer slowly, or never, holds up neither a snapshot nor other callers.
        sending = None if response is None else sent(response, exchange, send)
        if sending is not None:
            await sending

    async def answer(self, serving: Serving, scope: Scope, receive: Receive, out: Out) -> Response | None:
        """What a request is answered with, recorded but not sent yet; None: it was told piece by piece."""
        serving.calls += 1
        self._in_flight += 1
        try:
            return await self._exchange(serving, scope, receive, out)
        finally:
            self._in_flight -= 1
            serving.calls -= 1

    async def _exchange(self, serving: Serving, scope: Scope, receive: Receive, out: Out) -> Response | None:
        """What the call is answered with, whatever happens, once it is recorded; None: it was told piece by piece. It
        never raises: no call goes unrecorded, no connection is dropped."""
        started = time.monotonic()
        call = blank(scope, serving, started)
        task = scope.pop(TASK, None)
        try:
            handler, body, pages = self._admitted(serving, call, scope, receive, out)
            # A caller that leaves cancels its read, and never its write.
            if call.writes:
                serving.writes += 1
                try:
                    reply = await handler(call)
                finally:
                    serving.writes -= 1
            else:
                reply = await self._watch.run(handler(call), body, receive, task)
            response = Response(call, reply)
            if len(response.body) > call.max_reply:
                if pages is None:
                    raise too_large(call)
                reply = await self._watch.run(fitted(call, reply, pages), body, receive, task)
                response = Response(call, reply)
            if call.method in _TAGGED and response.status == 200 and call.sink is None and response.content is None:
                response.tag(call, reply.version)
            elif reply.version:
                response.name(reply.version)
        except Problem as problem:
            response = Response(call, problem)
        except ClientLeft:
            response = Response(call, InternalError("The caller left."))
            response.status = _CLIENT_LEFT
        except asyncio.CancelledError:  # the gateway stops; the task ends all the same, once the caller is told
            response = Response(call, failed(call, "The gateway stopped before the call ended."))
        except Exception:  # broad: a fault of ours becomes an audited 500, never a dropped connection
            logger.exception("call %s of %s failed", call.id, call.operation or "no route")
            response = Response(call, failed(call, "The gateway failed; the operator can find the call by its id."))
        seconds = time.monotonic() - started
        recording = self._record(call, response, seconds)
        if recording is not None:
            response = await recording
        for observe in self._observers:
            observe(call, response, seconds)
        sink, call.sink = call.sink, None  # which knows the call
        if sink is None or not sink.begun:
            return response
        await sink.end(response)
        return None

    def _admitted(
        self, serving: Serving, call: Call, scope: Scope, receive: Receive, out: Out
    ) -> tuple[Handler, BodyReader | None, Handler | None]:
        """The handler of the route, its body's reader if it takes one, what answers further pages of a list."""
        call.raw_headers = headers = read_headers(scope["headers"], scope["http_version"])
        call.traceparent = continue_trace(headers.get(b"traceparent"))
        match = _find(serving.table, scope)
        method = "GET" if call.method == "HEAD" else call.method
        endpoint, names = match.methods.get(method, (None, ()))
        if endpoint is None:
            return _without_route(method, match), None, None
        call.operation, call.route, call.effect = endpoint.operation_id, endpoint.path, endpoint.effect
        call.writes = endpoint.writes
        call.max_reply = endpoint.max_reply
        call.keeps = endpoint.keeps
        call.path = dict(zip(names, match.values, strict=True))
        media = accepted(headers, endpoint.streams)
        if endpoint.streamed is not None:
            call.reply_headers.append(_VARY)
        self._admit(call)
        call.deadline += endpoint.deadline
        if b"prefer" in headers:
            prefer(call, headers[b"prefer"].lower(), call.deadline - endpoint.deadline)
        if media != JSON and endpoint.streamed is not None:
            return self._streamed(call, endpoint.streamed, endpoint.deadline, media, scope, out), None, None
        if not endpoint.takes_body:
            return endpoint.handler, None, endpoint.pages
        body = BodyReader(call, endpoint.max_body, receive)
        call.read_body = body.read
        return endpoint.handler, body, None

    def _streamed(self, call: Call, handler: Handler, patience: float, media: str, scope: Scope, out: Out) -> Handler:
        """The handler of a call that is told all of a list."""
        if scope["http_version"] == "1.0":
            raise NotAcceptable("HTTP/1.0 can't tell the end of a list from its breaking off: ask for JSON.")
        call.deadline += patience * (_LONGER - 1)
        call.noted["stream"] = media
        call.sink = Stream(call, media, patience, *out)
        call.sink.announce = self._announced
        return handler

    async def _announced(self, call: Call) -> None:
        try:
            await self._audit.append_durable(intent_of(call, route=call.route, effect=call.effect, keeps=call.keeps))
        except AuditError as error:
            raise unrecorded(call) from error

    def _admit(self, call: Call) -> None:
        if self._in_flight > _MOST_IN_FLIGHT:
            raise Overloaded("Too many calls are in flight.", retry_after=1)
        if call.writes and not self._audit.healthy:
            raise AuditUnavailable("Writes are refused while the audit log can't be written.", retry_after=5)
        if self._audit.refuses_reads:
            raise AuditUnavailable("Calls are refused while the audit log can't be written.", retry_after=5)

    def _record(self, call: Call, response: Response, seconds: float) -> Awaitable[Response] | None:
        """Writes the audit record, None: it is done; else what waits for the disk, before the reply, and answers the
        response to send then. No record, no reply."""
        record = record_of(
            call,
            time=time.time() - seconds,
            seconds=seconds,
            status=response.status,
            route=call.route or call.target[:_MOST_NOTED],
            effect=call.effect,
            served_by=response.served_by,
            problem=response.problem,
            request_bytes=call.request_bytes,
            reply_bytes=response.size if call.sink is None else call.sink.size,
        )
        if call.writes or call.trying or response.status in _DENIED or self._audit.crowded:
            return self._recorded(call, response, self._audit.append_durable(record))
        try:
            self._audit.append(record)
        except AuditError:
            return self._recorded(call, response, None)
        return None

    @staticmethod
    async def _recorded(call: Call, response: Response, waiting: Awaitable[None] | None) -> Response:
        if waiting is not None:
            with suppress(AuditError):
                await waiting
                return response
        return Response(call, unrecorded(call))


def blank(scope: Scope, serving: Serving, started: float) -> Call:
    """A call of which no more is known than its scope; `started` on `time.monotonic()`'s clock."""
    # As received, still percent-encoded.
    raw: bytes | None = scope.get("raw_path")
    client = scope.get("client")
    return Call(
        id=scope.get(CALL_ID) or new_id(),
        operation="",
        snapshot=serving.version,
        method=scope["method"],
        target=raw.decode("latin-1") if raw else quote(scope["path"]),
        deadline=started,
        traceparent="",
        path={},
        raw_query=scope["query_string"],
        peer=client[0] if client else None,
        noted=scope.get(NOTED) or {},
    )


def _find(table: Table[Endpoint], scope: Scope) -> Match[Endpoint]:
    path = scope.get("raw_path") or scope["path"].encode()
    if len(path) + len(scope["query_string"]) > _MOST_TARGET:
        raise UriTooLong(f"The request target is over {_MOST_TARGET} bytes.")
    try:
        match = table.match(path)
    except AmbiguousPath as error:
        raise BadRequest(f"The request is ambiguous: {error}.", fix="Percent-encode it plainly, and once.") from error
    if match is None:
        raise NoSuchRoute("No route has this path.", fix="The routes that you may use are listed in /openapi.json.")
    return match


def _without_route(method: str, match: Match[Endpoint]) -> Handler:
    """What OPTIONS is answered where no route defines it; raises for any other method."""
    allow = match.allowed()
    if method != "OPTIONS":
        raise MethodNotAllowed(f"This path takes {allow}.", headers=[(b"allow", allow.encode())])

    async def options(_: Call) -> Reply:
        return Reply(204, headers=[(b"allow", allow.encode())], encoded=b"")

    return options
