"""`figway readiness` without a gateway: what can be asked from here, and what stays unknown."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

GATEWAY = """
upstreams:
  stock: {kind: files, root: ROOT, datasets: {parts: {match: "*.csv", format: csv, key: sku}}}
  far: {kind: http, base_url: "http://127.0.0.1:1", deadline: 1s}
"""
CONTRACT = """
openapi: 3.1.0
info: {title: Parts, version: "1"}
paths:
  /far:
    get:
      operationId: get_far
      tags: [far]
      responses: {"200": {description: It., content: {application/json: {schema: {type: object, properties: {a: {}}}}}}}
      x-gateway: {effect: read, legacy: {upstream: far, operation: GET /far}}
  /both:
    get:
      operationId: get_both
      tags: [both]
      responses: {"200": {description: It., content: {application/json: {schema: {type: object, properties: {a: {}}}}}}}
      x-gateway: {effect: read, compose: {steps: {far: {route: get_far}}, output: "{a: far.a}"}}
  /new:
    get:
      operationId: get_new
      tags: [new]
      responses: {"200": {description: It., content: {application/json: {schema: {type: object}}}}}
      x-gateway: {effect: read, missing: mock}
"""


@pytest.fixture
def workspace(running: ModuleType, tmp_path: Path) -> Path:
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "parts.csv").write_text("sku,qty\nA-1,5\n")
    gateway = GATEWAY.replace("ROOT", str(drop))
    folder: Path = running.write_workspace(tmp_path, {"gateway.yaml": gateway, "openapi/parts.yaml": CONTRACT})
    return folder


def readiness(running: ModuleType, folder: Path, *arguments: str) -> tuple[int, Any]:
    done = running.figway("readiness", "--json", "--workspace", str(folder), *arguments)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


@pytest.mark.parametrize("arguments", [("--calls", "1"), ("--offline",)], ids=["live", "offline"])
def test_what_cant_be_asked_is_no_no(running: ModuleType, workspace: Path, arguments: tuple[str, ...]) -> None:
    code, report = readiness(running, workspace, *arguments)
    assert code == 1, report  # neither of them can be changed through the gateway
    far = next(each for each in report["upstreams"] if each["upstream"] == "far")
    for row in (far, *far["routes"], *report["composites"]):
        assert row["timing"] is None
        assert {row["answers"][each]["verdict"] for each in ("fast", "scales")} == {"unchecked"}, row
        assert row["answers"]["fast"]["next"]
    assert report["live"] == (arguments[0] != "--offline")
    assert report["without_system"] == [{"route": "get_new", "calls": "are mocked"}]


def test_an_upstream_without_routes_offers_nothing(running: ModuleType, workspace: Path) -> None:
    _, report = readiness(running, workspace, "--offline")
    stock = next(each for each in report["upstreams"] if each["upstream"] == "stock")
    assert {name: each["verdict"] for name, each in stock["answers"].items()} == {
        "fast": "unchecked", "acts": "no", "visible": "unchecked", "scales": "unchecked",
    }  # fmt: skip


def test_where_the_page_cant_be_written_it_says_so(running: ModuleType, workspace: Path) -> None:
    code, told = readiness(running, workspace, "--offline", "--html", str(workspace / "no" / "such" / "page.html"))
    assert code == 1
    assert "can't be written" in told
