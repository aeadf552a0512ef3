"""The values that travel: a `Call` goes in, a `Reply` comes out, a `Principal` is who asks."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from adapters.blob import Blob
from adapters.contract import Held, Json, Source, Tried

# Crockford's base 32, ten bits at a time: ULIDs (https://github.com/ulid/spec) at the price of ten look-ups.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)


class _Randomness:
    """The system's random bytes, fetched a page at a time: a call of the kernel costs more than all of an id."""

    def __init__(self) -> None:
        self._page, self._at = b"", 0

    def __call__(self, size: int) -> bytes:
        start = self._at
        if start + size > len(self._page):
            self._page, start = os.urandom(4096), 0
        self._at = start + size
        return self._page[start : start + size]


random_bytes = _Randomness()
"""`random_bytes(n)`: n ≤ 4096 random bytes, for ids; never for keys. For one thread of one process."""


class _Ids:
    """Makes ULIDs, monotonic within a millisecond as their specification allows: chance is drawn once, then counted."""

    def __init__(self) -> None:
        self._millisecond, self._prefix, self._count = -1, "", 0

    def __call__(self) -> str:
        now = int(time.time() * 1000)
        self._count += 1
        if now != self._millisecond or self._count >> 20:
            self._draw(now)
        return f"{self._prefix}{_PAIRS[self._count >> 10]}{_PAIRS[self._count & 1023]}"

    def _draw(self, now: int) -> None:
        chance, pairs = int.from_bytes(random_bytes(10), "big"), _PAIRS
        time_part = [pairs[now >> shift & 1023] for shift in (40, 30, 20, 10, 0)]
        chance_part = [pairs[chance >> shift & 1023] for shift in (20, 30, 40, 50, 60, 70)]
        self._prefix = "".join(time_part + chance_part)
        # The half above stays free to count in.
        self._millisecond, self._count = now, chance & 0x7FFFF


new_id = _Ids()
"""`new_id()`: a ULID, 26 characters that sort by creation time (ms); for ids, never for secrets."""


def id_within(id: str, *names: str) -> str:
    """The id of something within what has `id`: always the same for the same names, and as old as that."""
    chance, pairs = int.from_bytes(sha256("\n".join((id, *names)).encode()).digest()[:10], "big"), _PAIRS
    return id[:10] + "".join(pairs[chance >> shift & 1023] for shift in range(70, -1, -10))


MOCKED, NEVER_KEPT = (b"figway-mock", b"true"), (b"cache-control", b"no-store")
"""The header fields of a reply that is an example, or is put together from one."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: `id` is the person or service, `agent` the program that acts for it, if any."""

    id: str
    agent: str | None = None
    roles: tuple[str, ...] = ()
    tenant: str | None = None
    credential: str = ""
    """Which credential proved it, such as `key:ab12`; for the audit, never a secret."""
    teams: tuple[str, ...] = ()
    scopes: tuple[str, ...] | None = None
    """What the credential was narrowed to: operationIds, effects or groups; None: it wasn't."""
    issuer: str = ""
    """Who vouches for it: an issuer's URL; empty: the gateway's own API keys."""
    delegation: tuple[str, ...] = ()
    """Who acts, as RFC 8693's `act` chain says it: the one that makes this call first, each for the one behind it,
    the last for the principal. Its first is `agent`."""
    run: str | None = None
    """The run that the call belongs to, as its token names it: one task of an agent's."""
    expires: float = 0.0
    """When the credential of a run's call expires, seconds since the epoch; 0: it has no run."""


@dataclass(slots=True)
class UpstreamCall:
    """One call to an upstream, as the audit and lineage note it. Times in seconds."""

    upstream: str
    operation: str
    seconds: float
    outcome: str
    sources: tuple[Source, ...] = ()
    started: float = 0.0
    """On `time.perf_counter()`'s clock."""
    span: str = ""
    """The id of its span, 16 hex digits, where the call's trace is sampled."""


class Planned(NamedTuple):
    """What a dry run has fixed of the write that follows it."""

    id: str
    """What mappings read as `call.id`; `time` likewise, RFC 3339."""
    time: str
    upstream: str = ""
    held: Held = Held()
    """What the write must still find at that upstream."""


