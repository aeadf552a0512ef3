"""`figway key rotate` beside a gateway that runs: nothing in flight breaks, and what comes next is signed anew."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CONTRACT = """
openapi: 3.1.0
info: {title: Lab, version: "1"}
paths:
  /items:
    get:
      operationId: list_items
      tags: [items]
      summary: Items
      parameters:
        - {name: limit, in: query, schema: {type: integer}}
        - {name: cursor, in: query, schema: {type: string}}
      responses:
        "200":
          description: Items.
          content:
            application/json:
              schema:
                type: object
                required: [items, next]
                properties:
                  items: {type: array, items: {type: object}}
                  next: {type: [string, "null"]}
      x-gateway: {effect: read, enforcement: shape, legacy: {upstream: lab, operation: item.list}}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, running: ModuleType) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("rotate")
    running.write_workspace(folder, {"gateway.yaml": "upstreams: {lab: {kind: lab}}", "openapi/lab.yaml": CONTRACT})
    with running.serving(folder, "--workers", "2") as served:
        yield served


def _rotate(running: ModuleType, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return running.figway("key", "rotate", "--workspace", str(folder), *arguments)


def test_what_is_in_flight_stays_good(gateway: Any, running: ModuleType) -> None:
    with gateway.client() as client:
        following = client.get("/items", params={"limit": 2}).json()["next"]
        rotated = json.loads(_rotate(running, gateway.folder, "--all", "--json").stdout)
        assert {"cursor", "pepper"} <= {each["name"] for each in rotated}
        id = next(each["id"] for each in rotated if each["name"] == "cursor")
        assert f"cursor={id}." not in following
        # The API key was made under the old pepper, the cursor under the old key.
        page = client.get(following)
        assert [item["sku"] for item in page.json()["items"]] == ["S-0002", "S-0003"]
    fresh = running.create_key(gateway.folder, "reader", principal="fred")
    until = time.monotonic() + 20
    with gateway.client(fresh) as client:
        while f"cursor={id}." not in client.get("/items", params={"limit": 2}).json()["next"]:
            assert time.monotonic() < until
            time.sleep(0.02)


def test_a_cursor_under_a_key_that_never_was_is_refused(gateway: Any) -> None:
    with gateway.client() as client:
        following = client.get("/items", params={"limit": 2}).json()["next"]
        cursor = following.partition("cursor=")[2].partition("&")[0]
        for forged in (f"00000000.{cursor.partition('.')[2]}", cursor.partition(".")[2], ".", ""):
            expected = 200 if forged == "" else 400
            assert client.get("/items", params={"limit": 2, "cursor": forged}).status_code == expected


def test_what_isnt_there_isnt_rotated(gateway: Any, running: ModuleType) -> None:
    refused = _rotate(running, gateway.folder, "pepers")
    assert refused.returncode == 1
    assert "there is no key 'pepers'" in refused.stderr
    assert _rotate(running, gateway.folder).returncode == 2
    assert _rotate(running, gateway.folder, "pepper", "--all").returncode == 2
