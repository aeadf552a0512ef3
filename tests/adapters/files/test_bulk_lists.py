"""All of a list, in batches, from one generation."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.capabilities import SupportsBulk
from adapters.contract import Context
from adapters.errors import DoNotRetry, Invalid, UnknownOutcome
from adapters.files.adapter import FilesAdapter

Build = Callable[..., FilesAdapter]
Contexts = Callable[..., Context]

STOCK: dict[str, Any] = {
    "match": "*.csv",
    "format": "csv",
    "key": "sku",
    "index": ["qty"],
    "options": {"columns": {"sku": "text", "qty": "integer"}},
}
COUNT = 2500


def _publish(folder: Path, quantity: int) -> None:
    rows = "".join(f"S{number:05},{quantity + number % 3}\n" for number in range(COUNT))
    (folder / "new.tmp").write_text("sku,qty\n" + rows)
    os.replace(folder / "new.tmp", folder / "stock.csv")


@pytest.mark.parametrize("big", [False, True], ids=["small", "big"])
async def test_a_whole_list_is_read_in_batches_of_one_generation(
    build: Build, drop_folder: Path, context: Contexts, monkeypatch: pytest.MonkeyPatch, big: bool
) -> None:
    if big:
        for name in ("_CONTENT_BYTES", "_ROWS_BYTES", "_SMALL"):
            monkeypatch.setattr(f"adapters.files.dataset.{name}", 0)
    _publish(drop_folder, 10)
    adapter = build({"stock": STOCK})
    assert isinstance(adapter, SupportsBulk)
    sizes: list[int] = []
    items: list[dict[str, Any]] = []
    async for batch in adapter.bulk("stock.list", {"sort": ["-qty"]}, context(60)):
        sizes.append(len(batch))
        items += batch
        _publish(drop_folder, 20)
        await adapter.probe(context(60))
    assert sizes == [1000, 1000, 500]
    expected: list[dict[str, Any]] = [{"sku": f"S{number:05}", "qty": 10 + number % 3} for number in range(COUNT)]
    assert items == sorted(expected, key=lambda item: (-item["qty"], item["sku"]))


async def test_a_limit_counts_all_items(build: Build, drop_folder: Path, context: Contexts) -> None:
    _publish(drop_folder, 10)
    adapter = build({"stock": STOCK})

    async def sizes(**input: Any) -> list[int]:
        return [len(batch) async for batch in adapter.bulk("stock.list", input, context(30))]

    assert await sizes(limit=1200) == [1000, 200]
    assert await sizes(limit=1000) == [1000]
    assert await sizes(where=[["qty", "eq", 11]]) == [833]
    assert await sizes(where=[["qty", "eq", 1]]) == []
    assert await sizes(after=["S02490"]) == [9]
    for wrong in ({"limit": 0}, {"limit": True}, {"sort": ["x"]}):
        with pytest.raises(Invalid):
            await sizes(**wrong)
    with pytest.raises(DoNotRetry):
        await anext(adapter.bulk("stock.get", {}, context()))
    with pytest.raises(UnknownOutcome):
        await anext(adapter.bulk("stock.list", {}, context(0)))
