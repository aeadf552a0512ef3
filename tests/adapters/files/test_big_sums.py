"""A gigabyte of CSV, filtered and summed up by columns that were made beside the calls, against DuckDB on the file."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from adapters.contract import Context, Workspace
from adapters.files import KIND
from adapters.files.adapter import FilesAdapter
from adapters.files.formats import FieldType

COLUMNS = {"id": "integer", "region": "text", "amount": "decimal", "day": "date", "note": "text"}
TYPES = "{'id': 'BIGINT', 'region': 'VARCHAR', 'amount': 'DECIMAL(18,2)', 'day': 'DATE', 'note': 'VARCHAR'}"
SUMS = {"group": ["region"], "sum": ["amount"], "max": ["day"], "where": [["amount", "gt", "9000"]]}
PAGE = {"limit": 100, "where": [["region", "eq", "R07"], ["amount", "gt", "9990"]]}


def _write(path: Path, size: int) -> int:
    count = size // 130
    with path.open("w") as out:
        out.write(",".join(COLUMNS) + "\n")
        for n in range(count):
            amount = f"{n * 7919 % 10_000:04}.{n % 100:02}"
            out.write(f"{n:010},R{n * 31 % 50:02},{amount},2026-{n % 12 + 1:02}-01,{'n' * 93}\n")
    return count


async def _timed(adapter: FilesAdapter, operation: str, input: dict[str, Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = await adapter.invoke(operation, input, Context(time.monotonic() + 600))
    return result.value, time.perf_counter() - started


@pytest.mark.parametrize("size", [4_000_000, pytest.param(1_000_000_000, marks=pytest.mark.slow)], ids=["4MB", "1GB"])
async def test_a_big_file_is_summed_up_by_columns(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if size < 100_000_000:
        monkeypatch.setattr("adapters.files.dataset._CONTENT_BYTES", 0)
    path = tmp_path / "sales.csv"
    count = await asyncio.to_thread(_write, path, size)
    dataset = {"match": "sales.csv", "format": "csv", "key": "id", "options": {"columns": COLUMNS}}
    config = KIND.config.model_validate({"root": str(tmp_path), "datasets": {"sales": dataset}})
    adapter = KIND.build("size", config, Workspace({}, tmp_path / "cache"))
    assert isinstance(adapter, FilesAdapter)
    started = time.perf_counter()
    await adapter.open()
    figures = {"records": count, "indexed_s": time.perf_counter() - started}
    rows, figures["sums_by_records_s"] = await _timed(adapter, "sales.aggregate", SUMS)
    page, figures["page_by_records_s"] = await _timed(adapter, "sales.list", PAGE)
    generation = adapter._datasets["sales"].generation
    assert generation is not None
    fields: dict[str, FieldType] = {"region": "text", "amount": "decimal", "day": "text"}
    for _ in range(18_000):
        if generation.parts[0].big.ready(fields):
            break
        await asyncio.sleep(0.1)
    figures["columns_s"] = time.perf_counter() - started
    again, figures["sums_s"] = await _timed(adapter, "sales.aggregate", SUMS)
    assert again == rows
    again, figures["page_s"] = await _timed(adapter, "sales.list", PAGE)
    assert again == page
    table = f"read_csv('{path}', columns = {TYPES}, header = true)"
    database = duckdb.connect()
    database.execute("SET threads = 1")
    query = f"SELECT region, count(*), sum(amount) FROM {table} WHERE amount > 9000 GROUP BY region ORDER BY region"
    started = time.perf_counter()
    theirs = await asyncio.to_thread(lambda: database.execute(query).fetchall())
    figures["duckdb_sums_s"] = time.perf_counter() - started
    ours = [(item["group"]["region"], item["count"], item["sum"]["amount"]) for item in rows["items"]]
    assert ours == [(region, count, str(total)) for region, count, total in theirs]
    await adapter.close()
    print({name: round(value, 3) for name, value in figures.items()})
