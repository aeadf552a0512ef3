"""Plans: what is a step of the file's, what is drift, who must say yes, and what a hash stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from gateway.migration.model import Group, Stage
from gateway.migration.plan import Plan, StageChange, plan_files, plan_stages
from gateway.routing.groups import stage_document
from gateway.routing.model import Compiled, Defaults
from gateway.routing.rules import Rules
from gateway.store.contract import Difference, StoredSnapshot

SHADOW, CANARY = Stage("shadow"), Stage("canary", weight=50_000)


def compiled(*groups: Group, hash: str = "after") -> Compiled:
    named = MappingProxyType({each.name: each for each in groups})
    return Compiled(hash, {}, (), {}, Defaults(), Rules(), {}, groups=named)


def stored(hash: str = "before", version: int = 7, **stages: tuple[Stage, str]) -> StoredSnapshot:
    documents = {name: stage_document(stage, origin) for name, (stage, origin) in stages.items()}
    now = datetime(2026, 3, 1, tzinfo=UTC)
    return StoredSnapshot(version, hash, None, "anna", "test", None, now, Difference(), documents)


def plan(active: StoredSnapshot | None, said_before: Mapping[str, Stage], *groups: Group, **options: Any) -> Plan:
    return plan_files(active, Difference(), said_before, compiled(*groups), **options)


def group(declared: Stage, **about: Any) -> Group:
    return Group("items", declared, declared=declared, routes=("get_item",), has_writes=False, **about)


def test_what_the_file_changed_since_is_a_step() -> None:
    made = plan(stored(items=(SHADOW, "file")), {"items": SHADOW}, group(CANARY))
    assert [(each.before, each.after) for each in made.changes] == [(SHADOW, CANARY)]
    assert made.drift == ()
    assert made.refused == ()
    assert made.routes == ("get_item",)
    assert "figway route rollback items" in made.undo


def test_what_was_changed_at_run_time_stays_and_is_named() -> None:
    active = stored(items=(CANARY, "flip"))
    made = plan(active, {"items": SHADOW}, group(SHADOW))
    assert made.changes == ()
    assert [each.group for each in made.drift] == ["items"]
    assert plan(active, {"items": SHADOW}, group(CANARY)).drift == (), "the file says so by now"


def test_overwriting_takes_it_back_by_a_legal_step_only() -> None:
    back = plan(stored(items=(CANARY, "flip")), {"items": Stage()}, group(Stage()), overwrite=True)
    assert [each.after for each in back.changes] == [Stage()]
    assert back.refused == ()
    jump = plan(stored(items=(Stage(), "rollback")), {"items": CANARY}, group(CANARY), overwrite=True)
    assert any("after legacy comes shadow" in each for each in jump.refused)


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_the_autopilot_rolled_back_no_file_undoes(overwrite: bool) -> None:
    made = plan(stored(items=(Stage(), "autopilot")), {"items": SHADOW}, group(SHADOW), overwrite=overwrite)
    assert made.changes == ()
    assert "the autopilot rolled it back" in str(made.drift[0])


def test_a_new_group_begins_where_the_file_says() -> None:
    made = plan(stored(), {}, group(SHADOW))
    assert [(each.before, each.after) for each in made.changes] == [(None, SHADOW)]
    assert plan(None, {}, group(Stage())).changes == ()


@pytest.mark.parametrize(
    ("before", "after", "approval", "needed"),
    [
        (SHADOW, CANARY, False, 0),
        (SHADOW, CANARY, True, 1),
        (CANARY, replace(CANARY, weight=60_000), True, 1),
        (CANARY, replace(CANARY, weight=40_000), True, 0),
        (CANARY, Stage(), True, 0),
        (Stage("new_only", "dual_new"), Stage("new_only", "new_only"), False, 2),
        (Stage("new_only", "dual_new"), Stage("new_only", "new_only"), True, 2),
    ],
)
def test_who_must_say_yes(before: Stage, after: Stage, approval: bool, needed: int) -> None:
    found = Group("items", before, approval=approval)
    made = plan_stages(stored(), compiled(found), (StageChange("items", before, after, "flip"),))
    assert made.approvals == needed
    assert made.undo.startswith("no") == (after.writes == "new_only")


def test_a_hash_stands_for_files_and_stages_and_not_for_a_version() -> None:
    change = StageChange("items", SHADOW, CANARY, "flip")
    first = plan_stages(stored(version=7), compiled(group(SHADOW)), (change,)).hash
    assert plan_stages(stored(version=9), compiled(group(SHADOW)), (change,)).hash == first
    others = [
        plan_stages(stored(hash="other"), compiled(group(SHADOW)), (change,)),
        plan_stages(stored(), compiled(group(SHADOW), hash="other"), (change,)),
        plan_stages(stored(), compiled(group(SHADOW)), (replace(change, after=replace(CANARY, weight=60_000)),)),
        plan_stages(stored(), compiled(group(SHADOW)), (replace(change, before=Stage()),)),
    ]
    assert len({first, *(each.hash for each in others)}) == 5


@pytest.mark.parametrize(
    ("before", "after", "freezes", "drains"),
    [
        ("legacy", "dry_run", False, False),
        ("legacy", "dual_legacy", True, True),
        ("dual_legacy", "dual_new", True, True),
        ("dual_new", "new_only", True, True),
        ("dual_new", "legacy", True, True),
        ("dual_legacy", "legacy", True, False),
        ("dual_legacy", "dual_legacy", False, False),
    ],
)
def test_when_writes_stand_still(before: Any, after: Any, freezes: bool, drains: bool) -> None:
    change = StageChange("items", Stage("legacy", before), Stage("legacy", after), "flip")
    assert (change.freezes, change.drains) == (freezes, drains)
