"""What a change would do, before it is done: which files and stages differ, what forbids it, and what it needs.

Pure functions. A plan's hash stands for the files and stages before and after, not for a snapshot's number: an
approval stays good when something else has been published meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from gateway.migration.model import Group, Stage
from gateway.migration.stages import authority, is_forward, refused
from gateway.routing.groups import stage_document, stages_of
from gateway.routing.migration_schema import percent
from gateway.routing.model import Compiled
from gateway.store.contract import Difference, StoredSnapshot

TWO = 2
"""How many people must say yes to what can't be undone."""


@dataclass(frozen=True, slots=True)
class StageChange:
    """One group's stage, before (None: the group is new) and after."""

    group: str
    before: Stage | None
    after: Stage
    origin: str
    """What sets it: file, flip, rollback or autopilot."""

    def __str__(self) -> str:
        return f"{self.group}: {words(self.before or Stage())} → {words(self.after)}"

    def document(self) -> dict[str, Any]:
        """It as JSON."""
        before = None if self.before is None else shown(self.before)
        return {"group": self.group, "before": before, "after": shown(self.after)}

    @property
    def moves(self) -> bool:
        """Whether a stage changes, and not just a share."""
        before = self.before or Stage()
        return (before.reads, before.writes) != (self.after.reads, self.after.writes)

    @property
    def freezes(self) -> bool:
        """Whether writes must stand still for it: who gets them changes."""
        quiet = {"legacy", "dry_run"}
        before = "legacy" if self.before is None else self.before.writes
        return self.before is not None and before != self.after.writes and not {before, self.after.writes} <= quiet

    @property
    def drains(self) -> bool:
        """Whether what waits for the other side must be applied first: not on the way back to a side that had the last
        word all along, as the way back must not depend on a replacement that fails."""
        return self.freezes and not (authority(self.before or Stage()) == "legacy" and self.after.writes == "legacy")


@dataclass(frozen=True, slots=True)
class Drift:
    """A group whose stage was changed at run time, and isn't what the files say."""

    group: str
    active: Stage
    declared: Stage
    origin: str

    def __str__(self) -> str:
        how = {"autopilot": "the autopilot rolled it back", "rollback": "it was rolled back"}
        sentence = f"{self.group} is at {words(self.active)}, as {how.get(self.origin, 'it was flipped')}"
        return f"{sentence}; migration.yaml says {words(self.declared)}"

    def document(self) -> dict[str, Any]:
        """It as JSON."""
        stages = {"active": shown(self.active), "declared": shown(self.declared)}
        return {"group": self.group, **stages, "origin": self.origin}


@dataclass(frozen=True, slots=True)
class Plan:
    """A change that can be made, or what forbids it."""

    parent: int | None
    """The snapshot that it starts from."""
    difference: Difference
    changes: tuple[StageChange, ...]
    drift: tuple[Drift, ...]
    """Stages changed at run time that the files would undo, but don't."""
    refused: tuple[str, ...]
    """The rules that it breaks."""
    routes: tuple[str, ...]
    """The operationIds that are served otherwise."""
    approvals: int
    """How many people must say yes."""
    undo: str
    """Whether, and how, it can be undone."""
    hash: str

    @property
    def empty(self) -> bool:
        """Whether nothing would change."""
        return self.difference == Difference() and not self.changes

    def document(self) -> dict[str, Any]:
        """It as JSON."""
        files = {name: list(getattr(self.difference, name)) for name in ("added", "changed", "removed")}
        return {
            "hash": self.hash,
            "parent": self.parent,
            "files": files,
            "stages": [each.document() for each in self.changes],
            "drift": [each.document() for each in self.drift],
            "refused": list(self.refused),
            "routes": list(self.routes),
            "approvals": self.approvals,
            "undo": self.undo,
        }


def plan_files(
    active: StoredSnapshot | None,
    difference: Difference,
    declared_before: Mapping[str, Stage],
    compiled: Compiled,
    *,
    overwrite: bool = False,
) -> Plan:
    """What applying a workspace would do. `declared_before` are the stages that the active snapshot's own files name.

    A stage that was changed at run time stays, and is told as drift, unless `overwrite`; one that the autopilot rolled
    back stays all the same.
    """
    documents = {} if active is None else active.stages
    stages = stages_of(documents)
    changes: list[StageChange] = []
    drift: list[Drift] = []
    for name, group in compiled.groups.items():
        now, wanted = stages.get(name), group.declared
        if now is None:
            changes += [StageChange(name, None, wanted, "file")] if wanted != Stage() else []
        elif not same(now, wanted):
            at_run_time = not same(now, declared_before.get(name, Stage()))
            origin = str(documents[name].get("origin", "flip"))
            if at_run_time and (not overwrite or origin == "autopilot"):
                drift.append(Drift(name, now, wanted, origin))
            else:
                changes.append(StageChange(name, now, wanted, "file"))
    return _plan(active, difference, compiled, tuple(changes), tuple(drift))


