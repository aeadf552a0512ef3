"""What drivers don't tell is asked another way: comments, keys not called so, parts, procedures, hostile names."""

from __future__ import annotations

import pytest

from adapters.odbc.config import Config
from adapters.odbc.introspect import introspection
from adapters.odbc.tables import read_tables, write_tables
from adapters.secret import Reference

TABLES = {
    "sqlite": """
DROP TABLE IF EXISTS kids; DROP TABLE IF EXISTS couples; DROP TABLE IF EXISTS loose; DROP VIEW IF EXISTS kid_names;
DROP TABLE IF EXISTS "we ird""; DROP TABLE kids; --"; DROP TABLE IF EXISTS texts;
CREATE TABLE couples (a INT, b VARCHAR(9), note TEXT, PRIMARY KEY (a, b));
CREATE TABLE kids (id INTEGER PRIMARY KEY, pa INT, pb VARCHAR(9), FOREIGN KEY (pa, pb) REFERENCES couples);
CREATE TABLE loose (maybe INT UNIQUE, code VARCHAR(9) NOT NULL, day INT NOT NULL, UNIQUE (code, day));
CREATE UNIQUE INDEX only_some ON loose (day) WHERE day > 5;
CREATE TABLE "we ird""; DROP TABLE kids; --" ("sel ect" INT PRIMARY KEY, "x?y" INT, "o'clock" INT);
CREATE VIEW kid_names AS SELECT id FROM kids;
CREATE VIRTUAL TABLE texts USING fts5(body);
""",
    "postgresql": """
DROP SCHEMA IF EXISTS other CASCADE; DROP TABLE IF EXISTS kids, loose, parted CASCADE;
DROP TABLE IF EXISTS "we ird""; DROP TABLE kids; --";
CREATE SCHEMA other;
CREATE TABLE other.couples (a INT, b VARCHAR(9), note TEXT, PRIMARY KEY (a, b));
CREATE TABLE other.kids (id INT PRIMARY KEY);
CREATE TABLE kids (id INT PRIMARY KEY, pa INT, pb VARCHAR(9), k INT REFERENCES other.kids,
  FOREIGN KEY (pb, pa) REFERENCES other.couples (b, a));
CREATE TABLE loose (maybe INT UNIQUE, code VARCHAR(9) NOT NULL, day INT NOT NULL, UNIQUE (code, day));
CREATE UNIQUE INDEX only_some ON loose (day) WHERE day > 5; CREATE UNIQUE INDEX lowered ON loose (lower(code));
CREATE TABLE "we ird""; DROP TABLE kids; --" ("sel ect" INT PRIMARY KEY, "x?y" INT, "o'clock" INT);
CREATE VIEW kid_names AS SELECT id FROM kids; COMMENT ON VIEW kid_names IS 'Their numbers';
CREATE MATERIALIZED VIEW kept AS SELECT id FROM kids;
CREATE TABLE parted (id INT, day DATE, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parted_old PARTITION OF parted FOR VALUES FROM ('2000-01-01') TO ('2020-01-01');
COMMENT ON TABLE kids IS 'The kids'; COMMENT ON COLUMN kids.pa IS 'Of which pair';
""",
    "mariadb": """
SET FOREIGN_KEY_CHECKS = 0; DROP VIEW IF EXISTS kid_names, broken; DROP TABLE IF EXISTS kids, couples, loose, `größe`;
DROP TABLE IF EXISTS `we ird``; DROP TABLE kids; --`; SET FOREIGN_KEY_CHECKS = 1;
CREATE TABLE couples (a INT, b VARCHAR(9), note TEXT, PRIMARY KEY (a, b));
CREATE TABLE kids (id INT PRIMARY KEY, pa INT COMMENT 'Of which pair', pb VARCHAR(9), `größe` INT,
  FOREIGN KEY (pa, pb) REFERENCES couples (a, b)) COMMENT 'The kids';
CREATE TABLE loose (maybe INT UNIQUE, code VARCHAR(9) NOT NULL, day INT NOT NULL, UNIQUE (code(2)), UNIQUE (code, day));
CREATE TABLE `we ird``; DROP TABLE kids; --` (`sel ect` INT PRIMARY KEY, `x?y` INT, `o'clock` INT);
CREATE TABLE `größe` (id INT PRIMARY KEY);
CREATE VIEW kid_names AS SELECT id FROM kids;
CREATE TABLE gone (id INT); CREATE VIEW broken AS SELECT id FROM gone; DROP TABLE gone;
""",
}
WEIRD = {
    "sqlite": 'we ird"; DROP TABLE kids; --',
    "postgresql": 'we ird"; DROP TABLE kids; --',
    "mariadb": "we ird`; DROP TABLE kids; --",
}


def look(database, **more):
    return introspection(Config(dsn=Reference(database.dsn, "env:X")), **more)


