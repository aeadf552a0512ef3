"""A list that is paged while others insert and delete: none twice, and none missing that stood throughout."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

TABLES = """
tables:
  things:
    primary_key: [id]
    columns:
      - {name: id, type: integer}
      - {name: rank, type: integer, nullable: true}
"""
STAND = 10_000
"""Rows with even numbers, which nobody touches; those with odd numbers come and go."""


def _fill(database: Any) -> None:
    database.fresh("things", "id integer primary key, rank integer")
    for start in range(0, STAND, 2_000):
        rows = ", ".join(
            f"({2 * number}, {'NULL' if number % 11 == 0 else number % 97})" for number in range(start, start + 2_000)
        )
        database.run(f"INSERT INTO things VALUES {rows};")


async def _coming_and_going(adapter: Any, soon: Any, chance: random.Random, until: asyncio.Event) -> int:
    """Inserts and deletes rows until all is read; how often."""
    changes = 0
    there: list[int] = []
    while not until.is_set():
        if there and chance.random() < 0.4:
            await adapter.invoke("things.delete", {"id": there.pop(chance.randrange(len(there)))}, soon())
        else:
            id = 2 * chance.randrange(10 * STAND) + 1
            if id not in there:
                rank = None if chance.random() < 0.1 else chance.randrange(97)
                await adapter.invoke("things.insert", {"id": id, "rank": rank}, soon())
                there.append(id)
        changes += 1
    return changes


@pytest.mark.parametrize("sort", [[], ["-rank"], ["rank", "-id"]], ids=["key", "falling", "two"])
async def test_ten_thousand_rows_paged_under_change(database, make, soon, sort):
    _fill(database)
    seed = 20261121
    print(f"seed {seed}")
    reader, writer = make(database, TABLES), make(database, TABLES)
    ended, seen = asyncio.Event(), []
    changing = asyncio.create_task(_coming_and_going(writer, soon, random.Random(seed), ended))
    try:
        after = None
        while True:
            request = {"limit": 100, "sort": sort, "after": after}
            page = (await reader.invoke("things.list", request, soon())).value
            seen += [item["id"] for item in page["items"]]
            after = page["next"]
            if after is None:
                break
    finally:
        ended.set()
        changes = await changing
    assert changes > 5
    assert len(seen) == len(set(seen))
    assert {2 * number for number in range(STAND)} <= set(seen)


async def test_all_of_a_list_under_change_is_of_one_moment_or_none_twice(database, make, soon):
    _fill(database)
    reader, writer = make(database, TABLES), make(database, TABLES)
    ended, seen = asyncio.Event(), []
    changing = asyncio.create_task(_coming_and_going(writer, soon, random.Random(7), ended))
    try:
        async for batch in reader.bulk("things.list", {"sort": ["-rank"]}, soon(60)):
            seen += [item["id"] for item in batch]
    finally:
        ended.set()
        await changing
    assert len(seen) == len(set(seen))
    assert {2 * number for number in range(STAND)} <= set(seen)
