"""Which stages a route group may be at, and which may follow which: pure functions that answer with sentences.

Both tracks, reads and writes, go forward one stage at a time and back to legacy in one step. A group without writes
(or without reads) has only the other track, and no rule about the one that it lacks applies to it.
"""

from __future__ import annotations

from dataclasses import replace

from adapters.contract import Effect
from gateway.routing.groups import READS, WRITES, Group, Side, Stage, WriteStage
from gateway.routing.model import Route

_DUAL: tuple[WriteStage, ...] = ("dual_legacy", "dual_new")


def broken(group: Group, stage: Stage) -> tuple[str, ...]:
    """The rules that `group` would break by being at `stage`, each as a sentence; none: it's a legal stage."""
    return (*_alone(group, stage), *_together(group, stage))


def refused(group: Group, before: Stage, after: Stage) -> tuple[str, ...]:
    """Why `group` may not go from `before` to `after`; none: it may."""
    sentences = []
    if before.frozen and not after.frozen and before != replace(after, frozen=True):
        sentences.append("its writes are frozen, as authority over them changes hands: wait for that to end")
    if before.reads != after.reads:
        sentences += _step("reads", before.reads, after.reads, READS, before.reads == "retired")
    if before.writes != after.writes:
        final = before.writes in ("new_only", "retired")
        sentences += _step("writes", before.writes, after.writes, write_stages(group), final)
    return (*sentences, *broken(group, after))


def write_stages(group: Group) -> tuple[WriteStage, ...]:
    """The stages that the group's writes go through: dual ones not on shared data, dry_run only where there is one."""
    skipped: set[WriteStage] = set(_DUAL) if group.state == "shared" else set()
    if not group.dry_run:
        skipped.add("dry_run")
    return tuple(each for each in WRITES if each not in skipped)


def back(group: Group, stage: Stage) -> Stage:
    """Where a rollback leads: reads to legacy first, then writes, each as far as is legal; `stage` itself: nowhere."""
    for wanted in (
        replace(stage, reads="legacy", writes="legacy", weight=0),
        replace(stage, reads="legacy", weight=0),
        replace(stage, writes="legacy"),
    ):
        if not refused(group, stage, wanted):
            return wanted
    return stage


def is_forward(before: Stage, after: Stage) -> bool:
    """Whether any call may be served by the replacement, or refused, that wasn't before: what isn't a rollback."""
    reads, writes = READS.index(after.reads), WRITES.index(after.writes)
    if reads > READS.index(before.reads) or writes > WRITES.index(before.writes):
        return True
    more = after.weight > before.weight if after.reads == before.reads == "canary" else False
    less = after.holdback < before.holdback if after.reads == before.reads == "live" else False
    return more or less or (before.probe and not after.probe)


def answering(route: Route, group: Group) -> tuple[Side, ...]:
    """The sides that calls of `route` may be answered by, at the stage that its group has; none for a composite."""
    there: dict[Side, bool] = {
        "legacy": route.legacy is not None,
        "replacement": route.replacement is not None or route.missing is not None,
    }
    if not all(there.values()):
        return tuple(side for side, is_there in there.items() if is_there)
    writes: Side = "legacy" if authority(group.stage) == "legacy" else "replacement"
    if route.effect is not Effect.READ:
        return (writes,)
    if group.stage.reads in ("canary", "live"):
        return tuple(there)
    reads: Side = "legacy" if group.stage.reads in ("legacy", "shadow") else "replacement"
    # What one side hasn't seen yet is read where it was written.
    unseen = group.stage.writes in _DUAL and reads != writes and group.stage.reads != "retired"
    return tuple(there) if unseen else (reads,)


def authority(stage: Stage) -> str:
    """Which side has the last word on writes."""
    return "legacy" if WRITES.index(stage.writes) < WRITES.index("dual_new") else "replacement"


def _step(track: str, before: str, after: str, stages: tuple[str, ...], final: bool) -> list[str]:
    order = READS if track == "reads" else WRITES
    if after not in stages:
        return []  # what is the matter with it is told by `broken`
    if order.index(after) < order.index(before):
        if final:
            return [f"{track} are {before}, from where there is no way back"]
        return [] if after == "legacy" else [f"{track} go back to legacy, not from {before} to {after}"]
    following = next(each for each in stages if order.index(each) > order.index(before))
    if after == following:
        return []
    return [f"{track} go forward one stage at a time: after {before} comes {following}, not {after}"]


def _alone(group: Group, stage: Stage) -> list[str]:
    """The rules about one track."""
    sentences = []
    for track, has, lacking in (
        ("reads", group.has_reads, group.lacking_reads),
        ("writes", group.has_writes, group.lacking_writes),
    ):
        at = getattr(stage, track)
        if at != "legacy" and not has:
            sentences.append(f"the group has no {track}, so they stay at legacy")
        elif at != "legacy" and lacking:
            sentences.append(f"{track} can't be at {at}: {', '.join(lacking)} has no replacement")
    for names, first, why in (
        (group.split, "new_only", "takes some of its fields from the replacement only, and the rest from legacy"),
        (group.missing, "live", "has no replacement yet"),
    ):
        if names and READS.index(stage.reads) >= READS.index(first):
            sentences.append(f"reads can't be at {stage.reads}: {', '.join(names)} {why}")
    if stage.writes in _DUAL and group.state == "shared":
        sentences.append(f"writes can't be at {stage.writes}: on shared data they would be applied twice")
    if stage.writes == "dry_run" and group.has_writes and not group.dry_run:
        sentences.append("writes can't be at dry_run: the replacement can't show what a write would do; skip it")
    return sentences


def _together(group: Group, stage: Stage) -> list[str]:
    """The rules about both tracks."""
    if not (group.has_reads and group.has_writes):
        return []
    reads, writes = READS.index(stage.reads), WRITES.index(stage.writes)
    sentences = []
    if group.state == "replicated" and reads >= READS.index("canary") and writes < WRITES.index("dual_legacy"):
        sentences.append(
            f"reads can't be at {stage.reads} while writes are at {stage.writes}: the replacement's replica would lack "
            "them; bring writes to dual_legacy first"
        )
    if writes >= WRITES.index("new_only") and reads < READS.index("new_only"):
        sentences.append(f"writes can't be at {stage.writes} while reads are at {stage.reads}: bring reads to new_only")
    if group.state == "replicated" and stage.reads == "retired" and writes < WRITES.index("new_only"):
        sentences.append(f"reads can't be retired while writes are at {stage.writes}: legacy still has the last word")
    if stage.writes == "retired" and stage.reads != "retired":
        sentences.append(f"writes can't be retired while reads are at {stage.reads}: retire reads first")
    return sentences


__all__ = ["answering", "authority", "back", "broken", "is_forward", "refused", "write_stages"]
