"""The shape of `gateway.yaml` and of `x-gateway`: pydantic models, and the JSON Schemas that `figway schema` prints."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from adapters import registry
from adapters.contract import Effect
from adapters.secret import Secret
from gateway.routing.captures import CaptureModel
from gateway.routing.compose_schema import ComposeModel
from gateway.routing.events_schema import Events
from gateway.routing.freshness import FreshnessModel
from gateway.routing.identity import Identity
from gateway.routing.rings import ring_secrets
from gateway.routing.units import Duration, Size
from gateway.store.place import DEFAULT_URL

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
OPERATION_ID = r"^[a-z_][a-z0-9_]{0,63}$"
"""What an `operationId` looks like: it is the MCP tool's name too."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Upstream(BaseModel):
    """One legacy system or replacement. Every other key belongs to its kind."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field(description="The kind of adapter, such as soap, odbc, files or http.")
    deadline: Duration = Field(default=5.0, description="How long one call may take.")
    concurrency: int = Field(default=8, ge=1, le=1000, description="How many calls may run at once.")
    queue: int = Field(
        default=64, ge=0, le=100_000, description="How many calls may wait for their turn; more are refused."
    )
    changes: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$")], CaptureModel] = Field(
        default_factory=dict, max_length=100, description="What is captured of it, by name."
    )


class Defaults(_Model):
    """What holds for every route that doesn't say otherwise."""

    deadline: Duration = Field(default=10.0, description="How long one request may take, from its first byte on.")
    max_body: Size = Field(default=2**20, description="The largest request body.")
    max_reply: Size = Field(default=2**24, description="The largest reply of an upstream.")
    page: int = Field(
        default=50, ge=1, le=10_000, description="How many items a list answers when `limit` isn't given."
    )
    max_page: int = Field(default=500, ge=1, le=10_000, description="The largest `limit`.")


class Stores(_Model):
    """Where the gateway keeps what it must remember."""

    state: str = Field(
        default=DEFAULT_URL,
        pattern="^sqlite:///.+",
        description="The state store: sqlite:///PATH, relative to the workspace.",
    )
    limits: str = Field(
        default="memory:",
        pattern="^(memory:$|rediss?://.|unix://.)",
        description="Where limits are counted: memory: on this host; redis://HOST:PORT/DB, rediss:// or unix://PATH "
        "for a fleet.",
    )
    cache: str = Field(
        default="memory:",
        pattern="^(memory:$|rediss?://.|unix://.)",
        description="Where answers are kept: memory: in each worker; redis://HOST:PORT/DB, rediss:// or unix://PATH "
        "beside that, for a fleet.",
    )
    audit: str = Field(
        default="embedded:",
        pattern="^(embedded:$|postgres(ql)?://.|env:.|file:/.)",
        description="Where the audit is kept: embedded: in the state folder; postgresql://USER:PASSWORD@HOST/DATABASE "
        "for a fleet, as a reference.",
    )


class Receiver(_Model):
    """Who is told of flips, rollbacks and approvals, by webhooks signed as Standard Webhooks has it."""

    url: str = Field(
        pattern=r"^(https://[^/@?#]+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?)(/|$)",
        description="https, or http on this host.",
    )
    secret: Secret = Field(description="What signs the messages, by reference: a text, or whsec_ and base64.")


RingName: TypeAlias = Literal["pepper", "cursor", "tokens", "audit", "arguments", "plan"]
"""The gateway's own keys that an operator may give."""


def _is_ring(value: SecretStr) -> SecretStr:
    ring_secrets(value.get_secret_value())
    return value


class Gateway(_Model):
    """`gateway.yaml`: what a workspace talks to, and the defaults of its routes."""

    upstreams: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,62}$")], Upstream] = Field(
        default_factory=dict, description="The systems behind the routes, by name."
    )
    defaults: Defaults = Field(default=Defaults(), description="Defaults of every route.")
    identity: Identity = Field(default=Identity(), description="How callers are known.")
    stores: Stores = Field(default=Stores(), description="Where state is kept.")
    notify: tuple[Receiver, ...] = Field(
        default=(), max_length=20, description="Who is told of flips, rollbacks and approvals, by webhooks."
    )
    events: Events = Field(default=Events(), description="Who is told of what changes in the systems.")
    keys: dict[RingName, Annotated[Secret, AfterValidator(_is_ring)]] = Field(
        default_factory=dict,
        description="The gateway's own keys, given instead of made in the state folder: 32 bytes in base64url each, "
        "several separated by commas, the one that signs first.",
    )

    @model_validator(mode="after")
    def _captured(self) -> Gateway:
        there = {f"{name}.{own}" for name, each in self.upstreams.items() for own in each.changes}
        for name, subscriber in self.events.subscribers.items():
            for source in sorted(set(subscriber.sources) - there):
                raise ValueError(f"'{name}' is told of '{source}', which no upstream's changes capture")
        return self


