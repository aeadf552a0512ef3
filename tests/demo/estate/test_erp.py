"""The ERP on all three engines: what its tables are, that the data is the world's, reserving stock, and rights."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any, cast

import pyodbc
import pytest
import pytest_asyncio

from adapters.odbc.config import Config
from adapters.odbc.introspect import introspect
from adapters.odbc.tables import read_tables
from adapters.secret import Reference
from gateway.demo.erp.schema import rows
from gateway.demo.estate import Estate
from gateway.demo.place import sources
from gateway.demo.seed.world import World, build
from gateway.demo.systems import Engine

SERVERS = ("postgresql", "mariadb")


@pytest.fixture(scope="module")
def world() -> World:
    return build()


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["sqlite", *SERVERS])
async def dsn(
    request: pytest.FixtureRequest, estate: Estate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield estate.environment()["ERP_DSN"]
        return
    async with Estate(tmp_path_factory.mktemp(request.param), erp=cast(Engine, request.param), every=3_600) as other:
        yield other.environment()["ERP_DSN"]


@pytest.fixture
def database(dsn: str) -> Iterator[Any]:
    pyodbc.pooling = False
    with closing(pyodbc.connect(dsn, autocommit=True)) as connection:
        connection.setencoding("utf-8")
        connection.setdecoding(pyodbc.SQL_CHAR, "utf-8")
        connection.setdecoding(pyodbc.SQL_WCHAR, "utf-8" if "sqlite" in dsn.lower() else "utf-16le")
        yield connection


async def test_the_workspace_describes_its_tables(dsn: str) -> None:
    described = read_tables("tables.yaml", (sources("erp") / "tables.yaml").read_bytes())
    found = await introspect(Config.model_validate({"dsn": Reference(dsn, "env:ERP_DSN")}))
    assert set(found) == set(described)
    for name, table in described.items():
        assert [(each.name, each.type, each.nullable) for each in found[name].columns] == [
            (each.name, each.type, each.nullable) for each in table.columns
        ]
        assert found[name].primary_key == table.primary_key
        # MariaDB tells foreign keys only to users who could make them.
        assert set(found[name].foreign_keys) == (set() if "MariaDB" in dsn else set(table.foreign_keys))


def test_every_table_holds_the_worlds_rows(database: Any, world: World) -> None:
    for table, expected in rows(world).items():
        assert database.execute(f"SELECT count(*) FROM {table}").fetchval() == len(expected)
    article = database.execute("SELECT name, on_hand, unit_price FROM stock WHERE sku = ?", "BRG-6204-ZZ").fetchone()
    assert article[0] == "Deep groove ball bearing 6204 ZZ, 20 x 47 x 14 mm"
    assert (article[1], Decimal(str(article[2])).quantize(Decimal("0.01"))) == (42, Decimal("6.80"))
    assert database.execute("SELECT count(*) FROM stock WHERE reserved > on_hand").fetchval() == 0


@pytest.mark.parametrize("dsn", SERVERS, indirect=True)
def test_stock_is_reserved_while_it_lasts(database: Any, dsn: str) -> None:
    call = (
        "CALL reserve_stock(?, ?, NULL)" if "psql" in dsn or "PostgreSQL" in dsn else "CALL reserve_stock(?, ?, @left)"
    )
    free = "SELECT on_hand - reserved FROM stock WHERE sku = 'BRG-6204-ZZ'"
    before = database.execute(free).fetchval()
    database.execute(call, "BRG-6204-ZZ", 7)
    assert database.execute(free).fetchval() == before - 7
    for quantity in (before, 0, -1):
        with pytest.raises(pyodbc.Error, match="not enough"):
            database.execute(call, "BRG-6204-ZZ", quantity)
    assert database.execute(free).fetchval() == before - 7


@pytest.mark.parametrize("dsn", SERVERS, indirect=True)
@pytest.mark.parametrize("statement", ["DROP TABLE stock", "DELETE FROM products", "CREATE TABLE mine (id INTEGER)"])
def test_the_gateways_user_may_do_no_more_than_it_needs(database: Any, statement: str) -> None:
    with pytest.raises(pyodbc.Error, match=r"(?i)denied|must be owner"):
        database.execute(statement)
