"""Lists read as a whole: complete, in constant memory, at the reader's pace, ended with their reader."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from adapters.capabilities import SupportsBulk
from adapters.errors import AdapterError, DoNotRetry, Invalid, Retry, Unavailable, UnknownOutcome

TABLES = """
tables:
  many:
    primary_key: [id]
    columns: [{name: id, type: integer}, {name: t, type: text, nullable: true}, {name: d, type: 'decimal(9,2)'}]
"""
COUNT = 25_000
FILL = {
    "sqlite": "INSERT INTO many WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count})"
    " SELECT n, CASE WHEN n % 7 THEN 'é' || n END, n + 0.25 FROM s;",
    "postgresql": "INSERT INTO many SELECT n, CASE WHEN n % 7 > 0 THEN 'é' || n END, n + 0.25"
    " FROM generate_series(1, {count}) n; ANALYZE many;",
    "mariadb": "INSERT INTO many SELECT seq, IF(seq % 7, CONCAT('é', seq), NULL), seq + 0.25 FROM seq_1_to_{count};",
}
RUNNING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%\"many\"%' AND pid <> pg_backend_pid()"
    " AND state <> 'idle';",
    "mariadb": "SELECT count(*) FROM information_schema.processlist"
    " WHERE info LIKE '%`many`%' AND id <> connection_id();",
}


def _fill(database, count=COUNT):
    kind = "DECIMAL(9,2) NOT NULL"
    database.fresh("many", f"id INT PRIMARY KEY, t VARCHAR(20), d {kind}")
    database.run(FILL[database.kind].format(count=count))


def _expected(key):
    return {"id": key, "t": f"é{key}" if key % 7 else None, "d": f"{key}.25"}


def _children(pid):
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def _read(stream):
    return [item for batch in [batch async for batch in stream] for item in batch]


async def test_all_of_a_list_comes_in_order(database, make, soon):
    _fill(database)
    adapter = make(database, TABLES)
    assert isinstance(adapter, SupportsBulk)
    assert await _read(adapter.bulk("many.list", {}, soon(60))) == [_expected(key) for key in range(1, COUNT + 1)]
    asked = {"sort": ["-id"], "where": [["id", "le", 12_500]], "fields": ["id"], "limit": 12_400}
    assert await _read(adapter.bulk("many.list", asked, soon(60))) == [{"id": key} for key in range(12_500, 100, -1)]
    narrowed = {"rows": [[["id", "in", [3, 5]]]], "limit": 1}
    assert await _read(adapter.bulk("many.list", narrowed, soon(60))) == [_expected(3)]
    assert await _read(adapter.bulk("many.list", {"where": [["id", "eq", 0]]}, soon(60))) == []


async def test_what_is_no_whole_list_is_refused_before_anything_is_sent(sqlite, make, soon):
    _fill(sqlite, 3)
    adapter = make(sqlite, TABLES, {"q": "SELECT 1 AS a"})
    for operation, asked, kind in (
        ("many.get", {"id": 1}, DoNotRetry), ("q", {}, DoNotRetry), ("x", {}, DoNotRetry),
        ("many.list", {"limit": 0}, Invalid), ("many.list", {"before": None}, Invalid),
        ("many.list", {"sort": ["x"]}, Invalid), ("many.list", {"expand": ["x"]}, Invalid),
    ):  # fmt: skip
        with pytest.raises(kind):
            await _read(adapter.bulk(operation, asked, soon()))


async def test_a_reader_who_leaves_ends_the_query(server, make, soon):
    _fill(server, 60_000)
    adapter = make(server, TABLES)
    for _ in range(4):  # more than there are slots
        stream = adapter.bulk("many.list", {}, soon(60))
        assert len(await anext(stream)) >= 2000
        await stream.aclose()
    for _ in range(100):
        if server.run(RUNNING[server.kind]).strip() == "0":
            break
        await asyncio.sleep(0.1)
    assert server.run(RUNNING[server.kind]).strip() == "0"


@pytest.mark.parametrize("own_server", ["postgres"], indirect=True)
async def test_a_slow_reader_holds_the_database_back(own_server, make, soon):
    """On MariaDB, whose driver can't, the next page isn't asked for before the last but one was read."""
    server = own_server
    _fill(server, 60_000)
    adapter = make(server, TABLES)
    stream = adapter.bulk("many.list", {}, soon(60))
    first = await anext(stream)
    state = "SELECT state FROM pg_stat_activity WHERE query ILIKE '%fetch%';"
    # The next batch lies ready, and the database isn't asked for more.
    for _ in range(100):
        if "idle in transaction" in server.run(state):
            break
        await asyncio.sleep(0.05)
    assert "idle in transaction" in server.run(state)
    assert len(first) + len(await _read(stream)) == 60_000


async def test_slots_are_taken_in_turn_and_closing_ends_the_streams(database, make, soon):
    _fill(database)
    adapter = make(database, TABLES)
    streams = [adapter.bulk("many.list", {}, soon(60)) for _ in range(2)]
    for stream in streams:
        await anext(stream)
    with pytest.raises(Retry):
        await anext(adapter.bulk("many.list", {}, soon(0.3)))
    await adapter.close()
    for stream in streams:
        with pytest.raises(AdapterError):
            await _read(stream)
    assert len(await _read(adapter.bulk("many.list", {"limit": 5}, soon()))) == 5


@pytest.mark.parametrize("own_server", ["postgres", "mariadb"], indirect=True)
async def test_a_stopped_server_costs_the_deadline_and_a_killed_connection_is_told(own_server, make, soon):
    _fill(own_server, 50_000)
    adapter = make(own_server, TABLES)
    stream = adapter.bulk("many.list", {}, soon(2))
    await anext(stream)
    os.kill(own_server.pid, signal.SIGSTOP)
    # PostgreSQL's work is done by children of that process, which are stopped too.
    children = _children(own_server.pid)
    for child in children:
        os.kill(child, signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(UnknownOutcome):
        await _read(stream)
    assert time.monotonic() - started < 20
    for each in (own_server.pid, *children):
        os.kill(each, signal.SIGCONT)
    assert len(await _read(adapter.bulk("many.list", {}, soon(60)))) == 50_000
    stream = adapter.bulk("many.list", {}, soon(60))
    await anext(stream)
    own_server.run(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND usename = 'figway';"
        if own_server.kind == "postgresql"
        else "KILL USER 'figway'@'127.0.0.1';"
    )
    with pytest.raises((Unavailable, UnknownOutcome)):
        await _read(stream)
    assert len(await _read(adapter.bulk("many.list", {"limit": 9}, soon(60)))) == 9
