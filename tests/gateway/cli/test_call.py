"""`figway call` and legacy sides that are retired."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

CONTRACT = """
openapi: 3.1.0
info: {title: Lab, version: "1"}
paths:
  /items/{sku}:
    get:
      operationId: get_item
      tags: [items]
      summary: One
      parameters: [{name: sku, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: It., content: {application/json: {schema: {type: object}}}}}
      x-gateway:
        effect: read
        legacy: {upstream: old, operation: item.get, input: {sku: path.sku}}
        replacement: {upstream: new, operation: item.get, input: {sku: path.sku}}
"""
GATEWAY = "upstreams: {old: {kind: lab, label: old}, new: {kind: lab, label: new}}"


def write(running: ModuleType, folder: Path, stage: str) -> None:
    migration = f"groups: {{items: {{reads: {{stage: {stage}}}}}}}"
    files = {"gateway.yaml": GATEWAY, "openapi/lab.yaml": CONTRACT, "policies/migration.yaml": migration}
    running.write_workspace(folder, files)


def figway(running: ModuleType, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return running.figway(*arguments, "--workspace", str(folder))


@pytest.mark.parametrize("stage", ["legacy", "live", "new_only"])
def test_each_side_is_called_while_it_is_there(running: ModuleType, tmp_path: Path, stage: str) -> None:
    write(running, tmp_path, stage)
    for side, label in (("legacy", "old"), ("replacement", "new")):
        done = figway(running, tmp_path, "call", "get_item", "sku=A", "--binding", side)
        assert f"({label})" in json.loads(done.stdout)["name"], done.stderr


def test_a_retired_legacy_side_is_called_by_nobody(running: ModuleType, tmp_path: Path) -> None:
    write(running, tmp_path, "retired")
    for arguments in (("--binding", "legacy"), ()):
        done = figway(running, tmp_path, "call", "get_item", "sku=A", *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert "the reads of group 'items' are retired" in done.stderr
    assert figway(running, tmp_path, "call", "get_item", "sku=A", "--binding", "replacement").returncode == 0
    assert not (tmp_path / ".figway").exists()


def test_what_is_served_counts_not_what_the_file_says_since(running: ModuleType, tmp_path: Path) -> None:
    write(running, tmp_path, "retired")
    applied = figway(running, tmp_path, "apply", "--reason", "test")
    assert applied.returncode == 0, applied.stderr
    write(running, tmp_path, "legacy")
    done = figway(running, tmp_path, "call", "get_item", "sku=A")
    assert (done.returncode, "are retired" in done.stderr) == (1, True), done.stderr
