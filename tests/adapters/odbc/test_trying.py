"""Dry runs on real databases: what a write would answer, and nothing changed, also when the process is killed."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from adapters.capabilities import SupportsDryRun
from adapters.errors import AdapterError, Conflict, Invalid, NotFound, NotTried

SEED = 20261121
TABLES = """
tables:
  stock:
    primary_key: [sku]
    version: revision
    columns:
      - {name: sku, type: text(20)}
      - {name: on_hand, type: integer}
      - {name: revision, type: integer, generated: true}
"""
SET = """
-- effect: idempotent_write
-- result: count
-- param sku: text
-- param n: integer
UPDATE stock SET on_hand = :n WHERE sku = :sku
"""


@pytest.fixture
def stocked(database: Any) -> Any:
    database.fresh(
        "stock",
        "sku varchar(20) primary key, on_hand int not null check (on_hand >= 0), revision int not null default 1",
    )
    database.run("INSERT INTO stock (sku, on_hand) VALUES ('A-1', 5), ('A-2', 7);")
    return database


async def _all(adapter: Any, soon: Any, table: str = "stock") -> Any:
    return (await adapter.invoke(f"{table}.list", {"limit": 1000}, soon())).value["items"]


async def test_a_dry_run_answers_what_the_write_would_and_changes_nothing(stocked, make, soon):
    adapter = make(stocked, TABLES)
    assert isinstance(adapter, SupportsDryRun)
    before = await _all(adapter, soon)
    for operation, input in (
        ("stock.update", {"sku": "A-1", "on_hand": 4}),
        ("stock.insert", {"sku": "C", "on_hand": 1}),
        ("stock.delete", {"sku": "A-1"}),
    ):
        assert adapter.tries(operation)
        tried = (await adapter.dry_run(operation, input, soon())).value
        assert await _all(adapter, soon) == before
        assert tried == (await adapter.invoke(operation, input, soon())).value
        before = await _all(adapter, soon)


async def test_a_dry_run_refuses_what_the_write_would(stocked, make, soon):
    adapter = make(stocked, TABLES)
    before = await _all(adapter, soon)
    for operation, input, error in (
        ("stock.insert", {"sku": "A-1", "on_hand": 1}, Conflict),
        ("stock.update", {"sku": "none", "on_hand": 1}, NotFound),
        ("stock.update", {"sku": "A-1", "on_hand": -1}, Invalid),
        ("stock.update", {"sku": "A-1", "on_hand": 1, "revision": 9}, Conflict),
        ("stock.get", {"sku": "A-1"}, NotTried),
        ("stock.nothing", {}, AdapterError),
    ):
        with pytest.raises(error):
            await adapter.dry_run(operation, input, soon())
    assert await _all(adapter, soon) == before
    assert not adapter.tries("stock.get")


async def test_a_named_write_is_tried_only_where_it_is_plain(stocked, make, soon):
    queries = {
        "set_stock": SET,
        "called": "-- effect: write\n-- result: count\n-- param a: text\nCALL anything(:a)\n",
        "guessed": SET.replace("= :n WHERE", "= own_function(:n) WHERE"),
        "vouched": SET.replace("-- result", "-- function: own_function\n-- result").replace(
            "= :n WHERE", "= own_function(:n) WHERE"
        ),
    }
    adapter = make(stocked, TABLES, queries)
    assert [adapter.tries(each) for each in queries] == [True, False, False, True]
    before = await _all(adapter, soon)
    assert (await adapter.dry_run("set_stock", {"sku": "A-1", "n": 0}, soon())).value == {"rows": 1}
    for name, input in (("called", {"a": "x"}), ("guessed", {"sku": "A-1", "n": 0})):
        with pytest.raises(NotTried):
            await adapter.dry_run(name, input, soon())
    assert await _all(adapter, soon) == before


async def test_what_is_judged_at_the_commit_is_judged_in_a_dry_run(postgres, make, soon, servers):
    postgres.sql(
        "DROP TABLE IF EXISTS leaf; DROP TABLE IF EXISTS root; CREATE TABLE root (id int primary key); "
        "CREATE TABLE leaf (id int primary key, root int references root deferrable initially deferred)"
    )
    columns = "columns: [{name: id, type: integer}, {name: root, type: integer}]"
    adapter = make(postgres, f"tables:\n  leaf: {{primary_key: [id], {columns}}}\n")
    with pytest.raises(Conflict):
        await adapter.dry_run("leaf.insert", {"id": 1, "root": 1}, soon())


async def test_tables_that_a_rollback_does_not_mend_are_not_tried(mariadb, make, soon):
    mariadb.sql(
        "DROP TABLE IF EXISTS heap, noted, notes_of; CREATE TABLE heap (id int primary key) ENGINE=MyISAM; "
        "CREATE TABLE notes_of (id int) ENGINE=Aria; CREATE TABLE noted (id int primary key) ENGINE=InnoDB; "
        "CREATE TRIGGER noting AFTER INSERT ON noted FOR EACH ROW INSERT INTO notes_of VALUES (NEW.id);"
    )
    columns = "{primary_key: [id], columns: [{name: id, type: integer}]}"
    adapter = make(mariadb, f"tables:\n  heap: {columns}\n  noted: {columns}\n  notes_of: {columns}\n")
    for table in ("heap", "noted"):
        with pytest.raises(NotTried):
            await adapter.dry_run(f"{table}.insert", {"id": 1}, soon())
        assert await _all(adapter, soon, table) == []
    assert await _all(adapter, soon, "notes_of") == []


async def test_nothing_is_promised_of_a_foreign_table_or_a_view(postgres, make, soon):
    postgres.sql(
        "DROP VIEW IF EXISTS seen; DROP TABLE IF EXISTS behind; CREATE TABLE behind (id int primary key); "
        "CREATE VIEW seen AS SELECT * FROM behind"
    )
    adapter = make(postgres, "tables:\n  seen: {primary_key: [id], columns: [{name: id, type: integer}]}\n")
    with pytest.raises(NotTried):
        await adapter.dry_run("seen.insert", {"id": 1}, soon())


async def test_a_database_that_nobody_knows_is_not_tried(sqlite, make, soon):
    sqlite.fresh("stock", "sku text primary key, on_hand int, revision int default 1")
    adapter = make(sqlite, TABLES, dialect="generic")
    assert not adapter.tries("stock.insert")
    with pytest.raises(NotTried):
        await adapter.dry_run("stock.insert", {"sku": "C", "on_hand": 1}, soon())


async def test_many_dry_runs_at_once_leave_everything_as_it_was(stocked, make, soon):
    adapter, chance = make(stocked, TABLES), random.Random(SEED)
    print(f"seed {SEED}")
    before = await _all(adapter, soon)

    def one() -> Any:
        sku = chance.choice(["A-1", "A-2", "B-1", "B-2"])
        row = {"sku": sku, "on_hand": chance.randint(-2, 9)}
        verb = chance.choice(["insert", "update", "delete"])
        return adapter.dry_run(f"stock.{verb}", {"sku": sku} if verb == "delete" else row, soon(30))

    answers = await asyncio.gather(*(one() for _ in range(400)), return_exceptions=True)
    assert all(not isinstance(each, BaseException) or isinstance(each, AdapterError) for each in answers)
    assert any(not isinstance(each, BaseException) for each in answers)
    assert await _all(adapter, soon) == before
