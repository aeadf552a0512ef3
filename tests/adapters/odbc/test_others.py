"""SQL Server and Db2, of which no server runs here: what their drivers and a parser of their SQL can judge offline."""

from __future__ import annotations

from datetime import UTC

import pytest
import sqlglot

from adapters.contract import ListRequest, rows_of
from adapters.errors import DoNotRetry, Unavailable
from adapters.odbc.dialects import DIALECTS, dialect_of
from adapters.odbc.lists import page
from adapters.odbc.rows import rows_clause
from adapters.odbc.statements import TableSql
from adapters.odbc.tables import read_tables

TABLES = b"""
tables:
  stock:
    schema: dbo
    table: my "odd] stock
    primary_key: [sku]
    version: revision
    columns:
      - {name: sku, type: char(8)}
      - {name: unit price, type: 'decimal(10,2)', nullable: true}
      - {name: at, type: timestamptz, nullable: true}
      - {name: revision, type: integer, generated: true}
"""


def _table(dialect: str) -> TableSql:
    return TableSql("stock", read_tables("t.yaml", TABLES)["stock"], DIALECTS[dialect], UTC)


@pytest.mark.parametrize(("dialect", "grammar"), [("sqlserver", "tsql"), ("db2", "")])
def test_each_statement_is_one_of_its_language(dialect, grammar):
    table = _table(dialect)
    columns = table.table.columns
    after = {"sort": ["-at", "sku"], "at": ["2026-01-01T00:00:00Z", "A"]}
    listed = page(table, ListRequest(10, after, ("-at",), ()))
    statements = [
        listed.sql,
        page(table, ListRequest(10)).sql,
        table.get(columns),
        table.get(columns, (table.dialect.lock or ("", ""))[0]),
        table.update(columns[1:2], columns[3]),
        table.delete(columns[3]),
        table.insert(columns[:2]),
    ]
    for sql in statements:
        if "FINAL TABLE" in sql:  # which the parser doesn't know
            sql = sql.partition("(INSERT")[2].join(("INSERT", "")).removesuffix(")")
        (parsed,) = sqlglot.parse(sql, dialect=grammar or None)
        assert parsed is not None
        assert 'my "odd] stock' in {each.name for each in parsed.find_all(sqlglot.exp.Table)}
    assert listed.sql.count("?") == len(listed.parameters)


@pytest.mark.parametrize("dialect", ["sqlserver", "db2"])
def test_rows_are_not_told_by_a_comparison_that_overlooks_blanks(dialect):
    with pytest.raises(DoNotRetry):
        rows_clause(_table(dialect), rows_of([[["sku", "eq", "A"]]]))


@pytest.mark.parametrize(
    ("driver", "dialect"),
    [
        ("{ODBC Driver 18 for SQL Server}", "sqlserver"),
        ("FreeTDS", "sqlserver"),
        ("/a/b/libtdsodbc.so", "sqlserver"),
        ("/a/db2/psqlodbcw.so", "postgresql"),
        ("/a/clidriver/lib/libdb2.so", "db2"),
        ("/a/libmsodbcsql-18.6.so.2.1", "sqlserver"),
        ("/a/sqlite/libunknown.so", None),
    ],
)
def test_the_driver_alone_tells_the_dialect(driver, dialect):
    found = dialect_of(f"Driver={driver};Server=postgres.example;Database=sqlite")
    assert (found.name if found else None) == dialect


async def test_freetds_loads_and_a_closed_port_is_unavailable(servers, make, soon):
    place = f"Server=127.0.0.1;Port={servers.free_port()};TDS_Version=7.4;Database=x;Uid=x"
    database = type("D", (), {"dsn": f"Driver={servers.driver('libtdsodbc.so')};{place}"})
    adapter = make(database, queries={"one": "SELECT 1 AS a"})
    assert (await adapter.probe(soon())).facts["dialect"] == "sqlserver"
    with pytest.raises(Unavailable):
        await adapter.invoke("one", {}, soon())
