"""Every pair of stages, for every kind of group: legal or refused, and refused with a sentence."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from gateway.migration.model import READS, WRITES, Group, Stage
from gateway.migration.stages import back, broken, is_forward, refused, write_stages

PAIRS = [Stage(reads, writes) for reads, writes in product(READS, WRITES)]
GROUPS = [
    Group("g", Stage(), state=state, has_reads=reads, has_writes=writes, dry_run=dry_run)
    for state in ("shared", "replicated", "stateless")
    for reads, writes in ((True, True), (True, False), (False, True))
    for dry_run in (True, False)
]


def sound(group: Group, stage: Stage) -> bool:
    """Whether a stage is legal by itself: the rules as they are written down, spelled out once more."""
    if not group.has_writes and stage.writes != "legacy":
        return False
    if not group.has_reads and stage.reads != "legacy":
        return False
    if group.state == "shared" and stage.writes in ("dual_legacy", "dual_new"):
        return False
    if stage.writes == "dry_run" and not group.dry_run:
        return False
    if not (group.has_reads and group.has_writes):
        return True
    served_anew = stage.reads in ("canary", "live", "new_only", "retired")
    if group.state == "replicated" and served_anew and stage.writes in ("legacy", "dry_run"):
        return False
    if stage.writes in ("new_only", "retired") and stage.reads not in ("new_only", "retired"):
        return False
    if group.state == "replicated" and stage.reads == "retired" and stage.writes not in ("new_only", "retired"):
        return False
    return stage.writes != "retired" or stage.reads == "retired"


READ_STEPS = {
    ("legacy", "shadow"), ("shadow", "canary"), ("canary", "live"), ("live", "new_only"), ("new_only", "retired"),
    ("shadow", "legacy"), ("canary", "legacy"), ("live", "legacy"), ("new_only", "legacy"),
}  # fmt: skip
BACK = {("dry_run", "legacy"), ("dual_legacy", "legacy"), ("dual_new", "legacy")}
WRITE_STEPS = {
    (False, True): {("legacy", "dry_run"), ("dry_run", "dual_legacy"), ("dual_legacy", "dual_new"),
                    ("dual_new", "new_only"), ("new_only", "retired"), *BACK},
    (False, False): {("legacy", "dual_legacy"), ("dry_run", "dual_legacy"), ("dual_legacy", "dual_new"),
                     ("dual_new", "new_only"), ("new_only", "retired"), *BACK},
    (True, True): {("legacy", "dry_run"), ("dry_run", "new_only"), ("dual_legacy", "new_only"),
                   ("dual_new", "new_only"), ("new_only", "retired"), *BACK},
    (True, False): {("legacy", "new_only"), ("dry_run", "new_only"), ("dual_legacy", "new_only"),
                    ("dual_new", "new_only"), ("new_only", "retired"), *BACK},
}  # fmt: skip
"""By whether the data is shared, and whether there is a dry run."""


def legal(group: Group, before: Stage, after: Stage) -> bool:
    """Whether one may follow the other."""
    steps = WRITE_STEPS[group.state == "shared", group.dry_run]
    reads = before.reads == after.reads or (before.reads, after.reads) in READ_STEPS
    writes = before.writes == after.writes or (before.writes, after.writes) in steps
    return reads and writes and sound(group, after)


@pytest.mark.parametrize(
    "group", GROUPS, ids=lambda each: f"{each.state}-{each.has_reads}{each.has_writes}{each.dry_run}"
)
def test_every_pair(group: Group) -> None:
    seen = {True: 0, False: 0}
    for before, after in product(PAIRS, PAIRS):
        sentences = refused(group, before, after)
        assert bool(sentences) != legal(group, before, after), (before, after, sentences)
        assert all(len(each) > 10 for each in sentences)
        seen[not sentences] += 1
    assert seen[True] > 0
    assert seen[False] > 0
    assert sum(seen.values()) == 36 * 36


def walks(group: Group) -> set[Stage]:
    """Every stage that legal steps lead to from legacy."""
    found, edge = {Stage()}, [Stage()]
    while edge:
        before = edge.pop()
        fresh = [each for each in PAIRS if each not in found and not refused(group, before, each)]
        found.update(fresh)
        edge += fresh
    return found


@pytest.mark.parametrize(
    "group", GROUPS, ids=lambda each: f"{each.state}-{each.has_reads}{each.has_writes}{each.dry_run}"
)
def test_the_whole_way_can_be_walked_and_only_over_legal_stages(group: Group) -> None:
    found = walks(group)
    last = Stage("retired" if group.has_reads else "legacy", "retired" if group.has_writes else "legacy")
    assert last in found
    assert all(not broken(group, each) for each in found)


@pytest.mark.parametrize(
    "group", GROUPS, ids=lambda each: f"{each.state}-{each.has_reads}{each.has_writes}{each.dry_run}"
)
def test_a_rollback_is_one_legal_step_and_leads_as_far_as_it_can(group: Group) -> None:
    for stage in walks(group):
        to = back(group, stage)
        if to == stage:
            continue
        assert not refused(group, stage, to)
        assert not is_forward(stage, to)
        assert to.weight == 0
    whole = [each for each in walks(group) if each.reads != "retired" and each.writes not in ("new_only", "retired")]
    assert all(back(group, each) == Stage() for each in whole)


@pytest.mark.parametrize(
    ("stage", "group", "rule"),
    [
        (Stage("canary", "legacy"), {"state": "replicated"}, "bring writes to dual_legacy first"),
        (Stage("live", "new_only"), {"state": "replicated"}, "bring reads to new_only"),
        (Stage("legacy", "dual_legacy"), {"state": "shared"}, "applied twice"),
        (Stage("legacy", "dry_run"), {"state": "replicated"}, "can't show what a write would do"),
        (Stage("shadow"), {"lacking_reads": ("get_item",)}, "get_item has no replacement"),
        (Stage("legacy", "dual_legacy"), {"lacking_writes": ("put_item",)}, "put_item has no replacement"),
        (Stage("legacy", "dual_legacy"), {"has_writes": False}, "the group has no writes"),
    ],
)
def test_the_rule_that_is_broken_is_named(stage: Stage, group: dict[str, Any], rule: str) -> None:
    assert any(rule in each for each in broken(Group("g", Stage(), **group), stage))


def test_nothing_moves_while_writes_stand_still_but_letting_go_of_them() -> None:
    group = Group("g", Stage(), state="replicated")
    frozen = Stage("shadow", "dual_legacy", frozen=True)
    assert refused(group, frozen, Stage("canary", "dual_legacy"))
    assert refused(group, frozen, Stage("shadow", "legacy"))
    assert not refused(group, frozen, replace(frozen, frozen=False))


def test_dry_run_and_dual_stages_are_skipped_where_they_can_not_be() -> None:
    assert write_stages(Group("g", Stage(), state="shared", dry_run=False)) == ("legacy", "new_only", "retired")
    assert write_stages(Group("g", Stage(), state="replicated", dry_run=True)) == WRITES


def test_more_weight_is_a_step_forward_and_less_is_not() -> None:
    five, ten = Stage("canary", weight=50_000), Stage("canary", weight=100_000)
    assert is_forward(five, ten)
    assert not is_forward(ten, five)
    assert is_forward(Stage("new_only"), Stage("new_only", probe=False))
    assert not is_forward(Stage("live", "dual_new"), Stage("legacy", "legacy"))
