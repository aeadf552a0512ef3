"""What the audit keeps of one call: put together on the request's way, spelt out by the writer's thread."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from gateway.call import Call, Principal, UpstreamCall

_NOBODY = Principal("")


# Without slots and not frozen: so it is made in 1 µs, and its fields are copied at once when it is spelt out.
@dataclass(eq=False)
class Record:
    """One call, as the audit keeps it; not to be changed. Sizes in bytes, durations in seconds, `time` since the epoch.

    `route` is the path template, or the path as received (without its query) where no route matched. Values of
    parameters and bodies aren't kept.
    """

    id: str
    time: float
    method: str
    route: str
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
    """The problem's slug, when the call ended with one."""
    request_bytes: int = 0
    reply_bytes: int = 0
    snapshot: int = 0
    traceparent: str = ""


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
) -> Record:
    """The record of a call that reached a route; for another, make a `Record` of what is known."""
    who = call.principal or _NOBODY
    return Record(
        call.id,
        time,
        call.method,
        route,
        status,
        seconds,
        call.operation,
        effect,
        who.id,
        who.agent,
        who.tenant,
        who.credential,
        call.decision,
        call.policies,
        tuple(call.upstream_calls),
        served_by,
        problem,
        request_bytes,
        reply_bytes,
        call.snapshot,
        call.traceparent,
    )


def encode(record: Record) -> bytes:
    """The record as a JSON object: fields in their order, `time` as RFC 3339 in UTC.

    Never fails: text that isn't Unicode is written with its code points escaped.
    """
    members: dict[str, Any] = record.__dict__.copy()
    second, fraction = divmod(record.time, 1)
    members["time"] = f"{_second(second)}.{int(fraction * 1e6):06d}Z"
    members["seconds"] = round(record.seconds, 6)
    members["upstream_calls"] = [_spelt(call) for call in record.upstream_calls]
    return _dumps(members)


@lru_cache(maxsize=8)
def _second(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _spelt(call: UpstreamCall) -> dict[str, Any]:
    return {
        "upstream": call.upstream,
        "operation": call.operation,
        "seconds": round(call.seconds, 6),
        "outcome": call.outcome,
    }


def _dumps(members: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(members)
    except orjson.JSONEncodeError:
        return orjson.dumps(_escaped(members))


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _escaped(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    if isinstance(value, int | float) and abs(value) < 2**53:
        return value
    return str(value).encode("utf-8", "backslashreplace").decode()
