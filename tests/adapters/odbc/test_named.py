"""Named SQL: the tokenizer's edge cases, the header, results, procedures, and what a read may not hold."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import BadReply, ConfigError, DoNotRetry, Invalid, NotFound, Refused
from adapters.odbc.dialects import DIALECTS
from adapters.odbc.guard import faults
from adapters.odbc.headers import read_query
from adapters.odbc.named import prepare, rewrite

Q = {"x": "?", "y": "?", "limit": "?", "date": "?"}

REWRITTEN = [
    ("postgres", "SELECT :x", "SELECT ?", ["x"]),
    ("postgres", "SELECT :x::text, :x :: text", "SELECT ?::text, ? :: text", ["x", "x"]),
    ("postgres", "SELECT ':x', \":x\", $$ :x $$, $t$ :x $t$, E'\\' :x'", None, []),
    ("postgres", "SELECT a[1:2], a[1:x], a[lo:x], a[f(1):x], a[:1]", None, []),
    ("postgres", "SELECT a[:x], a[1: :x], a[:x:2]", "SELECT a[?], a[1: ?], a[?:2]", ["x", "x", "x"]),
    ("postgres", "SELECT 1 -- :x ' \n, :y /* :x /* */ */ ;", "SELECT 1 , ?", ["y"]),
    ("postgres", "SELECT :limit,:date FROM t LIMIT :x", "SELECT ?,? FROM t LIMIT ?", ["limit", "date", "x"]),
    ("postgres", "SELECT a->>'b:x', a @> '{\"k\":1}'", None, []),
    ("mysql", "SELECT 'it\\'s :x', \":x\", `:x` # :x\n, :y", "SELECT 'it\\'s :x', \":x\", `:x` , ?", ["y"]),
    ("mysql", "SELECT '' ':x' , :x", "SELECT '' ':x' , ?", ["x"]),
    ("postgres", "CALL p(:x, ':x', $$;$$)", "CALL p(?, ':x', $$;$$)", ["x"]),
    ("mysql", "CALL p(:x, ':x')", "CALL p(?, ':x')", ["x"]),
    ("sqlite", "SELECT [a:x], \"b\"\":x\", 'c'':x', :x", "SELECT [a:x], \"b\"\":x\", 'c'':x', ?", ["x"]),
]


@pytest.mark.parametrize(("grammar", "text", "expected", "markers"), REWRITTEN)
def test_only_parameters_are_rewritten(grammar, text, expected, markers):
    prepared = rewrite(text, Q, grammar)
    assert list(prepared.markers) == markers
    assert prepared.sql == (text.replace(":x", "?") if expected is None and markers else expected or text)


@pytest.mark.parametrize("grammar", ["postgres", "mysql", "sqlite", ""])
@pytest.mark.parametrize(
    "text",
    [
        "SELECT :z",
        "SELECT 1; SELECT 2",
        "SELECT a ? b",
        "SELECT {fn now()}",
        "SELECT :",
        "SELECT :1",
        "",
        ";",
        "SELECT 'x",
        "CALL p(); SELECT 2",
        "CALL p(:z)",
    ],
)
def test_what_can_not_be_rewritten_is_refused(grammar, text):
    query = (
        read_query("q/a.sql", b"-- param x: text\n-- param y: text\n" + (text or "--").encode() + b"\n")
        if text
        else None
    )
    with pytest.raises(ConfigError) as refused:
        prepare(query, next(d for d in DIALECTS.values() if d.grammar == grammar)) if query else read_query(
            "a.sql", b""
        )
    assert all(problem.file and problem.line for problem in refused.value.problems)


def test_a_statement_that_the_driver_would_garble_is_refused():
    query = read_query("q/a.sql", "SELECT 'ü' -- é".encode())
    with pytest.raises(ConfigError):
        prepare(query, DIALECTS["mariadb"])
    assert prepare(query, DIALECTS["postgresql"])[0].sql == "SELECT 'ü'"
    assert prepare(read_query("q/a.sql", "SELECT 1 -- é".encode()), DIALECTS["mariadb"])[0].sql == "SELECT 1"


def test_a_disguised_statement_and_a_false_comment_are_refused_in_mariadb():
    for text in ("SELECT 1 /*!50000 UNION SELECT 2 */", "SELECT 1 /*M! , 2 */", "SELECT 5--:x", "SELECT 1 /*! :x"):
        query = read_query("q/a.sql", text.encode())
        with pytest.raises(ConfigError):
            prepare(query, DIALECTS["mariadb"])


PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@settings(deadline=None, database=None, max_examples=300)
@given(
    st.lists(st.one_of(PLAIN.map(lambda text: ("literal", text)), st.just(("parameter", "x"))), min_size=1, max_size=6)
)
def test_literals_pass_unchanged_and_parameters_are_bound_in_order(parts):
    """SQLite itself is the judge: the rewritten statement answers the literals as written and the values as bound."""
    text = "SELECT " + ", ".join(_literal(value) if kind == "literal" else ":x" for kind, value in parts)
    prepared = rewrite(text + " -- :x '", {"x": "?"}, "sqlite")
    values = [f"value {number} :x ? '" for number in range(len(prepared.markers))]
    row = sqlite3.connect(":memory:").execute(prepared.sql, values).fetchone()
    expected = iter(values)
    assert list(row) == [value if kind == "literal" else next(expected) for kind, value in parts]


@settings(deadline=None, database=None, max_examples=300)
@given(st.text(st.sampled_from(list("':\"?$;-/*[]{}xe \n\\`#")), max_size=30))
def test_no_text_makes_the_reader_do_anything_but_answer_or_refuse(text):
    for dialect in DIALECTS.values():
        try:
            query = read_query("q/a.sql", ("SELECT " + text).encode())
            (prepared,) = prepare(query, dialect)
        except ConfigError:
            continue
        assert ";" not in prepared.sql or any(quote in prepared.sql for quote in "'\"`$[")


HOLES = [
    "WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x", "DELETE FROM t", "SELECT * INTO t2 FROM t",
    "SELECT * FROM t FOR UPDATE", "SELECT nextval('s')", "SELECT set_config('transaction_read_only', 'off', false)",
    "SELECT pg_catalog.set_config('a', 'b', false)", 'SELECT "pg_sleep"(1)', "SELECT lo_import('/etc/passwd')",
    "SELECT * FROM dblink('x', 'y') AS t(a int)", "SELECT query_to_xml('DELETE FROM t', true, true, '')",
    "COPY t TO PROGRAM 'x'", "SET default_transaction_read_only = off", "CALL p()", "EXPLAIN ANALYZE DELETE FROM t",
    "SELECT evil.lower('x')", "SELECT * FROM ROWS FROM (pg_sleep(1))", "DO $$ BEGIN END $$", "BEGIN", "TRUNCATE t",
    "VACUUM", "SELECT pg_read_file('x')", "SELECT 1 UNION SELECT txid_current() FROM f()", "SELECT (SELECT evil())",
]  # fmt: skip
MORE_HOLES = [
    ("mysql", "SELECT 1 INTO OUTFILE '/tmp/x'"), ("mysql", "SELECT a INTO @x FROM t"), ("mysql", "SELECT @x := 5"),
    ("mysql", "SELECT load_file('/etc/passwd')"), ("mysql", "SELECT get_lock('a', 1), sleep(5)"),
    ("mysql", "SELECT * FROM t LOCK IN SHARE MODE"), ("mysql", "HANDLER t OPEN"), ("mysql", "SELECT NEXT VALUE FOR s"),
    ("sqlite", "SELECT load_extension('x')"), ("sqlite", "PRAGMA query_only = OFF"), ("sqlite", "ATTACH 'x' AS y"),
    ("sqlite", "SELECT writefile('x', 'y')"),
]  # fmt: skip


@pytest.mark.parametrize(("grammar", "sql"), [*(("postgres", hole) for hole in HOLES), *MORE_HOLES])
def test_what_is_no_harmless_query_does_not_pass_for_a_read(grammar, sql):
    assert list(faults(sql, grammar, frozenset()))


@pytest.mark.parametrize(
    ("grammar", "sql"),
    [
        ("postgres", "SELECT count(*) FILTER (WHERE a > ?), date_trunc('day', b), to_char(b, 'YYYY'), a->>'x' FROM t"),
        ("postgres", "WITH x AS (SELECT 1 AS a) SELECT row_number() OVER (ORDER BY a) FROM x UNION ALL VALUES (2)"),
        ("postgres", "SELECT x FROM t WHERE y = ANY(string_to_array(?, ',')) ORDER BY 1 LIMIT ?"),
        ("mysql", "SELECT ifnull(a, b), date_format(c, '%Y'), group_concat(a) FROM t GROUP BY c WITH ROLLUP"),
        ("sqlite", "SELECT strftime('%Y', a), total(b), julianday('now') FROM t"),
    ],
)
def test_queries_pass(grammar, sql):
    assert list(faults(sql, grammar, frozenset())) == []


def test_the_author_may_vouch_for_a_function():
    assert list(faults("SELECT shelf_of(1), inv.shelf(2)", "postgres", {"shelf_of", "inv.shelf"})) == []


HEADER = """-- An ordinary comment.
-- description: What runs low
-- effect: read
-- result: one
-- param sku: text(20)
-- param below: integer null
-- column d: decimal(8,2)

