"""A write's request as the outbox keeps it, and the call that is made of it for the other side."""

from __future__ import annotations

import time
from typing import Any

import orjson

from gateway.call import Call, Principal, new_id
from gateway.migration.entries import StoredEntry

_WHO = ("id", "agent", "tenant", "credential", "issuer")


def of_call(call: Call) -> bytes:
    """What the other side needs of a call. Neither its token nor headers that no contract names."""
    who = call.principal or Principal("")
    members: dict[str, Any] = {
        "method": call.method,
        "target": call.target,
        "path": call.path,
        "query": call.query,
        "header": call.header,
        "traceparent": call.traceparent,
        "call": call.id,
        "route": call.route,
        "effect": call.effect,
        "principal": {name: getattr(who, name) for name in _WHO},
        "roles": who.roles,
        "teams": who.teams,
        "delegation": who.delegation,
    }
    if isinstance(call.body, (dict, list, str, int, float, bool)):
        members["body"] = call.body
    return orjson.dumps(members)


def call_of(entry: StoredEntry, snapshot: int, seconds: float) -> Call:
    """The call that tells the other side of an entry, with `seconds` to do it in."""
    assert entry.request is not None
    members = orjson.loads(entry.request)
    who = members["principal"]
    call = Call(
        id=new_id(),
        operation=entry.route,
        snapshot=snapshot,
        method=members["method"],
        target=members["target"],
        deadline=time.monotonic() + seconds,
        traceparent=members["traceparent"],
        path=members["path"],
        query=members["query"],
        header=members["header"],
        body=members.get("body"),
        principal=Principal(
            **who,
            roles=tuple(members["roles"]),
            teams=tuple(members["teams"]),
            delegation=tuple(members["delegation"]),
        ),
        route=members["route"],
        effect=members["effect"],
        writes=True,
        batch=True,
        idempotency_key=entry.key,
    )
    call.noted.update(outbox=entry.id, call=members["call"])
    return call
