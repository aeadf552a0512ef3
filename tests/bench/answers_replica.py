"""What answering from a replica brings and costs: a row and a page of a table and of a file, beside asking for them.

The table is PostgreSQL's, followed by a slot, the file a CSV that is compared; both have 20,000 rows. "Live" asks the
system; nginx and Varnish keep the same route's answers before figway, for everybody alike (see `_beside.py`). "New
keys" are asked of a table that takes 310 ms, each by its turn, with 32 connections of wrk; the rest with 64, and
always the same question. One worker each, rounds interleaved.
"""

from __future__ import annotations

import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import servers
from _beside import figway, nginx, rounds, row, varnish
from governed import Server

TITLE, ROWS, SECONDS = "answers of a replica", 20_000, 2
SQL = f"""
CREATE TABLE stock (id integer PRIMARY KEY, name text NOT NULL, on_hand integer NOT NULL);
INSERT INTO stock SELECT i, 'Deep groove ball bearing ' || i, i % 100 FROM generate_series(1, {ROWS}) i;
CREATE VIEW slow_stock AS SELECT stock.* FROM stock, pg_sleep(0.31);
"""
_COLUMNS = """
    primary_key: [id]
    columns:
      - {name: id, type: integer}
      - {name: name, type: text}
      - {name: on_hand, type: integer}
"""
TABLES = f"tables:\n  stock:{_COLUMNS}  slow_stock:{_COLUMNS}"
GATEWAY = """
upstreams:
  erp:
    kind: odbc
    dsn: file:dsn
    read_only: false
    concurrency: 40
    changes: {{stock: {{method: slot}}}}
  drop:
    kind: files
    root: {drop}
    datasets:
      items:
        {{match: items.csv, format: csv, key: id, options: {{columns: {{id: integer, name: text, on_hand: integer}}}}}}
    changes: {{items: {{method: diff}}}}
identity: {{api_keys: true}}
"""
_HEAD = """
openapi: 3.1.0
info: {title: Stock, version: "1"}
components:
  schemas:
    One:
      type: object
      required: [id, name, on_hand]
      properties: {id: {type: integer}, name: {type: string}, on_hand: {type: integer}}
    Page:
      type: object
      required: [items, next]
      properties: {items: {type: array, items: {$ref: "#/components/schemas/One"}}, next: {type: [string, "null"]}}
paths:
"""
_ROUTES = """
  /PLACE/{id}:
    get:
      operationId: get_PLACE
      summary: One
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: One., content: {application/json: {schema: {$ref: "#/components/schemas/One"}}}}}
      x-gateway: {effect: read, group: PLACE, MODE, legacy: {upstream: UPSTREAM, operation: TABLE.get}}
  /PLACE:
    get:
      operationId: list_PLACE
      summary: Some
      parameters:
        - {name: limit, in: query, schema: {type: integer}}
        - {name: cursor, in: query, schema: {type: string}}
      responses:
        "200": {description: Some., content: {application/json: {schema: {$ref: "#/components/schemas/Page"}}}}
      x-gateway: {effect: read, group: PLACE, MODE, legacy: {upstream: UPSTREAM, operation: TABLE.list}}
"""
_KEPT, _LIVE = "freshness: {mode: materialized, fresh: 1h}", "freshness: {mode: live}"
_NEW_KEYS = f"""
math.randomseed(os.time())
local id = math.random({ROWS})
request = function() id = id % {ROWS} + 1; return wrk.format(nil, wrk.path .. id) end
"""


def _routes(place: str, upstream: str, table: str, mode: str) -> str:
    made = _ROUTES.replace("PLACE", place).replace("UPSTREAM", upstream)
    return made.replace("TABLE", table).replace("MODE", mode)


def _contract() -> str:
    routes = [
        _routes("table", "erp", "stock", _KEPT),
        _routes("live_table", "erp", "stock", _LIVE),
        _routes("slow_table", "erp", "slow_stock", _LIVE),
        _routes("file", "drop", "items", _KEPT),
        _routes("live_file", "drop", "items", _LIVE),
    ]
    return _HEAD + "".join(routes)


@contextmanager
def _figway(folder: Path, dsn: str) -> Iterator[Server]:
    """figway over the table and the file, once its replicas answer."""
    drop = folder / "drop"
    drop.mkdir()
    lines = (f"{i},Deep groove ball bearing {i},{i % 100}\n" for i in range(1, ROWS + 1))
    (drop / "items.csv").write_text("id,name,on_hand\n" + "".join(lines))
    (folder / "dsn").write_text(dsn)
    (folder / "dsn").chmod(0o600)
    gateway = GATEWAY.format(drop=drop).replace("file:dsn", f"file:{folder}/dsn")
    files = {"gateway.yaml": gateway, "openapi/stock.yaml": _contract(), "openapi/sources/erp/tables.yaml": TABLES}
    with figway(folder / "ws", "figway", files, ("changes", "install", "erp.stock", "--run")) as server:
        for place in ("table", "file"):
            _await_replica(server, f"/{place}/1")
        yield server


def _await_replica(server: Server, path: str) -> None:
    name, _, value = server.header.partition(": ")
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers={name: value})
    until = time.monotonic() + 60
    while True:
        with urllib.request.urlopen(request, timeout=10) as reply:
            if "replica" in reply.headers.get("cache-status", ""):
                return
        if time.monotonic() > until:
            raise RuntimeError(f"the replica behind {path} doesn't answer")
        time.sleep(0.2)


def _asking(server: Server, name: str, path: str, script: Path | None = None) -> Server:
    """The same server, asked for something else; by new keys where there is a script."""
    made = replace(server, name=name, path=path, seconds=SECONDS, script=script, cpu=[], p50=[], p99=[])
    return made if script is None else replace(made, connections=32)


def measure() -> list[dict[str, object]]:
    """The figures: CPU time per request in µs (the database's own isn't counted), p50 and p99 in ms."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        script = folder / "new_keys.lua"
        script.write_text(_NEW_KEYS)
        database = stack.enter_context(servers.postgres_server())
        database.sql(SQL)
        own = stack.enter_context(_figway(folder, database.dsn))
        caches = [
            (make.__name__.replace("varnish", "Varnish"), replace(stack.enter_context(made), header=own.header))
            for make in (nginx, varnish)
            for made in [make(folder / make.__name__, "", "1h", own.port)]
        ]
        pairs: list[tuple[Server, list[Server]]] = []
        for place in ("table", "file"):
            for what, path in (("row", "/1"), ("page of 20", "?limit=20")):
                live = f"/live_{place}{path}"
                others = [_asking(each, f"{name}, same {what}", live) for name, each in caches]
                others.insert(0, _asking(own, f"{place}, live {what}", live))
                pairs.append((_asking(own, f"{place}, {what}", f"/{place}{path}"), others))
        slow = [_asking(each, f"{name}, new keys", "/slow_table/", script) for name, each in caches]
        slow.insert(0, _asking(own, "table of 310 ms, new keys", "/slow_table/", script))
        pairs.append((_asking(own, "table, new keys", "/table/", script), slow))
        rounds([server for mine, others in pairs for server in (mine, *others)], 3)
    return [
        row(TITLE, mine, what, other) for what in ("cpu", "p50", "p99") for mine, others in pairs for other in others
    ]
