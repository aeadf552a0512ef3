"""Writes that name what the row must still be: exactly one of many writers wins, and nobody's change is lost."""

from __future__ import annotations

import asyncio

import pytest

from adapters.errors import Conflict, DoNotRetry, Invalid, NotFound, Retry

TABLES = """
tables:
  held:
    primary_key: [id]
    columns:
      - {name: id, type: integer}
      - {name: n, type: integer, nullable: true}
      - {name: t, type: text(20), nullable: true}
      - {name: d, type: 'decimal(8,2)', nullable: true}
      - {name: f, type: float, nullable: true}
"""


@pytest.fixture
async def held(database, make):
    real = {"sqlite": "REAL", "postgresql": "REAL", "mariadb": "FLOAT"}[database.kind]
    database.fresh("held", f"id INT PRIMARY KEY, n INT, t VARCHAR(20), d DECIMAL(8,2), f {real}")
    database.run("INSERT INTO held VALUES (1, 0, 'Ann', 1.50, 0.1), (2, NULL, NULL, NULL, NULL);")
    return make(database, TABLES)


async def test_a_row_that_is_as_it_was_is_changed(held, soon):
    for key in (1, 2):
        was = (await held.invoke("held.get", {"id": key}, soon())).value
        row = (await held.invoke("held.update", {"id": key, "n": 7, "$was": was}, soon())).value
        assert row == {**was, "n": 7}
        with pytest.raises(Conflict):
            await held.invoke("held.delete", {"id": key, "$was": was}, soon())
        assert (await held.invoke("held.delete", {"id": key, "$was": row}, soon())).value is None
        with pytest.raises(NotFound):
            await held.invoke("held.update", {"id": key, "n": 8, "$was": row}, soon())


@pytest.mark.parametrize(
    "was", [{"t": "ann"}, {"t": "Ann "}, {"t": None}, {"n": 1}, {"n": False}, {"d": "1.51"}, {"f": 0.11}]
)
async def test_what_differs_in_the_least_is_a_conflict(held, soon, was):
    with pytest.raises(Conflict):
        await held.invoke("held.update", {"id": 1, "n": 9, "$was": was}, soon())
    assert (await held.invoke("held.get", {"id": 1}, soon())).value["n"] == 0


async def test_what_is_no_row_is_told_by_its_place(held, soon):
    for was, pointer in (([], "/$was"), ({"x": 1}, "/$was/x")):
        with pytest.raises(Invalid) as caught:
            await held.invoke("held.update", {"id": 1, "n": 9, "$was": was}, soon())
        assert caught.value.errors[0].pointer == pointer


async def test_many_writers_lose_nothing(held, soon):
    async def add() -> None:
        while True:
            was = (await held.invoke("held.get", {"id": 1}, soon(60))).value
            try:
                await held.invoke("held.update", {"id": 1, "n": was["n"] + 1, "$was": {"n": was["n"]}}, soon(60))
            except (Conflict, Retry):
                continue
            return

    await asyncio.gather(*(add() for _ in range(12)))
    assert (await held.invoke("held.get", {"id": 1}, soon())).value["n"] == 12


async def test_standard_sql_can_not_hold_a_row(sqlite, make, soon):
    sqlite.fresh("held", "id INT PRIMARY KEY, n INT, t VARCHAR(20), d DECIMAL(8,2), f REAL")
    adapter = make(sqlite, TABLES, dialect="generic")
    with pytest.raises(DoNotRetry):
        await adapter.invoke("held.update", {"id": 1, "n": 9, "$was": {"n": 1}}, soon())
