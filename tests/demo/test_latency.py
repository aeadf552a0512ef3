"""What an agent's four calls take while every system is far away: straight to them, and through the gateway."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli.demo import command

CALLS = {"customer", "stock", "invoices", "tasks"}


def measured(demos: ModuleType, folder: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """(exit code, the figures, what it said beside them) of `figway demo --latency`."""
    environment = {name: value for name, value in os.environ.items() if name != "FIGWAY_LOG"}
    run = subprocess.run(
        [demos.FIGWAY, "demo", "--json", "--port", str(demos.free_port()), *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert run.stdout, run.stderr
    return run.returncode, json.loads(run.stdout), run.stderr


def test_four_calls_are_late_straight_and_not_through_the_gateway(demos: ModuleType, tmp_path: Path) -> None:
    # SQLite has no server that could be far away: stock is as quick as it is.
    _, found, said = measured(demos, tmp_path, "--latency", "0.3", "--erp", "sqlite")
    assert found["straight"].keys() > CALLS
    assert all(found["straight"][name] > 0.3 for name in CALLS - {"stock"}), said
    assert found["bounds"]["the gateway tells what the systems tell"], said
    assert [each["replica"] for each in found["cold"]] == [each["number"] for each in found["cold"]]
    assert all(each["age"] >= 0 and each["as_of"] for name, each in found["warm"].items() if name in CALLS)
    # Half of the rounds, as other tests run beside this one; in no round was a system asked.
    assert found["warm"]["all"]["p50"] < 0.4 < found["straight"]["all"]


@pytest.mark.slow
def test_as_far_away_as_they_really_are(demos: ModuleType, tmp_path: Path) -> None:
    code, found, said = measured(demos, tmp_path, "--latency")
    assert (code, found["holds"]) == (0, True), (said, found)
    assert found["latency"] == 3.1
    # Each straight call is late once: no less, and no more.
    assert all(3.1 < found["straight"][name] < 2 * 3.1 for name in CALLS), found["straight"]
    assert found["straight"]["all"] > 12.4
    assert found["warm"]["all"]["p99"] < 0.4
    assert found["warm"]["all"]["number"] >= 100
    assert all(each["slowest"] < 0.4 and each["number"] >= 100 for each in found["cold"])


@pytest.mark.slow
def test_a_write_far_away_is_seen_by_who_wrote(demos: ModuleType, tmp_path: Path) -> None:
    with demos.started(tmp_path, "--latency", "1") as demo, demo.client("platform", timeout=60) as platform:
        assert platform.get("/customers/C-10020").raise_for_status().json()["phone"] != "+47 1"
        for turn in range(3):
            phone = f"+47 {turn}"
            platform.patch("/customers/C-10020", json={"phone": phone}).raise_for_status()
            assert platform.get("/customers/C-10020").json()["phone"] == phone
            task = {"customer_id": "C-10020", "title": "Call", "due_date": "2027-01-15", "priority": "low"}
            filed = platform.post("/tasks", json=task).raise_for_status().json()["id"]
            assert filed in [each["id"] for each in platform.get("/tasks?customer_id=C-10020").json()["items"]]
        assert demo.stop() == 0
        assert demos.alive(demo.family) == []


@pytest.mark.parametrize(
    ("arguments", "said"), [(["--json"], "--latency"), (["--tour", "--latency", "1"], "choose one of them")]
)
def test_what_is_asked_for_must_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(command, arguments)
    assert ran.exit_code == 2
    assert said in ran.output
    assert list(tmp_path.iterdir()) == []
