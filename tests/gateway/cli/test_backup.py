"""`figway backup` of a gateway under load, restored into an empty folder and served."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import threading
from pathlib import Path
from types import ModuleType

import pytest

from gateway.audit.note import public_keys
from gateway.audit.verify import verify_folder

CONTRACT = """
openapi: 3.1.0
info: {title: Lab, version: "1"}
paths:
  /items:
    post:
      operationId: make_item
      tags: [items]
      summary: A write
      requestBody:
        required: true
        content: {application/json: {schema: {type: object, properties: {sku: {type: string}}}}}
      responses: {"200": {description: Done.}}
      x-gateway: {effect: write, legacy: {upstream: lab, operation: item.put, input: {sku: body.sku}}}
"""


def _figway(running: ModuleType, *arguments: str) -> subprocess.CompletedProcess[str]:
    return running.figway(*arguments)


def _workspace(folder: Path, running: ModuleType) -> Path:
    files = {"gateway.yaml": "upstreams: {lab: {kind: lab}}", "openapi/lab.yaml": CONTRACT}
    workspace: Path = running.write_workspace(folder, files)
    return workspace


def test_a_backup_taken_while_writes_go_on_serves_elsewhere(tmp_path: Path, running: ModuleType) -> None:
    here, there = _workspace(tmp_path / "here", running), _workspace(tmp_path / "there", running)
    stop, kept = threading.Event(), tmp_path / "kept.tar"

    with running.serving(here) as gateway:
        key = gateway.writer

        def write() -> None:
            with gateway.client() as client:
                number = 0
                while not stop.is_set():
                    number += 1
                    client.post("/items", json={"sku": "s"}, headers={"idempotency-key": f"k{number}"})

        with gateway.client() as client:
            first = client.post("/items", json={"sku": "s"}, headers={"idempotency-key": "first"})
        writer = threading.Thread(target=write)
        writer.start()
        try:
            made = _figway(running, "backup", str(kept), "--workspace", str(here), "--json")
        finally:
            stop.set()
            writer.join()
        assert made.returncode == 0, made.stderr
    assert kept.stat().st_mode & 0o777 == 0o600
    names = {each["name"] for each in json.loads(made.stdout)["parts"]}
    assert {"state.db", "operations.db", "keys/pepper.json", "keys/cursor.json"} <= names
    assert not {name for name in names if name.endswith(("-wal", "-shm", ".lock"))}

    state = there / ".figway"
    state.mkdir(mode=0o700)
    with tarfile.open(kept) as tar:
        tar.extractall(state, filter="data")
    verdict = verify_folder(state / "audit", public_keys((state / "audit" / "public-keys").read_text()))
    assert verdict.holds, verdict
    assert sum(each.size for each in verdict.writers) > 1
    for path in state.rglob("*.json"):
        assert path.stat().st_mode & 0o077 == 0
    with running.serving(there) as gateway, gateway.client(key) as client:
        again = client.post("/items", json={"sku": "s"}, headers={"idempotency-key": "first"})
        assert (again.status_code, again.json()) == (200, first.json())
        assert again.headers["figway-replayed"] == first.headers["figway-lineage"]


def test_a_backup_replaces_nothing(tmp_path: Path, running: ModuleType) -> None:
    here = _workspace(tmp_path, running)
    running.create_key(here, "reader")
    kept = tmp_path / "kept.tar"
    first = _figway(running, "backup", str(kept), "--workspace", str(here))
    assert first.returncode == 0
    assert "state.db" in first.stderr
    before = kept.read_bytes()
    second = _figway(running, "backup", str(kept), "--workspace", str(here))
    assert second.returncode == 1
    assert "replaces nothing" in second.stderr
    assert kept.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".figway-")) == []


def test_where_there_is_no_state_there_is_no_backup(tmp_path: Path, running: ModuleType) -> None:
    here = _workspace(tmp_path, running)
    refused = _figway(running, "backup", str(tmp_path / "kept.tar"), "--workspace", str(here))
    assert refused.returncode == 1
    assert "there is no state" in refused.stderr
    assert not (tmp_path / "kept.tar").exists()


def test_what_a_demo_left_is_not_copied(tmp_path: Path, running: ModuleType) -> None:
    workspace, target = _workspace(tmp_path, running), tmp_path / "kept.tar"
    running.create_key(workspace, "reader")
    for name in ("demo", "latency", "tour"):
        left = workspace / ".figway" / name / "keys" / "left"
        left.parent.mkdir(parents=True)
        left.write_text("of an estate that is gone")
    assert _figway(running, "backup", str(target), "--workspace", str(workspace)).returncode == 0
    with tarfile.open(target) as tar:
        assert [name for name in tar.getnames() if name.endswith("left")] == []


def test_a_store_elsewhere_is_copied_too(tmp_path: Path, running: ModuleType) -> None:
    here = _workspace(tmp_path / "here", running)
    running.write_workspace(here, {"gateway.yaml": f"stores: {{state: 'sqlite:///{tmp_path}/else/where.db'}}"})
    running.create_key(here, "reader")
    kept = tmp_path / "kept.tar"
    made = _figway(running, "backup", str(kept), "--workspace", str(here), "--json")
    assert made.returncode == 0, made.stderr
    assert "state.db" in {each["name"] for each in json.loads(made.stdout)["parts"]}


@pytest.mark.parametrize("target", ["missing/kept.tar", "."])
def test_a_place_that_cant_be_written_is_told_in_a_sentence(tmp_path: Path, running: ModuleType, target: str) -> None:
    here = _workspace(tmp_path, running)
    running.create_key(here, "reader")
    refused = _figway(running, "backup", os.path.join(tmp_path, target), "--workspace", str(here))
    assert refused.returncode in (1, 2)
    assert "Traceback" not in refused.stderr
