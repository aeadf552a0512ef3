"""The tour, end to end: what it prints, what is kept of it in the history and in the audit."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
MINUTES = 3
MILESTONES = (
    "reads go forward one stage at a time: after legacy comes shadow, not canary",
    "reads legacy, writes legacy -> reads shadow, writes legacy",
    r"mismatch +0 +0\.00 %",
    "writes legacy -> reads shadow, writes dual_legacy",
    r"the autopilot went on to 50 %, as every gate is passed",
    r"The autopilot rolled back with snapshot \d+: rolled back: the replacement's rate of mismatch is above 5 %",
    r"comparisons: \{.*\"mismatch\": [1-9]",
    "reads canary 99 %, writes dual_legacy -> reads live but 1 %, writes dual_legacy",
    "writes dual_legacy -> reads live but 1 %, writes dual_new",
    "reads new_only, writes dual_new",
    "writes can't be at new_only: nothing was reconciled since their stage last changed",
    r"customers: 2000 entities at snapshot \d+, done",
    r"missing +0",
    r"different +0",
    "It needs 2 other people's yes",
    "is approved: customers: reads new_only, writes dual_new → reads new_only, writes new_only",
    "reads new_only, writes dual_new -> reads new_only, writes new_only",
    "nothing has asked legacy for 0 whole days, 30 are needed",
    "callers 0, shadow 0, probes 0, reconciliation 0",
    r"Callers in all: .* by replacement; 0 failed\.",
    r"[1-9]\d* customers were changed; the new CRM holds the last change of all but 0\.",
)


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory, demos: Any) -> tuple[Path, str, int]:
    """The folder, what the tour printed, and its exit code."""
    folder = tmp_path_factory.mktemp("tour")
    environment = {name: value for name, value in os.environ.items() if name != "FIGWAY_LOG"}
    run = subprocess.run(
        [demos.FIGWAY, "demo", "--tour", "--port", str(demos.free_port())],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        timeout=3 * 60 * MINUTES,
    )  # fmt: skip
    return folder, run.stdout, run.returncode


def figway(demos: Any, folder: Path, *words: str) -> Any:
    """What a verb says of the state that the tour has left."""
    environment = {**os.environ, "FIGWAY_STATE": str(folder / ".figway" / "tour")}
    root = str(Path(__file__).parents[2])
    command = [demos.FIGWAY, *words, "--workspace", root, "--json"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout) if run.stdout.startswith(("[", "{\n")) else run.stdout


def test_the_tour_passes_every_milestone_in_order(toured: tuple[Path, str, int]) -> None:
    _, said, code = toured
    assert code == 0, said
    at = 0
    for milestone in MILESTONES:
        found = re.compile(milestone).search(said, at)
        assert found is not None, f"{milestone!r} isn't in what follows {said[:at][-300:]!r}:\n{said[at:][:3000]}"
        at = found.end()
    print(re.findall(r"The tour took \d+ s", said))


def test_the_history_tells_who_did_what(toured: tuple[Path, str, int], demos: Any) -> None:
    folder, _, _ = toured
    history = figway(demos, folder, "history", "--limit", "100")[::-1]
    stages = [(each["author"], each["stages"]["customers"]) for each in history]
    way = [(who, at["reads"], at["writes"], at["origin"]) for who, at in stages]
    assert ("autopilot", "legacy", "dual_legacy", "autopilot") in way
    assert ("autopilot", "canary", "dual_legacy", "ramp") in way
    assert way[-1][:3] == ("petra.novak", "new_only", "new_only")
    back = next(each for each in history if each["stages"]["customers"]["origin"] == "autopilot")
    assert back["evidence"]["comparisons"]["mismatch"] > 0
    assert [each["version"] for each in history] == list(range(1, len(history) + 1))


def test_the_audit_tells_of_each_step_and_decision(toured: tuple[Path, str, int], demos: Any) -> None:
    folder, _, _ = toured
    records = figway(demos, folder, "audit", "query", "--kind", "control", "--effect", "write", "--limit", "1000")
    who = {(each["principal"], each["route"], each["status"]) for each in records}
    assert ("autopilot", "group:customers", 0) in who
    assert ("petra.novak", "/-/admin/groups/{group}/flip", 200) in who
    assert ("petra.novak", "/-/admin/groups/{group}/flip", 403) in who
    assert {name for name, route, _ in who if route == "/-/approvals/{id}/approve"} == {"anton.weber", "bente.holm"}
    assert ("petra.novak", "/-/admin/groups/{group}/brownout", 200) in who
