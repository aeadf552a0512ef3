"""A database that changes between two imports, and what people amended meanwhile."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gateway.cli.common import FINDING

SHOP = """
CREATE TABLE makers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT);
CREATE TABLE parts (sku TEXT PRIMARY KEY, maker INTEGER REFERENCES makers (id), note TEXT);
CREATE TABLE prices (sku TEXT PRIMARY KEY, price DECIMAL(10,2));
"""


@pytest.fixture
def shop(workspace: Any, tmp_path: Path, servers: ModuleType) -> Any:
    """An imported database, and functions that change it and import it again."""
    path = tmp_path / "shop.db"

    def change(script: str) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)

    def again(code: int = 0) -> dict[str, Any]:
        told: dict[str, Any] = workspace.imported("odbc", servers.sqlite_dsn(path), "--upstream", "shop", code=code)
        return told

    change(SHOP)
    again()
    workspace.change, workspace.again = change, again
    return workspace


def test_a_renamed_column_and_a_dropped_table_are_breaking_and_edits_stay(shop: Any) -> None:
    text = shop.text("openapi/shop.yaml").replace("summary: List makers", "summary: Who makes parts # ours", 1)
    shop.write("openapi/shop.yaml", text)
    tables = shop.text("openapi/sources/shop/tables.yaml").replace("  parts:\n", "  parts:\n    comment: Ours\n", 1)
    shop.write("openapi/sources/shop/tables.yaml", tables)
    shop.change("ALTER TABLE makers RENAME COLUMN country TO land; DROP TABLE prices;")
    code, output = shop.figway("check", "--drift")
    assert code == FINDING
    assert "breaking: list_prices: it is gone at the source" in output
    told = shop.again(code=FINDING)
    breaking = {(each["where"], each["what"]) for each in told["drift"] if each["grade"] == "breaking"}
    assert {("schema Maker.country", "it is gone"), ("get_price", "it is gone at the source")} <= breaking
    assert ("schema Maker.land", "it is new") in {(each["where"], each["what"]) for each in told["drift"]}
    assert told["kept"] == []
    contract = shop.text("openapi/shop.yaml")
    assert "summary: Who makes parts # ours" in contract
    assert "prices" not in contract
    assert "country" not in contract
    assert "comment: Ours" in shop.text("openapi/sources/shop/tables.yaml")
    assert shop.figway("check")[0] == 0
    code, output = shop.figway("check", "--drift")
    assert code == 0, output


def test_a_table_more_is_additive(shop: Any) -> None:
    shop.change("CREATE TABLE orders (number INTEGER PRIMARY KEY, sku TEXT REFERENCES parts (sku));")
    told = shop.again()
    assert {each["grade"] for each in told["drift"]} == {"additive"}
    assert "create_order" in shop.text("policies/shop.cedar")
    assert shop.figway("check")[0] == 0
