"""Configuration: every fault named, offline, with its file and line; secrets only by reference."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters import registry
from adapters.contract import Workspace
from adapters.errors import ConfigError, Unavailable
from adapters.odbc.config import Config
from adapters.odbc.dialects import POSTGRESQL, SQLITE
from adapters.odbc.session import connection_string
from adapters.odbc.source import attributes, faults
from adapters.odbc.tables import read_tables
from adapters.secret import Reference


@pytest.mark.parametrize("dsn", ["Driver=x;PWD=geheim", "Driver=x; Password = geheim;", "DSN=a;pwd=geheim"])
def test_a_literal_password_is_refused_and_not_repeated(dsn):
    with pytest.raises(ValidationError) as refused:
        Config(dsn=dsn)
    assert "reference" in str(refused.value)
    assert "geheim" not in str(refused.value)
    assert "geheim" not in repr(Config(dsn=Reference(dsn, "env:ERP_DSN")))


@pytest.mark.parametrize(
    "more",
    [
        {"dialect": "oracle"},
        {"concurrency": 0},
        {"time_zone": "Mars/Olympus"},
        {"pool": 4},
        {"time_zone": "../x"},
        {"time_zone": "Europe"},
    ],
)
def test_unknown_keys_and_values_are_refused(more):
    with pytest.raises(ValidationError):
        Config(dsn="erp", **more)


def _problems(tmp_path, files=None, **config):
    kind = registry.kind("odbc")
    with pytest.raises(ConfigError) as refused:
        kind.build("erp", kind.config(**config), Workspace(files or {}, tmp_path))
    return refused.value.problems


def test_what_this_machine_does_not_have_is_named(tmp_path):
    for dsn, word in (
        ("Driver={No Such Driver};Server=x", "No Such Driver"),
        ("Driver=/usr/lib/none.so", "/usr/lib/none.so"),
        ("no_such_source", "no_such_source"),
        ("DSN=no_such_source", "no_such_source"),
        ("Driver={No Such Driver};PWD={a;b}}c}", "No Such Driver"),
        ("Server=x;Port=1", "Driver="),
    ):
        (problem,) = _problems(tmp_path, dsn=Reference(dsn, "env:ERP_DSN"))
        assert problem.where == "/dsn"
        assert word in problem.message


BROKEN = b"""tables:
  stock:
    primary_key: [nope]
    columns:
      - {name: sku, type: text}
  other:
    columns:
      - {name: sku, type: varchar}
      - {name: "a\\0b", type: text}
      - {nme: x, type: text}
"""


def test_every_fault_is_named_at_once(tmp_path, servers, sqlite):
    files = {
        "t.yaml": BROKEN,
        "q/one.sql": b"SELECT :x",
        "q/two.sql": b"-- effect: write\nDELETE FROM t",
    }
    problems = _problems(tmp_path, files, dsn=sqlite.dsn, tables="t.yaml", queries="q")
    found = {(problem.file, problem.line) for problem in problems}
    assert {("t.yaml", 3), ("t.yaml", 8), ("t.yaml", 9), ("t.yaml", 10)} <= found
    assert {("q/one.sql", 1), ("q/two.sql", 1)} <= found


MALFORMED = [
    ("", ["is empty"]),
    (" ", ["is empty"]),
    (";", ["this is neither"]),
    ("erp;test", ["this is neither"]),
    ("{erp}", ["this is neither"]),
    ("Driver=x;\nServer=y", ["a line break"]),
    ("Driver={SQLite3;Database=x", ["the value of Driver= isn't closed"]),
    ("Driver={SQLite3}};Database=x", ["the value of Driver= isn't closed"]),
    ("Driver={SQLite3}3;Database=x", ["text follows the closing brace of Driver="]),
    ("Driver=SQLite3};Database=x", ["the value of Driver= holds a brace"]),
    ("Driver=SQLite3;;Database=x", ["part 2 of the connection string is empty"]),
    (";Driver=SQLite3;;", ["part 1 of the connection string is empty", "part 3 of"]),
    ("Driver=SQLite3;geheim;x=1", ["part 2 of the connection string is no KEY=value"]),
    ("Driver=SQLite3;=geheim", ["part 2 of the connection string is no KEY=value"]),
    ("Driver=SQLite3;PWD=a;geheim=;", []),
    ("Driver=;Database=x", ["Driver= is empty"]),
    ("driver={};geheim", ["driver= is empty", "part 2"]),
    ("DSN=", ["DSN= is empty"]),
]


@pytest.mark.parametrize(("dsn", "sentences"), MALFORMED)
def test_every_fault_of_a_connection_string_is_told_without_quoting_it(dsn, sentences):
    told = list(faults(dsn))
    assert len(told) == len(sentences), told
    assert all(part in sentence for part, sentence in zip(sentences, told, strict=True)), told
    assert "geheim" not in "".join(told)


@pytest.mark.parametrize(
    "dsn", ["erp", "Test Source-1", "Driver=x;", "Driver={a;b}}c};PWD={x}};y};Server=h", "Driver=/x.so;PWD=a}b{;A=b=c"]
)
def test_sound_connection_strings_have_no_faults(dsn):
    assert list(faults(dsn)) == []


@settings(deadline=None, max_examples=300, database=None)
@given(st.text(alphabet="aD=;{} \\\n", max_size=30))
def test_any_connection_string_is_sound_or_told(dsn):
    if not list(faults(dsn)):
        assert attributes(dsn)


def test_a_malformed_connection_string_is_a_problem_of_its_key(tmp_path):
    problems = _problems(tmp_path, dsn="Driver=;;Server=x")
    assert [(problem.where, problem.file) for problem in problems] == [("/dsn", None)] * 2


@pytest.mark.parametrize("dsn", [{}, [], 5, None, True])
def test_a_connection_string_that_is_no_text_is_refused(dsn):
    with pytest.raises(ValidationError, match="must be a text"):
        Config(dsn=dsn)


MIXED = b"""tables:
  stock:
    primary_key: [nope, 5]
    colour: blue
    columns:
      - {name: sku, type: varchar, nul: 1}
      - {name: sku, type: text}
  fifth:
    primary_key: [q, a]
    version: w
    columns: [{name: a, type: text, nullable: true}, 7]
    foreign_keys:
      - {columns: [z, a], table: t, references: [b]}
  sixth: {columns: 5, primary_key: 7}
