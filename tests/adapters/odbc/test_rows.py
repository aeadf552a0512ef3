"""Writes that are held to the rows which a caller may see, on every database."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.contract import Condition, rows_of
from adapters.errors import Conflict, DoNotRetry, NotFound

TABLES = """
tables:
  things:
    primary_key: [id]
    version: v
    columns:
      - {name: id, type: integer}
      - {name: region, type: text(20), nullable: true}
      - {name: v, type: integer}
      - {name: note, type: text(20), nullable: true}
"""
_NOTE = "'a'"
NORTH = rows_of([[["region", "eq", "north"]], [["region", "in", ["far north"]], ["v", "ge", 1]]])


@pytest.fixture
def things(database: Any, make: Any) -> Any:
    columns = "id INT PRIMARY KEY, region VARCHAR(20), v INT NOT NULL, note VARCHAR(20)"
    database.fresh("things", columns)
    rows = ("1, 'north', 1", "2, 'NORTH', 1", "3, NULL, 1", "4, 'far north', 0", "5, 'far north', 1")
    database.run(f"INSERT INTO things VALUES {', '.join(f'({row}, {_NOTE})' for row in rows)};")
    return make(database, TABLES)


async def _notes(things: Any, soon: Any) -> dict[int, str]:
    page = (await things.invoke("things.list", {"limit": 50}, soon())).value
    return {item["id"]: item["note"] for item in page["items"]}


@pytest.mark.parametrize("key", [2, 3, 4, 99])
async def test_a_hidden_row_is_as_absent_to_a_write(things: Any, soon: Any, key: int) -> None:
    for operation, more in (("update", {"note": "b"}), ("update", {"note": "b", "v": 7}), ("delete", {}), ("get", {})):
        with pytest.raises(NotFound) as error:
            await things.invoke(f"things.{operation}", {"id": key, **more}, soon(rows=NORTH))
        assert error.value.message == "there is no such row of things"
    assert set((await _notes(things, soon)).values()) == {"a"}


@pytest.mark.parametrize("key", [1, 5])
async def test_a_visible_row_is_written(things: Any, soon: Any, key: int) -> None:
    changed = await things.invoke("things.update", {"id": key, "v": 1, "note": "b"}, soon(rows=NORTH))
    assert (changed.value["note"], changed.value["v"]) == ("b", 2)
    with pytest.raises(Conflict):
        await things.invoke("things.update", {"id": key, "v": 1, "note": "c"}, soon(rows=NORTH))
    await things.invoke("things.delete", {"id": key}, soon(rows=NORTH))
    assert key not in await _notes(things, soon)


async def test_no_write_leaves_a_row_that_its_caller_doesnt_see(things: Any, soon: Any) -> None:
    with pytest.raises(DoNotRetry, match="nothing was changed"):
        await things.invoke("things.update", {"id": 1, "region": "North"}, soon(rows=NORTH))
    with pytest.raises(DoNotRetry, match="nothing was changed"):
        await things.invoke("things.insert", {"id": 9, "region": "south", "v": 1}, soon(rows=NORTH))
    assert 9 not in await _notes(things, soon)
    assert (await things.invoke("things.get", {"id": 1}, soon())).value["region"] == "north"
    await things.invoke("things.insert", {"id": 9, "region": "north", "v": 1}, soon(rows=NORTH))


async def test_nothing_is_visible_where_no_group_is(things: Any, soon: Any) -> None:
    with pytest.raises(NotFound):
        await things.invoke("things.delete", {"id": 1}, soon(rows=()))
    assert len(await _notes(things, soon)) == 5


async def test_rows_that_cant_be_told_stop_the_call(things: Any, soon: Any) -> None:
    for condition in (Condition("gone", "eq", 1), Condition("v", "like", 1), Condition("v", "lt", "many")):
        with pytest.raises(DoNotRetry, match="can't be told"):
            await things.invoke("things.delete", {"id": 1}, soon(rows=((condition,),)))


async def test_a_dry_run_is_held_to_the_same_rows(things: Any, soon: Any) -> None:
    with pytest.raises(NotFound):
        await things.dry_run("things.update", {"id": 2, "note": "b"}, soon(rows=NORTH))
    tried = await things.dry_run("things.update", {"id": 1, "note": "b"}, soon(rows=NORTH))
    assert tried.value["note"] == "b"
    assert (await things.invoke("things.get", {"id": 1}, soon())).value["note"] == "a"


async def test_a_query_of_its_own_isnt_run_for_who_sees_some_rows(database: Any, make: Any, soon: Any) -> None:
    database.fresh("things", "id INT PRIMARY KEY")
    adapter = make(database, queries={"wipe": "-- effect: idempotent_write\n-- result: count\nDELETE FROM things\n"})
    with pytest.raises(DoNotRetry, match="can't be held"):
        await adapter.invoke("wipe", {}, soon(rows=NORTH))