@dataclass(slots=True)
class Call:
    """One request on its way through a route's handler.

    `path`, `query` and `header` hold declared parameters by name, typed once `validate` has run; `raw_query` and
    `raw_headers` are as received (header names lower-case). `deadline` is on `time.monotonic()`'s clock, seconds.
    """

    id: str
    operation: str
    snapshot: int
    method: str
    target: str
    deadline: float
    traceparent: str
    path: dict[str, Json]
    raw_query: bytes = b""
    raw_headers: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    read_body: Callable[[], Awaitable[bytes]] | None = None
    query: dict[str, Json] = field(default_factory=dict)
    header: dict[str, Json] = field(default_factory=dict)
    body: Json = None
    page: Mapping[str, Json] = field(default_factory=dict)
    """A list's `{limit, after, sort, where}`, as `adapters.contract.ListRequest` reads it; also `before`, where the
    route's replies have `previous`."""
    principal: Principal | None = None
    decision: str = ""
    """What `authorize` decided: `allow` or `deny`, with the deciding policies."""
    policies: tuple[str, ...] = ()
    grant: Any = None
    """What of the reply the caller may see (`gateway.policy.grants.Grant`); None: everything."""
    rows_pushed: bool = False
    """The upstream itself answered only rows that the caller may see."""
    trial: tuple[str, ...] = ()
    """The policy sets on trial that would have decided otherwise, such as `strict:deny`."""
    upstream_calls: list[UpstreamCall] = field(default_factory=list)
    route: str = ""
    """The route's path template, once it's known; so are `effect` and `writes`, whether it may change something."""
    effect: str = ""
    writes: bool = False
    request_bytes: int = 0
    max_reply: int = 2**24
    batch: bool = False
    """Whether the caller can wait (`Prefer: respond-async`)."""
    priority: int = 0
    """The points with which it waits for a busy upstream (`gateway.bulkhead`), where limits say them."""
    parent: Call | None = None
    """The composite's call, for a step."""
    reply_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Header fields that the response gets whatever it is, a problem included, such as `RateLimit`."""
    subject_token: str | None = field(default=None, repr=False)
    """The caller's own verified token, for upstreams that exchange it (RFC 8693); a secret."""
    keeps: Any = None
    """What the audit keeps of its arguments (`gateway.audit.arguments.Keeps`), once its route is known."""
    noted: dict[str, Json] = field(default_factory=dict)
    """Further facts for its audit record, by name, such as `operation_id`."""
    peer: str | None = None
    """The address that the connection came from."""

    side: str = ""
    """The side of its route's group that was chosen for it, legacy or replacement; empty: there is no choice."""
    step: str = ""
    """The composite's step that this call is; empty: it's none."""
    idempotency_key: str | None = None
    """By what an upstream may know this write again: made of the caller's `Idempotency-Key`, the route and who asks,
    so that callers who choose the same key don't get each other's replies. None: the caller gave none."""
    later: asyncio.Task[Reply] | None = field(default=None, repr=False)
    """What goes on after the call was answered (`Prefer: respond-async`), and how it ends."""
    repeated: bool = False
    """The write has been sent before, with an outcome that nobody knows."""
    resuming: bool = False
    """The write's outcome is unknown: an upstream that can tell is asked before it's sent again."""
    undoing: bool = False
    """It undoes a part of its composite, which has failed."""
    looking: bool = False
    """The upstream is asked what became of the write, which isn't sent in any case."""
    kept: str = ""
    """The id of the operation that the write is kept as; empty: it isn't kept."""
    trying: bool = False
    """It is a dry run (`Prefer: dry-run`): a write is to be tried, and changes nothing."""
    planned: Planned | None = None
    """What was shown of this write, and is to be made now."""
    pinned: str = ""
    """The side that has had this write before, with an outcome that nobody knows; empty: it's new."""
    fields: tuple[str, ...] = ()
    """The members of entities that its caller wants; empty: all."""
    partial: bool = False
    """The upstream itself has left out what `fields` doesn't name."""
    sink: Any = field(default=None, repr=False)
    """Where all of a list goes, page by page (`gateway.ingress.streaming.Stream`); None: the reply is one page."""
    reading: Any = field(default=None, repr=False)
    """Such a call's way through the list (`gateway.bulk.Reading`), where its upstream can read it as a whole."""
    following: str | None = None
    """The cursor of the page behind the one that was read last."""
    accepts: Any = None
    """How old an answer the caller accepts (`gateway.cache.bounds.Bounds`); None: nobody's call, which is answered by
    the system itself, and whose answer isn't kept."""
    version: tuple[str, Json] | None = None
    """The entity's version, behind the name of the upstream that told it."""
    expected: tuple[str, Json] | None = None
    """The only version that the write is to change, likewise; None: whichever there is."""


@dataclass(slots=True)
class Reply:
    """What a handler answers: a JSON value, bytes that are ready to be sent, or content that may be in a file."""

    status: int
    body: Json = None
    as_of: datetime | None = None
    served_by: str | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    encoded: bytes | None = None
    """The body's bytes, when it's already encoded."""
    content: Blob | None = None
    """The body, of its own media type."""
    tried: Tried | None = None
    """Of a dry run: what it tells beside the answer, its `before` as the answer is mapped."""
    media_type: bytes = b""
    """Of JSON that isn't plain `application/json`."""
    version: bytes = b""
    """What its `ETag` says of the entity's version, sealed; empty: it isn't known."""
    stored: bool = False
    """It was kept, so that it says nothing of how the system is now."""
    failed: Exception | None = None
    """What kept a newer answer away."""
