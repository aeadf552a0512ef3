"""What an adapter is: five verbs, and the values that pass through them.

An adapter wraps one legacy system (an *upstream*). It is built from validated configuration and the
workspace's files without touching the network, so that `figway check` works offline; `open` connects.

Values are JSON values everywhere (dict, list, str, int, float, bool, None) with one spelling each:
decimal = str, integer to 64 bits = int, instant = RFC 3339 str with offset, date and time = ISO 8601 str,
bytes = base64 str, NULL = None, absent = absent; text has its fixed-width padding removed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from pydantic import BaseModel

Json: TypeAlias = Any
"""A JSON value in the spelling of this module's docstring."""

JsonSchema: TypeAlias = Mapping[str, Any]
"""A JSON Schema, Draft 2020-12."""


class Effect(StrEnum):
    """What calling an operation does to the system behind it."""

    READ = "read"
    IDEMPOTENT_WRITE = "idempotent_write"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing an upstream can do. `input` and `output` describe `invoke`'s input and `Result.value`.

    A *list* operation takes the input that `ListRequest.of` reads and answers
    `{"items": [...], "next": position | None}`, where `position` is any JSON value that, given back as
    `after`, continues behind the last item.
    """

    name: str
    effect: Effect
    input: JsonSchema
    output: JsonSchema
    description: str = ""
    is_list: bool = False
    filters_rows: bool = False
    """It touches no row but those that the caller may see: a list obeys `ListRequest.rows`, a write `Context.rows`,
    which then holds for the row before and after."""
    filters: frozenset[str] | None = None
    """What a list can be filtered by: `a` for equality, `a.ge` for another operator; None: by its items' fields."""
    sorts: bool = True
    """Whether a list obeys `ListRequest.sort`."""
    counts: bool = False
    """A write that counts the rows it changes, and obeys `Context.most`."""
    version: str | None = None
    """The member that says which version of its entity it answers; where it changes one, its input may hold the same
    member, and it then changes that version alone, in one step with looking, or raises `adapters.errors.Moved`."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One typed filter of a list: `field op value`; `op` is one of eq ne lt le gt ge in like null."""

    field: str
    op: str
    value: Json


Rows: TypeAlias = tuple[tuple[Condition, ...], ...]
"""Rows for which all conditions of one of these groups hold: eq ne lt le gt ge in, and `out` (none of a list), text
compared as it is written. NULL passes no condition. No group: no row."""


def rows_of(groups: Iterable[Iterable[Iterable[Json]]]) -> Rows:
    """Rows from `[[["a", "eq", 1]]]`."""
    return tuple(tuple(Condition(*each) for each in group) for group in groups)


COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, wanted: bool(value == wanted),
    "ne": lambda value, wanted: bool(value != wanted),
    "lt": lambda value, wanted: bool(value < wanted),
    "le": lambda value, wanted: bool(value <= wanted),
    "gt": lambda value, wanted: bool(value > wanted),
    "ge": lambda value, wanted: bool(value >= wanted),
    "in": lambda value, wanted: value in wanted,
    "out": lambda value, wanted: value not in wanted,
}
"""What a condition's operators mean over two values that are there, wherever they are compared outside a database."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A page of a list: at most `limit` items behind position `after`, in `sort` order ("-a" descends).

    What only some adapters take (`before`, `fields`, `expand`) is empty unless a binding asks for it.
    """

    limit: int
    after: Json = None
    sort: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    rows: Rows | None = None
    """What the caller may see; None: every row."""
    before: Json = None
    """The position that the page ends before; the items are still in `sort` order."""
    both_ways: bool = False
    """The answer has `previous`, the position to give back as `before`; None: nothing is known to be there."""
    fields: tuple[str, ...] = ()
    """The fields that items have; empty: all."""
    expand: tuple[str, ...] = ()
    """What is joined to each item, by the upstream's own names."""

    @classmethod
    def of(cls, input: Mapping[str, Json]) -> ListRequest:
        """Reads `{"limit": 50, "after": …, "sort": ["-a"], "where": [["qty", "ge", 5]], "rows": [[["a", "eq", 1]]],
        "before": …, "fields": ["a"], "expand": ["b"]}`; all but limit optional."""
        where = tuple(Condition(*condition) for condition in input.get("where", ()))
        groups = input.get("rows")
        rows = None if groups is None else rows_of(groups)
        return cls(
            input.get("limit", 50), input.get("after"), tuple(input.get("sort", ())), where, rows,
            input.get("before"), "before" in input, tuple(input.get("fields", ())), tuple(input.get("expand", ())),
        )  # fmt: skip


