"""What a snapshot holds. Everything here is immutable and compiled: nothing is parsed on the request path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from adapters.contract import Effect, Json, JsonSchema
from gateway.routing.captures import CaptureModel
from gateway.routing.freshness import Freshness
from gateway.routing.groups import Group
from gateway.routing.identity import Identity
from gateway.routing.rules import Rules


class Expression(Protocol):
    """A compiled JMESPath expression: plain projections and renames as closures, the rest through JMESPath."""

    @property
    def source(self) -> str: ...

    @property
    def compiled(self) -> bool:
        """Whether it runs as closures; if not, a big value wants a thread."""
        ...

    def __call__(self, scope: Json) -> Json:
        """The expression's value over `scope`; raises `MappingFailed`."""
        ...

    def names(self) -> frozenset[str]:
        """The top-level names of the scope that the expression reads, such as `path` or a step's name."""
        ...


class MappingFailed(Exception):
    """An expression can't be evaluated over a value (a JMESPath type error)."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a contract (OpenAPI 3.1 style `simple` for path and header, `form` for query)."""

    name: str
    where: Literal["path", "query", "header"]
    schema: JsonSchema
    required: bool = False
    explode: bool = True
    default: Json = None


@dataclass(frozen=True, slots=True)
class Body:
    """A request body: its schema per media type (only `application/json` and `+json` are decoded)."""

    required: bool
    media: Mapping[str, JsonSchema]


@dataclass(frozen=True, slots=True)
class Binding:
    """Which operation of which upstream serves a route, and how values get in and out.

    `fields` maps the route's field names to the upstream's, where `output` is a plain rename; filters and sorts of
    a list use it. `input` is None when the binding leaves it out: a list passes its `ListRequest`, another route
    its parameters and body merged.
    """

    upstream: str
    operation: str
    input: Mapping[str, Expression] | None
    output: Expression | None
    fields: Mapping[str, str] = field(default_factory=dict)
    filters_rows: bool = False
    """The operation can be narrowed to rows (`adapters.contract.Operation.filters_rows`)."""
    dry_run: bool = False
    """The operation is a write that can be tried without effect."""
    previews: bool = False
    """Its upstream can show what it would be sent."""
    takes: frozenset[str] = frozenset()
    """What the operation can do beside a plain read: `fields`, `expand`, `before`."""
    claims: frozenset[str] = frozenset()
    """Of `fields` and `expand`, those that the binding reads itself: they mean what its upstream takes them for."""
    reads: Mapping[str, frozenset[str]] | None = None
    """The route's members by name → the upstream's that each is made of; None: they can't be told apart."""
    version: str | None = None
    """The operation's member that says which version of the entity it answers, or is to change."""
    owns: tuple[tuple[str, ...], ...] = ()
    """Of a replacement: the fields of the entity that it answers, as paths of members; none: all of them."""


