"""A call that has ended, as spans by OpenTelemetry's semantic conventions (1.29): one of the server's, and one of the
client's for each upstream call. No span holds a query, a header, a body, a principal or an upstream's answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from gateway.call import Call, UpstreamCall
from gateway.telemetry.trace import parent_of

Attributes: TypeAlias = dict[str, str | int]

_LONGEST_PATH = 1024
_OK = "ok"


@dataclass(slots=True)
class Span:
    """One span. `trace`, `id` and `parent` are hex (32, 16 and 16 digits, or none), times ns since the epoch; `error`
    says what went wrong, empty: nothing."""

    trace: str
    id: str
    parent: str
    name: str
    kind: Literal["server", "client"]
    start: int
    end: int
    attributes: Attributes = field(default_factory=dict)
    error: str = ""


Describe: TypeAlias = Callable[[UpstreamCall], tuple[str, Attributes]]
"""The name and the attributes of an upstream call's span."""


def spans_of(call: Call, status: int, problem: str | None, seconds: float, describe: Describe) -> list[Span]:
    """The spans of a call that ended a moment ago and took `seconds`."""
    now, clock = time.time_ns(), time.perf_counter()
    start = now - int(seconds * 1e9)
    trace, own = call.traceparent[3:35], call.traceparent[36:52]
    parent = parent_of(call.raw_headers.get(b"traceparent"))
    spans = [Span(trace, own, parent, _name(call), "server", start, now, _attributes(call, status, problem))]
    if status >= 500:
        spans[0].error = problem or str(status)
    for each in call.upstream_calls:
        if not each.span:
            continue
        name, attributes = describe(each)
        begun = now - int((clock - each.started) * 1e9)
        span = Span(trace, each.span, own, name, "client", begun, begun + int(each.seconds * 1e9), dict(attributes))
        if each.outcome != _OK:
            span.error = span.attributes["error.type"] = each.outcome
        spans.append(span)
    return spans


def _name(call: Call) -> str:
    return f"{call.method} {call.route}" if call.route else call.method


def _attributes(call: Call, status: int, problem: str | None) -> Attributes:
    attributes: Attributes = {
        "http.request.method": call.method,
        "http.response.status_code": status,
        "url.scheme": "http",
        "url.path": call.target[:_LONGEST_PATH],
        "figway.snapshot": call.snapshot,
        "figway.lineage": call.id,
    }
    if call.route:
        attributes["http.route"], attributes["figway.operation"] = call.route, call.operation
    if problem is not None:
        attributes["error.type"] = problem
    return attributes


def description(kind: str, upstream: str, operation: str) -> tuple[str, Attributes]:
    """The name and attributes of a call of `operation` of an upstream of that kind."""
    attributes: Attributes = {"peer.service": upstream, "figway.upstream.operation": operation}
    if kind == "soap":
        attributes |= {"rpc.system": "soap", "rpc.service": upstream, "rpc.method": operation}
        return f"{upstream}/{operation}", attributes
    if kind == "odbc":
        target, _, verb = operation.rpartition(".")
        attributes |= {"db.system.name": "other_sql", "db.operation.name": verb}
        attributes |= {"db.collection.name": target} if target else {"db.query.summary": operation}
    elif kind == "files":
        target, _, verb = operation.rpartition(".")
        attributes |= {"file.dataset": target, "file.operation": verb}
    elif kind == "http":
        verb, _, template = operation.partition(" ")
        attributes |= {"http.request.method": verb, "url.template": template}
    return operation, attributes
