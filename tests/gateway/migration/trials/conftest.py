"""A group with a database behind it and a replacement with a ledger: a REST service, or another database."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TABLES = """
tables:
  stock:
    primary_key: [sku]
    columns:
      - {name: sku, type: text(20)}
      - {name: name, type: text(40), nullable: true}
      - {name: on_hand, type: integer}
"""
_ENTITY = "{type: object, properties: {sku: {type: string}, name: {type: [string, 'null']}, on_hand: {type: integer}}}"
_BODY = "{type: object, properties: {name: {type: string}, on_hand: {type: integer}}}"
_CONTRACT = """
openapi: 3.1.0
info: {{title: Stock, version: "1"}}
paths:
  /stock/{{sku}}:
    parameters: [{{name: sku, in: path, required: true, schema: {{type: string}}}}]
    get:
      operationId: get_stock
      tags: [stock]
      responses: {{"200": {{description: One., content: {{application/json: {{schema: {entity}}}}}}}}}
      x-gateway:
        effect: read
        legacy: {{upstream: old, operation: stock.get}}
        replacement: {{upstream: new, operation: {get}}}
    post:
      operationId: add_stock
      tags: [stock]
      requestBody: {{required: true, content: {{application/json: {{schema: {body}}}}}}}
      responses: {{"201": {{description: New., content: {{application/json: {{schema: {entity}}}}}}}}}
      x-gateway:
        effect: write
        location: /stock/{{sku}}
        legacy: {{upstream: old, operation: stock.insert}}
        replacement: {{upstream: new, operation: {add}{says}}}
    put:
      operationId: put_stock
      tags: [stock]
      requestBody: {{required: true, content: {{application/json: {{schema: {body}}}}}}}
      responses: {{"200": {{description: Done., content: {{application/json: {{schema: {entity}}}}}}}}}
      x-gateway:
        effect: idempotent_write
        legacy: {{upstream: old, operation: stock.update}}
        replacement: {{upstream: new, operation: {put}{says}}}
"""
_REST = {"get": "'GET /stock/{sku}'", "add": "'POST /stock/{sku}'", "put": "'PUT /stock/{sku}'"}
_TABLE = {"get": "stock.get", "add": "stock.insert", "put": "stock.update"}
_MIGRATION = """
groups:
  stock:
    owner: team-stock
    expires: 2099-12-31
    state: replicated
    sample: 100
    reads: {{stage: {reads}}}
    writes: {{stage: {writes}}}
    parity:
      samples: {{keep: [/on_hand]}}
"""


@dataclass
class Ledger:
    """What a REST service was asked, and what it did. `mode`: it obeys dry runs, ignores them, or fails."""

    url: str = ""
    mode: str = "obeys"
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    effects: list[str] = field(default_factory=list)
    tried: int = 0
    wrong: int = 0
    """Added to what is on hand in every answer: a fault of the new system's."""

    def answer(self, method: str, sku: str, body: dict[str, Any], dry: bool) -> tuple[int, Any, bool]:
        """Status, body, and whether it acknowledges the dry run."""
        found = self.rows.get(sku)
        if self.mode == "fails":
            return 500, {}, False
        if method == "GET":
            return (404, {}, False) if found is None else (200, self._shown(found), False)
        if (method == "PUT") == (found is None):
            return (404 if found is None else 409), {}, False
        if body.get("on_hand", 0) < 0:
            return 422, {"errors": [{"pointer": "/on_hand", "detail": "must not be negative"}]}, False
        row = {"sku": sku, "name": None, "on_hand": 0, **(found or {}), **body}
        obeys = dry and self.mode == "obeys"
        self.tried += dry
        if not obeys:
            self.effects.append(sku)
            self.rows[sku] = row
        return (201 if method == "POST" else 200), self._shown(row), obeys

    def _shown(self, row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "on_hand": row["on_hand"] + self.wrong}


def _handler(ledger: Ledger) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            dry = self.headers.get("prefer") == "dry-run"
            sku = self.path.rpartition("/")[2]
            with lock:
                status, body, acknowledged = ledger.answer(self.command, sku, json.loads(raw or b"{}"), dry)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            if acknowledged:
                self.send_header("preference-applied", "dry-run")
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            self.do_GET()

        def do_PUT(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """A REST service that is the replacement."""
    made = Ledger()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Stock:
    """The workspace, and what legacy holds."""

    folder: Path
    serving: Callable[..., AbstractContextManager[Any]]

    def rows(self) -> list[tuple[Any, ...]]:
        """What legacy's table holds."""
        with closing(sqlite3.connect(self.folder / "old.db")) as base:
            return base.execute("SELECT sku, name, on_hand FROM stock ORDER BY sku").fetchall()


@pytest.fixture
def stock(tmp_path: Path, running: ModuleType, servers: ModuleType) -> Callable[..., Stock]:
    """`stock(new, stage)`: `new` is the replacement's configuration, `says` what its bindings say of dry runs."""

    def made(
        new: str, writes: str = "dry_run", *, rest: bool = True, says: str = ", dry_run: true", reads: str = "legacy"
    ) -> Stock:
        if not (tmp_path / "old.db").exists():
            with closing(sqlite3.connect(tmp_path / "old.db")) as base:
                base.execute("PRAGMA journal_mode = WAL")
                base.execute("CREATE TABLE stock (sku TEXT PRIMARY KEY, name TEXT, on_hand INTEGER NOT NULL)")
                base.execute("INSERT INTO stock VALUES ('A-1', 'bearing', 5), ('A-2', NULL, 7)")
                base.commit()
        names = {**(_REST if rest else _TABLE), "says": says, "entity": _ENTITY, "body": _BODY}
        files = {
            "gateway.yaml": "upstreams:\n  old: {kind: odbc, dsn: 'env:OLD_DSN', read_only: false, dialect: sqlite}\n"
            f"  new: {new}\n",
            "openapi/stock.yaml": _CONTRACT.format(**names),
            "openapi/sources/old/tables.yaml": TABLES,
            "openapi/sources/new/tables.yaml": TABLES,
            "policies/migration.yaml": _MIGRATION.format(writes=writes, reads=reads),
        }
        running.write_workspace(tmp_path, files)

        @contextmanager
        def serving(*arguments: str, **extra: str) -> Iterator[Any]:
            given = {"OLD_DSN": servers.sqlite_dsn(tmp_path / "old.db"), **extra}
            with running.serving(tmp_path, *arguments, extra=given) as gateway:
                yield gateway

        return Stock(tmp_path, serving)

    return made
