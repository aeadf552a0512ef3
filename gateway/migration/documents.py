"""Snapshots, groups and changes as JSON: the control API answers it, and so do the verbs that work without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.migration.changes import Changed
from gateway.migration.model import MILLION, READS, WRITES, Group, Stage
from gateway.migration.plan import shown
from gateway.routing.groups import stages_of
from gateway.store.contract import StoredSnapshot


class BadFlip(ValueError):
    """What a flip asks for can't be understood; `name` is the member that is wrong."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"'{name}' {detail}")
        self.name, self.detail = name, detail


def snapshot_document(snapshot: StoredSnapshot) -> dict[str, Any]:
    """A snapshot, without its files."""
    names = ("version", "hash", "content_hash", "parent_hash", "author", "reason", "ticket", "time")
    files = {name: list(getattr(snapshot.difference, name)) for name in ("added", "changed", "removed")}
    origins = {name: {"origin": each.get("origin", "file")} for name, each in snapshot.stages.items()}
    stages = {name: {**shown(stage), **origins[name]} for name, stage in stages_of(snapshot.stages).items()}
    about = {"files": files, "stages": stages, "evidence": dict(snapshot.evidence)}
    return {**{name: getattr(snapshot, name) for name in names}, **about}


def group_document(group: Group) -> dict[str, Any]:
    """A group and where it is."""
    names = ("name", "state", "salt", "owner", "expires", "approval")
    return {
        **{name: getattr(group, name) for name in names},
        "key": None if group.key is None else group.key.source,
        "stage": shown(group.stage),
        "declared": shown(group.declared),
        "routes": list(group.routes),
        "mocked": list(group.mocked),
        "cohorts": dict(group.cohorts),
    }


def changed_document(changed: Changed) -> dict[str, Any]:
    """What was made, and the processes that don't serve it yet."""
    plan = changed.plan.document()
    return {"snapshot": snapshot_document(changed.snapshot), "plan": plan, "behind": list(changed.behind)}


def wanted_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a stage that a flip asks for: `reads`, `writes`, `weight` and `holdback` in percent, `probe`; null
    counts as absent. Raises `BadFlip`."""
    for name, stages in (("reads", READS), ("writes", WRITES)):
        if body.get(name) is not None and body[name] not in stages:
            raise BadFlip(name, f"is one of {', '.join(stages)}")
    wanted = {name: body[name] for name in ("reads", "writes", "probe") if body.get(name) is not None}
    wanted |= {name: _millionths(name, body[name]) for name in ("weight", "holdback") if body.get(name) is not None}
    if not wanted:
        raise BadFlip("reads", "or writes, weight, holdback or probe must be given")
    return wanted


def flipped(before: Stage, wanted: Mapping[str, Any]) -> Stage:
    """`before` with those fields; a canary begins with no weight unless one is given."""
    after = replace(before, **wanted)
    begins = before.reads != "canary" and "weight" not in wanted
    return replace(after, weight=0) if begins or after.reads != "canary" else after


def _millionths(name: str, percent: float) -> int:
    value = round(percent * (MILLION // 100))
    if not 0 <= value <= MILLION:
        raise BadFlip(name, "is a share from 0 to 100 percent")
    return value