def plan_stages(active: StoredSnapshot, compiled: Compiled, changes: tuple[StageChange, ...]) -> Plan:
    """What flipping groups would do."""
    return _plan(active, Difference(), compiled, changes, ())


def _plan(
    active: StoredSnapshot | None,
    difference: Difference,
    compiled: Compiled,
    changes: tuple[StageChange, ...],
    drift: tuple[Drift, ...],
) -> Plan:
    sentences = [
        f"{each.group}: {sentence}"
        for each in changes
        if each.before is not None
        for sentence in refused(compiled.groups[each.group], each.before, each.after)
    ]
    return Plan(
        parent=None if active is None else active.version,
        difference=difference,
        changes=changes,
        drift=drift,
        refused=tuple(sentences),
        routes=tuple(route for each in changes for route in compiled.groups[each.group].routes),
        approvals=max((_needed(compiled.groups[each.group], each) for each in changes), default=0),
        undo=_undo(changes, active),
        hash=_hash(active, compiled, changes),
    )


def _needed(group: Group, change: StageChange) -> int:
    before = change.before or Stage()
    if not is_forward(before, change.after):
        return 0
    if change.after.writes in ("new_only", "retired") and before.writes not in ("new_only", "retired"):
        return TWO
    return 1 if group.approval else 0


def _undo(changes: tuple[StageChange, ...], active: StoredSnapshot | None) -> str:
    for each in changes:
        before = each.before or Stage()
        if each.after.writes in ("new_only", "retired") and before.writes not in ("new_only", "retired"):
            return f"no: from {each.after.writes} the writes of {each.group} have no way back"
        if each.after.reads == "retired" and before.reads != "retired":
            return f"no: retired reads of {each.group} have no way back"
    if changes:
        return "yes: " + "; ".join(f"figway route rollback {each.group}" for each in changes)
    return "yes: apply the files of before" if active is not None else "it is the first snapshot"


def _hash(active: StoredSnapshot | None, compiled: Compiled, changes: tuple[StageChange, ...]) -> str:
    whole = {
        "before": None if active is None else active.hash,
        "after": compiled.hash,
        "stages": [
            [each.group, each.before and stage_document(each.before, ""), stage_document(each.after, "")]
            for each in sorted(changes, key=lambda each: each.group)
        ],
    }
    return hashlib.sha256(orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)).hexdigest()


def same(one: Stage, other: Stage) -> bool:
    """Whether they mean the same: a weight counts in canary only, a holdback in live; being frozen passes."""
    return _plain(one) == _plain(other)


def _plain(stage: Stage) -> Stage:
    weight = stage.weight if stage.reads == "canary" else 0
    return replace(stage, weight=weight, holdback=stage.holdback if stage.reads == "live" else 0, frozen=False)


def words(stage: Stage) -> str:
    """A stage in words: `reads canary 5 %, writes legacy`."""
    share = f" {percent(stage.weight)} %" if stage.reads == "canary" else ""
    kept = f" but {percent(stage.holdback)} %" if stage.reads == "live" else ""
    cold = "" if stage.probe else ", probe off"
    return f"reads {stage.reads}{share}{kept}, writes {stage.writes}{cold}{', frozen' if stage.frozen else ''}"


def shown(stage: Stage) -> dict[str, Any]:
    """A stage as people read it: shares in percent."""
    shares = {name: float(percent(getattr(stage, name))) for name in ("weight", "holdback")}
    plain = {name: getattr(stage, name) for name in ("reads", "writes", "probe", "frozen")}
    return {**plain, **shares}


def files_difference(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Difference:
    """Which files differ, by path, sorted."""
    return Difference(
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(sorted(path for path in after.keys() & before.keys() if after[path] != before[path])),
        removed=tuple(sorted(before.keys() - after.keys())),
    )
