"""A database is imported as a user does it, served, and every row asked for over HTTP is the database's own."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyodbc
import pytest
import yaml
from click.testing import CliRunner

from adapters.contract import Effect
from gateway.cli import app
from gateway.importing.model import CantImport, Request, Shape
from gateway.importing.odbc import read


def sqlite_of(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


SHOP = """
CREATE TABLE makers (country TEXT, number INT, name TEXT NOT NULL, PRIMARY KEY (country, number));
CREATE TABLE parts (id INTEGER PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL, country TEXT, number INT,
  other INTEGER REFERENCES parts, spare INTEGER REFERENCES parts (id),
  FOREIGN KEY (number, country) REFERENCES makers (number, country));
CREATE TABLE log (line TEXT, data BLOB);
CREATE TABLE tags (part INTEGER REFERENCES parts, tag TEXT, PRIMARY KEY (part, tag));
CREATE VIEW names AS SELECT name FROM parts;
"""


@pytest.fixture
def shop(tmp_path, servers):
    return servers.sqlite_dsn(sqlite_of(tmp_path / "shop.db", SHOP))


def test_tables_become_routes_with_their_keys_and_parents(shop):
    reading = read(Request(shop, "shop"))
    routes = {
        (each.operation, each.parent and (each.parent.name or each.parent.resource)): each
        for each in reading.operations
    }
    assert {name for name, _ in routes} == {
        *(f"{table}.{verb}" for table in ("makers", "parts") for verb in ("list", "get", "insert", "update", "delete")),
        *(f"tags.{verb}" for verb in ("list", "get", "insert", "delete")), "log.list", "names.list",
    }  # fmt: skip
    below = routes["parts.list", "makers"]
    assert below.parent is not None
    assert dict(below.parent.columns) == {"country": "country", "number": "number"}
    assert "country" not in below.filters
    assert {("parts.list", "parts_by_other"), ("parts.list", "parts_by_spare"), ("tags.list", "parts")} <= set(routes)
    get = routes["makers.get", None]
    assert (get.key, get.input["required"], get.effect, get.shape) == (
        ("country", "number"),
        ["country", "number"],
        Effect.READ,
        Shape.GET,
    )
    update = routes["parts.update", None]
    assert update.version == "version"
    assert "taken for the row's version" in update.guess
    assert set(update.input["properties"]) == {"id", "name", "country", "number", "other", "spare"}
    assert set(routes["parts.get", None].expands) == {
        "makers",
        "parts_by_other",
        "parts_of_other",
        "parts_by_spare",
        "parts_of_spare",
        "tags",
    }
    got = routes["parts.get", None]
    assert set(got.output["properties"]) == {*update.input["properties"], "version", *got.expands}
    assert got.version == "version"
    assert "data" not in routes["log.list", None].filters
    assert sum("no key" in each for each in reading.decisions) == 2
    assert reading.config == {"dsn": shop, "read_only": False}
    assert set(reading.files) == {"tables.yaml"}


def test_only_reads_where_only_reads_are_wanted(shop):
    reading = read(Request(shop, "shop", options={"read_only": "true"}))
    assert {each.effect for each in reading.operations} == {Effect.READ}
    assert reading.config == {"dsn": shop}


def test_a_password_never_stands_in_the_configuration(shop, monkeypatch):
    reading = read(Request(f"{shop};Pwd=hush-hush", "my-shop"))
    assert (reading.config["dsn"], reading.variables) == ("env:MY_SHOP_DSN", ("MY_SHOP_DSN",))
    assert "hush" not in str(reading)
    monkeypatch.setenv("X_DSN", shop)
    assert read(Request("env:X_DSN", "shop")).config["dsn"] == "env:X_DSN"


@pytest.mark.parametrize(
    "source",
    ["env:NOT_SET_ANYWHERE", "file:/nowhere/dsn", "Driver=NoSuchDriver;Pwd=hush-hush", "Driver=x;;Pwd={hush-hush", ""],
    ids=["unset", "no file", "no driver", "malformed", "empty"],
)
def test_what_cannot_be_reached_is_told_in_one_sentence(source):
    with pytest.raises(CantImport) as caught:
        read(Request(source, "x"))
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


@contextmanager
def imported(folder: Path, running, monkeypatch, *imports: list[str], **extra: str):
    """A workspace made by `figway init`, with what was imported into it, served."""
    monkeypatch.chdir(folder)
    for name, value in extra.items():
        monkeypatch.setenv(name, value)
    for command in (["init", "."], *(["import", *each] for each in imports), ["check"]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, (command, done.output[-3000:])
    with running.serving(folder, extra=extra) as served:
        yield served


def routes_of(folder: Path, upstream: str) -> list[tuple[str, str, str, dict[str, Any]]]:
    """(operation, method, path, binding) of the contract, which may stand in several files."""
    found = []
    for file in sorted((folder / "openapi").glob("*.yaml")):
        for path, item in yaml.safe_load(file.read_text())["paths"].items():
            for method, made in item.items():
                bound = made.get("x-gateway", {}).get("legacy", {}) if isinstance(made, dict) else {}
                if bound.get("upstream") == upstream:
                    found.append((bound["operation"], method, path, bound))
    return found


def pages(client, path: str) -> list[dict[str, Any]]:
    rows, target = [], f"{path}?limit=200"
    while target:
        reply = client.get(target)
        assert reply.status_code == 200, (target, reply.text)
        rows += reply.json()["items"]
        target = reply.json()["next"]
    return rows


def plain(value: Any) -> Any:
    """A value as any client prints it, to compare."""
    if isinstance(value, str):
        return re.sub(r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)Z?$", r"\1 \2", value)
    return str(value) if value is not None and not isinstance(value, int) else value


def number(value: Any) -> Any:
    """A decimal as a number, whatever its places."""
    return float(value) if isinstance(value, str) and re.fullmatch(r"-?\d+\.\d+", value) else value


def every_row_is_equal(served, folder: Path, dsn: str, step: int) -> tuple[int, int]:
    """Rows of all tables, and lists below parents, that are what plain SQL answers; each `step`th row by key, too."""
    tables = yaml.safe_load((folder / "openapi/sources/erp/tables.yaml").read_text())["tables"]
    routes = routes_of(folder, "erp")
    compared = below = 0
    quote = "`" if "maodbc" in dsn else '"'
    with closing(pyodbc.connect(dsn, autocommit=True)) as connection, served.client(served.reader) as client:
        if "maodbc" in dsn:  # whose wide text is cut short by some letters
            connection.setdecoding(pyodbc.SQL_WCHAR, encoding="utf-8")
            connection.setdecoding(pyodbc.SQL_CHAR, encoding="utf-8")
            connection.setencoding(encoding="utf-8")
        for name, table in tables.items():
            columns = [column["name"] for column in table["columns"]]
            named = [f"{quote}{column}{quote}" for column in columns]
            keys = ", ".join(f"{quote}{key}{quote}" for key in table["primary_key"])
            sql = f"SELECT {', '.join(named)} FROM {quote}{table.get('table', name)}{quote} ORDER BY {keys}"
            wanted = [dict(zip(columns, map(plain, row), strict=True)) for row in connection.execute(sql).fetchall()]
            (path,) = (path for operation, _, path, _ in routes if operation == f"{name}.list" and "{" not in path)
            rows = [{key: plain(value) for key, value in row.items()} for row in pages(client, path)]
            assert [{k: number(v) for k, v in row.items()} for row in rows] == [
                {k: number(v) for k, v in row.items()} for row in wanted
            ], name
            (one,) = (path for operation, method, path, _ in routes if operation == f"{name}.get" and method == "get")
            for row in rows[::step]:
                given = iter(str(row[key]) for key in table["primary_key"])
                reply = client.get(re.sub(r"\{[^}]*\}", lambda _, given=given: next(given), one))
                assert {key: plain(value) for key, value in reply.json().items()} == row
            compared += len(rows)
            below += lists_below(
                client, [each for each in routes if each[0] == f"{name}.list" and "{" in each[2]], rows, step
            )
    return compared, below


def lists_below(client, nested, rows, step: int) -> int:
    """How many lists below a parent hold the rows that refer to it, of each `step`th parent."""
    for _, _, path, bound in nested:
        columns = re.findall(r"\['([^']*)', 'eq', path\.", bound["input"]["where"])
        groups: dict[tuple[Any, ...], list[Any]] = {}
        for row in rows:
            groups.setdefault(tuple(row[column] for column in columns), []).append(row)
        for key, wanted in list(groups.items())[::step]:
            if None in key:
                continue
            values = iter(map(str, key))
            found = pages(client, re.sub(r"\{[^}]*\}", lambda _, values=values: next(values), path))
            assert [{name: plain(value) for name, value in row.items()} for row in found] == wanted, (path, key)
    return len(nested)


@pytest.fixture(scope="session")
def sample(tmp_path_factory, servers) -> Path:
    corpus = os.environ.get("FIGWAY_CORPUS")
    if not corpus:
        pytest.skip("FIGWAY_CORPUS is not set: the sample database isn't here")
    copy = tmp_path_factory.mktemp("chinook") / "chinook.sqlite"
    shutil.copyfile(Path(corpus) / "chinook/Chinook_Sqlite.sqlite", copy)
    return copy


# Rows of all tables, and foreign keys of which each leads to a list below its parent.
ALL = (15607, 11)


def test_the_sample_database_answers_as_it_is(tmp_path, running, monkeypatch, servers, sample):
    dsn = servers.sqlite_dsn(sample)
    with imported(tmp_path, running, monkeypatch, ["odbc", dsn, "--upstream", "erp"]) as served:
        assert every_row_is_equal(served, tmp_path, dsn, 400) == ALL


def _loaded(server: Any, folder: Path) -> str:
    if server.kind == "mariadb":
        script = (folder / "Chinook_MySql.sql").read_text(encoding="utf-8-sig")
        server.sql("SET sql_mode = 'NO_BACKSLASH_ESCAPES';" + script)
        return str(server.dsn.replace("Database=app", "Database=Chinook"))
    # PostgreSQL reads N'…' as CHAR, and would cut the blanks that some of the data end in.
    script = re.sub(r"([(,]\s*)N'", r"\1'", (folder / "Chinook_PostgreSql.sql").read_text(encoding="utf-8-sig"))
    server.sql(script.replace("\\c chinook;", "\\c chinook"))
    return str(server.dsn.replace("Database=postgres", "Database=chinook"))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ["sqlite", "postgres", "mariadb"])
def test_every_row_of_the_sample_database_by_key_on_each_engine(
    request, tmp_path, running, monkeypatch, servers, sample, engine
):
    if engine == "sqlite":
        dsn = servers.sqlite_dsn(sample)
    else:
        dsn = _loaded(request.getfixturevalue(engine), Path(os.environ["FIGWAY_CORPUS"]) / "chinook")
    with imported(tmp_path, running, monkeypatch, ["odbc", "env:ERP_DSN", "--upstream", "erp"], ERP_DSN=dsn) as served:
        assert every_row_is_equal(served, tmp_path, dsn, 1) == ALL


@pytest.mark.slow
def test_a_thousand_tables(tmp_path, servers):
    columns = ", ".join(f"c{at} TEXT" for at in range(18))
    tables = [
        f"CREATE TABLE t{at} (id INTEGER PRIMARY KEY, {columns}, p INT REFERENCES t{max(at - 1, 0)});"
        for at in range(1000)
    ]
    dsn = servers.sqlite_dsn(sqlite_of(tmp_path / "big.db", "\n".join(tables)))
    started = time.process_time()
    reading = read(Request(dsn, "big"))
    print(f"{len(reading.operations):,} routes in {time.process_time() - started:.1f} s of processor time")
    assert len(reading.operations) == 6000
    assert sum(each.parent is not None for each in reading.operations) == 1000
