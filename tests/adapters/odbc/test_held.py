"""What dry runs tell of rows, and writes that are held to it or to how much they may change, on real databases."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.contract import Held
from adapters.errors import DoNotRetry, Moved

TABLES = """
tables:
  stock:
    primary_key: [sku]
    columns:
      - {name: sku, type: text(20)}
      - {name: on_hand, type: integer}
"""
CLEAR = """
-- effect: write
-- result: count
-- param most: integer
UPDATE stock SET on_hand = 0 WHERE on_hand <= :most
"""
CLEAR_TWICE = """
-- effect: write
-- result: count
UPDATE stock SET on_hand = 0 WHERE sku = 'A';
DELETE FROM stock WHERE sku = 'B'
"""
CALLED = "-- effect: write\n-- result: count\nCALL anything()\n"
ROWS = {"A": 1, "B": 2, "C": 3}


@pytest.fixture
def adapter(database: Any, make: Any) -> Any:
    database.fresh("stock", "sku varchar(20) primary key, on_hand int not null")
    database.run("INSERT INTO stock VALUES ('A', 1), ('B', 2), ('C', 3);")
    return make(database, TABLES, {"clear": CLEAR, "clear_twice": CLEAR_TWICE, "called": CALLED})


async def _rows(adapter: Any, soon: Any) -> dict[str, int]:
    found = (await adapter.invoke("stock.list", {"limit": 100}, soon())).value["items"]
    return {each["sku"]: each["on_hand"] for each in found}


@pytest.mark.parametrize(
    ("operation", "input", "before", "after"),
    [
        ("stock.update", {"sku": "A", "on_hand": 9}, {"sku": "A", "on_hand": 1}, {"sku": "A", "on_hand": 9}),
        ("stock.insert", {"sku": "N", "on_hand": 9}, None, {"sku": "N", "on_hand": 9}),
        ("stock.delete", {"sku": "A"}, {"sku": "A", "on_hand": 1}, None),
    ],
    ids=["update", "insert", "delete"],
)
async def test_a_dry_run_tells_the_row_before_and_after(
    adapter: Any, soon: Any, operation: str, input: Any, before: Any, after: Any
) -> None:
    told = await adapter.dry_run(operation, input, soon())
    assert (told.tried.affected, told.tried.before, told.value, told.tried.one) == (1, before, after, True)
    assert await _rows(adapter, soon) == ROWS


async def test_a_dry_run_counts_what_a_statement_would_change(adapter: Any, soon: Any) -> None:
    told = await adapter.dry_run("clear", {"most": 2}, soon())
    assert (told.value, told.tried.affected, told.tried.one) == ({"rows": 2}, 2, False)
    assert await _rows(adapter, soon) == ROWS


@pytest.mark.parametrize("operation", ["stock.update", "stock.delete"])
async def test_a_row_that_has_changed_since_is_left_alone(adapter: Any, soon: Any, operation: str) -> None:
    input = {"sku": "A", "on_hand": 9} if operation == "stock.update" else {"sku": "A"}
    held = Held((await adapter.dry_run(operation, input, soon())).tried.state, 1)
    await adapter.invoke("stock.update", {"sku": "A", "on_hand": 5}, soon())
    with pytest.raises(Moved):
        await adapter.invoke(operation, input, soon()._replace(held=held))
    assert (await _rows(adapter, soon))["A"] == 5
    await adapter.invoke("stock.update", {"sku": "A", "on_hand": 1}, soon())  # as it was
    await adapter.invoke(operation, input, soon()._replace(held=held))
    assert (await _rows(adapter, soon)).get("A") == (9 if operation == "stock.update" else None)


async def test_a_row_that_is_gone_or_came_since_is_told(adapter: Any, soon: Any) -> None:
    held = Held((await adapter.dry_run("stock.update", {"sku": "A", "on_hand": 9}, soon())).tried.state, 1)
    await adapter.invoke("stock.delete", {"sku": "A"}, soon())
    with pytest.raises(Moved):
        await adapter.invoke("stock.update", {"sku": "A", "on_hand": 9}, soon()._replace(held=held))
    assert await _rows(adapter, soon) == {"B": 2, "C": 3}


async def test_a_statement_changes_as_many_rows_as_it_was_tried_with_or_none(adapter: Any, soon: Any) -> None:
    held = Held("", (await adapter.dry_run("clear", {"most": 2}, soon())).tried.affected)
    await adapter.invoke("stock.insert", {"sku": "D", "on_hand": 1}, soon())
    with pytest.raises(Moved):
        await adapter.invoke("clear", {"most": 2}, soon()._replace(held=held))
    assert await _rows(adapter, soon) == {**ROWS, "D": 1}


async def test_a_write_over_its_bound_is_taken_back(adapter: Any, soon: Any) -> None:
    for call in (adapter.invoke, adapter.dry_run):
        with pytest.raises(DoNotRetry, match="more than 2 rows"):
            await call("clear", {"most": 3}, soon()._replace(most=2))
    with pytest.raises(DoNotRetry, match="more than 1 rows"):
        await adapter.invoke("clear_twice", {}, soon()._replace(most=1))
    assert await _rows(adapter, soon) == ROWS
    assert (await adapter.invoke("clear", {"most": 2}, soon()._replace(most=2))).value == {"rows": 2}


async def test_what_counts_its_rows_says_so(adapter: Any) -> None:
    counting = {name for name, each in adapter.operations().items() if each.counts}
    assert counting == {"stock.update", "stock.delete", "clear", "clear_twice"}