class Source(NamedTuple):
    """Where a value came from, for lineage: a WSDL element, a table or a file, narrowed by key or byte range."""

    system: str
    object: str
    key: str | None = None
    span: tuple[int, int] | None = None
    """Bytes [start, end) within the file `object`."""
    as_of: datetime | None = None


class Tried(NamedTuple):
    """What a dry run tells beside the answer."""

    affected: int | None = None
    """How many rows or records would be changed; None: it can't be told."""
    before: Json = None
    """The one that would be changed as it is now, spelt as `Result.value` is; None: it isn't there, or isn't told."""
    one: bool = False
    """It is about one entity, which `before` and the answer are; no answer: it would be gone."""
    state: str = ""
    """A digest of all that would be changed, as it is now; empty: it isn't known."""
    place: str = ""
    """Where a record would be written, within the upstream."""
    message: str = ""
    """What would be sent, without credentials; then nothing is known of the answer."""


class Held(NamedTuple):
    """What a dry run told that the write must still find: else it raises `adapters.errors.Moved`."""

    state: str = ""
    affected: int | None = None


class Result(NamedTuple):
    """What an operation answered. `as_of` is when the value was true at its source (aware, UTC)."""

    value: Json
    as_of: datetime
    sources: tuple[Source, ...] = ()
    warnings: tuple[str, ...] = ()
    """Sentences that the caller must see, such as "1 record of invoices is quarantined"."""
    tried: Tried | None = None
    """Of a dry run."""


class Context(NamedTuple):
    """What travels with one invocation. `deadline` is on `time.monotonic()`'s clock, in seconds."""

    deadline: float
    traceparent: str | None = None
    idempotency_key: str | None = None
    principal: str | None = None
    agent: str | None = None
    effect: Effect | None = None
    """What the binding declares of this call. It goes before the adapter's own idea (`Operation.effect`), which for
    some protocols is a guess; None: nobody declared it."""
    tenant: str | None = None
    roles: tuple[str, ...] = ()
    delegation: tuple[str, ...] = ()
    """Who acts for the principal, the caller itself first (RFC 8693 §4.1)."""
    subject_token: str | None = None
    """The caller's own token, for an upstream that takes it in exchange (RFC 8693); never logged."""
    rows: Rows | None = None
    """The rows that a write may touch, where its operation `filters_rows`; None: any."""

    most: int | None = None
    """How many rows a write may change, where its operation `counts`; None: any number."""
    held: Held | None = None
    """What a dry run of this write told, if that told something to be held to."""
    priority: int = 3
    """The points with which the call waits for its turn; adapters needn't look at it."""
    inline: int | None = None
    """Content (base64 text in JSON) of more bytes than this may be given as an `adapters.blob.Blob`, which stays in a
    file; None: always as text. An input may hold a `Blob` in place of base64 text where the adapter says so."""

    def remaining(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(0.0, self.deadline - time.monotonic())


@dataclass(frozen=True, slots=True)
class Probe:
    """One look at an upstream's health: is it up, how long it took (seconds), and facts worth showing."""

    ok: bool
    detail: str
    seconds: float
    facts: Mapping[str, Json] = field(default_factory=dict)


class Adapter(Protocol):
    """One upstream. All methods are called on the event loop and must never block it.

    `open` may fail (`Unavailable`) and be called again; `invoke` on an adapter that isn't open opens it.
    `invoke` obeys `context.deadline` by itself, stops work at the source when cancelled, and raises
    only what `adapters.errors` defines.
    """

    @property
    def name(self) -> str: ...

    def operations(self) -> Mapping[str, Operation]:
        """What the upstream can do, known offline, by operation name."""
        ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def invoke(self, operation: str, input: Mapping[str, Json], context: Context) -> Result: ...

    async def probe(self, context: Context) -> Probe: ...


@dataclass(frozen=True, slots=True)
class Workspace:
    """What an adapter may read: the workspace's files by relative path, and a folder to cache in."""

    files: Mapping[str, bytes]
    """`openapi/sources/…` and the like, POSIX paths; the only way to a file that configuration names."""
    cache: Path
    """This upstream's own folder for derived files; may not exist yet, may be deleted at any time."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of adapter, as its entry point in the group `figway.adapters` names it."""

    name: str
    config: type[BaseModel]
    build: Callable[[str, Any, Workspace], Adapter]
    """(upstream's name, validated config, workspace) → adapter. No network; raises `ConfigError`."""
