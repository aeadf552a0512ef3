"""`figway readiness` at the demo: a slow CRM is named, and nobody else for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

READS = ("list_customers", "get_customer")


@pytest.fixture(params=[(1.2, 1), pytest.param((3.1, 10), marks=pytest.mark.slow)], ids=["a little", "as it really is"])
def slow(demo: Any, request: pytest.FixtureRequest) -> Iterator[int]:
    """The demo with a slow CRM; how often each read is to be asked."""
    latency, calls = request.param
    demo.set_crm(latency=latency)
    yield calls
    demo.set_crm(latency=0)


def figway(demo: Any, role: str, *arguments: str) -> tuple[int, str]:
    credential = demo.facts["credentials"][role]
    command = [sys.executable, "-m", "gateway", "readiness", "--server", demo.facts["base_url"], *arguments]
    environment = {**os.environ, "FIGWAY_TOKEN": credential}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
    return done.returncode, done.stdout + done.stderr


def test_a_slow_crm_is_named(demo: Any, slow: int, tmp_path: Path) -> None:
    page = tmp_path / "readiness.html"
    before = demo.set_crm()["writes"]
    code, told = figway(demo, "platform", "--calls", str(slow), "--json", "--html", str(page))
    assert code == 1, told
    report = json.loads(told)
    systems = {each["upstream"]: each for each in report["upstreams"]}
    verdicts = {name: {key: each["verdict"] for key, each in one["answers"].items()} for name, one in systems.items()}
    assert {name: each["fast"] for name, each in verdicts.items()} == {
        "crm": "no", "erp": "yes", "billing": "yes", "work": "yes", "crm_next": "yes",
    }  # fmt: skip
    assert {name: each["acts"] for name, each in verdicts.items()} == {
        "crm": "yes", "erp": "no", "billing": "no", "work": "yes", "crm_next": "yes",
    }  # fmt: skip
    assert {each["visible"] for each in verdicts.values()} == {"yes"}
    assert {verdicts[name]["scales"] for name in verdicts if name != "crm"} == {"yes"}
    crm = systems["crm"]
    assert "too slow" in crm["answers"]["fast"]["why"]
    assert "figway route flip customers" in crm["answers"]["fast"]["next"]
    asked = {each["route"]: each for each in crm["routes"]}
    assert all(asked[name]["timing"]["calls"] == min(slow, 3) for name in READS)
    assert asked["update_customer"]["answers"]["fast"]["verdict"] == "unchecked"
    overview = report["composites"][0]
    assert (overview["route"], overview["answers"]["fast"]["verdict"]) == ("get_customer_overview", "no")
    assert demo.set_crm()["writes"] == before
    assert "crm" in page.read_text()


def test_only_who_administers_may_ask(demo: Any) -> None:
    code, told = figway(demo, "agent", "--calls", "1")
    assert code == 1
    assert "No policy lets you do this." in told
    with demo.client("platform") as platform:
        assert platform.post("/-/admin/readiness?calls=51").status_code == 400
        assert platform.get("/-/admin/readiness").status_code == 405
