"""A gateway in front of two laboratories, and those who administer it: anna asks, bob and carol decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

OPERATION = """
    {method}:
      operationId: {name}
      tags: [items]
      summary: One item
      parameters: [{{name: sku, in: path, required: true, schema: {{type: string}}}}]
      responses:
        "200":
          description: The item.
          content: {{application/json: {{schema: {{type: object, properties: {{name: {{type: string}}}}}}}}}}
      x-gateway:
        effect: {effect}
        legacy: {{upstream: old, operation: {operation}, input: {input}, output: "{{name: name}}"}}
        replacement: {{upstream: new, operation: {operation}, input: {input}, output: "{{name: name}}"}}
"""
READ = OPERATION.format(method="get", name="get_item", effect="read", operation="item.get", input="{sku: path.sku}")
WRITE = OPERATION.format(
    method="put",
    name="put_item",
    effect="idempotent_write",
    operation="item.put",
    input="{sku: path.sku, seconds: SECONDS}",
)
CONTRACT = 'openapi: 3.1.0\ninfo: {title: Lab, version: "1"}\npaths:\n  /items/{sku}:'
POLICY = """
permit (principal in Role::"reader", action in Action::"read", resource);
permit (principal in Role::"writer", action, resource);
permit (principal in Role::"admin", action == Action::"gateway:administer", resource);
permit (principal in Role::"approver", action == Action::"gateway:approve", resource);
"""
SIDES = ("old", "new")
MIGRATION = """\
# The laboratory's groups.
groups:
  items: {state: STATE, key: path.sku}
"""


@dataclass
class Administered:
    """A gateway, and clients of the control API."""

    gateway: Any
    anna: httpx.Client
    bob: httpx.Client
    carol: httpx.Client
    folder: Path

    def version(self) -> int:
        return int(self.anna.get("/-/admin/snapshots?limit=1").json()["items"][0]["version"])

    def flip(self, body: dict[str, Any], version: int | None = None, group: str = "items") -> httpx.Response:
        headers = {"if-match": f'"{self.version() if version is None else version}"'}
        return self.anna.post(f"/-/admin/groups/{group}/flip", json={"reason": "test", **body}, headers=headers)

    def rollback(self, group: str = "items") -> httpx.Response:
        headers = {"if-match": f'"{self.version()}"'}
        return self.anna.post(f"/-/admin/groups/{group}/rollback", json={"reason": "test"}, headers=headers)

    def stage(self, group: str = "items") -> dict[str, Any]:
        found: dict[str, Any] = self.anna.get(f"/-/admin/groups/{group}").json()["stage"]
        return found


Administer = Callable[..., AbstractContextManager[Administered]]


def workspace(running: ModuleType, folder: Path, *, writes: bool, state: str, seconds: float, group: str) -> None:
    """The laboratory's workspace; a write takes so many seconds."""
    journal = f"journal: {folder / 'journal'}"
    files = {
        "gateway.yaml": "upstreams:\n"
        + "".join(f"  {side}: {{kind: lab, label: {side}, {journal}}}\n" for side in SIDES),
        "openapi/lab.yaml": CONTRACT + READ + (WRITE.replace("SECONDS", str(seconds)) if writes else ""),
        "policies/access.cedar": POLICY,
        "policies/migration.yaml": MIGRATION.replace("STATE", state).replace("path.sku}", f"path.sku{group}}}"),
    }
    running.write_workspace(folder, files)


@pytest.fixture
def administer(running: ModuleType, tmp_path: Path) -> Administer:
    """Serves the laboratory's workspace: `workers` processes, with writes or without."""

    @contextmanager
    def administer(
        workers: int = 1, *, writes: bool = False, state: str = "replicated", seconds: float = 0, group: str = ""
    ) -> Iterator[Administered]:
        workspace(running, tmp_path, writes=writes, state=state, seconds=seconds, group=group)
        with running.serving(tmp_path, "--workers", str(workers)) as gateway:
            keys = [running.create_key(tmp_path, "admin", "reader", "writer", principal="anna")]
            keys += [running.create_key(tmp_path, "approver", principal=name) for name in ("bob", "carol")]
            clients = [gateway.client(key) for key in keys]
            try:
                yield Administered(gateway, *clients, tmp_path)
            finally:
                for each in clients:
                    each.close()

    return administer


@pytest.fixture
def laboratory(running: ModuleType, tmp_path: Path) -> Callable[[str], None]:
    """Writes the laboratory's workspace, whose data is kept so."""
    return lambda state: workspace(running, tmp_path, writes=True, state=state, seconds=0, group="")
