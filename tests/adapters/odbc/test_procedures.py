"""Named files of several statements, all or nothing, and procedures that give back parameters and result sets."""

from __future__ import annotations

import pytest

from adapters.errors import AdapterError, BadReply, ConfigError

DEFINED = {
    "postgresql": """
CREATE OR REPLACE PROCEDURE gives(a int, INOUT n bigint, OUT t text, OUT d numeric) LANGUAGE plpgsql
AS $$ BEGIN n := n + a; t := 'x€𝄞'; d := 1.50; END $$;
""",
    "mariadb": """
DROP PROCEDURE IF EXISTS gives;
DELIMITER //
CREATE PROCEDURE gives(a int, INOUT n bigint, OUT t varchar(20), OUT d decimal(5,2))
BEGIN SELECT 1 AS one, 'é' AS two UNION ALL SELECT 2, NULL; SELECT n AS three WHERE 1 = 0;
SET n = n + a; SET t = 'x€𝄞'; SET d = 1.5; END//
""",
}
CALLS = {"postgresql": "CALL gives(:a, :n, NULL, NULL)", "mariadb": "CALL gives(:a, :n, :t, :d)"}
HEADER = """-- effect: write
-- result: sets
-- param a: integer
-- param n: integer
-- out n: integer
-- out t: text
-- out d: decimal(5,2)
"""
MORE = {"postgresql": "", "mariadb": "-- param t: text null\n-- param d: decimal(5,2) null\n"}
SETS = {"postgresql": [], "mariadb": [[{"one": 1, "two": "é"}, {"one": 2, "two": None}], []]}


async def test_parameters_come_back_beside_all_result_sets(server, make, soon):
    server.run(DEFINED[server.kind])
    text = HEADER + MORE[server.kind] + CALLS[server.kind]
    adapter = make(server, queries={"gives": text, "other": text.replace("-- out t: text\n", "")}, concurrency=1)
    out = adapter.operations()["gives"].output["properties"]["out"]["properties"]
    assert list(out) == ["n", "t", "d"]
    for number in (2, 2**62):
        answer = (await adapter.invoke("gives", {"a": 1, "n": number}, soon())).value
        assert answer == {"sets": SETS[server.kind], "out": {"n": number + 1, "t": "x€𝄞", "d": "1.50"}}
    with pytest.raises(BadReply, match="doesn't give back"):
        await adapter.invoke("other", {"a": 1, "n": 1}, soon())
    # Its own transaction has ended, so that the one connection still serves.
    assert (await adapter.invoke("gives", {"a": 1, "n": 1}, soon())).value["out"]["n"] == 2


TRANSFER = """-- effect: write
-- result: count
-- param from: integer
-- param to: integer
-- param amount: integer
UPDATE accounts SET balance = balance - :amount WHERE id = :from;
-- nothing of this if the next one fails; a semicolon in a text is none: ';'
INSERT INTO moves (note) VALUES ('a;b');
UPDATE accounts SET balance = balance + :amount WHERE id = :to;
"""


async def test_several_statements_are_all_or_nothing(database, make, soon):
    # No balance may be above 100, nor below 0.
    database.fresh("accounts", "id INT PRIMARY KEY, balance INT NOT NULL CHECK (balance BETWEEN 0 AND 100)")
    database.fresh("moves", "note VARCHAR(10)")
    database.run("INSERT INTO accounts VALUES (1, 50), (2, 90);")
    look = "SELECT (SELECT balance FROM accounts WHERE id = 1) AS a, (SELECT balance FROM accounts WHERE id = 2) AS b,"
    adapter = make(database, queries={"move": TRANSFER, "look": look + " (SELECT count(*) FROM moves) AS n"})
    assert (await adapter.invoke("move", {"from": 1, "to": 2, "amount": 10}, soon())).value == {"rows": 3}
    for wrong in ({"from": 1, "to": 2, "amount": 1}, {"from": 1, "to": 2, "amount": 60}):
        with pytest.raises(AdapterError):
            await adapter.invoke("move", wrong, soon())
        found = (await adapter.invoke("look", {}, soon())).value["items"]
        assert found == [{"a": 40, "b": 100, "n": 1}]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("SELECT 1;\nSELECT 2", 1),
        ("-- effect: write\nUPDATE a SET b = 1;\nUPDATE a SET b = ?", 3),
        ("-- effect: write\n-- out a: text\nCALL p(NULL)", 1),
        ("-- effect: write\n;;", 2),
    ],
)
def test_files_that_mean_too_much_are_refused_by_line(sqlite, make, text, line):
    with pytest.raises(ConfigError) as caught:
        make(sqlite, queries={"wrong": text})
    assert [problem.line for problem in caught.value.problems] == [line]