"""


def test_wrong_keys_and_wrong_types_of_tables_are_told_in_one_run():
    with pytest.raises(ConfigError) as refused:
        read_tables("t.yaml", MIXED)
    told = {(problem.line, problem.message.partition(":")[0]) for problem in refused.value.problems}
    assert told == {
        (3, "tables/stock/primary_key/0"),
        (3, "tables/stock/primary_key/1"),
        (4, "tables/stock/colour"),
        (6, "tables/stock/columns/0/type"),
        (6, "tables/stock/columns/0/nul"),
        (7, "tables/stock/columns/1/name"),
        (9, "tables/fifth/primary_key/0"),
        (10, "tables/fifth/version"),
        (11, "tables/fifth/columns/0/nullable"),
        (11, "tables/fifth/columns/1"),
        (13, "tables/fifth/foreign_keys/0/columns/0"),
        (14, "tables/sixth/columns"),
        (14, "tables/sixth/primary_key"),
    }


def test_files_that_are_not_there_are_named(tmp_path, sqlite):
    problems = _problems(tmp_path, dsn=sqlite.dsn, tables="none.yaml", queries="none")
    assert [problem.where for problem in problems] == ["/tables", "/queries"]


@pytest.mark.parametrize("text", [b"tables: [", b"\xff\xfe", b"[]", b"", b"tables: {a: {columns: []}, b: 5}"])
def test_a_file_that_is_no_description_is_named(text):
    with pytest.raises(ConfigError) as refused:
        read_tables("t.yaml", text)
    assert all(problem.file == "t.yaml" and problem.line for problem in refused.value.problems)


async def test_an_unset_reference_builds_and_fails_only_when_opened(tmp_path, make):
    missing = type("D", (), {"dsn": ""})
    adapter = make(missing, "tables: {t: {primary_key: [a], columns: [{name: a, type: text}]}}",
                   dsn=Reference("", "env:ERP_DSN", missing=True))  # fmt: skip
    assert set(adapter.operations()) == {"t.get", "t.list", "t.insert", "t.update", "t.delete"}
    with pytest.raises(Unavailable):
        await adapter.open()


def test_a_query_may_not_take_an_operation_s_name(tmp_path, sqlite):
    files = {
        "openapi/sources/erp/tables.yaml": b"tables: {t: {primary_key: [a], columns: [{name: a, type: text}]}}",
        "openapi/sources/erp/queries/t.get.sql": b"SELECT 1",
    }
    (problem,) = _problems(tmp_path, files, dsn=sqlite.dsn)
    assert problem.file == "openapi/sources/erp/queries/t.get.sql"


def test_connection_strings_keep_what_they_say():
    assert attributes("Driver={a;b};PWD={x}};y};Server=h") == {"driver": "{a;b}", "pwd": "{x}};y}", "server": "h"}
    assert connection_string("erp", None) == "DSN=erp"
    assert "BoolsAsChar=1;Protocol" in connection_string("Driver=x;BoolsAsChar=1", POSTGRESQL)
    assert "NoCreat=1" in connection_string("Driver=x;Database=y", SQLITE)


async def test_the_dialect_is_found_out_when_the_connection_string_does_not_tell(
    postgres, make, soon, tmp_path, monkeypatch
):
    """A data source whose name says nothing."""
    ini = tmp_path / "odbc.ini"
    names = {"Server": "Servername", "Uid": "Username", "Pwd": "Password"}
    lines = [
        (names.get(key, key), "=", value) for key, _, value in (part.partition("=") for part in postgres.dsn.split(";"))
    ]
    ini.write_text("[erp_source]\n" + "".join(f"{key}={value}\n" for key, _, value in lines))
    monkeypatch.setenv("ODBCINI", str(ini))
    database = type("D", (), {"dsn": "erp_source"})
    adapter = make(
        database, queries={"now": "-- function: pg_backend_pid\nSELECT pg_backend_pid() > 0 AS ok"}, dsn="erp_source"
    )
    assert (await adapter.probe(soon())).facts["dialect"] is None
    assert (await adapter.invoke("now", {}, soon())).value["items"] == [{"ok": True}]
    assert (await adapter.probe(soon())).facts["dialect"] == "postgresql"


def test_time_zones_need_nothing_of_the_machine():
    """Slim images have no zone files of their own."""
    config = "from adapters.odbc.config import Config; Config(dsn='erp', time_zone='Europe/Berlin')"
    alone = {**os.environ, "PYTHONTZPATH": ""}
    done = subprocess.run([sys.executable, "-c", config], env=alone, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
