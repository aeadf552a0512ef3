"""Route groups and their stages, as a snapshot holds them: how far each has come from legacy to its replacement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from gateway.routing.model import Expression

ReadStage: TypeAlias = Literal["legacy", "shadow", "canary", "live", "new_only", "retired"]
WriteStage: TypeAlias = Literal["legacy", "dry_run", "dual_legacy", "dual_new", "new_only", "retired"]
Side: TypeAlias = Literal["legacy", "replacement"]
Served: TypeAlias = Literal["legacy", "replacement", "both"]
"""Who answers a call: one side, or both, where the replacement has some of the fields only."""
State: TypeAlias = Literal["shared", "replicated", "stateless"]

READS: tuple[ReadStage, ...] = get_args(ReadStage)
"""The stages of reads, in the order in which a group goes through them."""
WRITES: tuple[WriteStage, ...] = get_args(WriteStage)
"""The stages of writes, in the order in which a group goes through them."""
MILLION = 10**6
"""Weights, holdbacks and buckets are counted in millionths; people write percent."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a group is. `weight` (millionths) counts in canary, `holdback` (millionths) in live."""

    reads: ReadStage = "legacy"
    writes: WriteStage = "legacy"
    weight: int = 0
    holdback: int = MILLION // 100
    probe: bool = True
    """Whether legacy is still kept warm and probed once reads are `new_only`."""
    frozen: bool = False
    """Writes wait, and are then refused, while authority over them changes hands."""


@dataclass(frozen=True, slots=True)
class Group:
    """A route group as a snapshot serves it: what `policies/migration.yaml` says of it, at its effective stage."""

    name: str
    stage: Stage
    state: State = "stateless"
    salt: str = ""
    """Never empty in a snapshot: what migration.yaml says, else the group's name."""
    key: Expression | None = None
    """Over a call's scope: the entity's id; None: the tenant, else the principal."""
    cohorts: Mapping[str, Side] = field(default_factory=dict)
    """Principal, team or tenant (`principal:alice`, `team:x`, `tenant:y`) → the side that always serves it."""
    owner: str = ""
    expires: date | None = None
    routes: tuple[str, ...] = ()
    """The operationIds of the group, in the contract's order."""
    sample: int = MILLION // 10
    """The share of reads, in millionths, of which the other side is asked, too."""
    parity: Any = None
    gates: Any = None
    ramp: Any = None
    approval: bool = False
    """Whether each flip of it needs an approval."""
    declared: Stage = field(default_factory=Stage)
    """The stage that migration.yaml names, which a snapshot's own goes before."""
    deprecated: date | None = None
    """Since when its routes are to be left; `sunset`: the day from which they may be gone."""
    sunset: date | None = None
    successor: str | None = None
    """The address of what its callers are to use instead; `docs`: of a page that says how."""
    docs: str | None = None
    backfill: str = ""
    """What becomes of legacy's data once only the replacement is written; empty: nobody has said."""
    has_reads: bool = True
    has_writes: bool = True
    dry_run: bool = False
    """Whether the replacement can show what each write of the group would do."""
    lacking_reads: tuple[str, ...] = ()
    """The operationIds of reads without a replacement; `lacking_writes` those of writes."""
    lacking_writes: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    """The operationIds of reads of which the replacement answers some fields only."""
    missing: tuple[str, ...] = ()
    """The operationIds of reads whose replacement isn't there yet, which the contract says."""
    mocked: tuple[str, ...] = ()
    """The operationIds of routes that no system is behind, and that are answered by examples."""


def stage_document(stage: Stage, origin: str) -> dict[str, Any]:
    """A stage as the store keeps it; `origin` is what set it: file, flip, rollback or autopilot."""
    return {**{name: getattr(stage, name) for name in _FIELDS}, "origin": origin}


def stage_of(document: Mapping[str, Any]) -> Stage:
    """The stage of a document of the store's."""
    return Stage(**{name: document[name] for name in _FIELDS})


_FIELDS = tuple(each.name for each in fields(Stage))


def stages_of(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, Stage]:
    """The stages of a snapshot's documents, by group."""
    return {name: stage_of(each) for name, each in documents.items()}


def kept_stages(
    documents: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Group]
) -> dict[str, Mapping[str, Any]]:
    """The documents of the next snapshot: those of the last one stay, a new group's is what the file says of it."""
    fresh = {name: stage_document(group.stage, "file") for name, group in groups.items() if name not in documents}
    return {**documents, **fresh}
