"""A gateway over a database whose changes are captured, and callers who may see some of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from gateway.cli.key import Desk

POLICY = """
permit (principal in Role::"all", action, resource);
permit (principal in Role::"narrow", action == Action::"gateway:read_events", resource);
@rows("region = principal.tenant")
@mask("secret")
permit (principal in Role::"narrow", action in Action::"read", resource);
permit (principal in Role::"routes", action in Action::"read", resource);
permit (principal in Role::"events", action == Action::"gateway:read_events", resource);
"""
_TABLES = """
tables:
  stock:
    primary_key: [sku]
    columns:
      - {name: sku, type: text}
      - {name: region, type: text, nullable: true}
      - {name: secret, type: text, nullable: true}
      - {name: internal, type: text, nullable: true}
"""
_GATEWAY = """
upstreams:
  erp:
    kind: odbc
    dsn: env:ERP_DSN
    read_only: false
    changes:
      stock: {method: outbox}
      untold: {method: diff, operation: stock.list, key: [sku], every: 1h, items: "items[]"}
"""
_CONTRACT = """
openapi: 3.1.0
info: {title: Stock, version: "1"}
paths:
  /stock/{code}:
    parameters: [{name: code, in: path, required: true, schema: {type: string}}]
    get:
      operationId: get_stock
      tags: [stock]
      responses:
        "200":
          description: One.
          content:
            application/json:
              schema:
                type: object
                required: [code]
                properties: {code: {type: string}, region: {type: [string, "null"]}, secret: {type: [string, "null"]}}
      x-gateway:
        effect: read
        legacy:
          upstream: erp
          operation: stock.get
          input: {sku: path.code}
          output: "{code: sku, region: region, secret: secret}"
        enforcement: shape
"""

FILES = {
    "gateway.yaml": _GATEWAY,
    "openapi/stock.yaml": _CONTRACT,
    "openapi/sources/erp/tables.yaml": _TABLES,
    "policies/access.cedar": POLICY,
}


class World:
    """A workspace with its database, and a gateway on it."""

    def __init__(self, folder: Path, running: ModuleType, servers: ModuleType) -> None:
        self.base, self.workspace, self.gateway = folder / "base.db", folder / "ws", Any
        self.sql(
            "PRAGMA journal_mode = WAL;"
            "CREATE TABLE stock (sku TEXT PRIMARY KEY, region TEXT, secret TEXT, internal TEXT);"
        )
        self.environment = {"ERP_DSN": servers.sqlite_dsn(self.base)}
        running.write_workspace(self.workspace, FILES)
        install = ("changes", "install", "erp.stock", "--run", "--workspace", str(self.workspace))
        running.figway(*install, extra=self.environment, check=True)

    def sql(self, text: str) -> None:
        with closing(sqlite3.connect(self.base, timeout=20)) as connection:
            connection.executescript(text)

    def key(self, role: str, tenant: str | None = None) -> str:
        with Desk.open(self.workspace) as desk:
            text, _ = desk.create(expires=None, principal=role, roles=(role,), tenant=tenant)
        return f"Bearer {text}"

    def revoke(self, key: str) -> None:
        with Desk.open(self.workspace) as desk:
            assert desk.revoke(key.removeprefix("Bearer ").split("_")[1])

    @contextmanager
    def reading(self, key: str, query: str = "", last: str | None = None) -> Iterator[Reader]:
        headers = {"authorization": key} | ({} if last is None else {"last-event-id": last})
        with (
            httpx.Client(base_url=self.gateway.url, headers=headers, timeout=30, trust_env=False) as client,
            client.stream("GET", f"/-/events{query}") as response,
        ):
            assert response.status_code == 200, response.read()
            yield Reader(response)

    def loaded(self, key: str) -> None:
        """Waits until the first load is told."""
        with self.reading(key, "?after=first") as reader:
            assert reader.next()["type"] == "figway.change.loaded"


class Reader:
    """The events of one stream."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()
        self.last = ""

    def next(self) -> dict[str, Any]:
        """The next event, or the problem that ends the stream."""
        kind, data = "message", ""
        for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "id":
                self.last = value
            elif name == "event":
                kind = value
            elif name == "data":
                data = value
            elif not line and data:
                found: dict[str, Any] = json.loads(data)
                return found if kind == "message" else {kind: found}
        raise AssertionError("the stream ended")


@pytest.fixture
def world(tmp_path: Path, running: ModuleType, servers: ModuleType) -> Iterator[World]:
    made = World(tmp_path, running, servers)
    with running.serving(made.workspace, extra=made.environment) as gateway:
        made.gateway = gateway
        yield made


@pytest.fixture(scope="session")
def workspace_files() -> dict[str, str]:
    """The workspace's files, by name."""
    return FILES
