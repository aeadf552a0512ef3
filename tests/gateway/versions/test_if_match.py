"""`ETag` and `If-Match` over a database's table whose rows have versions, over HTTP."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from gateway.cli.key import Desk

GATEWAY = """
upstreams: {shop: {kind: odbc, dsn: env:SHOP_DSN, read_only: false, concurrency: 4}}
"""
TABLES = """
tables:
  part:
    primary_key: [id]
    version: revision
    columns:
      - {name: id, type: integer}
      - {name: name, type: text}
      - {name: secret, type: text, nullable: true}
      - {name: revision, type: integer}
  plain:
    primary_key: [id]
    columns: [{name: id, type: integer}, {name: name, type: text}]
"""
POLICY = """
permit (principal in Role::"all", action, resource);
@mask("hush")
permit (principal in Role::"masked", action, resource);
"""


@dataclass(frozen=True)
class Shop:
    """The gateway, and its database's file."""

    client: httpx.Client
    masked: httpx.Client
    database: Path

    def row(self, number: int) -> tuple[str, int] | None:
        """A part's name and revision, as the database has them."""
        with closing(sqlite3.connect(self.database)) as connection:
            found: tuple[str, int] | None = connection.execute(
                "SELECT name, revision FROM part WHERE id = ?", [number]
            ).fetchone()
            return found

    def change(self, number: int, title: str, **headers: str) -> httpx.Response:
        """A write, with header fields by their names with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.patch(f"/parts/{number}", json={"title": title}, headers=named)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, running: ModuleType, servers: ModuleType) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("versions")
    database = folder / "shop.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE part (id INTEGER PRIMARY KEY, name TEXT, secret TEXT, revision INTEGER)")
        connection.execute("CREATE TABLE plain (id INTEGER PRIMARY KEY, name TEXT)")
        connection.executemany("INSERT INTO part VALUES (?, 'one', 'x', 7)", [(number,) for number in range(1, 40)])
        connection.execute("INSERT INTO plain VALUES (1, 'one')")
    files = {
        "gateway.yaml": GATEWAY,
        "openapi/shop.yaml": Path(__file__).with_name("shop.yaml").read_text(),
        "openapi/sources/shop/tables.yaml": TABLES,
        "policies/access.cedar": POLICY,
    }
    running.write_workspace(folder, files)
    with Desk.open(folder) as desk:
        keys = [f"Bearer {desk.create(expires=None, roles=[role], principal='ann')[0]}" for role in ("all", "masked")]
    with (
        running.serving(folder, extra={"SHOP_DSN": servers.sqlite_dsn(database)}) as gateway,
        gateway.client(keys[0]) as client,
        gateway.client(keys[1]) as masked,
    ):
        yield Shop(client, masked, database)


def slug(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rpartition(":")[2]


def test_a_write_changes_the_version_alone_that_was_read(shop: Shop) -> None:
    first = shop.client.get("/parts/1").headers["etag"]
    assert first.startswith('"')
    assert shop.client.get("/parts/1", headers={"if-none-match": first}).status_code == 304
    assert shop.client.get("/parts/1").headers["etag"] == first
    done = shop.change(1, "two", if_match=first)
    assert (done.status_code, done.json()["title"]) == (200, "two")
    late = shop.change(1, "three", if_match=first)
    assert slug(late) == (412, "precondition-failed")
    assert "ETag" in late.json()["fix"]
    assert shop.row(1) == ("two", 8)
    # The reply's own tag is the next one's condition, and that of the same representation read again.
    assert done.headers["etag"] == shop.client.get("/parts/1").headers["etag"] != first
    assert shop.change(1, "three", if_match=done.headers["etag"]).status_code == 200
    assert shop.change(1, "four", if_match="*").status_code == 200
    assert shop.change(1, "five").status_code == 200
    assert shop.row(1) == ("five", 11)


def test_of_many_writers_of_one_version_one_wins(shop: Shop) -> None:
    tag = shop.client.get("/parts/2").headers["etag"]
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda number: shop.change(2, f"by {number}", if_match=tag), range(8)))
    # A competing write may be told that the database is busy, and that nothing happened.
    assert sorted(each.status_code for each in done)[0] == 200
    assert sum(each.status_code == 200 for each in done) == 1
    assert {each.status_code for each in done} <= {200, 412, 503}
    assert shop.row(2) == (next(each.json()["title"] for each in done if each.status_code == 200), 8)


def test_another_entity_s_tag_and_one_that_was_tampered_with_are_none_of_it(shop: Shop) -> None:
    tag, other = (shop.client.get(f"/parts/{number}").headers["etag"] for number in (3, 4))
    assert tag.split(".")[1] != other.split(".")[1], "equal versions don't look equal"
    swapped = tag[:-40] + ("A" if tag[-40] != "A" else "B") + tag[-39:]
    weak = shop.client.get("/plain/1").headers["etag"]
    for given in (other, f"W/{tag}", swapped, weak, '"7"', '""', '"a.b.c"', '"é"'.encode("latin-1")):
        response = shop.client.patch("/parts/3", json={"title": "x"}, headers={"if-match": given})
        assert slug(response) == (412, "precondition-failed"), given
    for malformed in (f"{tag}, {other}", tag.strip('"'), "", '"a" "b"'):
        assert slug(shop.change(3, "x", if_match=malformed)) == (400, "bad-request"), malformed
    assert shop.row(3) == ("one", 7)
    assert slug(shop.change(999, "x", if_match="*"))[0] == 404


def test_a_contract_that_asks_for_it_gets_it(shop: Shop) -> None:
    response = shop.client.delete("/parts/5")
    assert slug(response) == (428, "precondition-required")
    assert "If-Match" in response.json()["fix"]
    tag = shop.client.get("/parts/5?fields=title").headers["etag"]
    assert shop.change(5, "two").status_code == 200
    assert slug(shop.client.delete("/parts/5", headers={"if-match": tag}))[0] == 412
    tag = shop.client.get("/parts/5?fields=title").headers["etag"]
    assert shop.client.delete("/parts/5", headers={"if-match": tag}).status_code == 204
    assert shop.row(5) is None
    assert shop.client.delete("/parts/6", headers={"if-match": "*"}).status_code == 204


def test_what_can_t_be_guarded_is_refused(shop: Shop) -> None:
    tag = shop.client.get("/plain/1").headers["etag"]
    assert tag.startswith('W/"')
    for headers in ({"if-match": tag}, {"if-match": "*"}, {"if-none-match": "*"}):
        response = shop.client.patch("/plain/1", json={"name": "two"}, headers=headers)
        assert slug(response) == (400, "bad-request")
        assert response.json()["fix"]
    assert slug(shop.change(7, "two", if_none_match="*")) == (400, "bad-request")
    assert shop.client.get("/plain/1").json()["name"] == "one"
    # It says nothing to a read.
    assert shop.client.get("/plain/1", headers={"if-match": '"else"'}).status_code == 200


def test_who_sees_less_has_another_tag_of_the_same_version(shop: Shop) -> None:
    whole, part = shop.client.get("/parts/8"), shop.masked.get("/parts/8")
    assert "hush" not in part.json()
    assert whole.headers["etag"] != part.headers["etag"]
    patched = shop.masked.patch("/parts/8", json={"title": "two"}, headers={"if-match": part.headers["etag"]})
    assert patched.status_code == 200
    late = shop.masked.patch("/parts/8", json={"title": "three"}, headers={"if-match": part.headers["etag"]})
    assert slug(late) == (412, "precondition-failed")


def test_a_key_belongs_to_one_condition(shop: Shop) -> None:
    tag = shop.client.get("/parts/9").headers["etag"]
    key = "8e03978e-40d5-43dd-bc93-6894a57f9324"
    done = shop.change(9, "two", if_match=tag, idempotency_key=key)
    again = shop.change(9, "two", if_match=tag, idempotency_key=key)
    assert (done.status_code, again.status_code, again.json()) == (200, 200, done.json())
    assert slug(shop.change(9, "two", if_match="*", idempotency_key=key)) == (422, "idempotency-mismatch")
    late = shop.change(9, "three", if_match=tag, idempotency_key="other")
    assert slug(late) == slug(shop.change(9, "three", if_match=tag, idempotency_key="other"))
    assert slug(late)[0] == 412
    assert shop.row(9) == ("two", 8)


def test_a_dry_run_is_held_to_it_too(shop: Shop) -> None:
    tag = shop.client.get("/parts/10").headers["etag"]
    tried = shop.change(10, "two", if_match=tag, prefer="dry-run")
    assert (tried.status_code, tried.json()["would"]["body"]["title"]) == (200, "two")
    assert "etag" not in tried.headers
    assert shop.row(10) == ("one", 7)
    assert shop.change(10, "two", if_match=tag).status_code == 200
    assert slug(shop.change(10, "three", if_match=tag, prefer="dry-run"))[0] == 412