class BindingModel(_Model):
    """Which operation of which upstream serves the route."""

    upstream: str = Field(description="A name from `upstreams` of gateway.yaml.")
    operation: str = Field(description="One of the upstream's operations, such as GetCustomer or GET /v2/customers.")
    input: dict[str, str | int | float | bool | None] | None = Field(
        default=None,
        description="The operation's input by name: JMESPath over path, query, header, body, principal, call and "
        "list; what isn't a text is a literal. Left out: a list passes its page request, another route its "
        "parameters and body merged.",
    )
    output: str | None = Field(
        default=None, description="JMESPath over the operation's result; left out: the result itself."
    )
    dry_run: bool | None = Field(
        default=None,
        description="Whether the write can be tried without effect: true where its API takes Prefer: dry-run and "
        "acknowledges it, false where something behind it doesn't obey; left out: what the adapter promises.",
    )
    version: str | None = Field(
        default=None,
        min_length=1,
        description="The operation's member that says which version of the entity it is: a read's ETag is made of it, "
        "and a write with If-Match changes that version alone.",
    )


class ReplacementModel(BindingModel):
    """What is to take over the route, or some of its fields, or isn't built yet."""

    upstream: str = Field(default="", description="A name from `upstreams` of gateway.yaml.")
    operation: str = Field(
        default="", description="One of the upstream's operations, such as GetCustomer or GET /v2/customers."
    )
    fields: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field(
        default=(),
        max_length=200,
        description="The fields that it answers, by name or JSON Pointer into the entity, such as email or "
        "/address/city; legacy answers the rest. Left out: all of them.",
    )
    missing: Literal["fail", "mock"] | None = Field(
        default=None,
        description="In place of upstream and operation while there is no replacement yet: its calls fail, or are "
        "answered by an example.",
    )

    @model_validator(mode="after")
    def _there_or_missing(self) -> ReplacementModel:
        if self.missing is None and not (self.upstream and self.operation):
            raise ValueError("give upstream and operation; while there is none yet, say missing: fail or missing: mock")
        if self.missing is not None and len(self.model_fields_set) > 1:
            raise ValueError("missing stands alone: remove it once there is an upstream")
        return self


class CostModel(_Model):
    """What a call costs, before it is made and after."""

    estimate: int = Field(ge=0, le=1_000_000_000, description="What a budget must have left for the call to be made.")
    measured: str = Field(description="JMESPath over the reply: a number, what the call really cost.")


class ApprovalModel(_Model):
    """Which calls need other people's yes, and how many."""

    when: str | None = Field(
        default=None,
        description="JMESPath over what `input` reads, such as body.priority == 'urgent': the calls that need it. Left "
        "out: all. What can't be evaluated needs it.",
    )
    needed: int = Field(default=1, ge=1, le=5, description="How many people must say yes.")


class Extension(_Model):
    """`x-gateway` of an operation: what serves it."""

    effect: Effect = Field(description="What a call does: read, idempotent_write or write.")
    group: str | None = Field(
        default=None,
        pattern="^[a-z][a-z0-9_-]{0,62}$",
        description="The unit of migration; default: the operation's first tag.",
    )
    legacy: BindingModel | None = Field(default=None, description="The system that has always served it.")
    replacement: ReplacementModel | None = Field(default=None, description="What is to take over.")
    compose: ComposeModel | None = Field(default=None, description="Several routes instead of one upstream.")
    missing: Literal["fail", "mock"] | None = Field(
        default=None,
        description="What calls come to while there is no binding, or gateway.yaml doesn't have its upstream: they "
        "fail, or are answered by an example.",
    )
    enforcement: Literal["strict", "shape", "off"] = Field(
        default="strict", description="A reply that breaks the contract is refused (502), trimmed to it, or passed."
    )
    freshness: FreshnessModel | None = Field(
        default=None, description="Whether answers are kept, and how long they serve; left out: each is live."
    )
    deadline: Duration | None = Field(default=None, description="How long this route may take.")
    cost: Annotated[int, Field(ge=0, le=1_000_000_000)] | CostModel | None = Field(
        default=None,
        description="What a call counts against budgets; default: 1, and for a composite the sum of its steps.",
    )
    plan: Literal["required"] | None = Field(
        default=None, description="A write that must be tried first: its calls bring the dry run's plan token."
    )
    approval: Literal["required"] | ApprovalModel | None = Field(
        default=None, description="Calls that another person must say yes to: all, or some of them."
    )
    max_affected: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000_000,
        description="How many rows a call may change; one that would change more is taken back and refused.",
    )
    location: str | None = Field(
        default=None,
        pattern="^/",
        description="The Location header: a path over the reply's members, such as /tasks/{id}.",
    )


def gateway_schema() -> dict[str, Any]:
    """The JSON Schema of `gateway.yaml`, with the keys of every kind of adapter that is installed."""
    schema = Gateway.model_json_schema()
    common = schema["$defs"].pop("Upstream")
    branches = []
    for name in registry.names():
        try:
            branches.append(_branch(name, common, schema["$defs"]))
        except registry.UnknownKind:
            continue
    schema["$defs"]["Upstream"] = {"oneOf": branches} if branches else common
    return {"$schema": _DIALECT, "title": "gateway.yaml", **schema}


def extension_schema() -> dict[str, Any]:
    """The JSON Schema of `x-gateway` in an operation of a contract."""
    return {"$schema": _DIALECT, **Extension.model_json_schema(), "title": "x-gateway"}


def _branch(name: str, common: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    own = registry.kind(name).config.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    definitions.update({f"{name}.{key}": value for key, value in own.pop("$defs", {}).items()})
    properties = {**common["properties"], **own.get("properties", {}), "kind": {"const": name}}
    required = ["kind", *own.get("required", [])]
    return {**own, "properties": properties, "required": required, "additionalProperties": False}