SELECT :sku AS sku, :below AS below, 1.5 AS d
"""


async def test_a_header_types_parameters_and_results(sqlite, make, soon):
    adapter = make(sqlite, queries={"low": HEADER})
    operation = adapter.operations()["low"]
    assert operation.description == "What runs low"
    assert operation.input["required"] == ["sku"]
    assert operation.input["properties"]["below"]["type"] == ["integer", "null"]
    result = await adapter.invoke("low", {"sku": "ü😀", "below": None}, soon())
    assert result.value == {"sku": "ü😀", "below": None, "d": "1.50"}
    assert [(each.system, each.object) for each in result.sources] == [("erp", "low")]
    for wrong in ({}, {"sku": 5}, {"sku": "x" * 21}, {"sku": "a", "below": "x"}, {"sku": "a", "more": 1}):
        with pytest.raises(Invalid):
            await adapter.invoke("low", wrong, soon())


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("-- param a: varchar\nSELECT :a", 1),
        ("-- description: x\n-- effect: reed\nSELECT 1", 2),
        ("-- result: some\nSELECT 1", 1),
        ("-- param a: text\n-- param a: text\nSELECT :a", 2),
        ("-- param a: text\nSELECT 1", 2),
        ("-- x\n\nSELECT 1\nFROM t\nWHERE b = :nope", 5),
        ("-- effect: read\nDELETE FROM t", 2),
        ("-- only this", 1),
    ],
)
def test_faults_are_named_by_file_and_line(sqlite, make, text, line):
    with pytest.raises(ConfigError) as refused:
        make(sqlite, queries={"a": text})
    (problem,) = refused.value.problems
    assert (problem.file, problem.line) == ("openapi/sources/erp/queries/a.sql", line)


async def test_results(database, make, soon):
    adapter = make(
        database,
        queries={
            "many": "SELECT 1 AS a UNION ALL SELECT 2",
            "one": "-- result: one\nSELECT 1 AS a",
            "none": "-- result: one\nSELECT 1 AS a WHERE 1 = 0",
            "two": "-- result: one\nSELECT 1 AS a UNION ALL SELECT 2",
            "twice": "SELECT 1 AS a, 2 AS a",
        },
    )
    assert (await adapter.invoke("many", {}, soon())).value == {"items": [{"a": 1}, {"a": 2}], "next": None}
    assert (await adapter.invoke("one", {}, soon())).value == {"a": 1}
    for name, kind in (("none", NotFound), ("two", BadReply), ("twice", BadReply)):
        with pytest.raises(kind):
            await adapter.invoke(name, {}, soon())


async def test_a_time_without_zone_is_no_guess(postgres, make, soon):
    database = type("D", (), {"dsn": postgres.dsn})
    text = "SELECT TIMESTAMP '2024-07-01 12:00' AS at"
    queries = {
        "bare": text,
        "declared": "-- column at: timestamp\n" + text,
        "instant": "-- column at: timestamptz\n" + text,
    }
    adapter = make(database, queries=queries, time_zone="Europe/Berlin")
    with pytest.raises(BadReply):
        await adapter.invoke("bare", {}, soon())
    assert (await adapter.invoke("declared", {}, soon())).value["items"] == [{"at": "2024-07-01T10:00:00Z"}]
    assert (await adapter.invoke("instant", {}, soon())).value["items"] == [{"at": "2024-07-01T12:00:00Z"}]


async def test_the_session_refuses_what_the_parser_let_pass(server, make, soon):
    """A function that the author vouched for and that writes."""
    server.fresh("log", "id INT")
    if server.kind == "postgresql":
        server.run(
            "CREATE OR REPLACE FUNCTION sneak() RETURNS int LANGUAGE sql AS 'INSERT INTO log VALUES (1) RETURNING 1';"
        )
    else:
        server.run("DROP FUNCTION IF EXISTS sneak;\nDELIMITER //\nCREATE FUNCTION sneak() RETURNS INT DETERMINISTIC"
                   " BEGIN INSERT INTO log VALUES (1); RETURN 1; END//")  # fmt: skip
    adapter = make(server, queries={"sneak": "-- function: sneak\nSELECT sneak() AS a"})
    with pytest.raises((Refused, DoNotRetry)):
        await adapter.invoke("sneak", {}, soon())
    assert server.run("SELECT count(*) FROM log;").strip() == "0"


async def test_procedures_are_called_and_drained(server, make, soon):
    server.fresh("calls", "id INT")
    if server.kind == "postgresql":
        server.run("CREATE OR REPLACE PROCEDURE twice(a int, INOUT b int DEFAULT 0) LANGUAGE plpgsql AS"
                   " 'BEGIN INSERT INTO calls VALUES (a); b := a * 2; END';")  # fmt: skip
    else:
        server.run("DROP PROCEDURE IF EXISTS twice;\nDELIMITER //\nCREATE PROCEDURE twice(a INT) BEGIN INSERT INTO"
                   " calls VALUES (a); SELECT a * 2 AS b; SELECT 'more' AS c; END//")  # fmt: skip
    query = "-- effect: write\n-- result: one\n-- param a: integer\nCALL twice(:a)"
    adapter = make(server, queries={"twice": query}, concurrency=1)
    for number in (1, 2, 3):
        assert (await adapter.invoke("twice", {"a": number}, soon())).value == {"b": number * 2}
    assert server.run("SELECT count(*) FROM calls;").strip() == "3"
