"""An adapter of others, built from the kit and found by its entry point alone, against a real beanstalkd."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PACKAGE = Path(__file__).parent / "figway-beanstalk"
FIGWAY = Path(sys.executable).with_name("figway")
CONTRACT = """
openapi: 3.1.0
info: {title: Jobs, version: "1"}
paths:
  /jobs:
    post:
      operationId: put_job
      tags: [jobs]
      summary: Puts a job.
      requestBody:
        required: true
        content: {application/json: {schema: {type: object, properties: {body: {type: string}}, required: [body]}}}
      responses:
        "201": {description: Done., content: {application/json: {schema: {type: object}}}}
      x-gateway:
        effect: write
        legacy: {upstream: queue, operation: job.put, input: {tube: "'orders'", body: body.body}}
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder into which the package is installed, as pip would do it."""
    target = tmp_path / "installed"
    described = target / "figway_beanstalk-0.1.0.dist-info"
    described.mkdir(parents=True)
    (target / "figway_beanstalk").symlink_to(PACKAGE / "figway_beanstalk")
    page = (PACKAGE / "README.md").read_text()
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: figway-beanstalk\nVersion: 0.1.0\n\n{page}")
    (described / "entry_points.txt").write_text("[figway.adapters]\nbeanstalk = figway_beanstalk:KIND\n")
    return target


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[tuple[ModuleType, int]]:
    """The package's conformance module, and a beanstalkd that it starts."""
    sys.path.insert(0, str(PACKAGE))
    try:
        spec = importlib.util.find_spec("figway_beanstalk.conformance")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(PACKAGE))
    with module.beanstalkd() as port:
        yield module, port


@pytest.mark.parametrize("by", ["folder", pytest.param("kind", marks=pytest.mark.slow)])
def test_it_keeps_every_rule(tmp_path: Path, installed: Path, by: str) -> None:
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # they take seconds to load
    if by == "kind":
        environment["PYTHONPATH"] = str(installed)
    command = [FIGWAY, "adapter", "check", "beanstalk" if by == "kind" else str(PACKAGE), "--json"]
    run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=False)
    report: dict[str, Any] = json.loads(run.stdout)
    assert [each for each in report["rules"] if each["state"] == "broken"] == []
    assert (run.returncode, report["grade"], len(report["rules"])) == (0, "gold", 19)


def test_a_gateway_finds_it_by_its_entry_point(
    tmp_path: Path, installed: Path, server: tuple[ModuleType, int], running: ModuleType
) -> None:
    module, port = server
    workspace = tmp_path / "workspace"
    gateway = f"upstreams: {{queue: {{kind: beanstalk, host: 127.0.0.1, port: {port}}}}}"
    running.write_workspace(workspace, {"gateway.yaml": gateway, "openapi/jobs.yaml": CONTRACT})
    command = [FIGWAY, "call", "put_job", "--body", '{"body": "an order"}', "--workspace", str(workspace)]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    number = json.loads(done.stdout)["id"]
    assert module.asked(port, f"peek {number}") == f"FOUND {number} 8\r\n"
    without = subprocess.run(command, capture_output=True, text=True, check=False)
    assert without.returncode != 0
