"""The shape of `policies/migration.yaml`: how far each route group is on its way from legacy to its replacement."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from adapters.contract import Effect
from gateway.routing.gates_schema import GatesModel, RampModel
from gateway.routing.groups import MILLION, Group, ReadStage, Side, Stage, State, WriteStage
from gateway.routing.limits_schema import RateText
from gateway.routing.mapping import BadExpression, expression
from gateway.routing.model import Route
from gateway.routing.parity_schema import ParityModel, parity_findings
from gateway.routing.report import Document, Report
from gateway.routing.source import parse
from gateway.routing.stages import broken

FILE = "policies/migration.yaml"
KEY_NAMES = frozenset({"path", "query", "header", "body", "principal"})
"""What a bucket's key may read of a call."""


def _millionths(value: Any) -> int:
    """Percent as people write it, such as 5 or 0.25, in millionths."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise ValueError("a share is a number of percent from 0 to 100, such as 5 or 0.25")
    exact = Decimal(str(value)) * (MILLION // 100)
    if exact != int(exact):
        raise ValueError("a share has at most four decimals")
    return int(exact)


def percent(millionths: int) -> str:
    """Millionths as people write percent: `5`, `0.25`."""
    text = f"{Decimal(millionths) / (MILLION // 100):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _on_off(value: Any) -> bool:
    if value in ("on", "off"):
        return bool(value == "on")
    raise ValueError("this is on or off")


def _is_expression(text: str) -> str:
    try:
        strange = sorted(expression(text).names() - KEY_NAMES)
    except BadExpression as error:
        raise ValueError(str(error)) from error
    if strange:
        raise ValueError(f"a call has no '{strange[0]}': read {', '.join(sorted(KEY_NAMES))}")
    return text


def _day(text: Any) -> date:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise ValueError("a day is written 2027-06-30") from error


Percent = Annotated[int, BeforeValidator(_millionths), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100})]
"""A field written in percent, held in millionths."""
OnOff = Annotated[bool, BeforeValidator(_on_off), WithJsonSchema({"enum": ["on", "off"]})]
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Address = Annotated[str, Field(pattern=r"^https?://[^\s<>\"\x00-\x1f\x7f-\U0010ffff]+$", max_length=1000)]
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,62}$")]
Cohort = Annotated[str, Field(pattern="^(principal|team|tenant):.{1,200}$")]


UpstreamName = Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,62}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReadsModel(_Model):
    """Where the group's reads are."""

    stage: ReadStage = Field(default="legacy", description="The stage of reads.")
    weight: Percent = Field(default=0, description="In canary: the share that the replacement serves, in percent.")
    holdback: Percent = Field(
        default=MILLION // 100, description="In live: the share that legacy still serves, in percent."
    )
    probe: OnOff = Field(
        default=True, description="From new_only on: whether legacy is still kept warm and probed, on or off."
    )


class WritesModel(_Model):
    """Where the group's writes are."""

    stage: WriteStage = Field(default="legacy", description="The stage of writes.")


class GroupModel(_Model):
    """One route group."""

    state: State = Field(
        default="stateless",
        description="How legacy and replacement keep their data: in one place (shared), each its own (replicated), or "
        "not at all (stateless).",
    )
    key: Annotated[str, AfterValidator(_is_expression)] | None = Field(
        default=None,
        description="What a caller's bucket is drawn by: JMESPath over path, query, header, body and principal; left "
        "out, or where it is null: the tenant, else the principal.",
    )
    salt: str | None = Field(
        default=None, pattern=r"^[^|]{1,64}$", description="Shuffles the buckets; default: the group's name."
    )
    reads: ReadsModel = Field(default=ReadsModel(), description="The reads' stage.")
    writes: WritesModel = Field(default=WritesModel(), description="The writes' stage.")
    cohorts: dict[Cohort, Side] = Field(
        default_factory=dict,
        max_length=1000,
        description="Who is always served by one side: principal:NAME, team:NAME or tenant:NAME, to legacy or "
        "replacement.",
    )
    sample: Percent = Field(
        default=MILLION // 10, description="The share of reads of which the other side is asked, too, in percent."
    )
    parity: ParityModel = Field(default=ParityModel(), description="In what the two sides may answer differently.")
    gates: GatesModel = Field(default=GatesModel(), description="What rolls the group back, and what lets it go on.")
    ramp: RampModel | None = Field(
        default=None, description="The canary's timetable; left out: people take every step."
    )
    approval: Literal["required"] | None = Field(
        default=None, description="Whether each flip of the group, but a rollback, needs another person's approval."
    )
    deprecated: Day | None = Field(
        default=None, description="Since when callers are to leave the group's routes: said in Deprecation (RFC 9745)."
    )
    sunset: Day | None = Field(
        default=None, description="The day from which its routes may be gone: said in Sunset (RFC 8594)."
    )
    backfill: str | None = Field(
        default=None,
        min_length=1,
        max_length=500,
        description="What becomes of legacy's data once only the replacement is written, as a sentence or a ticket; "
        "writes at new_only need it where each side keeps its own data.",
    )
    successor: Address | None = Field(
        default=None, description="Where callers are to go instead: said in Link as successor-version (RFC 5829)."
    )
    docs: Address | None = Field(
        default=None, description="A page that says how to leave: said in Link as deprecation (RFC 9745)."
    )
    owner: str | None = Field(default=None, min_length=1, max_length=200, description="Who answers for the migration.")
    expires: Day | None = Field(default=None, description="The day by which it is to be done; past it, a warning.")

    @model_validator(mode="after")
    def _leaves_before_it_goes(self) -> GroupModel:
        if self.deprecated is not None and self.sunset is not None and self.sunset < self.deprecated:
            raise ValueError("the sunset is before the routes are deprecated")
        return self

    def stage(self) -> Stage:
        """What the file says of the group's stage."""
        reads = self.reads
        return Stage(reads.stage, self.writes.stage, reads.weight, reads.holdback, reads.probe)


