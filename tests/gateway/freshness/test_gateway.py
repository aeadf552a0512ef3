"""Captures as a gateway follows them, and as `figway changes` shows, prepares and loads them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gateway.events.loads import LoadedFile

_POLICY = 'permit (principal in Role::"watcher", action == Action::"gateway:read_changes", resource);\n'
_TABLES = """
tables:
  stock:
    primary_key: [sku]
    columns:
      - {name: sku, type: text}
      - {name: qty, type: integer, nullable: true}
      - {name: touched, type: timestamptz, nullable: true}
"""
_GATEWAY = """
upstreams:
  erp:
    kind: odbc
    dsn: env:ERP_DSN
    changes:
      stock: {method: outbox}
      touched: {method: watermark, table: stock, column: touched, every: 2s}
      compared: {method: diff, operation: stock.list, key: [sku], every: 1s, most_deletes: 100}
  drop:
    kind: files
    root: env:DROP
    datasets: {items: {match: items.csv, format: csv, key: id, options: {columns: {id: text, n: integer}}}}
    changes:
      items: {method: diff}
"""


class World:
    """A workspace with a database and a folder of files."""

    def __init__(self, folder: Path, running: ModuleType, servers: ModuleType) -> None:
        self.base, self.drop, self.workspace = folder / "base.db", folder / "drop", folder / "ws"
        self.drop.mkdir()
        self.sql(
            "PRAGMA journal_mode = WAL; CREATE TABLE stock (sku TEXT PRIMARY KEY, qty INTEGER, touched TEXT);"
            "INSERT INTO stock VALUES ('A', 1, '2026-01-01 00:00:00'), ('B', 2, '2026-01-02 00:00:00');"
        )
        self.items("1,10\n2,20\n")
        self.environment = {"ERP_DSN": servers.sqlite_dsn(self.base), "DROP": str(self.drop)}
        files = {"gateway.yaml": _GATEWAY, "openapi/sources/erp/tables.yaml": _TABLES}
        running.write_workspace(self.workspace, {**files, "policies/access.cedar": _POLICY})

    def sql(self, text: str) -> None:
        with closing(sqlite3.connect(self.base, timeout=20)) as connection:
            connection.executescript(text)

    def items(self, rows: str) -> None:
        draft = self.drop / ".draft"
        draft.write_text("id,n\n" + rows)
        draft.replace(self.drop / "items.csv")

    def rows(self, name: str) -> dict[str, Any]:
        file = LoadedFile(self.workspace / ".figway/events.db")
        try:
            return {row.key: dict(row.row) for row in file.rows(name, "", 1000)}
        finally:
            file.close()

    def until(self, told: Callable[[], Any], wanted: Any) -> None:
        end = time.monotonic() + 30
        while told() != wanted:
            assert time.monotonic() < end, f"{told()} isn't {wanted}"
            time.sleep(0.05)


@pytest.fixture
def world(tmp_path: Path, running: ModuleType, servers: ModuleType) -> World:
    return World(tmp_path, running, servers)


def _changes(world: World, running: ModuleType, *arguments: str, code: int = 0) -> Any:
    """What a verb prints."""
    options = ("--json", "--workspace", str(world.workspace))
    done = running.figway("changes", *arguments, *options, extra=world.environment)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


_NAMES = ("erp.stock", "erp.touched", "erp.compared")


def _stocked(world: World, wanted: dict[str, int]) -> None:
    for name in _NAMES:
        world.until(lambda name=name: {key: row["qty"] for key, row in world.rows(name).items()}, wanted)


def _filed(world: World, wanted: dict[str, int]) -> None:
    world.until(lambda: {key: row["n"] for key, row in world.rows("drop.items").items()}, wanted)


def test_what_changes_at_the_sources_is_in_the_replicas(world: World, running: ModuleType) -> None:
    assert _changes(world, running, "show")["captures"][0]["phase"] == "new"
    printed = _changes(world, running, "install", "erp.stock")
    assert any("CREATE TRIGGER" in each for each in printed["statements"])
    assert not printed["run"]
    _changes(world, running, "install", "erp.stock", "--run")
    key = running.create_key(world.workspace, "watcher")
    with running.serving(world.workspace, extra=world.environment) as gateway, gateway.client() as client:
        _stocked(world, {'["A"]': 1, '["B"]': 2})
        world.sql(
            "UPDATE stock SET qty = 5, touched = datetime('now') WHERE sku = 'A'; DELETE FROM stock WHERE sku = 'B';"
            "INSERT INTO stock VALUES ('C', 3, datetime('now'));"
        )
        _stocked(world, {'["A"]': 5, '["C"]': 3})
        _filed(world, {'["1"]': 10, '["2"]': 20})
        world.items("1,11\n3,30\n")
        _filed(world, {'["1"]': 11, '["3"]': 30})
        found = client.get("/-/changes", headers={"authorization": key}).json()["captures"]
        assert {each["name"]: each["guarantee"]["deletes"] for each in found} == {
            "erp.stock": "all",
            "erp.touched": "found by reconciliation",
            "erp.compared": "found by comparison",
            "drop.items": "found by comparison",
        }
        # None of them has been held against its source, or has another shape beside it, so soon.
        assert {(each["compared"], each["differed"], each["former"]) for each in found} == {(None, 0, None)}
        assert client.get("/-/changes").status_code == 403
        assert client.get("/-/ready").json()["captures"] == {}
        loaded = _changes(world, running, "load", "erp.stock", "--wait")
        assert (loaded["phase"], loaded["rows"]) == ("live", 2)
        world.sql("DROP TABLE figway_erp_stock;")
        world.until(lambda: "erp.stock" in client.get("/-/ready").json()["captures"], True)
    assert _changes(world, running, "show", code=1)["captures"][0]["problem"]
    _changes(world, running, "remove", "erp.stock")
    assert world.rows("erp.stock") == {}


@pytest.mark.parametrize(
    "refused",
    [
        {
            "slotted: {method: slot, table: stock}": "sqlite has no method 'slot'",
            "nothing: {method: outbox}": "there is no table 'nothing'",
            "listed: {method: diff, operation: nothing.list, key: [sku]}": "has no operation 'nothing.list'",
        },
        {
            "grown: {method: watermark}": "a column is what method watermark needs",
            "often: {method: outbox, every: 5s}": "every is for method watermark",
            "odd: {method: magic}": "input should be 'slot', 'binlog', 'outbox', 'watermark' or 'diff'",
        },
    ],
    ids=["what the source can't", "what doesn't fit"],
)
def test_what_nothing_obeys_is_refused(world: World, running: ModuleType, refused: dict[str, str]) -> None:
    text = f"upstreams:\n  erp:\n    kind: odbc\n    dsn: env:ERP_DSN\n    changes: {{{', '.join(refused)}}}\n"
    running.write_workspace(world.workspace, {"gateway.yaml": text})
    done = running.figway("check", "--workspace", str(world.workspace), extra=world.environment)
    assert done.returncode == 1
    for sentence in refused.values():
        assert sentence in done.stdout + done.stderr
