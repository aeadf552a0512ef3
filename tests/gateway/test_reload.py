"""Reload under load: no request is lost, none sees a mix of two snapshots, an invalid workspace changes nothing."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest

SLOW = bool(os.environ.get("FIGWAY_SLOW"))
REQUESTS, CHANGES, PAUSE = (20_000, 50, 0.0) if SLOW else (1_000, 5, 0.01)

GATEWAY = "upstreams:\n  lab: {{kind: lab, label: v{0}}}\n"
CONTRACT = """
openapi: 3.1.0
info: {{title: Lab, version: "{0}"}}
paths:
  /items/{{sku}}:
    get:
      operationId: get_item
      tags: [items]
      summary: One item
      parameters: [{{name: sku, in: path, required: true, schema: {{type: string}}}}]
      responses:
        "200":
          description: The item.
          content:
            application/json:
              schema: {{type: object, properties: {{name: {{type: string}}, v: {{type: integer}}}}}}
      x-gateway:
        effect: read
        legacy: {{upstream: lab, operation: item.get, input: {{sku: path.sku}}, output: "{{name: name, v: `{0}`}}"}}
"""


def write(running: ModuleType, folder: Path, version: int) -> None:
    files = {"gateway.yaml": GATEWAY.format(version), "openapi/lab.yaml": CONTRACT.format(version)}
    running.write_workspace(folder, files)


async def _load(gateway: Any, count: int, seen: list[tuple[int, str, int]]) -> None:
    headers = {"authorization": gateway.reader}
    async with aiohttp.ClientSession(gateway.url, headers=headers) as session:
        for _ in range(count):
            async with session.get("/items/A") as response:
                assert response.status == 200, await response.text()
                body = await response.json()
                seen.append((int(response.headers["figway-snapshot"]), body["name"], body["v"]))
            await asyncio.sleep(PAUSE)


async def _change(running: ModuleType, gateway: Any, done: asyncio.Event) -> None:
    for version in range(2, CHANGES + 2):
        await asyncio.to_thread(write, running, gateway.folder, version)
        await asyncio.to_thread(gateway.wait_logged, f"snapshot {version} is published", 60)
    done.set()


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
async def test_changes_during_requests(running: ModuleType, tmp_path: Path, workers: int) -> None:
    write(running, tmp_path, 1)
    with running.serving(tmp_path, "--watch", "--workers", str(workers)) as gateway:
        seen: list[tuple[int, str, int]] = []
        done = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(_change(running, gateway, done))
            loads = [group.create_task(_load(gateway, REQUESTS // 8, seen)) for _ in range(8)]
            await asyncio.wait(loads)
            while not done.is_set():
                await _load(gateway, 50, seen)
    assert len(seen) >= REQUESTS
    for snapshot, name, version in seen:
        assert version == snapshot, "the mapping is another snapshot's"
        assert name == f"Deep groove ball bearing (v{snapshot})", "the upstream is another snapshot's"
    assert {snapshot for snapshot, _, _ in seen} >= {1, CHANGES + 1}


def test_an_invalid_workspace_never_replaces_a_valid_one(running: ModuleType, tmp_path: Path) -> None:
    write(running, tmp_path, 1)
    with running.serving(tmp_path, "--watch") as gateway, gateway.client(gateway.reader) as client:
        running.write_workspace(tmp_path, {"gateway.yaml": "upstreams:\n  lab: {kind: lab, lable: x}\n"})
        gateway.wait_logged("gateway.yaml:2")
        assert client.get("/items/A").headers["figway-snapshot"] == "1"
        write(running, tmp_path, 2)
        gateway.wait_logged("snapshot 2 is published")
        assert client.get("/items/A").json()["v"] == 2


def test_a_request_keeps_its_snapshot_and_the_old_upstream_is_closed_after_it(
    running: ModuleType, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.txt"
    contract = (Path(__file__).parent / "ingress" / "lab.yaml").read_text()
    gateway_yaml = "upstreams:\n  lab: {{kind: lab, label: {0}, journal: '{1}'}}\n  faulty: {{kind: lab}}\n"
    gateway_yaml += "  closed: {{kind: lab, down: true}}\n"
    files = {"gateway.yaml": gateway_yaml.format("old", journal), "openapi/lab.yaml": contract}
    running.write_workspace(tmp_path, files)

    def noted() -> str:
        return journal.read_text() if journal.exists() else ""

    with running.serving(tmp_path, "--watch") as gateway, gateway.client() as client:

        async def scenario() -> tuple[dict[str, Any], bool]:
            slow = asyncio.create_task(asyncio.to_thread(client.get, "/wait/3"))
            await asyncio.sleep(0.3)
            running.write_workspace(tmp_path, {"gateway.yaml": gateway_yaml.format("new", journal)})
            await asyncio.to_thread(gateway.wait_logged, "snapshot 2 is published")
            closed = "closed" in noted()
            # On a busy machine the slow call may have ended by now, and its reply be on its way.
            ended, _ = await asyncio.wait([slow], timeout=1)
            return (await slow).json(), closed and not ended

        reply, closed_early = asyncio.run(scenario())
        assert reply["name"] == "old"
        assert not closed_early
        assert "new" in client.get("/items/A").json()["name"]
        until = time.monotonic() + 10
        while "closed" not in noted():
            assert time.monotonic() < until, "the old upstream was never closed"
            time.sleep(0.05)


def test_serve_refuses_an_invalid_workspace_with_every_problem(running: ModuleType, tmp_path: Path) -> None:
    write(running, tmp_path, 1)
    running.write_workspace(tmp_path, {"gateway.yaml": "upstreams:\n  lab: {kind: lab, lable: x}\n  b: {kind: no}\n"})
    with pytest.raises(RuntimeError, match="ended with 1:") as failed, running.serving(tmp_path):
        pass
    text = str(failed.value)
    assert "gateway.yaml:2" in text
    assert "gateway.yaml:3" in text
    assert "Traceback" not in text


def test_a_changed_deadline_holds_from_the_next_snapshot_on(running: ModuleType, tmp_path: Path) -> None:
    contract = (Path(__file__).parent / "ingress" / "lab.yaml").read_text()
    upstreams = "upstreams:\n  lab: {{kind: lab, deadline: {0}}}\n  faulty: {{kind: lab}}\n  closed: {{kind: lab}}\n"
    files = {"gateway.yaml": upstreams.format("8s"), "openapi/lab.yaml": contract}
    running.write_workspace(tmp_path, files)
    with running.serving(tmp_path, "--watch") as gateway, gateway.client() as client:
        assert client.get("/wait/1").status_code == 200
        running.write_workspace(tmp_path, {"gateway.yaml": upstreams.format("300ms")})
        gateway.wait_logged("snapshot 2 is published")
        assert client.get("/wait/1").status_code == 504