class Migration(_Model):
    """`policies/migration.yaml`."""

    extra_calls: dict[UpstreamName, RateText] = Field(
        default_factory=dict,
        max_length=256,
        description="How often an upstream may be asked beside its callers, to compare, reconcile and probe; 1/s for "
        "one left out. One at a time, and not while it is strained.",
    )
    groups: dict[Name, GroupModel] = Field(
        default_factory=dict, max_length=1000, description="The route groups by name; one left out stays at legacy."
    )


def compile_groups(migration: Migration, routes: Sequence[Route], stages: Mapping[str, Stage]) -> dict[str, Group]:
    """Every group of the routes by name; `stages` are the snapshot's own, which go before what the file says."""
    members: dict[str, list[Route]] = {}
    for route in routes:
        members.setdefault(route.group, []).append(route)
    models = migration.groups
    return {
        name: _group(name, models.get(name, GroupModel()), each, stages.get(name)) for name, each in members.items()
    }


def declared_stages(files: Mapping[str, bytes]) -> dict[str, Stage]:
    """The stages that a workspace's migration.yaml names, by group; none where it can't be read."""
    document = parse(FILE, files[FILE], Report()) if FILE in files else None
    try:
        models = Migration.model_validate({} if document is None else document.data).groups
    except ValidationError:
        return {}
    return {name: model.stage() for name, model in models.items()}


def _group(name: str, model: GroupModel, routes: Sequence[Route], stage: Stage | None) -> Group:
    reads, writes = (_bound(routes, reading=reading) for reading in (True, False))
    return Group(
        name=name,
        stage=stage or model.stage(),
        state=model.state,
        salt=model.salt or name,
        key=None if model.key is None else expression(model.key),
        cohorts=model.cohorts,
        owner=model.owner or "",
        expires=model.expires,
        routes=tuple(each.operation_id for each in routes),
        sample=model.sample,
        parity=model.parity,
        gates=model.gates,
        ramp=model.ramp,
        approval=model.approval is not None,
        deprecated=model.deprecated,
        sunset=model.sunset,
        successor=model.successor,
        docs=model.docs,
        backfill=model.backfill or "",
        declared=model.stage(),
        has_reads=bool(reads),
        has_writes=bool(writes),
        dry_run=all(each.replacement is not None and each.replacement.dry_run for each in writes) and bool(writes),
        lacking_reads=_lacking(reads),
        lacking_writes=_lacking(writes),
        split=tuple(each.operation_id for each in reads if each.replacement is not None and each.replacement.owns),
        missing=tuple(each.operation_id for each in reads if each.missing is not None),
        mocked=tuple(each.operation_id for each in routes if each.absent == "mock"),
    )


def _bound(routes: Sequence[Route], *, reading: bool) -> list[Route]:
    """The reads, or else the writes, among the routes that are served by an upstream."""
    return [each for each in routes if (each.effect is Effect.READ) == reading and each.compose is None]


def _lacking(routes: Sequence[Route]) -> tuple[str, ...]:
    return tuple(each.operation_id for each in routes if each.replacement is None and each.missing is None)


def check_migration(
    files: Mapping[str, bytes], migration: Migration, groups: Mapping[str, Group], upstreams: Collection[str],
    today: date, report: Report,
) -> None:  # fmt: skip
    """Notes groups and upstreams that aren't there, days that are past, and rules of parity that nobody answers for."""
    document = parse(FILE, files[FILE], Report()) if FILE in files else None
    if document is None:
        return
    for name in migration.extra_calls:
        if name not in upstreams:
            report.add(document, ("extra_calls", name), f"there is no upstream '{name}'")
    for name, model in migration.groups.items():
        place = ("groups", name)
        if name not in groups:
            report.add(document, place, f"there is no group '{name}' in the contracts")
        elif model.expires is not None and model.expires < today:
            report.add(document, (*place, "expires"), "this day is past: finish the migration, or move it", "warning")
        for where, sentence, level in parity_findings(model.parity, today, model.owner or "", model.expires):
            report.add(document, (*place, "parity", *where), sentence, level)


def check_stages(files: Mapping[str, bytes], groups: Mapping[str, Group], report: Report) -> None:
    """Notes each group whose stage isn't a legal one (`gateway.routing.stages`)."""
    document = (parse(FILE, files[FILE], Report()) if FILE in files else None) or Document(FILE, {}, {})
    for name, group in groups.items():
        for sentence in broken(group, group.stage):
            report.add(document, ("groups", name), sentence)
