"""What the parse check of reads lets pass changes nothing, as the databases themselves judge.

Statements are put together from fragments of a grammar that knows every way to write that we do. SQLite's authorizer
says what a statement would do; PostgreSQL gives a transaction a number as soon as it writes.
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Callable, Iterator

import pyodbc
import pytest

from adapters.errors import ConfigError
from adapters.odbc.dialects import DIALECTS
from adapters.odbc.headers import read_query
from adapters.odbc.named import prepare

SEED = 20261121
QUICK, SLOW = 1_500, 170_000

GRAMMAR = {
    "statement": [
        "{query}",
        "{query}",
        "{query}; {write}",
        "{write}",
        "WITH x AS ({write}) {query}",
        "WITH x AS ({query}) {write}",
        "WITH x AS ({query}) {query}",
        "EXPLAIN ANALYZE {write}",
        "({query})",
        "{query} -- {write}\n",
        "/*{write}*/{query}",
        "{query}/*!; {write}*/",
        "VALUES ({value})",
        "TABLE canary",
        "{query} FOR UPDATE",
        "{query} UNION ALL {query}",
        "PRAGMA user_version = 7",
        "DO $$ BEGIN {write}; END $$",
        "CALL p()",
        "ATTACH 'x' AS y",
        "{query}\x00{write}",
    ],
    "query": [
        "SELECT {value}",
        "SELECT {value} AS a FROM {table}",
        "SELECT {value} FROM {table} WHERE {value} = {value}",
        "SELECT {value} INTO stolen FROM canary",
        "SELECT ({query})",
        "SELECT {value} FROM ({query}) s",
        "SELECT {value}, {value} FROM {table} ORDER BY 1 LIMIT 1",
        "SELECT a FROM canary GROUP BY a HAVING {value} > 0",
    ],
    "write": [
        "INSERT INTO canary VALUES (1)",
        "UPDATE canary SET a = 2",
        "DELETE FROM canary",
        "DROP TABLE canary",
        "INSERT INTO canary VALUES (1) RETURNING a",
        "CREATE TABLE stolen (a int)",
        "CREATE TEMP TABLE s2 AS SELECT 1",
        "TRUNCATE canary",
        "ALTER TABLE canary ADD b int",
        "REPLACE INTO canary VALUES (1)",
        "MERGE INTO canary USING canary c ON true WHEN MATCHED THEN DELETE",
        "COPY canary FROM '/dev/null'",
    ],
    "table": [
        "canary",
        "canary c",
        'canary AS "x;y"',
        "generate_series(1, {value}) a",
        "lateral_write() a",
        "pg_class",
        "(VALUES (1)) v(a)",
        "json_each('[1]')",
        "dblink('x', '{write}') AS t(a int)",
    ],
    "value": [
        "1",
        "a",
        "NULL",
        "'x'",
        "'; {write}; --'",
        "$${write}$$",
        "$t$ {write} $t$",
        "E'\\'; {write}; --'",
        "count(*)",
        "({query})",
        "nextval('counter')",
        "setval('counter', 9)",
        "writes()",
        "public.writes()",
        "pg_catalog.lower('X')",
        "pg_catalog.setval('counter', 7)",
        '"writes"()',
        "writes(1)",
        "lower('x')",
        "pg_notify('a', 'b')",
        "set_config('a.b', 'c', false)",
        "lo_create(0)",
        "query_to_xml('{write}', true, false, '')",
        "pg_advisory_lock(1)",
        "coalesce({value}, {value})",
        "CASE WHEN {value} = {value} THEN {value} END",
        "load_extension('x')",
        "x'41'",
        "U&'\\0061'",
        "'a' || {value}",
        "({value})::text",
        "CAST({value} AS text)",
        "currval('counter')",
        "array[{value}]",
        "txid_current()",
        "pg_current_xact_id()",
        "fts3_tokenizer('x', {value})",
        "writefile('/tmp/x', 'y')",
        "b''",
    ],
}
MISCHIEF = """
DROP TABLE IF EXISTS canary; CREATE TABLE canary (a int); INSERT INTO canary VALUES (1);
DROP SEQUENCE IF EXISTS counter; CREATE SEQUENCE counter;
CREATE OR REPLACE FUNCTION writes() RETURNS int LANGUAGE sql AS 'INSERT INTO canary VALUES (1) RETURNING 1';
CREATE OR REPLACE FUNCTION lateral_write() RETURNS SETOF int LANGUAGE sql
AS 'INSERT INTO canary VALUES (1) RETURNING 1';
"""


def _made(draw: random.Random, name: str, depth: int = 0) -> str:
    """A text of a rule; deep down only those alternatives without a rule of their own."""
    choices = GRAMMAR[name]
    if depth > 5:
        choices = [each for each in choices if "{" not in each] or ["1"]
    text = draw.choice(choices)
    while "{" in text:
        start = text.index("{")
        end = text.index("}", start)
        text = text[:start] + _made(draw, text[start + 1 : end], depth + 1) + text[end + 1 :]
    if draw.random() < 0.1 and text:
        place = draw.randrange(len(text))
        text = (
            text[:place]
            + draw.choice(["'", '"', "`", ";", "--", "/*", "*/", "$$", "\\", "(", ")", "\n", "#"])
            + text[place:]
        )
    return text


def _passed(dialect: str, count: int) -> Iterator[str]:
    """What the check lets pass of so many statements."""
    print("seed", SEED)
    draw = random.Random(SEED)
    for _ in range(count):
        with contextlib.suppress(ConfigError):
            query = read_query("q/a.sql", _made(draw, "statement").encode())
            (prepared,) = prepare(query, DIALECTS[dialect])
            yield prepared.sql


def _on_sqlite(count: int) -> int:
    allowed = {sqlite3.SQLITE_READ, sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE canary (a int)")
    done: list[int] = []

    def judge(action: int, first: str | None, *_: str | None) -> int:
        virtual = action == sqlite3.SQLITE_UPDATE and first in ("sqlite_master", "sqlite_schema")
        if action not in allowed and not virtual:
            done.append(action)
        return sqlite3.SQLITE_OK

    connection.set_authorizer(judge)
    ran = 0
    for sql in _passed("sqlite", count):
        with contextlib.suppress(sqlite3.Error, sqlite3.Warning):
            connection.execute(sql).fetchmany(5)
            ran += 1
        assert not done, sql
    return ran


def _on_postgres(count: int, dsn: str) -> int:
    connection = pyodbc.connect(dsn + ";Protocol=7.4-0", autocommit=False)
    cursor = connection.cursor()
    ran = 0
    for sql in _passed("postgresql", count):
        try:
            cursor.execute(sql)
            cursor.fetchmany(5)
            ran += 1
        except pyodbc.Error:
            connection.rollback()
            continue
        written = cursor.execute("SELECT pg_current_xact_id_if_assigned()::text").fetchone()[0]
        assert written is None, sql
        connection.rollback()
    connection.close()
    return ran


Judge = Callable[[int], int]


@pytest.fixture(params=["sqlite", "postgresql"])
def judged(request: pytest.FixtureRequest) -> Judge:
    """Runs what passes of so many statements, and answers how many the database took."""
    if request.param == "sqlite":
        return _on_sqlite
    postgres = request.getfixturevalue("postgres")
    postgres.sql(MISCHIEF)
    return lambda count: _on_postgres(count, postgres.dsn)


def test_nothing_that_passes_changes_anything(judged: Judge) -> None:
    assert judged(QUICK) > 20


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_nothing_that_passes_in_ten_minutes_changes_anything(judged: Judge) -> None:
    assert judged(SLOW) > 2_000
