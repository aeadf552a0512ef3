"""A row by key through the ODBC adapter against the usual way and against the least there is.

The usual way is `asyncio.to_thread` with a new cursor a call, the least one prepared statement in a loop of its thread.
All over one connection string, in turns, on PostgreSQL where it is installed and on SQLite elsewhere. The adapter's
figure includes what the other way leaves out: judging the input, the deadline, exact values, the time of the read.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyodbc
import uvloop

from adapters import registry
from adapters.contract import Adapter, Context, Workspace
from adapters.secret import Reference

ROUNDS, CALLS, ROWS = 15, 200, 1000
TABLES = b"""
tables:
  bench_stock:
    primary_key: [sku]
    columns:
      - {name: sku, type: text(20)}
      - {name: on_hand, type: integer}
      - {name: price, type: 'decimal(10,2)'}
"""
DDL = "CREATE TABLE bench_stock (sku VARCHAR(20) PRIMARY KEY, on_hand INTEGER NOT NULL, price DECIMAL(10,2) NOT NULL);"
ROW = "('SKU-{0}', {0}, {0}.25)"
SELECT = "SELECT sku, on_hand, price FROM bench_stock WHERE sku = ?"

Many = Callable[[range], Awaitable[Any]]


def measure() -> list[dict[str, Any]]:
    """Rows `{name, value, unit, versus, ratio}`: microseconds a call, wall clock and CPU, and the ratio of each."""
    with _database() as (kind, dsn):
        walls, cpus = uvloop.run(_measured(dsn))  # as the gateway does
    rows = []
    for what, (ours, *others) in (("wall", walls), ("CPU", cpus)):
        name = f"odbc row by key, {kind}, {what}"
        for way, theirs in zip(("to_thread with a new cursor", "a tight prepared loop"), others, strict=True):
            versus = f"{way}: {theirs:.0f} µs"
            rows.append({"name": name, "value": round(ours), "unit": "µs", "versus": versus, "ratio": ours / theirs})
    return rows


async def _measured(dsn: str) -> tuple[list[float], list[float]]:
    kind = registry.kind("odbc")
    files = {"openapi/sources/bench/tables.yaml": TABLES}
    config = kind.config(dsn=Reference(dsn, "env:BENCH_DSN"))
    adapter = kind.build("bench", config, Workspace(files, Path(tempfile.gettempdir())))
    connection = pyodbc.connect(dsn, autocommit=True)
    try:
        return await _interleaved(_by_adapter(adapter), _by_thread(connection), _by_loop(connection))
    finally:
        await adapter.close()
        connection.close()


def _by_adapter(adapter: Adapter) -> Many:
    async def many(numbers: range) -> None:
        for number in numbers:
            await adapter.invoke("bench_stock.get", {"sku": f"SKU-{number % ROWS}"}, Context(time.monotonic() + 5))

    return many


def _by_loop(connection: Any) -> Many:
    cursor = connection.cursor()

    def blocking(numbers: range) -> None:
        for number in numbers:
            cursor.execute(SELECT, f"SKU-{number % ROWS}").fetchone()

    return lambda numbers: asyncio.to_thread(blocking, numbers)


def _by_thread(connection: Any) -> Many:
    def blocking(number: int) -> Any:
        with contextlib.closing(connection.cursor()) as cursor:
            return cursor.execute(SELECT, f"SKU-{number % ROWS}").fetchone()

    async def many(numbers: range) -> None:
        for number in numbers:
            await asyncio.to_thread(blocking, number)

    return many


async def _interleaved(*ways: Many) -> tuple[list[float], list[float]]:
    """Medians over the rounds, in microseconds a call: (walls of the ways, CPU times of the ways)."""
    walls: list[list[float]] = [[] for _ in ways]
    cpus: list[list[float]] = [[] for _ in ways]
    for turn in range(ROUNDS + 1):
        for index, way in enumerate(ways):
            wall, cpu = time.perf_counter(), time.process_time()
            await way(range(turn * CALLS, (turn + 1) * CALLS))
            if turn:  # the first warms up
                walls[index].append((time.perf_counter() - wall) / CALLS * 1e6)
                cpus[index].append((time.process_time() - cpu) / CALLS * 1e6)
    return [statistics.median(way) for way in walls], [statistics.median(way) for way in cpus]


@contextlib.contextmanager
def _database() -> Iterator[tuple[str, str]]:
    servers = _servers()
    statements = [DDL, f"INSERT INTO bench_stock VALUES {', '.join(ROW.format(number) for number in range(ROWS))};"]
    if list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        with servers.postgres_server() as server:
            server.sql("".join(statements) + "ANALYZE bench_stock;")
            yield "PostgreSQL", server.dsn
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.executescript("".join(statements))
        yield "SQLite", servers.sqlite_dsn(path)


def _servers() -> ModuleType:
    path = Path(__file__).parents[1] / "servers.py"
    spec = importlib.util.spec_from_file_location("figway_bench_servers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
