"""A gateway of several workers whose replacement begins to fail: stopped at once, and rolled back with evidence."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

FILES = {
    "gateway.yaml": """
upstreams:
  old: {kind: lab, label: old, journal: "JOURNALS/old.txt"}
  new: {kind: lab, label: new, journal: "JOURNALS/new.txt"}
""",
    "openapi/lab.yaml": """
openapi: 3.1.0
info: {title: Lab, version: "1"}
paths:
  /things/{sku}:
    get:
      operationId: get_thing
      tags: [lab]
      summary: One
      parameters:
        - {name: sku, in: path, required: true, schema: {type: string}}
        - {name: fails, in: query, schema: {type: string}}
        - {name: both, in: query, schema: {type: string}}
      responses:
        "200":
          description: One.
          content:
            application/json:
              schema: {type: object, properties: {sku: {type: string}, name: {type: string}}}
      x-gateway:
        effect: read
        group: things
        legacy: {upstream: old, operation: item.note, input: {sku: path.sku, error: query.both, ignored: query.fails}}
        replacement: {upstream: new, operation: item.note, input: {sku: path.sku, error: "query.fails || query.both"}}
""",
    "policies/migration.yaml": """
groups:
  things:
    {key: path.sku, state: shared, reads: {stage: canary, weight: WEIGHT}, sample: 0, owner: lab, expires: 2099-12-31}
""",
}


def workspace(running: ModuleType, folder: Path, weight: str) -> Path:
    files = {name: text.replace("JOURNALS", str(folder)).replace("WEIGHT", weight) for name, text in FILES.items()}
    made: Path = running.write_workspace(folder, files)
    return made


def snapshots(folder: Path) -> list[dict[str, Any]]:
    """What the store's snapshots say of their change."""
    with sqlite3.connect(folder / ".figway" / "state.db") as state:
        state.row_factory = sqlite3.Row
        return [dict(row) for row in state.execute("SELECT * FROM snapshots ORDER BY version")]


def ask(client: httpx.Client, first: int, count: int, **query: str) -> list[tuple[int, str]]:
    """Status and side of calls for so many different things, one after another."""
    answers = (client.get(f"/things/{number}", params=query) for number in range(first, first + count))
    return [(each.status_code, each.headers.get("figway-served-by", "")) for each in answers]


def test_a_replacement_that_begins_to_fail_is_rolled_back(running: ModuleType, tmp_path: Path) -> None:
    folder = workspace(running, tmp_path, "50")
    with running.serving(folder, "--workers", "2") as gateway, gateway.client(gateway.reader) as client:
        assert {status for status, _ in ask(client, 0, 100)} == {200}
        bad, first, until = 0, 1_000, time.monotonic() + 30
        # The replacement fails from here on.
        while len(snapshots(folder)) == 1:
            assert time.monotonic() < until, gateway.logged()[-3000:]
            bad += sum(status >= 500 for status, _ in ask(client, first, 1, fails="Unavailable"))
            first += 1
            time.sleep(0.05)
        # Three convict; some may be under way while that is found out.
        assert 3 <= bad <= 8
        assert set(ask(client, 5_000, 20, fails="Unavailable")) == {(200, "legacy")}
        last = snapshots(folder)[-1]
        assert last["author"] == "autopilot"
        assert "the replacement" in last["reason"]
        evidence = json.loads(last["evidence"])
        assert evidence["replacement"]["error_incidents"] >= 3
        assert json.loads(last["stages"])["things"]["reads"] == "legacy"
        time.sleep(0.5)
        assert len(snapshots(folder)) == 2


@pytest.mark.slow
def test_when_both_sides_fail_the_group_stays(running: ModuleType, tmp_path: Path) -> None:
    folder = workspace(running, tmp_path, "50")
    with running.serving(folder, "--workers", "2") as gateway, gateway.client(gateway.reader) as client:
        ask(client, 0, 50)
        assert {status >= 500 for status, _ in ask(client, 1_000, 150, both="Unavailable")} == {True}
        gateway.wait_logged("vetoed")
        assert len(snapshots(folder)) == 1


@pytest.mark.slow
def test_killing_the_leader_doesn_t_lose_the_guardrails(running: ModuleType, tmp_path: Path) -> None:
    folder = workspace(running, tmp_path, "50")
    with running.serving(folder, "--workers", "2") as gateway, gateway.client(gateway.reader) as client:
        ask(client, 0, 50)
        lock = folder / ".figway" / "autopilot.leader"
        holders = subprocess.run(["fuser", str(lock)], capture_output=True, text=True, check=False).stdout.split()
        assert len(holders) == 1
        subprocess.run(["kill", "-9", *holders], check=True)
        first, until = 1_000, time.monotonic() + 30
        while len(snapshots(folder)) == 1:
            assert time.monotonic() < until, gateway.logged()[-3000:]
            with suppress(httpx.TransportError):  # what the killed worker had accepted
                ask(client, first, 1, fails="Unavailable")
            first += 1
            time.sleep(0.05)
        assert snapshots(folder)[-1]["author"] == "autopilot"
