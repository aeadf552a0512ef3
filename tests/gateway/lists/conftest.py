"""One gateway over a database, a file and the lab adapter, whose lists take all that lists can take."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from gateway.cli.key import Desk

GATEWAY = """
upstreams:
  shop: {{kind: odbc, dsn: env:LISTS_DSN, concurrency: 2}}
  lab: {{kind: lab}}
  drop:
    kind: files
    root: "{drop}"
    datasets:
      stock: {{match: stock.csv, format: csv, key: sku, options: {{columns: {{sku: text, on_hand: integer}}}}}}
defaults: {{max_page: 200, max_reply: 64KiB}}
"""
TABLES = """
tables:
  maker:
    primary_key: [id]
    columns: [{name: id, type: integer}, {name: name, type: text}]
  article:
    primary_key: [SKU]
    columns:
      - {name: SKU, type: text}
      - {name: name, type: text}
      - {name: region, type: text, nullable: true}
      - {name: price, type: 'decimal(8,2)'}
      - {name: note, type: json, nullable: true}
      - {name: maker_id, type: integer}
    foreign_keys: [{columns: [maker_id], table: maker, references: [id], parent: maker, children: articles}]
  big:
    primary_key: [id]
    columns: [{name: id, type: integer}, {name: text, type: text}]
  bad:
    primary_key: [id]
    columns: [{name: id, type: integer}, {name: text, type: text}]
"""
POLICY = """
permit (principal in Role::"all", action, resource);
@rows("region = principal.tenant")
permit (principal in Role::"narrow", action, resource in Group::"articles");
@mask("price")
permit (principal in Role::"masked", action, resource in Group::"articles");
// Who sees all of its own region sees the rest without prices.
@rows("region = principal.tenant")
permit (principal in Role::"mixed", action, resource in Group::"articles");
@mask("price")
permit (principal in Role::"mixed", action, resource in Group::"articles");
"""
REGIONS = ("north", "south", None)
ARTICLES = 1000
BIG = 40_000
"""Rows of a thousand characters: more than any socket's buffers hold."""


@dataclass(frozen=True)
class World:
    """The gateway, its database's file, and a key for each kind of caller."""

    running: Any
    database: Path
    keys: dict[str, str]

    def client(self, name: str = "all") -> httpx.Client:
        client: httpx.Client = self.running.client(self.keys[name])
        return client

    def get(self, path: str, name: str = "all", **headers: str) -> httpx.Response:
        with self.client(name) as client:
            return client.get(path, headers=headers)

    def walk(self, path: str, name: str = "all", member: str = "next") -> list[list[Any]]:
        """All pages of a list, by `next` or by `previous`."""
        pages, following = [], path
        with self.client(name) as client:
            while following is not None:
                response = client.get(following)
                assert response.status_code == 200, response.text
                pages.append(response.json()["items"])
                following = response.json()[member]
                assert len(pages) <= ARTICLES
        return pages

    def audited(self, lineage: str) -> dict[str, Any]:
        """The record of how a call ended."""
        until = time.monotonic() + 15
        while True:
            found = self.get(f"/-/audit/{lineage}")
            records = found.json()["items"] if found.status_code == 200 else []
            ended = [each for each in records if each["kind"] == "call"]
            if ended:
                record: dict[str, Any] = ended[0]
                return record
            assert time.monotonic() < until, found.text
            time.sleep(0.05)


def article(number: int) -> dict[str, Any]:
    """An article as the contract spells it."""
    return {
        "sku": f"S{number:05}",
        "name": f"Article, {number}" if number % 7 else f'"{number}"\n',
        "region": REGIONS[number % 3],
        "price": f"{number}.25",
        "label": f"label {number}" if number % 2 else None,
    }


def _fill(path: Path) -> None:
    rows = []
    for number in range(ARTICLES):
        one = article(number)
        note = f'{{"text": "{one["label"]}"}}' if one["label"] else '{"text": null}'
        rows.append((one["sku"], one["name"], one["region"], float(one["price"]), note, number % 4))
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE maker (id INTEGER PRIMARY KEY, name TEXT)")
        database.execute(
            "CREATE TABLE article (SKU TEXT PRIMARY KEY, name TEXT, region TEXT, price DECIMAL(8,2), note TEXT,"
            " maker_id INTEGER)"
        )
        database.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, text TEXT)")
        database.execute(
            "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ?)"
            " INSERT INTO big SELECT id, printf('%.*c', 1000, 'x') FROM n",
            [BIG],
        )
        # Row 7,000 of it can't be read.
        database.execute(
            "CREATE VIEW bad AS SELECT id, CASE WHEN id = 7000 THEN abs(-9223372036854775807 - 1) ELSE text END AS text"
            " FROM big"
        )
        database.executemany("INSERT INTO maker VALUES (?, ?)", [(id, f"Maker {id}") for id in range(4)])
        database.executemany("INSERT INTO article VALUES (?, ?, ?, ?, ?, ?)", rows)
    database.close()


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory, running: ModuleType, servers: ModuleType) -> Iterator[World]:
    folder, drop = tmp_path_factory.mktemp("lists"), tmp_path_factory.mktemp("drop")
    (drop / "stock.csv").write_text("sku,on_hand\n" + "".join(f"S{number:05},{number}\n" for number in range(2500)))
    database = folder / "shop.db"
    _fill(database)
    files = {
        "gateway.yaml": GATEWAY.format(drop=drop),
        "openapi/lists.yaml": Path(__file__).with_name("lists.yaml").read_text(),
        "openapi/sources/shop/tables.yaml": TABLES,
        "policies/access.cedar": POLICY,
    }
    running.write_workspace(folder, files)
    with Desk.open(folder) as desk:
        keys = {
            name: f"Bearer {desk.create(expires=None, roles=[name], principal='alice', tenant='north')[0]}"
            for name in ("all", "narrow", "masked", "mixed")
        }
    with running.serving(folder, extra={"LISTS_DSN": servers.sqlite_dsn(database)}) as gateway:
        yield World(gateway, database, keys)


@pytest.fixture(scope="session")
def article_of() -> Any:
    """`article_of(number)`: an article as the contract spells it."""
    return article
