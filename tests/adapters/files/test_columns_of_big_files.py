"""Big files, filtered and summed up record by record, and by columns: the answers are those of small files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from adapters.contract import Context
from adapters.files.adapter import FilesAdapter
from adapters.files.formats import FieldType

Build = Callable[..., FilesAdapter]
Contexts = Callable[..., Context]


async def test_a_big_file_is_summed_up_record_by_record(
    build: Build, drop_folder: Path, context: Contexts, monkeypatch: pytest.MonkeyPatch, sales: ModuleType
) -> None:
    sales.written(drop_folder, 3000)
    input = {"group": ["region"], "sum": ["amount"], "where": [["amount", "ge", 0]]}
    small = (await build(sales.SALES).invoke("sales.aggregate", input, context())).value
    with (drop_folder / "sales-1.csv").open("a") as file:  # the other file has the last word on it
        file.write((drop_folder / "sales-2.csv").read_text().splitlines()[1].replace("true", "false") + "\n")
    monkeypatch.setattr("adapters.files.dataset._CONTENT_BYTES", 0)
    monkeypatch.setattr("adapters.files.dataset._SMALL", 0)
    adapter = build(sales.SALES)
    assert (await adapter.invoke("sales.aggregate", input, context())).value == small
    assert adapter._datasets["sales"].generation.blocking  # type: ignore[union-attr]


ASKED_OF_BOTH: list[tuple[str, dict[str, Any]]] = [
    ("aggregate", {"group": ["region"], "sum": ["amount"], "avg": ["id"], "where": [["amount", "ge", 0]]}),
    ("aggregate", {"distinct": ["day"], "max": ["amount"], "rows": [[["region", "eq", "N"]], [["region", "eq", "S"]]]}),
    ("list", {"limit": 40, "where": [["region", "eq", "W"], ["amount", "lt", "-5000"]]}),
    ("list", {"limit": 40, "sort": ["-id"], "where": [["amount", "in", ["0", "1.5"]]]}),
    ("list", {"limit": 1000, "where": [["region", "ne", "W"]], "after": [9000]}),
    ("list", {"limit": 30, "sort": ["-region", "id"], "where": [["day", "like", "2026-0%"]]}),
    ("list", {"limit": 30, "sort": ["region"], "where": [["amount", "ge", 9000]], "rows": [[["day", "gt", "2026"]]]}),
]  # fmt: skip


@pytest.mark.parametrize("files", ["one", "two"])
@pytest.mark.parametrize("few", [0, 10**6], ids=["walked", "chosen"])
async def test_columns_of_big_files_answer_the_same(
    build: Build,
    drop_folder: Path,
    context: Contexts,
    monkeypatch: pytest.MonkeyPatch,
    files: str,
    few: int,
    sales: ModuleType,
) -> None:
    sales.written(drop_folder, 3000)
    if files == "one":
        (drop_folder / "sales-2.csv").unlink()
    dataset = {"sales": {**sales.SALES["sales"], "index": ["region"]}}
    small = build(dataset)
    wanted = [(await small.invoke(f"sales.{verb}", input, context())).value for verb, input in ASKED_OF_BOTH]
    monkeypatch.setattr("adapters.files.dataset._CONTENT_BYTES", 0)
    monkeypatch.setattr("adapters.files.dataset._SMALL", 0)
    monkeypatch.setattr("adapters.files.query._FEW", 20)
    monkeypatch.setattr("adapters.files.index._FEW", few)
    monkeypatch.setattr("adapters.files.big_columns.BLOCK", 256)
    big = build(dataset)
    fields: dict[str, FieldType] = {"region": "text", "amount": "decimal", "day": "text"}
    for ready in (False, True):
        generation = big._datasets["sales"].generation
        if generation is not None:
            for part in generation.parts:
                part.big.ready(fields | {"id": "integer"})
                await asyncio.to_thread(part.make_columns)
                assert part.big.ready(fields) == ready
        for (verb, input), value in zip(ASKED_OF_BOTH, wanted, strict=True):
            assert (await big.invoke(f"sales.{verb}", input, context())).value == value


async def test_columns_of_a_big_file_are_made_beside_the_calls(
    build: Build, drop_folder: Path, context: Contexts, monkeypatch: pytest.MonkeyPatch, sales: ModuleType
) -> None:
    sales.written(drop_folder, 3000)
    monkeypatch.setattr("adapters.files.dataset._CONTENT_BYTES", 0)
    monkeypatch.setattr("adapters.files.dataset._SMALL", 0)
    (drop_folder / "sales-2.csv").unlink()
    adapter = build(sales.SALES)
    input = {"group": ["region"], "sum": ["amount"]}
    first = (await adapter.invoke("sales.aggregate", input, context())).value
    generation = adapter._datasets["sales"].generation
    assert generation is not None
    for _ in range(500):
        if generation.parts[0].big.ready({"region": "text", "amount": "decimal"}):
            break
        await asyncio.sleep(0.02)
    monkeypatch.setattr("adapters.files.aggregates._add_rows", None)
    assert (await adapter.invoke("sales.aggregate", input, context())).value == first
