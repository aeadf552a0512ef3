"""Writes to new_only: refused without a clean, fresh sweep by today's rules and a word on legacy's data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.contract import Effect
from gateway.migration.model import Group, Stage
from gateway.migration.reconcile.model import Run, RunState, What
from gateway.migration.reconcile.proof import FRESH, Known, lacking, moved_with, needs_proof, rules_of
from gateway.routing.groups import stage_document
from gateway.routing.model import Binding, Route
from gateway.store.contract import Difference, StoredSnapshot

Serve = Callable[..., AbstractContextManager[Any]]
NOW = 1_800_000_000.0
GROUP = Group("items", Stage("new_only", "dual_new"), state="replicated", backfill="nobody copies back")
BINDING = Binding("up", "get", None, None)
LIST = Route(
    "list",
    "GET",
    "/items",
    Effect.READ,
    "items",
    (),
    None,
    200,
    None,
    legacy=BINDING,
    replacement=BINDING,
    is_list=True,
)
COMPILED: Any = SimpleNamespace(files={"openapi/a.yaml": b"a"}, routes=(LIST,), groups={"items": GROUP})
RULES = rules_of(COMPILED, GROUP)
CLEAN = {"same": 5, "missing": 0}
SWEEP = Run(
    1, "items", What.SWEEP, RunState.DONE, "", b"", "anna", 7, RULES, b"{}", NOW - 200, NOW - 100, NOW - 100
)  # fmt: skip


@pytest.mark.parametrize(
    ("group", "sweep", "counts", "found", "oldest", "sentence"),
    [
        (GROUP, SWEEP, CLEAN, {}, None, None),
        (replace(GROUP, backfill=""), SWEEP, CLEAN, {}, None, "'backfill' in migration.yaml must say"),
        (GROUP, None, {}, None, {}, "nothing was reconciled since their stage last changed"),
        (GROUP, SWEEP._replace(snapshot=4), CLEAN, {}, None, "nothing was reconciled since their stage last changed"),
        (GROUP, SWEEP._replace(rules="other"), CLEAN, {}, None, "contracts, upstreams or rules have changed"),
        (GROUP, SWEEP._replace(ended=NOW - FRESH - 1), CLEAN, {}, None, "older than 24 hours"),
        (GROUP, SWEEP, {"same": 5, "missing": 2, "unknown": 1}, {}, None, r"isn't clean \(2 missing, 1 unknown\)"),
        (GROUP, SWEEP, CLEAN, {"different": 3}, None, r"isn't clean \(3 different\)"),
        (GROUP, SWEEP, CLEAN, {}, NOW - 300, "written before the reconciliation"),
        (GROUP, SWEEP, CLEAN, {}, NOW - 150, None),
    ],
    ids=[
        "proven",
        "no-backfill",
        "none",
        "older-stage",
        "other-rules",
        "old",
        "unclean",
        "found-since",
        "written-before",
        "written-since",
    ],
)
def test_what_is_lacking(
    group: Group, sweep: Run | None, counts: Any, found: Any, oldest: float | None, sentence: str | None
) -> None:
    sentences = lacking(COMPILED, group, Known(sweep, counts, found, oldest, 5), NOW)
    if sentence is None:
        assert sentences == ()
    else:
        assert len(sentences) == 1
        assert re.search(sentence, sentences[0]), sentences


def snapshot(version: int, writes: Any) -> StoredSnapshot:
    stages = {"items": stage_document(Stage("new_only", writes), "flip")}
    return StoredSnapshot(version, "h", None, "anna", "why", None, datetime.now(UTC), Difference(), stages)


def test_the_stage_of_writes_last_changed_with_the_first_snapshot_that_has_it() -> None:
    stages = ["legacy", "dual_legacy", "dual_new", "dual_new", "dual_new"]
    history = [snapshot(version, writes) for version, writes in enumerate(stages, 1)][::-1]
    assert [moved_with("items", history[at:]) for at in range(5)] == [3, 3, 3, 2, 1]
    assert moved_with("others", history) == 0


@pytest.mark.parametrize("state", ["shared", "replicated", "stateless"])
def test_only_data_that_each_side_keeps_needs_it(state: Any) -> None:
    group, before, after = replace(GROUP, state=state), Stage("new_only", "dual_new"), Stage("new_only", "new_only")
    assert needs_proof(group, before, after) == (state == "replicated")
    assert not needs_proof(group, before, replace(after, writes="legacy"))
    assert not needs_proof(group, after, replace(after, writes="retired"))
    assert not needs_proof(group, None, after)


def test_verb_control_api_and_file_alike(moving: Serve, shops: tuple[Any, Any], fill: Callable[[int], Any]) -> None:
    old, new = shops
    old.kept, new.kept = fill(4), fill(4)
    del new.kept["C-0001"]
    backfill = "    backfill: Nobody copies back (SHOP-1)."
    with moving(writes="dual_new", reads="new_only") as at:
        flip = ("route", "flip", "customers", "--writes", "new_only", "--reason", "test")
        for ran in (at.figway(*flip), at.host(*flip, "--plan")):
            said = ran.stdout + ran.stderr
            assert ran.returncode == 1, said
            assert "'backfill' in migration.yaml must say what becomes of legacy's data" in said
            assert "nothing was reconciled since their stage last changed" in said
        file = at.folder / "policies" / "migration.yaml"
        text = file.read_text()
        file.write_text(f"{text}{backfill}\n")
        assert at.host("apply", "--reason", "backfill").returncode == 0
        found = at.figway("route", "reconcile", "customers")
        assert (found.returncode, "missing           1" in found.stdout) == (1, True), found
        file.write_text(f"{text}{backfill}\n".replace("writes: {stage: dual_new}", "writes: {stage: new_only}"))
        for verb in ("plan", "apply"):
            ran = at.host(verb)
            said = ran.stdout + ran.stderr
            assert (ran.returncode, "isn't clean (1 missing)" in said) == (1, True), said
        new.kept["C-0001"] = fill(4)["C-0001"]
        shown = at.host("route", "reconcile", "customers", "--json")
        assert (shown.returncode, json.loads(shown.stdout)["sweep"]["clean"]) == (0, True), shown.stderr
        asked = at.figway(*flip)
        assert "other people's yes" in asked.stderr, asked.stderr
        evidence = at.clients["anna"].get("/-/admin/groups/customers/evidence").json()
        assert evidence["reconciliation"]["clean"]
    refused = at.host("route", "reconcile", "customers")
    assert "no gateway runs on this host" in refused.stderr
