"""The kind `odbc` keeps the rules that all kinds are held to, on each database."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from adapters.changes import Asked
from adapters.secret import Reference
from adapters.testing import AdapterConformance, Changing, Sample, Subject
from adapters.testing.rules import RULES

TABLES = b"""
tables:
  bolts:
    primary_key: [id]
    columns: [{name: id, type: integer}, {name: name, type: text(20)}]
"""
WRITTEN = "SELECT count(*) FROM bolts WHERE id >= 1000;"
SERVERS = [pytest.param(each, marks=pytest.mark.slow) for each in ("postgres", "mariadb")]


def changing(run: Callable[[str], Any]) -> Changing:
    def change(number: int, value: int | None) -> None:
        gone = f"DELETE FROM bolts WHERE id = {number};"
        there = known.get(number) is not None
        put = f"UPDATE bolts SET name = 'v{value}' WHERE id = {number};"
        run(gone if value is None else put if there else f"INSERT INTO bolts VALUES ({number}, 'v{value}');")
        known[number] = value

    known: dict[int, int | None] = dict.fromkeys(range(1, 6), 0)
    run("DELETE FROM bolts;" + "".join(f"INSERT INTO bolts VALUES ({number}, 'v0');" for number in known))
    return Changing(
        asked=Asked("bolts", "bolts", "outbox", "suite"),
        change=change,
        row=lambda number, value: {"id": number, "name": f"v{value}"},
        key=lambda number: (number,),
    )


@pytest.fixture(params=["sqlite", *SERVERS])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    database: Any = request.getfixturevalue(request.param)
    served = request.param != "sqlite"
    run = database.sql if served else database.run
    run("DROP TABLE IF EXISTS bolts; CREATE TABLE bolts (id int PRIMARY KEY, name varchar(20) NOT NULL);")
    run("INSERT INTO bolts VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e');")
    keys = count(1000)

    def config(host: str, port: int) -> dict[str, Any]:
        dsn = re.sub(r"Port=\d+", f"Port={port}", database.dsn)
        return {"dsn": Reference(dsn, "env:BOLTS_DSN") if served else dsn, "read_only": False}

    def written() -> int:
        if served:
            return int(re.findall(r"^\s*(\d+)\s*$", run(WRITTEN), re.MULTILINE)[-1])
        with closing(sqlite3.connect(tmp_path / "base.db")) as connection:
            return int(connection.execute(WRITTEN).fetchone()[0])

    return Subject(
        kind="odbc",
        address=(database.host, database.port) if served else None,
        config=config,
        files={"openapi/sources/subject/tables.yaml": TABLES},
        reads=[Sample("bolts.get", {"id": 1}), Sample("bolts.get", {"id": 2})],
        listed=Sample("bolts.list"),
        write=lambda _: Sample("bolts.insert", {"id": next(keys), "name": "New"}),
        written=written,
        missing=Sample("bolts.get", {"id": 99}),
        invalid=Sample("bolts.insert", {"id": 100, "name": None}),
        changing=lambda: changing(run),
    )


class TestConformance(AdapterConformance):
    """Every rule, on `subject`; but MariaDB's driver keeps a reply whole, and only the deadline bounds that."""

    @pytest.mark.parametrize("rule", RULES)
    def test_rule(self, rule: str, subject: Subject, request: pytest.FixtureRequest) -> None:  # type: ignore[override]
        if rule == "bounded" and "mariadb" in request.node.name:
            with pytest.raises(pytest.fail.Exception, match="64 MiB"):
                super().test_rule(rule, subject)
        else:
            super().test_rule(rule, subject)
