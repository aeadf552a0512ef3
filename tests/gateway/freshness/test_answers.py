"""What a replica answers is what its upstream answers: random questions to both, page by page."""

from __future__ import annotations

import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from adapters import registry
from adapters.changes import Asked
from adapters.contract import Context, Workspace
from adapters.secret import Reference
from gateway.events.answers import indexes
from gateway.events.bindable import Unanswerable
from gateway.events.loads import LoadedFile, keyed
from gateway.events.replicas import ReplicaFile
from gateway.routing.captures import Materialized

SEED = 20261122
_TABLES = """
tables:
  asked:
    primary_key: [grp, id]
    columns:
      - {name: id, type: integer}
      - {name: grp, type: text(8)}
      - {name: note, type: text, nullable: true}
      - {name: qty, type: integer, nullable: true}
      - {name: price, type: "decimal(10,2)", nullable: true}
      - {name: exact, type: "decimal(30,10)", nullable: true}
      - {name: at, type: timestamptz, nullable: true}
      - {name: day, type: date, nullable: true}
      - {name: flag, type: boolean, nullable: true}
      - {name: ratio, type: float, nullable: true}
      - {name: uid, type: uuid, nullable: true}
"""
_CREATE = (
    'DROP TABLE IF EXISTS asked; CREATE TABLE asked (id int, grp text, note text COLLATE "C", qty int, '
    "price numeric(10,2), exact numeric(30,10), at timestamptz, day date, flag boolean, ratio float8, uid uuid, "
    "PRIMARY KEY (grp, id));"
    "INSERT INTO asked SELECT i, chr(97 + i % 3), CASE WHEN i % 5 > 0 THEN chr(65 + i % 26) || '%_*[' || i % 7 END, "
    "CASE WHEN i % 4 > 0 THEN i % 9 - 4 END, CASE WHEN i % 6 > 0 THEN (i % 40 - 20) / 4.0 END, i / 7.0, "
    "CASE WHEN i % 3 > 0 THEN timestamptz '2026-01-01 00:00:00Z' + (i % 20) * interval '0.5 s' END, "
    "date '2026-01-01' + i % 11, i % 2 = 0, (i % 13) / 3.0::float8, "
    "('00000000-0000-0000-0000-0000000000' || lpad(to_hex(i % 50), 2, '0'))::uuid FROM generate_series(1, 200) i;"
)
_FIELDS = ("id", "grp", "note", "qty", "price", "at", "day", "flag", "ratio", "uid")
_PAGE = 1000
_ROUNDS = 400 if os.environ.get("FIGWAY_SLOW") == "1" else 40


class Both:
    """An upstream's table, and the replica of it."""

    def __init__(self, adapter: Any, table: str, file: ReplicaFile) -> None:
        self.adapter, self.table, self._file = adapter, table, file
        form = adapter.form(table)
        self.form, self._name = form, f"up.{table}"

    async def load(self, method: str) -> None:
        file = LoadedFile(self._file_path)
        capture = self.adapter.capture(Asked(self.table, self.table, method))
        file.enrol(self._name, "d")
        file.indexed(self._name, indexes(self.form, ["qty"]))
        file.begin(self._name, "p")
        after = None
        while True:
            page = await capture.page(after, 70, time.monotonic() + 10)
            file.loaded(self._name, keyed(page), None, 0)
            after = page.after
            if after is None:
                break
        file.current(self._name, time.time())  # as changes that are followed beside the load have it
        with pytest.raises(Unanswerable):
            self.kept("list", {"limit": 10})
        file.whole(self._name, time.time())
        file.close()
        await capture.close()

    @property
    def _file_path(self) -> Path:
        return self.path

    path: Path

    async def live(self, verb: str, input: dict[str, Any]) -> Any:
        return (await self.adapter.invoke(f"{self.table}.{verb}", input, Context(time.monotonic() + 10))).value

    def kept(self, verb: Any, input: dict[str, Any]) -> Any:
        return self._file.answer(Materialized(self._name, "d", self.form, verb), input).value

    async def same(self, asked: dict[str, Any]) -> int:
        """Both answer the same pages to the end; how many."""
        pages, live, kept = 0, None, None
        while True:
            theirs = await self.live("list", {**asked, "after": live})
            ours = self.kept("list", {**asked, "after": kept})
            assert ours["items"] == theirs["items"], asked
            assert (ours["next"] is None) == (theirs["next"] is None), asked
            pages, live, kept = pages + 1, theirs["next"], ours["next"]
            if live is None:
                return pages


