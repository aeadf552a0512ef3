"""Kept answers of a group that migrates: each side has its own, and one that was kept says nothing of a side."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

GATEWAY = """
upstreams:
  old: {{kind: lab, label: old, journal: "{folder}/old.txt"}}
  new: {{kind: lab, label: new, journal: "{folder}/new.txt"}}
"""
CONTRACT = """
openapi: 3.1.0
info: {title: Items, version: "1"}
paths:
  /items/{sku}:
    get:
      operationId: get_item
      tags: [items]
      parameters:
        - {name: sku, in: path, required: true, schema: {type: string}}
        - {name: error, in: query, schema: {type: string}}
      responses: {"200": {description: One., content: {application/json: {schema: {type: object}}}}}
      x-gateway:
        effect: read
        freshness: {mode: cached, fresh: 1h}
        legacy: {upstream: old, operation: item.note}
        replacement: {upstream: new, operation: item.note}
"""
MIGRATION = """
groups:
  items:
    key: path.sku
    reads: {stage: canary, weight: 50}
    sample: 100
    state: replicated
    owner: lab
    expires: 2099-12-31
"""
SKUS = [f"S{number}" for number in range(12)]


@pytest.fixture
def folder(tmp_path: Path, running: ModuleType) -> Path:
    files = {
        "gateway.yaml": GATEWAY.format(folder=tmp_path),
        "openapi/items.yaml": CONTRACT,
        "policies/migration.yaml": MIGRATION,
    }
    made: Path = running.write_workspace(tmp_path, files)
    return made


def _asked(folder: Path, label: str) -> int:
    journal = folder / f"{label}.txt"
    return journal.read_text().count("\n") if journal.exists() else 0


def test_a_flip_tells_nothing_that_the_other_side_said(folder: Path, running: ModuleType) -> None:
    with running.serving(folder) as gateway, gateway.client() as client:

        def read() -> dict[str, str]:
            told = {}
            for sku in SKUS:
                for _ in range(3):
                    reply = client.get(f"/items/{sku}")
                    assert reply.status_code == 200
                    side = {"legacy": "old", "replacement": "new"}[reply.headers["figway-served-by"]]
                    assert reply.json()["name"] == side, (sku, dict(reply.headers))
                    told[sku] = side
            return told

        before = read()
        assert set(before.values()) == {"old", "new"}
        for stage in ("--reads", "live"), ("--reads", "legacy"):
            done = running.figway(
                "route", "flip", "items", *stage, "--reason", "a test", "--workspace", str(folder), check=True
            )
            assert done.returncode == 0
            after = read()
            if stage[1] == "legacy":
                assert set(after.values()) == {"old"}


def test_what_was_kept_is_not_compared(folder: Path, running: ModuleType) -> None:
    with running.serving(folder) as gateway, gateway.client() as client:
        for _ in range(20):
            for sku in SKUS:
                assert client.get(f"/items/{sku}").status_code == 200
    # Each was asked of one side, and compared with the other's once at most.
    assert _asked(folder, "old") + _asked(folder, "new") <= 2 * len(SKUS)
