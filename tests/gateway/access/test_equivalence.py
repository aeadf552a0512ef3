"""A predicate means the same whether the upstream obeys it or the gateway looks at each row: on every database,
whatever its collation, and on files."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import registry
from adapters.contract import Context, Workspace
from adapters.secret import Reference
from gateway.call import Principal
from gateway.policy.rows import bind
from gateway.routing.predicates import TypedPredicate, parse, typed

EXAMPLES = 400 if os.environ.get("FIGWAY_SLOW") else 40
KINDS = {
    "t": "text", "c": "text", "n": "integer", "d": "decimal", "b": "boolean", "day": "date", "at": "instant",
}  # fmt: skip
TABLES = """
tables:
  things:
    primary_key: [id]
    columns:
      - {name: id, type: integer}
      - {name: t, type: text(20), nullable: true}
      - {name: c, type: char(4), nullable: true}
      - {name: n, type: integer, nullable: true}
      - {name: d, type: 'decimal(8,2)', nullable: true}
      - {name: b, type: boolean, nullable: true}
      - {name: day, type: date, nullable: true}
      - {name: at, type: timestamp, nullable: true}
"""
# Columns that compare otherwise than they are written: by case, by accent, with padding.
COLUMNS = {
    "sqlite": "id INTEGER PRIMARY KEY, t TEXT COLLATE NOCASE, c TEXT COLLATE RTRIM, n INTEGER, d DECIMAL(8,2), "
    "b BOOLEAN, day DATE, at TIMESTAMP",
    "postgresql": "id INT PRIMARY KEY, t VARCHAR(20) COLLATE ci, c CHAR(4), n BIGINT, d DECIMAL(8,2), b BOOLEAN, "
    "day DATE, at TIMESTAMP",
    "mariadb": "id INT PRIMARY KEY, t VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, "
    "c CHAR(4) CHARACTER SET latin1 COLLATE latin1_swedish_ci, n BIGINT, d DECIMAL(8,2), b TINYINT(1), day DATE, "
    "at DATETIME",
}
TEXTS = ["a", "A", "ä", "Ä", "a ", " a", "", "ss", "ß", "b%", "b_", "it's", "e\u0301", "é", "日本"]
CHARS = ["a", "A", "ä", "", "ab", "AB"]
NUMBERS = [-1, 0, 1, 2, 2**53 + 1]
DECIMALS = ["-1.50", "0.00", "0.10", "1.00", "99.99"]
DAYS = ["2024-02-29", "2026-11-21"]
MOMENTS = ["2024-01-01T00:00:00Z", "2026-11-21T12:30:00Z"]
PRINCIPAL = Principal("a", None, ("A", "b%"), "ä", "", ())


def _rows() -> list[dict[str, Any]]:
    """Every value of every column beside others, and NULLs."""
    lists = {"t": TEXTS, "c": CHARS, "n": NUMBERS, "d": DECIMALS, "b": [True, False], "day": DAYS, "at": MOMENTS}
    made = []
    for key in range(60):
        row: dict[str, Any] = {"id": key}
        for step, (name, values) in enumerate(lists.items(), 1):
            row[name] = None if (key * step) % 7 == 6 else values[(key * step + key // 11) % len(values)]
        made.append(row)
    return made


def _sql(value: Any, kind: str) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower() if kind == "postgresql" else str(int(value))
    text = str(value).replace("T", " ").removesuffix("Z") if isinstance(value, str) and value in MOMENTS else str(value)
    return str(value) if isinstance(value, int) else "'" + text.replace("'", "''") + "'"


def _script(kind: str) -> str:
    rows = ", ".join("(" + ", ".join(_sql(value, kind) for value in row.values()) + ")" for row in _rows())
    before = ""
    if kind == "postgresql":
        before = (
            "CREATE COLLATION IF NOT EXISTS ci (provider = icu, locale = 'und-u-ks-level1', deterministic = false);"
        )
    table = f"DROP TABLE IF EXISTS things; CREATE TABLE things ({COLUMNS[kind]});"
    return f"{before} {table} INSERT INTO things VALUES {rows};"


class World:
    """The same rows somewhere: all of them as they are told, and those that pass a predicate that was handed over."""

    def __init__(self, invoke: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._invoke = invoke
        self.rows = invoke({"limit": 1000})["items"]

    def passing(self, rows: list[Any]) -> list[Any]:
        return sorted(int(item["id"]) for item in self._invoke({"limit": 1000, "rows": rows})["items"])


@pytest.fixture(scope="module", params=["sqlite", "postgres", "mariadb"])
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, servers: ModuleType
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("equivalence")
    if request.param == "sqlite":
        with closing(sqlite3.connect(folder / "base.db")) as connection:
            connection.executescript(_script("sqlite"))
        dsn = servers.sqlite_dsn(folder / "base.db")
    else:
        server = request.getfixturevalue(request.param)
        server.sql(_script(server.kind))
        dsn = server.dsn
    kind = registry.kind("odbc")
    config = kind.config(dsn=Reference(dsn, "env:DSN"), time_zone="UTC")
    adapter = kind.build("erp", config, Workspace({"openapi/sources/erp/tables.yaml": TABLES.encode()}, folder))
    yield from _world(adapter, "things.list")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("drop")
    lines = ["id;t;n;d"]
    for row in _rows():
        # A CSV file has no NULL: an empty field of a number is one.
        lines.append(";".join("" if row[name] is None else str(row[name]) for name in ("id", "t", "n", "d")))
    (folder / "things.csv").write_text("\n".join(lines) + "\n")
    kind = registry.kind("files")
    options = {"delimiter": ";", "columns": {"id": "integer", "t": "text", "n": "integer", "d": "decimal"}}
    dataset = {"match": "things.csv", "format": "csv", "key": "id", "options": options}
    config = kind.config.model_validate({"root": str(folder), "datasets": {"things": dataset}})
    yield from _world(kind.build("drop", config, Workspace({}, folder / "cache")), "things.list")


def _world(adapter: Any, operation: str) -> Iterator[World]:
    with asyncio.Runner() as runner:

        def invoke(input: dict[str, Any]) -> dict[str, Any]:
            result = runner.run(adapter.invoke(operation, input, Context(time.monotonic() + 30)))
            value: dict[str, Any] = result.value
            return value

        yield World(invoke)
        runner.run(adapter.close())


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_VALUES: dict[str, st.SearchStrategy[str]] = {
    "t": st.one_of(st.sampled_from(TEXTS).map(_quoted), st.sampled_from(["principal.id", "principal.tenant"])),
    "c": st.sampled_from([*CHARS, "ab ", "longer than it is", "日本"]).map(_quoted),
    "n": st.sampled_from([*NUMBERS, 2**53, -(2**63)]).map(str),
    "d": st.sampled_from([*DECIMALS, "1", "1.005", "100000000.5"]),
    "b": st.sampled_from(["true", "false"]),
    "day": st.sampled_from([*DAYS, "2025-01-01"]).map(_quoted),
    "at": st.sampled_from([*MOMENTS, "2026-11-21T13:30:00+01:00"]).map(_quoted),
}


@st.composite
def _terms(draw: st.DrawFn, fields: tuple[str, ...]) -> str:
    field = draw(st.sampled_from(fields))
    if draw(st.booleans()):
        several = f"[{', '.join(draw(st.lists(_VALUES[field], min_size=1, max_size=3)))}]"
        if KINDS[field] == "text" and draw(st.booleans()):
            several = draw(st.sampled_from(["principal.roles", "principal.teams"]))
        return f"{field} {draw(st.sampled_from(['in', 'not in']))} {several}"
    signs = ["=", "!="] if KINDS[field] in ("text", "boolean") else ["=", "!=", "<", "<=", ">", ">="]
    return f"{field} {draw(st.sampled_from(signs))} {draw(_VALUES[field])}"


def _predicates(*fields: str) -> st.SearchStrategy[str]:
    return st.recursive(
        _terms(fields),
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
                lambda each: f"({each[0]} {each[1]} {each[2]})"
            ),
            inner.map(lambda each: f"not ({each})"),
        ),
        max_leaves=4,
    )


def _typed(text: str) -> TypedPredicate:
    return tuple(tuple(typed(term, KINDS[term.field[0]]) for term in group) for group in parse(text))


def _check(world: World, text: str) -> None:
    rows = bind(_typed(text), PRINCIPAL)
    handed_over = rows.conditions(None)
    assert handed_over is not None
    looked_at = sorted(int(row["id"]) for row in world.rows if rows.match(row))
    assert world.passing(handed_over) == looked_at, text


@given(text=_predicates(*KINDS))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_database_shows_the_rows_that_the_gateway_would(database: World, text: str) -> None:
    _check(database, text)


@given(text=_predicates("t", "n", "d"))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_dataset_shows_the_rows_that_the_gateway_would(files: World, text: str) -> None:
    _check(files, text)


def test_all_rows_are_there(database: World, files: World) -> None:
    told = [{**row, "c": row["c"] and row["c"].rstrip()} for row in _rows()]
    assert sorted(database.rows, key=lambda row: row["id"]) == told
    assert len(files.rows) == len(told)
    assert database.passing([]) == files.passing([]) == []
    assert len(database.passing([[]])) == len(files.passing([[]])) == len(told)


@pytest.mark.parametrize(
    "text",
    [
        "t = 'a'",
        "t != 'a'",
        "not (t = 'a')",
        "t in ['A', 'ä']",
        "t not in ['A']",
        "c = 'ab'",
        "c in ['ab', '日本']",
        "d = 1.00",
    ],
)
def test_null_matches_nothing_and_text_is_compared_as_it_is_written(database: World, text: str) -> None:
    _check(database, text)
    passing = database.passing(bind(_typed(text), PRINCIPAL).conditions(None) or [])
    assert 0 < len(passing) < 60
    field = parse(text)[0][0].field[0]
    assert all(row[field] is not None for row in database.rows if row["id"] in passing)