@asynccontextmanager
async def both(
    kind: str, config: dict[str, Any], files: dict[str, bytes], table: str, method: str, folder: Path
) -> AsyncIterator[Both]:
    built = registry.kind(kind)
    adapter: Any = built.build("erp", built.config(**config), Workspace(files, folder / "cache"))
    file = ReplicaFile(folder / "events.db")
    made = Both(adapter, table, file)
    made.path = folder / "events.db"
    try:
        await made.load(method)
        yield made
    finally:
        file.close()
        await adapter.close()


def _asked(
    rng: random.Random, rows: list[dict[str, Any]], fields: tuple[str, ...], ops: tuple[str, ...]
) -> dict[str, Any]:
    """A random question, whose values some row has."""

    def condition(ops: tuple[str, ...]) -> list[Any]:
        name, op = rng.choice(fields), rng.choice(ops)
        values = [row[name] for row in rng.sample(rows, 6) if row[name] is not None] or [rows[0][fields[0]]]
        if values[0] is rows[0][fields[0]]:
            name = fields[0] if rows[0][name] is None else name
        if op == "null":
            return [name, op, rng.random() < 0.5]
        return [name, op, values if op in ("in", "out") else values[0]]

    sort = [rng.choice(("", "-")) + name for name in rng.sample(fields, rng.randrange(3))]
    asked: dict[str, Any] = {"limit": rng.choice((3, 17, 90)), "sort": sort}
    asked["where"] = [condition(ops) for _ in range(rng.choice((0, 0, 1, 1, 2)))]
    if rng.random() < 0.3:
        visible = tuple(each for each in ops if each != "null")
        asked["rows"] = [
            [condition((*visible, "out")) for _ in range(rng.randrange(3))] for _ in range(rng.randrange(3))
        ]
    return asked


async def test_postgresql(servers: ModuleType, postgres: Any, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    postgres.sql(_CREATE)
    config = {"dsn": Reference(postgres.dsn, "env:DSN")}
    files = {"openapi/sources/erp/tables.yaml": _TABLES.encode()}
    async with both("odbc", config, files, "asked", "slot", tmp_path) as there:
        rows = (await there.live("list", {"limit": _PAGE}))["items"]
        rng, pages = random.Random(SEED), 0
        for _ in range(_ROUNDS):
            asked = _asked(rng, rows, _FIELDS, ("eq", "ne", "lt", "le", "gt", "ge", "in", "null"))
            pages += await there.same(asked)
        for pattern in ("%", "_%3", "A%", "%\\%%", "%*[_", "%\\_\\*%", "a%"):
            pages += await there.same({"limit": 20, "where": [["note", "like", pattern]]})
        await there.same({"limit": 20, "fields": ["id", "price"]})
        for row in rng.sample(rows, 20):
            key = {"id": row["id"], "grp": row["grp"]}
            assert there.kept("get", key) == await there.live("get", key) == row
        assert there.kept("get", {"id": 9999, "grp": "a"}) is None
        print(f"{pages} pages are the same")
        for asked in (
            {"where": [["exact", "gt", "1.5"]]},
            {"where": [["price", "eq", "1234567890.1234567"]]},
            {"where": [["nothing", "eq", 1]]},
            {"where": [["qty", "eq", "many"]]},
            {"where": [["qty", "magic", 1]]},
            {"sort": ["exact"]},
            {"limit": 0},
            {"before": None},
            {"expand": ["parent"]},
            {"after": {"sort": ["grp", "id"], "at": ["a", 1]}},
            {"after": {"kept": ["id"], "at": [1]}},
        ):
            with pytest.raises(Unanswerable):
                there.kept("list", {"limit": 10, **asked})


async def test_files(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    drop = tmp_path / "drop"
    drop.mkdir()
    lines = [f"{i * 7 % 301},{'xyz'[i % 3]}{i % 5 if i % 4 else ''},{i % 11 - 5}" for i in range(300)]
    (drop / "items.csv").write_text("id,name,n\n" + "\n".join(lines) + "\n")
    columns = {"id": "integer", "name": "text", "n": "integer"}
    dataset = {"match": "items.csv", "format": "csv", "key": "id", "options": {"columns": columns}}
    config = {"root": str(drop), "datasets": {"items": dataset}}
    async with both("files", config, {}, "items", "diff", tmp_path) as there:
        rows = (await there.live("list", {"limit": _PAGE}))["items"]
        rng, pages = random.Random(SEED), 0
        for _ in range(_ROUNDS):
            asked = _asked(rng, rows, ("id", "name", "n"), ("eq", "ne", "lt", "le", "gt", "ge", "in", "null"))
            pages += await there.same(asked)
        for pattern in ("%", "x%", "_3", "X%", "\\%"):
            pages += await there.same({"limit": 20, "where": [["name", "like", pattern]]})
        assert there.kept("get", {"id": 7}) == await there.live("get", {"id": 7})
        with pytest.raises(Unanswerable):
            there.kept("get", {"id": 100_000})
        print(f"{pages} pages are the same")
