"""A hundred thousand rows as NDJSON: the adapter's whole list and orjson, against `fetchall` and `json`.

Both over one connection string, in turns, on PostgreSQL. The peak of memory is told too, over what the process had
before, of the first of our runs; the other way's comes later and so counts only what goes beyond it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pyodbc

from adapters import registry
from adapters.contract import Context, Workspace
from adapters.odbc.adapter import OdbcAdapter
from adapters.secret import Reference

ROUNDS, ROWS = 5, 100_000
TABLES = b"""
tables:
  bench_many:
    primary_key: [id]
    columns:
      - {name: id, type: integer}
      - {name: name, type: text(40)}
      - {name: price, type: 'decimal(10,2)'}
      - {name: at, type: timestamp}
"""
FILL = (
    "CREATE TABLE bench_many (id int PRIMARY KEY, name varchar(40) NOT NULL, price numeric(10,2) NOT NULL,"
    " at timestamp NOT NULL); INSERT INTO bench_many SELECT n, 'name of ' || n, n * 1.25,"
    " timestamp '2026-01-01' + n * interval '1 minute' FROM generate_series(1, {rows}) n; ANALYZE bench_many;"
)
SELECT = "SELECT id, name, price, at FROM bench_many ORDER BY id"


def measure() -> list[dict[str, Any]]:
    """Rows `{name, value, unit, versus, ratio}`: seconds, and MB of memory on top."""
    with _servers().postgres_server() as server:
        server.sql(FILL.format(rows=ROWS))
        ours, theirs, memory, more = asyncio.run(_measured(server.dsn))
    name = f"odbc {ROWS:,} rows as NDJSON, PostgreSQL"
    way = f"fetchall + json: {theirs:.2f} s"
    return [
        {"name": name, "value": ours, "unit": "s", "versus": way, "ratio": ours / theirs},
        {
            "name": f"{name}, memory on top", "value": memory, "unit": "MB",
            "versus": f"fetchall + json: {memory + more:.0f} MB", "ratio": memory / (memory + more),
        },
    ]  # fmt: skip


async def _measured(dsn: str) -> tuple[float, float, float, float]:
    kind = registry.kind("odbc")
    files = {"openapi/sources/bench/tables.yaml": TABLES}
    adapter = kind.build(
        "bench", kind.config(dsn=Reference(dsn, "env:BENCH_DSN")), Workspace(files, Path(tempfile.gettempdir()))
    )
    assert isinstance(adapter, OdbcAdapter)
    connection = pyodbc.connect(dsn, autocommit=True)
    await adapter.open()
    before = _peak()
    ours, theirs = [await _whole_list(adapter)], []
    memory = _peak() - before
    theirs.append(_fetchall(connection))
    more = _peak() - before - memory
    for _ in range(ROUNDS):
        ours.append(await _whole_list(adapter))
        theirs.append(_fetchall(connection))
    connection.close()
    await adapter.close()
    return statistics.median(ours[1:]), statistics.median(theirs[1:]), memory, more


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


async def _whole_list(adapter: OdbcAdapter) -> float:
    started, size = time.perf_counter(), 0
    async for batch in adapter.bulk("bench_many.list", {}, Context(time.monotonic() + 120)):
        size += len(b"\n".join(map(orjson.dumps, batch)))
    assert size > ROWS * 50
    return time.perf_counter() - started


def _fetchall(connection: Any) -> float:
    started = time.perf_counter()
    cursor = connection.cursor()
    rows = cursor.execute(SELECT).fetchall()
    names = [column[0] for column in cursor.description]
    text = "\n".join(json.dumps(dict(zip(names, row, strict=True)), default=str) for row in rows)
    assert len(text) > ROWS * 50
    cursor.close()
    return time.perf_counter() - started


def _servers() -> ModuleType:
    path = Path(__file__).parents[1] / "servers.py"
    spec = importlib.util.spec_from_file_location("figway_bench_servers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
