"""What a migration is made of: stages, the groups that have them, and the two sides that a call may be served by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, TypeAlias, get_args

from gateway.routing.model import Expression

ReadStage: TypeAlias = Literal["legacy", "shadow", "canary", "live", "new_only", "retired"]
WriteStage: TypeAlias = Literal["legacy", "dry_run", "dual_legacy", "dual_new", "new_only", "retired"]
Side: TypeAlias = Literal["legacy", "replacement"]
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
    key: Expression | None = None
    """Over a call's scope: the entity's id; None: the tenant, else the principal."""
    cohorts: Mapping[str, Side] = field(default_factory=dict)
    """Principal, team or tenant (`principal:alice`, `team:x`, `tenant:y`) → the side that always serves it."""
    owner: str = ""
    expires: date | None = None
    routes: tuple[str, ...] = ()
    """The operationIds of the group, in the contract's order."""
    parity: Any = None
    gates: Any = None
    ramp: Any = None


def serves(stage: Stage, bucket: int) -> Side:
    """Which side answers a read whose bucket (0 to 999,999) that is: the replacement owns [0, weight)."""
    match stage.reads:
        case "legacy" | "shadow":
            return "legacy"
        case "canary":
            return "replacement" if bucket < stage.weight else "legacy"
        case "live":
            return "replacement" if bucket < MILLION - stage.holdback else "legacy"
        case _:
            return "replacement"
