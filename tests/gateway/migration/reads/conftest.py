"""One gateway with a group at each stage of reads, over two lab upstreams that note what they are asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

GATEWAY = """
upstreams:
  old: {{kind: lab, label: old, journal: "{journals}/old.txt", deadline: 8s, concurrency: 64}}
  new: {{kind: lab, label: new, journal: "{journals}/new.txt", deadline: 8s, concurrency: 64}}
"""
STAGES = {
    "still": "{stage: legacy}",
    "shaded": "{stage: shadow}",
    "some": "{stage: canary, weight: 30}",
    "most": "{stage: live, holdback: 20}",
    "moved": "{stage: new_only}",
    "gone": "{stage: retired}",
}
"""Group → its reads."""
ROUTE = """
  /{group}:
    get:
      operationId: list_{group}
      tags: [lab]
      summary: Lists
      parameters:
        - {{name: limit, in: query, schema: {{type: integer}}}}
        - {{name: cursor, in: query, schema: {{type: string}}}}
      responses:
        "200":
          description: A page.
          content:
            application/json:
              schema:
                type: object
                required: [items, next]
                properties: {{items: {{type: array}}, next: {{type: [string, "null"]}}}}
      x-gateway:
        effect: read
        group: {group}
        legacy: {{upstream: old, operation: item.list}}
        replacement: {{upstream: new, operation: item.list}}
  /{group}/{{sku}}:
    get:
      operationId: get_{group}
      tags: [lab]
      summary: One
      parameters:
        - {{name: sku, in: path, required: true, schema: {{type: string}}}}
        - {{name: seconds, in: query, schema: {{type: number}}}}
        - {{name: error, in: query, schema: {{type: string}}}}
        - {{name: hang, in: query, schema: {{type: number}}}}
      responses:
        "200":
          description: One.
          content:
            application/json:
              schema:
                type: object
                required: [sku]
                properties: {{sku: {{type: string}}, name: {{type: string}}, on_hand: {{type: integer}}}}
      x-gateway:
        effect: read
        group: {group}
        legacy:
          upstream: old
          operation: item.note
          input: {{sku: path.sku, seconds: query.seconds, error: query.error, ignored: query.hang}}
        replacement:
          upstream: new
          operation: item.note
          input: {{sku: path.sku, seconds: "query.hang || query.seconds", error: query.error}}
"""
GROUP = """
  {group}:
    key: path.sku
    reads: {reads}
    sample: {sample}
    state: replicated
    owner: lab
    expires: 2099-12-31
    cohorts: {{"principal:carla": replacement, "principal:conrad": legacy}}
    parity: {{ignore: ["/name"]}}
"""


def workspace(running: ModuleType, folder: Path, stages: dict[str, str], sample: float = 0) -> Path:
    """A workspace whose groups are at these stages, in `folder`."""
    head = 'openapi: 3.1.0\ninfo: {title: Lab, version: "1"}\npaths:'
    groups = "".join(GROUP.format(group=name, reads=reads, sample=sample) for name, reads in stages.items())
    files = {
        "gateway.yaml": GATEWAY.format(journals=folder),
        "openapi/lab.yaml": head + "".join(ROUTE.format(group=name) for name in stages),
        "policies/migration.yaml": "groups:" + groups,
    }
    made: Path = running.write_workspace(folder, files)
    return made


@pytest.fixture(scope="session")
def stages() -> ModuleType:
    """This module, for tests that make workspaces of their own."""
    return sys.modules[__name__]


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory, running: ModuleType) -> Path:
    return workspace(running, tmp_path_factory.mktemp("stages"), STAGES)


@pytest.fixture(scope="package")
def gateway(folder: Path, running: ModuleType) -> Iterator[Any]:
    """A `running.Running`, nothing of which is sampled."""
    with running.serving(folder) as gateway:
        yield gateway
