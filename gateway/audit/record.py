"""What the audit keeps of a call, an intent or a control action: a line of JSON each. README.md says what is in it."""

from __future__ import annotations

import time as clock
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

import orjson

from adapters.contract import Source
from gateway.audit.arguments import Keeps, Sealed
from gateway.call import Call, Principal, UpstreamCall

_NOBODY = Principal("")
_MOST_SOURCES = 64
_DENIED = (401, 403)
_WHEN_KNOWN = ("issuer", "delegation", "run", "peer", "noted")
_ENDED = {
    *("status", "seconds", "outcome", "problem", "upstream_calls", "served_by", "request_bytes", "reply_bytes"),
}


@dataclass(slots=True)
class Unsealed:
    """A record some values of which the writer seals, off the event loop, before it spells it out."""

    members: dict[str, Any]
    sealed: Sealed


Entry: TypeAlias = bytes | Unsealed
"""A record as the log takes it: a line without its line feed, or what becomes one."""


# Without slots: its fields are copied at once when it is spelt out.
@dataclass(eq=False)
class Record:
    """A control action; not to be changed. Sizes in bytes, durations in seconds, `time` since the epoch."""

    id: str
    time: float
    method: str
    route: str
    """The place that was called, or what a verb changed, such as `key:ID`."""
    status: int
    seconds: float
    operation: str = ""
    effect: str = ""
    principal: str = ""
    """Who asked; empty: nobody had been proved yet."""
    agent: str | None = None
    tenant: str | None = None
    credential: str = ""
    decision: str = ""
    policies: tuple[str, ...] = ()
    upstream_calls: tuple[UpstreamCall, ...] = ()
    served_by: str | None = None
    problem: str | None = None
    """The problem's slug, when it ended with one."""
    request_bytes: int = 0
    reply_bytes: int = 0
    snapshot: int = 0
    traceparent: str = ""
    kind: str = "control"
    issuer: str = ""
    delegation: tuple[str, ...] = ()
    run: str | None = None
    peer: str | None = None
    noted: dict[str, Any] | None = None


def record_of(
    call: Call,
    *,
    time: float,
    seconds: float,
    status: int,
    route: str,
    effect: str,
    served_by: str | None = None,
    problem: str | None = None,
    request_bytes: int = 0,
    reply_bytes: int = 0,
) -> Entry:
    """The record of how a call ended; `time` is when it began."""
    who = call.principal or _NOBODY
    keeps: Keeps | None = call.keeps
    members: dict[str, Any] = {
        "kind": "call",
        "id": call.id,
        "time": spelt(time),
        "method": call.method,
        "route": route,
        "operation": call.operation,
        "effect": effect,
        "principal": who.id,
        "agent": who.agent,
        "tenant": who.tenant,
        "credential": who.credential,
        "snapshot": call.snapshot,
        "traceparent": call.traceparent,
        "decision": call.decision,
        "policies": call.policies,
        "status": status,
        "seconds": _micro(seconds),
        "outcome": outcome(status, problem),
        "problem": problem,
        "upstream_calls": _upstreams(call.upstream_calls, keeps) if call.upstream_calls else (),
        "served_by": served_by,
        "request_bytes": request_bytes,
        "reply_bytes": reply_bytes,
    }
    return _entry(members, call, who, keeps)


def intent_of(call: Call, *, route: str, effect: str, keeps: Keeps | None) -> Entry:
    """The record of a write that is about to be sent to its upstream, or of all of a list that is about to be told; a
    composite's step is a call of its own."""
    who = call.principal or _NOBODY
    members: dict[str, Any] = {
        "kind": "intent",
        "id": call.id,
        "time": spelt(clock.time()),
        "method": call.method,
        "route": route,
        "operation": call.operation,
        "effect": effect,
        "principal": who.id,
        "agent": who.agent,
        "tenant": who.tenant,
        "credential": who.credential,
        "snapshot": call.snapshot,
        "traceparent": call.traceparent,
        "decision": call.decision,
        "policies": call.policies,
    }
    return _entry(members, call, who, keeps)


