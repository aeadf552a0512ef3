"""Databases that break: connections killed, servers stopped, killed and gone, wrong passwords."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from adapters.errors import Refused, Retry, Unavailable, UnknownOutcome
from adapters.odbc.reads import TableReads
from adapters.secret import Reference

TABLES = """
tables:
  t:
    primary_key: [id]
    columns: [{name: id, type: integer}, {name: v, type: integer, nullable: true}]
"""


def _table(database):
    database.fresh("t", "id INT PRIMARY KEY, v INT")
    database.run("INSERT INTO t VALUES (1, 1), (2, 2);")


async def _eventually(holds, seconds=15.0):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it never came true"
        await asyncio.sleep(0.02)


async def _recovers(adapter, soon):
    """Works again without a restart, after at most a few refusals."""
    for _ in range(100):
        try:
            return await adapter.invoke("t.get", {"id": 1}, soon(3))
        except (Unavailable, Retry, UnknownOutcome):
            await asyncio.sleep(0.1)
    raise AssertionError("it does not recover")


async def test_killed_connections_are_replaced_and_no_call_is_lost(server, make, soon):
    _table(server)
    adapter = make(server, TABLES, concurrency=4)
    await asyncio.gather(*(adapter.invoke("t.get", {"id": 1}, soon()) for _ in range(8)))
    _kill_all(server)
    reads = [adapter.invoke("t.get", {"id": 2}, soon()) for _ in range(8)]
    assert [result.value["v"] for result in await asyncio.gather(*reads)] == [2] * 8
    _kill_all(server)
    # A write finds the broken connection before anything is sent.
    assert (await adapter.invoke("t.update", {"id": 2, "v": 3}, soon())).value["v"] == 3


async def test_a_table_that_is_away_is_no_fault_of_the_callers(database, make, soon):
    _table(database)
    adapter = make(database, TABLES)
    assert (await adapter.invoke("t.get", {"id": 1}, soon())).value["v"] == 1
    database.run("ALTER TABLE t RENAME TO t_away;")
    for operation, input in (("t.get", {"id": 1}), ("t.list", {}), ("t.update", {"id": 1, "v": 5})):
        with pytest.raises(Refused) as refused:
            await adapter.invoke(operation, input, soon())
        assert "t_away" not in refused.value.message
    database.run("ALTER TABLE t_away RENAME TO t;")
    assert (await adapter.invoke("t.get", {"id": 1}, soon())).value["v"] == 1


def _kill_all(server):
    if server.kind == "postgresql":
        server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND"
                   " backend_type = 'client backend';")  # fmt: skip
        return
    found = server.run("SELECT id FROM information_schema.processlist WHERE user = 'figway';")
    server.run("".join(f"KILL {number};" for number in found.split()) or "SELECT 1;")


async def test_a_connection_killed_in_a_write_leaves_the_outcome_said_rightly(server, make, soon):
    _table(server)
    slow = {"postgresql": "pg_sleep(5)::text", "mariadb": "sleep(5)"}[server.kind]
    query = f"-- effect: write\n-- result: count\nUPDATE t SET v = 99 WHERE id = 1 AND {slow} IS NOT NULL"
    adapter = make(server, TABLES, {"write": query})
    await adapter.open()
    call = asyncio.create_task(adapter.invoke("write", {}, soon()))
    await asyncio.sleep(0.3)
    _kill_all(server)
    # PostgreSQL is certain to have undone it; MariaDB's engines differ.
    with pytest.raises(Unavailable if server.kind == "postgresql" else UnknownOutcome):
        await call
    assert (await adapter.invoke("t.get", {"id": 1}, soon())).value["v"] == 1


@pytest.mark.parametrize("own_server", ["postgres", "mariadb"], indirect=True)
async def test_a_server_lost_in_the_commit_leaves_the_outcome_unknown(own_server, make, soon, monkeypatch):
    _table(own_server)
    adapter = make(own_server, TABLES)
    await adapter.open()
    row = TableReads.row

    def killed(self, session, key, within):
        """The server goes after the statement, before COMMIT."""
        found = row(self, session, key, within)
        for pid in _family(own_server.pid):
            os.kill(pid, signal.SIGKILL)
        return found

    monkeypatch.setattr(TableReads, "row", killed)
    with pytest.raises(UnknownOutcome):
        await adapter.invoke("t.update", {"id": 1, "v": 6}, soon())


@pytest.mark.parametrize("own_server", ["postgres", "mariadb"], indirect=True)
async def test_a_stopped_server_costs_its_callers_their_deadline_and_no_restart(own_server, make, soon):
    _table(own_server)
    adapter = make(own_server, TABLES, concurrency=2)
    await asyncio.gather(*(adapter.invoke("t.get", {"id": 1}, soon()) for _ in range(4)))
    family = _family(own_server.pid)
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    await _eventually(lambda: all(_stands(pid) for pid in family))
    for _ in range(2):
        calls = [adapter.invoke("t.get", {"id": 1}, soon(0.5)) for _ in range(2)]
        calls.append(adapter.invoke("t.update", {"id": 1, "v": 5}, soon(0.5)))
        for answer in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(answer, UnknownOutcome | Unavailable | Retry), answer
    await _eventually(lambda: adapter._pool.facts["hung"] >= 2)
    assert adapter._pool.facts["hung"] <= 2 * 2
    assert not (await adapter.probe(soon(0.5))).ok
    await _eventually(lambda: adapter._pool.facts["busy"] == 0)
    for pid in family:
        os.kill(pid, signal.SIGCONT)
    assert (await _recovers(adapter, soon)).value["id"] == 1
    await _eventually(lambda: adapter._pool.facts["hung"] == 0)
    assert (await adapter.invoke("t.update", {"id": 2, "v": 8}, soon())).value["v"] == 8


def _stands(pid):
    """A signal takes a moment to stop all threads of a process."""
    states = [path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) == {"T"}


def _family(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [pid, *(int(child) for child in children.read().split())]


@pytest.mark.parametrize("own_server", ["postgres", "mariadb"], indirect=True)
async def test_a_server_that_is_gone_is_unavailable(own_server, make, soon):
    _table(own_server)
    adapter = make(own_server, TABLES)
    await adapter.invoke("t.get", {"id": 1}, soon())
    for pid in _family(own_server.pid):
        os.kill(pid, signal.SIGKILL)
    for operation, row in (("t.get", {"id": 1}), ("t.update", {"id": 1, "v": 2})):
        with pytest.raises(Unavailable):
            await adapter.invoke(operation, row, soon())
    assert not (await adapter.probe(soon())).ok


async def test_wrong_passwords_are_refused_and_closed_ports_unavailable(server, servers, make, soon):
    for change, kind in ((("figway-test", "wrong"), Refused), (("127.0.0.1", "127.0.0.9"), Unavailable)):
        adapter = make(server, TABLES, dsn=Reference(server.dsn.replace(*change), "env:X"))
        with pytest.raises(kind) as failed:
            await adapter.open()
        assert "127.0.0" not in failed.value.message
        probe = await adapter.probe(soon())
        assert not probe.ok
        assert probe.detail == failed.value.message


async def test_a_sqlite_file_that_is_not_there_is_unavailable_and_not_made(sqlite, make, soon, tmp_path):
    missing = tmp_path / "none.db"
    dsn = sqlite.dsn.replace("base.db", "none.db")
    with pytest.raises(Unavailable):
        await make(sqlite, TABLES, dsn=Reference(dsn, "env:X")).open()
    assert not missing.exists()


KILL = {
    "postgresql": "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND usename = 'figway';",
    "mariadb": "KILL USER 'figway'@'127.0.0.1';",
}
ALIVE = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'figway';",
    "mariadb": "SELECT count(*) FROM information_schema.processlist WHERE user = 'figway' AND id <> connection_id();",
}


@pytest.mark.parametrize("own_server", ["postgres", "mariadb"], indirect=True)
async def test_one_connection_is_kept_ready_while_nobody_calls(own_server, make, soon, monkeypatch):
    monkeypatch.setattr("adapters.odbc.pool.KEEP", 0.3)
    adapter = make(own_server, queries={"one": "SELECT 1 AS a"})
    await adapter.open()
    own_server.run(KILL[own_server.kind])
    for _ in range(200):
        if own_server.run(ALIVE[own_server.kind]).strip() == "1":
            break
        await asyncio.sleep(0.1)
    assert own_server.run(ALIVE[own_server.kind]).strip() == "1"
    assert (await adapter.invoke("one", {}, soon())).value["items"] == [{"a": 1}]
