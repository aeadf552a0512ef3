"""Introspection, and a whole sample database through it on three engines."""

from __future__ import annotations

import asyncio

import pytest

from adapters.errors import Unavailable
from adapters.odbc.config import Config
from adapters.odbc.introspect import introspect
from adapters.odbc.tables import read_tables, write_tables
from adapters.secret import Reference

DDL = {
    "sqlite": "id INTEGER PRIMARY KEY, code CHAR(4) NOT NULL, price DECIMAL(10,2), big BIGINT,"
    " note VARCHAR(40), long_note TEXT, ok BOOLEAN DEFAULT 0, day DATE, clock TIME, at TIMESTAMP, raw BLOB,"
    " ratio DOUBLE, parent INTEGER REFERENCES odd_name(id)",
    "postgresql": "id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code char(4) NOT NULL, price numeric(10,2),"
    " big bigint, note varchar(40), long_note text, ok boolean DEFAULT false, day date, clock time, at timestamp,"
    " raw bytea, ratio double precision, parent integer REFERENCES odd_name(id), seen timestamptz, key uuid",
    "mariadb": "id INT AUTO_INCREMENT PRIMARY KEY, code CHAR(4) NOT NULL, price DECIMAL(10,2), big BIGINT,"
    " note VARCHAR(40), long_note TEXT, ok BOOLEAN DEFAULT 0, day DATE, clock TIME, at DATETIME, raw BLOB,"
    " ratio DOUBLE, parent INT, seen TIMESTAMP NULL, wide BIGINT UNSIGNED, mood ENUM('a', 'b'),"
    " FOREIGN KEY (parent) REFERENCES odd_name(id)",
}
TYPES = {
    "id": "integer", "price": "decimal(10,2)", "big": "integer", "note": "text(40)", "long_note": "text",
    "ok": "boolean", "day": "date", "clock": "time", "at": "timestamp", "raw": "binary", "ratio": "float",
    "parent": "integer", "seen": "timestamptz", "key": "uuid", "wide": "decimal(20,0)", "mood": "text",
    "code": "char(4)",
}  # fmt: skip


async def test_a_table_is_described_as_it_is(database):
    database.run("DROP TABLE IF EXISTS oddxname;")
    database.fresh("odd_name", DDL[database.kind])
    database.fresh("oddxname", "id INT PRIMARY KEY")
    tables = await introspect(Config(dsn=Reference(database.dsn, "env:X")))
    table = tables["odd_name"]
    assert {column.name: str(column.type) for column in table.columns} == {
        name: kind for name, kind in TYPES.items() if name in {column.name for column in table.columns}
    }
    assert table.primary_key == ("id",)
    assert {column.name for column in table.columns if column.generated} == {"id", "ok"}
    assert {column.name for column in table.columns if not column.nullable} == {"id", "code"}
    (key,) = table.foreign_keys
    assert (key.columns, key.table, key.references) == (("parent",), "odd_name", ("id",))
    assert read_tables("tables.yaml", write_tables(tables).encode()) == tables
    database.run("DROP TABLE odd_name; DROP TABLE oddxname;")


async def test_a_database_that_is_down_is_unavailable(servers):
    dsn = f"Driver={servers.driver('psqlodbcw.so')};Server=127.0.0.1;Port={servers.free_port()};Uid=x;Database=x"
    with pytest.raises(Unavailable):
        await introspect(Config(dsn=dsn))


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


async def _dump(dsn: str, make, soon) -> dict[str, list[dict[str, object]]]:
    """Every table, all rows by pages, names alike; each tenth row by key too."""
    tables = await introspect(Config(dsn=Reference(dsn, "env:X")))
    adapter = make(type("D", (), {"dsn": dsn}), write_tables(tables))
    found: dict[str, list[dict[str, object]]] = {}
    for name, table in tables.items():
        rows, after = [], None
        while True:
            page = (await adapter.invoke(f"{name}.list", {"limit": 500, "after": after}, soon(30))).value
            rows += page["items"]
            after = page["next"]
            if after is None:
                break
        for row in rows[::10]:
            key = {column: row[column] for column in table.primary_key}
            assert (await adapter.invoke(f"{name}.get", key, soon())).value == row
        found[_plain(name)] = [{_plain(key): value for key, value in row.items()} for row in rows]
    return found


async def test_the_sample_database_is_equal_on_all_engines(chinook, make, soon):
    dumps = await asyncio.gather(*(_dump(dsn, make, soon) for dsn in chinook.values()))
    counts = {name: len(rows) for name, rows in dumps[0].items()}
    assert (counts["track"], counts["invoiceline"], counts["playlisttrack"]) == (3503, 2240, 8715)
    for dump in dumps[1:]:
        assert dump.keys() == dumps[0].keys()
        for name, rows in dump.items():
            for row, other in zip(rows, dumps[0][name], strict=True):
                assert row == other, name