@dataclass(frozen=True, slots=True)
class Compensation:
    """What undoes a step: a call of another route. `if_unknown`: also where nobody knows if the step happened."""

    route: str
    input: Mapping[str, Expression]
    if_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a composite: a call of another route. `on_error` is fail, omit or default (then `default`)."""

    name: str
    route: str
    input: Mapping[str, Expression]
    on_error: Literal["fail", "omit", "default"] = "fail"
    default: Json = None
    after: frozenset[str] = frozenset()
    """The steps that must have ended before: those that it reads, those that it names, and of writes the one before."""
    when: Expression | None = None
    for_each: Expression | None = None
    concurrency: int = 1
    """Items at once, where it is `for_each`."""
    compensate: Compensation | None = None

    def reads(self) -> tuple[Expression, ...]:
        """All that is evaluated before it is called."""
        return (*self.input.values(), *(each for each in (self.when, self.for_each) if each is not None))

    def routes(self) -> tuple[str, ...]:
        """The operationIds that it may call."""
        return (self.route,) if self.compensate is None else (self.route, self.compensate.route)


@dataclass(frozen=True, slots=True)
class Composite:
    """A route served by several routes; `output` reads the steps' results by name (an omitted one is absent)."""

    steps: tuple[Step, ...]
    output: Expression

    @property
    def undoes(self) -> bool:
        """Whether a failure has it undo what it has done."""
        return any(step.compensate is not None for step in self.steps)

    def needed(self) -> tuple[str, ...]:
        """The operationIds without which it can't be called."""
        return tuple(
            name for step in self.steps for name in step.routes() if step.on_error == "fail" or name != step.route
        )


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """Calls for which `when` is true (None: all) need `needed` other people's yes."""

    needed: int = 1
    when: Expression | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of a contract, compiled. `path` is the template, such as `/customers/{customer_id}`."""

    operation_id: str
    method: str
    path: str
    effect: Effect
    group: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    status: int
    """The status of success: the contract's first 2xx response."""
    reply: JsonSchema | None
    """The schema of success's JSON body, `$ref`s resolvable within; None where it has none."""
    content: str = ""
    """The media type of the bytes that it answers in place of JSON; empty: JSON."""
    legacy: Binding | None = None
    replacement: Binding | None = None
    missing: Literal["fail", "mock"] | None = None
    """There is to be a replacement, and isn't yet: what its calls come to."""
    absent: Literal["fail", "mock"] | None = None
    """No system is behind it, neither legacy nor a replacement: what its calls come to."""
    compose: Composite | None = None
    enforcement: Literal["strict", "shape", "off"] = "strict"
    is_list: bool = False
    """The reply is `{"items": [...], "next": url | null}` and `limit`, `cursor`, `sort` and filters apply."""
    both_ways: bool = False
    """A list whose reply also has `previous`."""
    sparse: bool = False
    """It takes `fields`: the members that entities are to have."""
    location: str | None = None
    """A template over the reply's fields for the `Location` header, such as `/tasks/{id}`."""
    freshness: Freshness | None = None
    """How long its answers are kept; None: they aren't."""
    deadline: float | None = None
    """Seconds; None: the workspace's default."""
    plan: bool = False
    """A write that must be tried first: its calls bring the dry run's token."""
    approval: ApprovalRule | None = None
    """Whose calls another person decides on."""
    max_affected: int | None = None
    """How many rows a call may change; None: any number."""
    cost: int | None = None
    """What a call counts against budgets; None: 1, and for a composite the sum of its steps."""
    measured: Expression | None = None
    """Over the reply: what the call really cost."""
    summary: str = ""
    examples: tuple[Json, ...] = ()
    """What the contract gives as examples of success's body."""
    where: str = ""
    """`file:line` of the operation in its contract."""

    @property
    def versioned(self) -> bool:
        """Whether some side of it tells which version it answers, or changes the version that a caller names alone."""
        return any(each is not None and each.version is not None for each in (self.legacy, self.replacement))


@dataclass(frozen=True, slots=True)
class UpstreamSpec:
    """One upstream of `gateway.yaml`: its kind, its own options (validated), and the limits around it (seconds)."""

    name: str
    kind: str
    config: BaseModel
    digest: str
    """Changes whenever the configuration, a resolved reference or a file it may read changes: keep or rebuild."""
    deadline: float = 5.0
    concurrency: int = 8
    queue: int = 64
    changes: Mapping[str, CaptureModel] = field(default_factory=dict)
    """What is captured of it, by name."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """The workspace's defaults. Times in seconds, sizes in bytes."""

    deadline: float = 10.0
    max_body: int = 1_048_576
    max_reply: int = 16_777_216
    page: int = 50
    max_page: int = 500


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """Who made a snapshot, when and why. `version` 0 is one that isn't stored yet."""

    version: int
    hash: str
    parent_hash: str | None
    author: str
    reason: str
    ticket: str | None
    time: datetime


@dataclass(frozen=True, slots=True)
class Compiled:
    """A workspace, checked and compiled: what a snapshot serves."""

    hash: str
    """SHA-256 over the workspace's files (canonical), hex."""
    files: Mapping[str, bytes]
    routes: tuple[Route, ...]
    upstreams: Mapping[str, UpstreamSpec]
    defaults: Defaults
    rules: Rules
    """Who may do what."""
    document: Mapping[str, Any]
    """The contracts merged into one OpenAPI 3.1 document, `x-gateway` stripped."""
    identity: Identity = field(default_factory=Identity)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The rest of `gateway.yaml`, validated: stores."""
    policy_files: Mapping[str, BaseModel] = field(default_factory=dict)
    """`policies/NAME` by name, validated: `routing.policy_files` lists them."""
    groups: Mapping[str, Group] = field(default_factory=dict)
    """Every route group of the contracts by name, at the stage that is served."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong in a workspace. `line` is 1-based; `key` is a JSON Pointer or a dotted key."""

    file: str
    line: int
    key: str
    message: str
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key + ': ' if self.key else ''}{self.message}"


class InvalidWorkspace(Exception):
    """A workspace that can't be served; holds every finding."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(f"{len(findings)} problem{'' if len(findings) == 1 else 's'} in the workspace")
        self.findings = findings
