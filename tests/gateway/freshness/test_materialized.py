"""Routes that replicas answer, as callers of a gateway with two workers see them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

_TABLES = """
tables:
  stock:
    primary_key: [id]
    columns:
      - {name: id, type: integer}
      - {name: qty, type: integer}
      - {name: site, type: text}
"""
_GATEWAY = """
upstreams:
  erp:
    kind: odbc
    dsn: env:ERP_DSN
    read_only: false
    changes:
      stock: {method: outbox}
  drop:
    kind: files
    root: env:DROP
    datasets: {items: {match: items.csv, format: csv, key: id, options: {columns: {id: text, n: integer}}}}
    changes:
      items: {method: diff}
"""
_ROUTES = Path(__file__).with_name("stock.yaml").read_text()
_POLICY = """
@id("all") permit (principal in Role::"reader", action, resource);
@id("mine") @rows("site = 'north'")
permit (principal in Role::"north", action in Action::"read", resource in Group::"stock");
"""
_REPLICA = "figway; hit; detail=replica"


class World:
    """A gateway over a database and a file, both captured."""

    def __init__(self, gateway: Any, base: Path, reader: str, north: str) -> None:
        self.gateway, self._base, self.reader, self.north = gateway, base, reader, north

    def sql(self, text: str) -> None:
        with closing(sqlite3.connect(self._base, timeout=20)) as connection:
            connection.executescript(text)


def until(told: Callable[[], Any], wanted: Any) -> None:
    end = time.monotonic() + 60
    while (found := told()) != wanted:
        assert time.monotonic() < end, f"{found} isn't {wanted}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, running: ModuleType, servers: ModuleType) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("materialized")
    base, drop, workspace = folder / "base.db", folder / "drop", folder / "ws"
    drop.mkdir()
    (drop / "items.csv").write_text("id,n\na,1\nb,2\n")
    with closing(sqlite3.connect(base)) as connection:
        connection.executescript(
            "PRAGMA journal_mode = WAL; CREATE TABLE stock (id INTEGER PRIMARY KEY, qty INTEGER, site TEXT);"
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) "
            "INSERT INTO stock SELECT i, i % 10, iif(i % 3, 'south', 'north') FROM n;"
        )
    extra = {"ERP_DSN": servers.sqlite_dsn(base), "DROP": str(drop)}
    files = {"gateway.yaml": _GATEWAY, "openapi/sources/erp/tables.yaml": _TABLES, "openapi/stock.yaml": _ROUTES}
    running.write_workspace(workspace, {**files, "policies/access.cedar": _POLICY})
    options = ("--json", "--workspace", str(workspace))
    done = running.figway("changes", "install", "erp.stock", "--run", *options, extra=extra)
    assert done.returncode == 0, done.stderr
    keys = [running.create_key(workspace, role, principal=role) for role in ("reader", "north")]
    with running.serving(workspace, "--workers", "2", extra=extra) as gateway:
        made = World(gateway, base, *keys)
        with gateway.client(made.reader) as client:
            for path in ("/stock/1", "/items/a"):
                until(lambda path=path: client.get(path).headers.get("cache-status"), _REPLICA)
        yield made


@pytest.fixture
def client(world: World) -> Iterator[httpx.Client]:
    with world.gateway.client(world.reader) as client:
        yield client


def test_a_replica_answers_and_says_how_old_it_is(client: httpx.Client) -> None:
    for path in ("/stock/1", "/stock?limit=3", "/items/b"):
        reply = client.get(path)
        assert (reply.status_code, reply.headers["cache-status"]) == (200, _REPLICA)
        assert "figway-as-of" in reply.headers
        # A file is as old as its delivery.
        assert path == "/items/b" or int(reply.headers["age"]) < 20
    assert client.get("/stock/1").json() == {"id": 1, "qty": 1, "site": "south"}
    assert client.get("/items/b").json() == {"id": "b", "n": 2}


def test_what_changes_behind_the_gateway_comes(world: World, client: httpx.Client) -> None:
    world.sql("UPDATE stock SET qty = 99 WHERE id = 7; DELETE FROM stock WHERE id = 8;")
    until(lambda: client.get("/stock/7").json()["qty"], 99)
    assert client.get("/stock/7").headers["cache-status"] == _REPLICA
    until(lambda: client.get("/stock/8").status_code, 404)


def test_a_write_is_seen_by_the_next_read_through_any_worker(client: httpx.Client) -> None:
    for count in range(30):
        reply = client.put("/stock/5", json={"qty": 100 + count, "site": "south"})
        assert reply.status_code == 200, reply.text
        assert client.get("/stock/5").json()["qty"] == 100 + count
        first = client.get("/stock", params={"qty.ge": 100 + count}).json()["items"]
        assert [each["id"] for each in first] == [5]
    until(lambda: client.get("/stock/5").headers["cache-status"], _REPLICA)
    assert client.get("/stock/5").json()["qty"] == 129


def test_pages_go_on_in_the_replica(client: httpx.Client) -> None:
    path, seen, told = "/stock?limit=7&sort=-qty,id", [], set()
    while path is not None:
        reply = client.get(path)
        seen += [(-each["qty"], each["id"]) for each in reply.json()["items"]]
        told.add(reply.headers["cache-status"])
        path = reply.json()["next"]
    assert seen == sorted(seen)
    assert len(seen) == len(set(seen)) >= 49
    assert told == {_REPLICA}


def test_the_rows_of_each_caller_are_left_out(world: World, client: httpx.Client) -> None:
    with world.gateway.client(world.north) as north:
        reply = north.get("/stock", params={"limit": 50})
        assert {each["site"] for each in reply.json()["items"]} == {"north"}
        assert north.get("/stock/3").status_code == 200
        assert north.get("/stock/1").status_code == 404
    assert client.get("/stock/1").status_code == 200


def test_who_wants_it_as_it_is_now_is_answered_by_the_system(client: httpx.Client) -> None:
    for said in ("no-cache", "max-age=0"):
        reply = client.get("/stock/1", headers={"cache-control": said})
        assert (reply.status_code, reply.headers["cache-status"]) == (200, "figway; fwd=stale")
    kept = client.get("/stock/1", headers={"cache-control": "only-if-cached"})
    assert kept.headers["cache-status"] == _REPLICA
    never = client.get("/stock/1", headers={"cache-control": "only-if-cached, max-age=0"})
    assert never.json()["type"] == "urn:figway:problem:stale"


def test_what_is_further_behind_than_promised_is_refused(client: httpx.Client) -> None:
    for _ in range(20):
        reply = client.get("/promised")
        if reply.status_code == 504:
            break
        assert reply.headers["cache-status"] == _REPLICA
        time.sleep(0.01)
    assert reply.json()["type"] == "urn:figway:problem:stale"
    assert "promises 0.001 s" in reply.json()["detail"]
    assert "figway-as-of" in reply.headers


def test_what_the_replica_cannot_tell_the_system_is_asked(client: httpx.Client) -> None:
    reply = client.get("/stock", params={"sort": "nothing"})
    assert reply.status_code == 422
    assert client.get("/items/nothing").status_code == 404


def test_a_system_that_is_gone_is_answered_for(world: World, client: httpx.Client) -> None:
    world.sql("ALTER TABLE stock RENAME TO elsewhere;")
    try:
        reply = client.get("/stock/1")
        assert (reply.status_code, reply.headers["cache-status"]) == (200, _REPLICA)
        asked = client.get("/stock/1", headers={"cache-control": "max-age=0, max-stale=3600"})
        assert (asked.status_code, asked.headers["cache-status"][:23]) == (200, "figway; hit; fwd=stale;")
        assert client.get("/stock/1", headers={"cache-control": "no-cache"}).status_code >= 500
    finally:
        world.sql("ALTER TABLE elsewhere RENAME TO stock;")
