"""What a migration is made of: stages, the groups that have them, and the two sides that a call may be served by."""

from __future__ import annotations

from gateway.routing.groups import MILLION, READS, WRITES, Group, ReadStage, Served, Side, Stage, State, WriteStage

__all__ = [
    "MILLION",
    "READS",
    "WRITES",
    "Group",
    "ReadStage",
    "Served",
    "Side",
    "Stage",
    "State",
    "WriteStage",
    "serves",
]


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