async def test_what_drivers_leave_out_is_asked(database, make, soon):
    database.run(TABLES[database.kind])
    wanted = {"kids", "couples", "loose", "kid_names", "kept", "parted", "parted_old", "public_kids", "other_kids"}
    wanted |= {"größe", "broken", "texts", "texts_data", WEIRD[database.kind]}
    found = look(database, chosen=lambda name: name in wanted)
    kids = "public_kids" if database.kind == "postgresql" else "kids"
    more = {"postgresql": {"kept", "parted", "other_kids"}, "mariadb": set(), "sqlite": {"texts"}}[database.kind]
    assert set(found.tables) == {kids, "couples", "loose", "kid_names", WEIRD[database.kind], *more}
    assert found.views == {"kid_names", *({"kept"} & more)}
    # A unique index over columns that are never null is a key; not one of some rows, of parts or of expressions.
    assert set(found.tables["loose"].primary_key) == {"code", "day"}
    assert found.unique == (set() if database.kind == "mariadb" else {"loose"})  # there it is the key
    keys = {key.table: dict(zip(key.columns, key.references, strict=True)) for key in found.tables[kids].foreign_keys}
    assert keys["couples"] == {"pa": "a", "pb": "b"}
    if database.kind != "sqlite":
        assert found.tables[kids].comment == "The kids"
        assert found.tables[kids].column("pa").comment == "Of which pair"
    if database.kind == "postgresql":
        assert keys["other_kids"] == {"k": "id"}
        assert found.tables["kid_names"].comment == "Their numbers"
    left = dict(found.left_out)
    assert f"{WEIRD[database.kind]}.'x·y'" in left
    if database.kind == "mariadb":
        assert {"kids.'größe'", "größe", "broken"} <= set(left)
    assert read_tables("tables.yaml", write_tables(found.tables).encode()) == found.tables
    adapter = make(database, write_tables(found.tables))
    await adapter.invoke(f"{WEIRD[database.kind]}.insert", {"sel ect": 1, "o'clock": 2}, soon())
    row = (await adapter.invoke(f"{WEIRD[database.kind]}.get", {"sel ect": 1}, soon())).value
    assert row == {"sel ect": 1, "o'clock": 2}
    for name in found.tables:
        assert "items" in (await adapter.invoke(f"{name}.list", {"limit": 5}, soon())).value


async def test_progress_is_told_and_names_can_be_left_out(sqlite):
    sqlite.fresh("a", "id INTEGER PRIMARY KEY")
    sqlite.fresh("b", "id INTEGER PRIMARY KEY")
    told = []
    found = look(sqlite, chosen=lambda name: name != "a", progress=lambda *each: told.append(each))
    assert list(found.tables) == ["b"]
    assert told == [("tables", 0, 1), ("tables", 1, 1)]


PROCEDURES = {
    "postgresql": """
CREATE OR REPLACE PROCEDURE gives(a int, INOUT n bigint, OUT t text, OUT d numeric) LANGUAGE plpgsql
AS $$ BEGIN n := n + a; t := 'x€'; d := 1.50; END $$;
COMMENT ON PROCEDURE gives IS 'Gives
-- effect: read
back';
CREATE OR REPLACE PROCEDURE "do""; it"("p 1" varchar) LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE OR REPLACE PROCEDURE overloaded(a int) LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE OR REPLACE PROCEDURE overloaded(a text) LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE OR REPLACE PROCEDURE lists(a int[]) LANGUAGE plpgsql AS $$ BEGIN END $$;
""",
    "mariadb": """
DROP PROCEDURE IF EXISTS gives; DROP PROCEDURE IF EXISTS `do``; it`;
DELIMITER //
CREATE PROCEDURE gives(a int, INOUT n bigint, OUT t varchar(20), OUT d decimal(5,2)) COMMENT 'Gives
-- effect: read
back'
BEGIN SET n = n + a; SET t = 'x€'; SET d = 1.5; END//
CREATE PROCEDURE `do``; it`(`p 1` varchar(9)) BEGIN END//
""",
}


async def test_procedures_become_named_queries_that_run(server, make, soon):
    server.run(PROCEDURES[server.kind])
    found = look(server, chosen=lambda name: name in ("gives", "overloaded", "lists") or name.startswith("do"))
    assert {each.procedure for each in found.procedures.values()} == {
        "gives",
        WEIRD[server.kind][6].join(("do", "; it")),
    }
    if server.kind == "postgresql":
        assert set(dict(found.left_out)) == {"overloaded", "lists"}
    adapter = make(server, queries={name: each.text for name, each in found.procedures.items()}, concurrency=1)
    assert adapter.operations()["gives"].effect == "write"
    assert adapter.operations()["gives"].description == "Gives -- effect: read back"
    answer = (await adapter.invoke("gives", {"a": 2, "n": 40}, soon())).value
    assert answer["out"] == {"n": 42, "t": "x€", "d": "1.50"}
    odd = next(name for name in found.procedures if name != "gives")
    assert odd == "do_it"
    assert (await adapter.invoke(odd, {"p1": "x"}, soon())).value == {"sets": []}


@pytest.mark.parametrize("schema", ["other", "nowhere"])
async def test_a_schema_narrows(postgres, schema):
    class Server:
        dsn = postgres.dsn

    postgres.sql(TABLES["postgresql"])
    assert set(look(Server, schema=schema).tables) == ({"couples", "kids"} if schema == "other" else set())
