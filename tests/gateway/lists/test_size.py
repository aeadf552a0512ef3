"""A million rows to one caller: the gateway's memory stays what it was."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from types import ModuleType

import pytest

TABLES = "tables: {big: {primary_key: [id], columns: [{name: id, type: integer}, {name: text, type: text}]}}"
CONTRACT = """
openapi: 3.1.0
info: {title: Big, version: "1"}
paths:
  /big:
    get:
      operationId: list_big
      parameters:
        - {name: limit, in: query, schema: {type: integer}}
        - {name: cursor, in: query, schema: {type: string}}
      responses:
        "200":
          description: A page.
          content:
            application/json:
              schema:
                type: object
                required: [items, next]
                properties:
                  items:
                    type: array
                    items: {type: object, required: [id], properties: {id: {type: integer}, text: {type: string}}}
                  next: {type: [string, "null"]}
      x-gateway: {effect: read, legacy: {upstream: shop, operation: big.list}}
"""
_MOST = 40_000
"""kB by which the peak may grow: batches in flight, and what the allocator keeps."""


def _peak(pid: int) -> int:
    """The most memory that a process has had, in kB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


@pytest.mark.slow
@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/csv"])
def test_a_million_rows_take_no_more_memory_than_some(
    tmp_path: Path, running: ModuleType, servers: ModuleType, accept: str
) -> None:
    database = tmp_path / "big.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, text TEXT)")
        connection.execute(
            "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 1000000)"
            " INSERT INTO big SELECT id, printf('%.*c', 100, 'x') FROM n"
        )
    connection.close()
    files = {
        "gateway.yaml": "upstreams: {shop: {kind: odbc, dsn: env:BIG_DSN}}",
        "openapi/big.yaml": CONTRACT,
        "openapi/sources/shop/tables.yaml": TABLES,
    }
    running.write_workspace(tmp_path, files)
    with (
        running.serving(tmp_path, extra={"BIG_DSN": servers.sqlite_dsn(database)}) as gateway,
        gateway.client() as client,
    ):
        assert client.get("/big").status_code == 200
        before, started, lines = _peak(gateway.process.pid), time.monotonic(), 0
        with client.stream("GET", "/big", headers={"accept": accept}) as response:
            for piece in response.iter_raw(1 << 20):
                lines += piece.count(b"\n")
        seconds, grown = time.monotonic() - started, _peak(gateway.process.pid) - before
    print(f"{lines} lines of {accept} in {seconds:.1f} s, {grown} kB more")
    assert lines == 1_000_000 + (accept == "text/csv")
    assert grown < _MOST
