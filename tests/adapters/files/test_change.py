"""A list that is paged while its file is replaced: none twice, and none missing that stood throughout."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Context
from adapters.files.adapter import FilesAdapter

STAND = 10_000
"""Records with even numbers, which are in every file; those with odd numbers come and go."""
STOCK: dict[str, Any] = {
    "match": "stock.csv",
    "format": "csv",
    "key": "sku",
    "options": {"columns": {"sku": "text", "rank": "integer"}},
}


def _replace(folder: Path, chance: random.Random) -> None:
    numbers = {2 * number for number in range(STAND)} | {2 * chance.randrange(STAND) + 1 for _ in range(2_000)}
    order = sorted(numbers, key=lambda number: (number * 7919) % 10_007)
    lines = "".join(f"S{number:06},{number % 97}\n" for number in order)
    draft = folder / ".stock.draft"
    draft.write_text("sku,rank\n" + lines)
    draft.replace(folder / "stock.csv")


@pytest.mark.parametrize("sort", [[], ["-rank", "sku"]], ids=["none", "falling"])
async def test_ten_thousand_records_paged_while_the_file_is_replaced(
    build: Callable[..., FilesAdapter], drop_folder: Path, context: Callable[..., Context], sort: list[str]
) -> None:
    seed = 20261121
    print(f"seed {seed}")
    chance, seen = random.Random(seed), []
    _replace(drop_folder, chance)
    adapter = build({"stock": STOCK})
    after, pages = None, 0
    while True:
        request = {"limit": 1000, "sort": sort, "after": after}
        page = (await adapter.invoke("stock.list", request, context())).value
        seen += [item["sku"] for item in page["items"]]
        after, pages = page["next"], pages + 1
        if after is None:
            break
        if pages % 3 == 0:
            _replace(drop_folder, chance)
            assert (await adapter.probe(context())).ok  # it looks at the folder, and waits for what it finds
    assert len(seen) == len(set(seen))
    assert {f"S{2 * number:06}" for number in range(STAND)} <= set(seen)
