"""What is kept of one write."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

import orjson

from gateway.call import Principal


class OperationState(StrEnum):
    """How far a write is. `failed`: refused for good, nothing changed; `unknown`: it may have happened."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Intent:
    """A write that is about to be sent. `key` and `fingerprint` are SHA-256, None when the caller gave no key.

    `resume_after`: seconds after which a write whose outcome is unknown may be taken up again; None: never.
    """

    id: str
    route: str
    principal: str
    agent: str | None
    tenant: str | None
    caller: bytes
    """`caller_digest` of who asks."""
    key: bytes | None = None
    fingerprint: bytes | None = None
    resume_after: float | None = None
    side: str = ""
    """Which side of its group is asked (legacy or replacement); empty: there is no choice."""
    snapshot: int = 0


class StoredOperation(NamedTuple):
    """A write as it is kept. Times are seconds since the epoch; `outcome` is what `operations.outcome` wrote."""

    id: str
    key: bytes | None
    fingerprint: bytes | None
    caller: bytes
    route: str
    principal: str
    agent: str | None
    tenant: str | None
    owner: str
    state: OperationState
    outcome: bytes | None
    created: float
    updated: float
    side: str = ""
    """The side that the write, and its key, stay with."""
    snapshot: int = 0


class Begun(NamedTuple):
    """What became of an intent. `taken`: the write is this caller's to send now; `resumed`: after one whose outcome is
    unknown. Otherwise `operation` is the one that has the key, and `same` whether it's the same request."""

    operation: StoredOperation
    taken: bool
    resumed: bool = False
    same: bool = True
    promised: bool = False
    """The caller may be answered before the write has ended, and ask for its end later."""


def caller_digest(principal: Principal) -> bytes:
    """SHA-256 of who asks: issuer, tenant, principal and agent."""
    return sha256(orjson.dumps([principal.issuer, principal.tenant, principal.id, principal.agent])).digest()


def scoped_key(caller: bytes, route: str, key: bytes) -> bytes:
    """SHA-256 of a caller's key: of another caller or for another route it is another key."""
    return sha256(caller + orjson.dumps([route, key.decode("latin-1")])).digest()


def key_within(composite: str, step: str) -> bytes:
    """The idempotency key of a composite's step; `composite` is its own."""
    return f"{composite}\n{step}".encode()
