"""Figures of CSV datasets: a page, a filter and a record by key, against DuckDB asking the same file each time."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from adapters.contract import Adapter, Context, Workspace
from adapters.files import KIND

RECORDS = 200_000
_COLUMNS = {"id": "integer", "customer": "text", "region": "text", "amount": "decimal", "day": "date"}
_TYPES = "{'id': 'BIGINT', 'customer': 'VARCHAR', 'region': 'VARCHAR', 'amount': 'DECIMAL(18,2)', 'day': 'DATE'}"


def measure() -> list[dict[str, Any]]:
    """The figures, each `{name, value, unit, versus, ratio}`; ratio is their time by ours."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


def _written(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(_COLUMNS) + "\n")
        for n in range(RECORDS):
            file.write(
                f'{n},"Customer, No. {n % 997}",R{n % 50:02},{n % 10_000}.{n % 100:02},2024-{n % 12 + 1:02}-01\n'
            )


async def _measure(folder: Path) -> list[dict[str, Any]]:
    path = folder / "sales.csv"
    _written(path)
    dataset = {"match": "sales.csv", "format": "csv", "key": "id", "options": {"columns": _COLUMNS}}
    config = KIND.config.model_validate({"root": str(folder), "datasets": {"sales": dataset}})
    adapter = KIND.build("bench", config, Workspace({}, folder / "cache"))
    started = time.perf_counter()
    await adapter.open()
    await _asked(adapter, "sales.get", {"id": 1})
    indexing = time.perf_counter() - started
    database = duckdb.connect()
    database.execute("SET threads = 1")
    table = f"read_csv('{path}', columns = {_TYPES}, header = true)"
    cases: list[tuple[str, str, dict[str, Any], str]] = [
        ("get by key", "sales.get", {"id": 123_456}, "WHERE id = 123456"),
        ("page of 100", "sales.list", {"limit": 100, "after": [5000]}, "WHERE id > 5000 ORDER BY id LIMIT 101"),
        (
            "filtered page of 100",
            "sales.list",
            {"limit": 100, "where": [["region", "eq", "R07"], ["amount", "gt", "9000"]]},
            "WHERE region = 'R07' AND amount > 9000 ORDER BY id LIMIT 101",
        ),
    ]
    cases = [(name, operation, given, f"SELECT * FROM {table} {where}") for name, operation, given, where in cases]
    summed = "SELECT region, count(*), sum(amount), avg(amount), max(day)"
    cases.append(
        (
            "sums by region",
            "sales.aggregate",
            {
                "group": ["region"],
                "sum": ["amount"],
                "avg": ["amount"],
                "max": ["day"],
                "where": [["amount", "gt", "50"]],
            },
            f"{summed} FROM {table} WHERE amount > 50 GROUP BY region ORDER BY region",
        )
    )
    figures = []
    for name, operation, given, query in cases:
        ours, theirs = [], []
        for _ in range(5):
            ours.append(await _seconds(lambda o=operation, g=given: _asked(adapter, o, g)))  # type: ignore[misc]
            begun = time.perf_counter()
            database.execute(query).fetchall()
            theirs.append(time.perf_counter() - begun)
        figures.append(_figure(f"files: CSV, {name}", median(ours) * 1e3, "ms", median(theirs) / median(ours)))
    await adapter.close()
    return [*figures, _figure("files: CSV records indexed", RECORDS / indexing, "records/s", None)]


async def _asked(adapter: Adapter, operation: str, given: dict[str, Any]) -> Any:
    return (await adapter.invoke(operation, given, Context(time.monotonic() + 600))).value


async def _seconds(call: Callable[[], Awaitable[Any]]) -> float:
    started = time.perf_counter()
    await call()
    return time.perf_counter() - started


def _figure(name: str, value: float, unit: str, ratio: float | None) -> dict[str, Any]:
    versus = "" if ratio is None else "DuckDB, one thread"
    return {"name": name, "value": round(value, 3), "unit": unit, "versus": versus, "ratio": ratio}
