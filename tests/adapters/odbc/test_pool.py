"""The pool under trouble: exhausted, connections killed, servers stopped, callers gone."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest

from adapters.errors import Conflict, NotFound, Retry, UnknownOutcome

TABLES = """
tables:
  t:
    primary_key: [id]
    columns: [{name: id, type: integer}, {name: v, type: integer, nullable: true}]
"""
SLEEP = {
    "sqlite": "-- param n: integer\nWITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r"
    " WHERE n < :n * 10000000) SELECT count(*) AS c FROM r",
    "postgresql": "-- param n: float\n-- function: pg_sleep\nSELECT 1 AS c FROM pg_sleep(:n)",
    "mariadb": "-- param n: integer\n-- function: sleep\nSELECT sleep(:n) AS c",
}


def _table(database):
    database.fresh("t", "id INT PRIMARY KEY, v INT")
    database.run("INSERT INTO t VALUES (1, 1), (2, 2);")


async def test_a_deadline_ends_the_statement_in_the_database(database, make, soon):
    _table(database)
    adapter = make(database, TABLES, {"slow": SLEEP[database.kind]}, concurrency=1)
    await adapter.open()
    with pytest.raises(UnknownOutcome):
        await adapter.invoke("slow", {"n": 20}, soon(0.3))
    # With one connection: the next call is served only if the first was ended and not just left.
    assert (await adapter.invoke("t.get", {"id": 1}, soon())).value["v"] == 1
    assert (await adapter.probe(soon())).facts["hung"] == 0


async def test_a_caller_who_leaves_ends_the_read(database, make, soon):
    _table(database)
    adapter = make(database, TABLES, {"slow": SLEEP[database.kind]}, concurrency=1)
    await adapter.open()
    call = asyncio.create_task(adapter.invoke("slow", {"n": 20}, soon(60)))
    await asyncio.sleep(0.2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await adapter.invoke("t.get", {"id": 2}, soon(10))).value["v"] == 2


async def test_a_caller_who_leaves_does_not_end_the_write(server, make, soon):
    _table(server)
    slow = {"postgresql": "pg_sleep(0.5)::text", "mariadb": "sleep(0.5)"}[server.kind]
    query = f"-- effect: write\n-- result: count\nUPDATE t SET v = 77 WHERE id = 1 AND {slow} IS NOT NULL"
    adapter = make(server, TABLES, {"write": query})
    await adapter.open()
    call = asyncio.create_task(adapter.invoke("write", {}, soon()))
    await asyncio.sleep(0.2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await adapter.close()  # drains
    assert (await adapter.invoke("t.get", {"id": 1}, soon())).value["v"] == 77


async def test_an_exhausted_pool_serves_in_turn_and_refuses_at_the_deadline(server, make, soon):
    _table(server)
    adapter = make(server, TABLES, {"slow": SLEEP[server.kind]}, concurrency=1)
    await adapter.open()
    busy = asyncio.create_task(adapter.invoke("slow", {"n": 1}, soon()))
    await asyncio.sleep(0.1)
    order: list[int] = []

    async def waits(number):
        await adapter.invoke("t.get", {"id": 1}, soon())
        order.append(number)

    waiting = [asyncio.create_task(waits(number)) for number in range(10)]
    with pytest.raises(Retry):
        await adapter.invoke("t.get", {"id": 1}, soon(0.2))
    waiting[3].cancel()  # one who leaves the queue takes nobody's place along
    await asyncio.gather(*waiting, busy, return_exceptions=True)
    assert order == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    facts = (await adapter.probe(soon())).facts
    assert (facts["busy"], facts["idle"], facts["waiting"], facts["hung"]) == (0, 1, 0, 0)


async def test_a_lock_that_is_held_is_a_retry_and_nothing_is_changed(server, make, soon):
    _table(server)
    hold = {"postgresql": "pg_sleep(1.5)", "mariadb": "sleep(1.5)"}[server.kind]
    script = f"BEGIN; UPDATE t SET v = 5 WHERE id = 1; SELECT {hold}; COMMIT;"
    adapter = make(server, TABLES)
    await adapter.open()
    holder = asyncio.create_task(asyncio.to_thread(server.run, script))
    locked = asyncio.create_task(_locks(adapter, soon))
    await holder
    await locked
    assert (await adapter.invoke("t.get", {"id": 1}, soon())).value["v"] == 5


async def _locks(adapter, soon):
    await asyncio.sleep(0.3)
    with pytest.raises(Retry):
        await adapter.invoke("t.update", {"id": 1, "v": 6}, soon(0.8))


async def test_a_locked_sqlite_file_is_a_retry_and_a_page_leaves_no_lock(sqlite, make, soon, tmp_path):
    with closing(sqlite3.connect(tmp_path / "base.db", timeout=0, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        _table(sqlite)
        adapter = make(sqlite, TABLES, {"all": "SELECT id FROM t"})
        assert (await adapter.invoke("t.list", {"limit": 1}, soon())).value["next"]
        await adapter.invoke("all", {}, soon())
        # A reader's lock left behind would refuse this.
        other.execute("UPDATE t SET v = 4 WHERE id = 1")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Retry):
            await adapter.invoke("t.update", {"id": 1, "v": 6}, soon(1.5))
        other.execute("ROLLBACK")
        assert (await adapter.invoke("t.get", {"id": 1}, soon())).value["v"] == 4


async def test_a_commit_that_the_database_refuses_changes_nothing(postgres, make, soon):
    postgres.sql("DROP TABLE IF EXISTS late; CREATE TABLE late (id int PRIMARY KEY, v int UNIQUE DEFERRABLE INITIALLY"
                 " DEFERRED); INSERT INTO late VALUES (1, 1), (2, 2);")  # fmt: skip
    adapter = make(type("D", (), {"dsn": postgres.dsn}), TABLES.replace("  t:", "  late:"))
    with pytest.raises(Conflict):
        await adapter.invoke("late.update", {"id": 1, "v": 2}, soon())
    assert (await adapter.invoke("late.update", {"id": 1, "v": 3}, soon())).value["v"] == 3


async def test_nothing_of_one_call_is_left_to_the_next(server, make, soon):
    """A write that fails midway leaves no open transaction, and the session stays read-only."""
    _table(server)
    adapter = make(server, TABLES, {"all": "SELECT id, v FROM t ORDER BY id"}, concurrency=1)
    with pytest.raises(NotFound):
        await adapter.invoke("t.update", {"id": 9, "v": 1}, soon())
    server.run("UPDATE t SET v = 10 WHERE id = 1;")
    assert (await adapter.invoke("t.get", {"id": 1}, soon())).value["v"] == 10
    assert (await adapter.invoke("all", {}, soon())).value["items"][0] == {"id": 1, "v": 10}


async def test_the_event_loop_is_never_blocked(server, make, soon):
    _table(server)
    adapter = make(server, TABLES, {"slow": SLEEP[server.kind]})
    await adapter.open()
    ticks = 0
    call = asyncio.create_task(adapter.invoke("slow", {"n": 1}, soon()))
    while not call.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert ticks > 10


async def test_an_adapter_reopens_after_close(sqlite, make, soon):
    _table(sqlite)
    adapter = make(sqlite, TABLES)
    assert (await adapter.invoke("t.get", {"id": 1}, soon())).value["v"] == 1
    await adapter.close()
    await adapter.close()
    assert (await adapter.invoke("t.get", {"id": 1}, soon())).value["v"] == 1


async def test_more_statements_than_are_kept_prepared_still_run(sqlite, make, soon):
    _table(sqlite)
    adapter = make(sqlite, TABLES, concurrency=1)
    for count in range(1, 51):
        for op in ("in", "eq"):
            where = [["id", "in", list(range(1, count + 1))]] if op == "in" else [["id", "eq", 1]] * count
            found = (await adapter.invoke("t.list", {"where": where}, soon())).value["items"]
            assert len(found) == (min(count, 2) if op == "in" else 1)


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_a_deadline_that_has_passed_sends_nothing(sqlite, make, soon, kind):
    _table(sqlite)
    adapter = make(sqlite, TABLES)
    operation, row = {"read": ("t.get", {"id": 1}), "write": ("t.update", {"id": 1, "v": 5})}[kind]
    with pytest.raises(Retry):
        await adapter.invoke(operation, row, soon(-1.0))
