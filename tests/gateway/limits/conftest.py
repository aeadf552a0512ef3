"""A workspace with limits over the lab adapter, a private Redis, and buckets made by hand."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gateway.limits.ledger import Ledger
from gateway.limits.memory import Memory
from gateway.store.shared import Shared

GATEWAY = """
upstreams:
  lab: {{kind: lab, deadline: 8s, concurrency: 64}}
  narrow: {{kind: lab, deadline: 8s, concurrency: 1, queue: 4}}
stores: {{limits: "{store}"}}
"""
ROUTE = """
  /{path}:
    get:
      operationId: {name}
      tags: [items]
      summary: One item
      parameters:
        - {parameter}
      responses:
        "200":
          description: The item.
          content: {{application/json: {{schema: {{type: object, properties: {{on_hand: {{type: integer}}}}}}}}}}
      x-gateway:
        effect: read
        {more}
        legacy: {{upstream: {upstream}, operation: {operation}, output: "{{on_hand: on_hand}}"}}
"""
SKU = "{name: sku, in: path, required: true, schema: {type: string}}"
SECONDS = "{name: seconds, in: query, schema: {type: number}}"
WAIT = "item.wait, input: {seconds: query.seconds}"
PAIR = """
  /pair/{sku}:
    get:
      operationId: pair
      tags: [pairs]
      summary: Two calls in one
      parameters: [{name: sku, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: Both., content: {application/json: {schema: {type: object}}}}}
      x-gateway:
        effect: read
        compose:
          steps:
            one: {route: cheap, input: {sku: path.sku}}
            two: {route: dear, input: {sku: path.sku}}
          output: "{one: one, two: two}"
"""


def contract() -> str:
    """Routes: cheap (cost 1), dear (cost 5), measured (estimate 5, really 42), slow, narrow (an upstream that takes
    one call at a time), and the composite pair."""
    get = "item.get, input: {sku: path.sku}"
    item = {"upstream": "lab", "operation": get, "parameter": SKU}
    wait = {"operation": WAIT, "parameter": SECONDS}
    routes = [
        ROUTE.format(name="cheap", path="cheap/{sku}", more="", **item),
        ROUTE.format(name="dear", path="dear/{sku}", more="cost: 5", **item),
        ROUTE.format(name="measured", path="measured/{sku}", more="cost: {estimate: 5, measured: on_hand}", **item),
        ROUTE.format(name="slow", path="slow", more="", upstream="lab", **wait),
        ROUTE.format(name="narrow", path="narrow", more="group: narrow", upstream="narrow", **wait),
        PAIR,
    ]
    return 'openapi: 3.1.0\ninfo: {title: Lab, version: "1"}\npaths:' + "".join(routes)


@pytest.fixture
def workspace(tmp_path: Path, running: ModuleType) -> Callable[..., Path]:
    """`workspace(limits, store)`: a workspace with that `policies/limits.yaml` and `stores.limits`."""

    def write(limits: str, store: str = "memory:") -> Path:
        files = {
            "gateway.yaml": GATEWAY.format(store=store),
            "openapi/lab.yaml": contract(),
            "policies/limits.yaml": limits,
        }
        folder: Path = running.write_workspace(tmp_path, files)
        return folder

    return write


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A host's counters."""
    shared = Shared.open(tmp_path / "shared")
    ledger = Ledger(Memory.open(tmp_path / "limits", shared))
    yield ledger
    ledger.close()
    shared.close()


@dataclass
class Redis:
    """A Redis server that runs."""

    url: str
    pid: int


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Redis]:
    """A Redis server of the test's own, on a free port; continued and ended by its process id."""
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("redis-server is missing: apt-get install redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with (tmp_path / "redis.txt").open("wb") as log:
        process = subprocess.Popen([*command, "--dir", str(tmp_path)], stdout=log, stderr=log)
    try:
        _until_open(port)
        yield Redis(f"redis://127.0.0.1:{port}/0", process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
        process.terminate()
        process.wait(20)


def _until_open(port: int) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], None]:
    """`until(condition)`: waits until it holds."""

    def wait(condition: Callable[[], Any]) -> None:
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end, "it never came true"
            time.sleep(0.02)

    return wait