def _entry(members: dict[str, Any], call: Call, who: Principal, keeps: Keeps | None) -> Entry:
    """The members that only some calls have, and the whole as the log takes it."""
    if who.issuer:
        members["issuer"] = who.issuer
    if who.delegation:
        members["delegation"] = who.delegation
    if who.run is not None:
        members["run"] = who.run
    if call.peer is not None:
        members["peer"] = call.peer
    if call.trial:
        members["trial"] = call.trial
    if call.noted:
        members["noted"] = call.noted
    if keeps is None:
        return dumps(members)
    if arguments := keeps.arguments(call):
        members["arguments"] = arguments
    if b"idempotency-key" in call.raw_headers:
        members["idempotency_key"] = keeps.hasher(call.raw_headers[b"idempotency-key"].decode("latin-1"))
    sealed = keeps.sealed(call) if keeps.rules.subject is not None else None
    return dumps(members) if sealed is None else Unsealed(members, sealed)


def outcome(status: int, problem: str | None) -> str:
    """How a call ended, in a word."""
    if status < 400:
        return "ok"
    if status in _DENIED:
        return "denied"
    return "unknown" if problem == "unknown-outcome" else "failed"


def encode(record: Record) -> bytes:
    """The control action as a line. Never fails: text that isn't Unicode is written with its code points escaped."""
    members: dict[str, Any] = {"kind": record.kind, **record.__dict__}
    members["time"] = spelt(record.time)
    members["seconds"] = _micro(record.seconds)
    members["outcome"] = outcome(record.status, record.problem)
    members["upstream_calls"] = _upstreams(record.upstream_calls, None)
    left_out = {name for name in _WHEN_KNOWN if not members[name]} | (_ENDED if record.kind == "intent" else set())
    return dumps({name: value for name, value in members.items() if name not in left_out})


def spelt(time: float) -> str:
    """An instant in seconds since the epoch as RFC 3339, in UTC to the microsecond."""
    microseconds = int(time * 1e6)
    second = microseconds // 1_000_000
    return f"{_second(second)}.{microseconds % 1_000_000:06d}Z"


def _micro(seconds: float) -> float:
    """A duration to the microsecond, at a third of the price of `round`."""
    return int(seconds * 1e6) / 1e6


@lru_cache(maxsize=64)
def _second(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _upstreams(calls: Sequence[UpstreamCall], keeps: Keeps | None) -> list[dict[str, Any]]:
    room = _MOST_SOURCES
    found = []
    for call in calls:
        spelt: dict[str, Any] = {
            "upstream": call.upstream,
            "operation": call.operation,
            "seconds": _micro(call.seconds),
            "outcome": call.outcome,
        }
        if sources := call.sources:
            spelt["sources"] = [_source(source, keeps) for source in sources[:room]]
            if len(sources) > room:
                spelt["more_sources"] = len(sources) - room
            room = max(0, room - len(sources))
        found.append(spelt)
    return found


def _source(source: Source, keeps: Keeps | None) -> dict[str, Any]:
    system, object, key, span, as_of = source
    spelt: dict[str, Any] = {"system": system, "object": object}
    if key is not None and keeps is not None and (shown := keeps.source_key(key)) is not None:
        spelt["key"] = shown
    if span is not None:
        spelt["span"] = span
    if as_of is not None:
        spelt["as_of"] = as_of
    return spelt


def dumps(members: dict[str, Any]) -> bytes:
    """A record's members as a line; never fails."""
    try:
        return orjson.dumps(members, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError:
        return orjson.dumps(_escaped(members))


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {_escaped(name): _escaped(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    if value is None or (isinstance(value, int | float) and abs(value) < 2**53):
        return value
    return str(value).encode("utf-8", "backslashreplace").decode()
