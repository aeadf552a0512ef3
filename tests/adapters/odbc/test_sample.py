"""The sample database on three engines against what each engine's own client prints: by pages, back, and by key."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from adapters.odbc.config import Config
from adapters.odbc.introspect import introspect
from adapters.odbc.source import attributes
from adapters.odbc.tables import write_tables
from adapters.secret import Reference

FEW = ("employee", "invoice", "playlist", "mediatype")
ENGINES = ("sqlite", "postgresql", "mariadb")
Printed = list[list[str | None]]


def _psql(server: Any, sql: str) -> Printed:
    text = server.sql(f"\\c chinook\n\\copy ({sql}) TO STDOUT WITH (FORMAT csv, NULL '<null>', FORCE_QUOTE *)\n")
    lines = csv.reader(io.StringIO(text, newline=""))
    return [[None if each == "<null>" else each for each in line] for line in lines]


_ESCAPED = {"n": "\n", "t": "\t", "\\": "\\", "0": "\0"}


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPED[found[1]], text)


def _mariadb(server: Any, sql: str) -> Printed:
    lines = server.sql(f"USE Chinook; {sql};").splitlines()
    return [[None if each == "NULL" else _unescaped(each) for each in line.split("\t")] for line in lines]


def _sqlite(dsn: str, sql: str) -> Printed:
    with closing(sqlite3.connect(attributes(dsn)["database"])) as connection:
        return [[None if each is None else str(each) for each in row] for row in connection.execute(sql)]


def _shown(kind: str, engine: str, value: Any) -> str | None:
    """A value of ours as the client prints it."""
    if value is None:
        return None
    if kind.startswith("timestamp"):
        return str(value).replace("T", " ").removesuffix("Z")
    if kind.startswith("decimal") and engine == "sqlite":
        return str(float(value))
    return str(value)


async def _pages(adapter: Any, name: str, soon: Any) -> list[dict[str, Any]]:
    """All rows by pages, which come again when going back."""
    pages, after = [], None
    while True:
        asked = {"limit": 300, "after": after, "before": None}
        pages.append((await adapter.invoke(f"{name}.list", asked, soon(60))).value)
        after = pages[-1]["next"]
        if after is None:
            break
    place = pages[-1]["previous"]
    for page in reversed(pages[:-1]):
        back = (await adapter.invoke(f"{name}.list", {"limit": 300, "before": place}, soon(60))).value
        assert back["items"] == page["items"]
        place = back["previous"]
    assert place is None
    return [item for page in pages for item in page["items"]]


async def _compared(engine: str, dsn: str, server: Any, make: Any, soon: Any, names: tuple[str, ...]) -> int:
    tables = await introspect(Config(dsn=Reference(dsn, "env:X")))
    adapter = make(type("D", (), {"dsn": dsn}), write_tables(tables))
    quote = "`" if engine == "mariadb" else '"'
    compared = 0
    for name, table in tables.items():
        if names and name.replace("_", "").lower() not in names:
            continue
        rows = await _pages(adapter, name, soon)
        columns = ", ".join(f"{quote}{column.name}{quote}" for column in table.columns)
        order = ", ".join(f"{quote}{key}{quote}" for key in table.primary_key)
        sql = f"SELECT {columns} FROM {quote}{name}{quote} ORDER BY {order}"
        ask = {"sqlite": lambda sql: _sqlite(dsn, sql), "postgresql": lambda sql: _psql(server, sql),
               "mariadb": lambda sql: _mariadb(server, sql)}[engine]  # fmt: skip
        printed = ask(sql)
        kinds = {column.name: str(column.type) for column in table.columns}
        assert [[_shown(kinds[key], engine, row[key]) for key in row] for row in rows] == printed, name
        for row in rows:
            key = {column: row[column] for column in table.primary_key}
            assert (await adapter.invoke(f"{name}.get", key, soon(60))).value == row
        assert [item async for batch in adapter.bulk(f"{name}.list", {}, soon(60)) for item in batch] == rows
        compared += len(rows)
    return compared


@pytest.mark.parametrize("engine", ENGINES)
async def test_some_tables_are_what_the_client_prints(chinook, engine, postgres, mariadb, make, soon):
    server = {"postgresql": postgres, "mariadb": mariadb}.get(engine)
    assert await _compared(engine, chinook[engine], server, make, soon, FEW) == 443


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ENGINES)
async def test_every_row_of_every_table_is_what_the_client_prints(chinook, engine, postgres, mariadb, make, soon):
    server = {"postgresql": postgres, "mariadb": mariadb}.get(engine)
    assert await _compared(engine, chinook[engine], server, make, soon, ()) == 15607
