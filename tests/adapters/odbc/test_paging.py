"""Lists: pages by key position under change, NULLs and mixed directions, filters, and hostile names and values."""

from __future__ import annotations

import random
from typing import Any

import pytest

from adapters.errors import Invalid

TABLES = """
tables:
  things:
    primary_key: [id]
    columns:
      - {name: id, type: integer}
      - {name: a, type: integer, nullable: true}
      - {name: t, type: text, nullable: true}
      - {name: d, type: 'decimal(8,2)'}
      - {name: at, type: timestamp, nullable: true}
      - {name: f, type: float, nullable: true}
"""
REAL = {"sqlite": "real", "postgresql": "real", "mariadb": "float"}
TEXT = {"sqlite": "text", "postgresql": 'text COLLATE "C"', "mariadb": "varchar(50) COLLATE utf8mb4_bin"}


def _fill(database: Any, count: int = 60) -> list[dict[str, Any]]:
    columns = f"id INT PRIMARY KEY, a INT, t {TEXT[database.kind]}, d DECIMAL(8,2) NOT NULL, at TIMESTAMP NULL"
    database.fresh("things", f"{columns}, f {REAL[database.kind]}")
    draw = random.Random(7)
    rows = []
    for key in range(count):
        a = draw.choice(["NULL", "1", "2", "3"])
        t = draw.choice(["NULL", "''", "'ä'", "'b'", "'b_%!'"])
        at = draw.choice(["NULL", "'2024-01-01 00:00:00'", "'2024-06-01 12:00:00'"])
        rows.append(f"({key}, {a}, {t}, {draw.randrange(3)}.50, {at}, {draw.choice(['0.1', '0.2', 'NULL'])})")
    database.run(f"INSERT INTO things VALUES {', '.join(rows)};")


async def _walk(adapter, soon, limit, **request) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    after = None
    while True:
        page = (await adapter.invoke("things.list", {"limit": limit, "after": after, **request}, soon())).value
        assert len(page["items"]) <= limit
        items += page["items"]
        after = page["next"]
        if after is None:
            return items
        assert len(items) < 1000


def _sorted(items: list[dict[str, Any]], sort: list[str]) -> list[dict[str, Any]]:
    """The order as the operation promises it: NULL greater than all, then the key."""
    made = sorted(items, key=lambda item: item["id"])
    for term in reversed(sort):
        name = term.removeprefix("-")
        made.sort(key=lambda item, name=name: (item[name] is None, item[name] or _ZERO[name]), reverse=term[0] == "-")
    return made


_ZERO: dict[str, Any] = {"a": 0, "t": "", "d": "", "at": "", "f": 0.0}


@pytest.mark.parametrize(
    "sort", [[], ["a"], ["-a"], ["t", "-a"], ["-t", "d"], ["-d", "-t", "a"], ["at", "-f"], ["-at", "f", "t"], ["-id"]]
)
async def test_pages_joined_are_the_whole_in_order(database, make, soon, sort):
    _fill(database)
    adapter = make(database, TABLES)
    whole = (await adapter.invoke("things.list", {"limit": 1000, "sort": sort}, soon())).value["items"]
    assert len(whole) == 60
    if "id" not in sort and "-id" not in sort:
        # An equal sort leaves the key ascending, also under a descending sort.
        assert [item["id"] for item in whole] == [item["id"] for item in _stable(whole, sort)]
    for limit in (1, 7):
        assert await _walk(adapter, soon, limit, sort=sort) == whole


def _stable(items: list[dict[str, Any]], sort: list[str]) -> list[dict[str, Any]]:
    made = sorted(items, key=lambda item: item["id"])
    for term in reversed(sort):
        name = term.removeprefix("-")
        keyed = {item["id"]: (item[name] is None, item[name] or _ZERO[name]) for item in made}
        values = sorted(set(keyed.values()), reverse=term.startswith("-"))
        made = [item for value in values for item in made if keyed[item["id"]] == value]
    return made


async def test_rows_that_come_and_go_neither_repeat_nor_hide_others(database, make, soon):
    _fill(database)
    adapter = make(database, TABLES)
    seen: list[int] = []
    after, changes = None, 0
    while True:
        request = {"limit": 5, "sort": ["d", "-a"], "after": after}
        page = (await adapter.invoke("things.list", request, soon())).value
        seen += [item["id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
        # The last row of this page goes, as does the first; a row comes that lies behind all and one before all.
        database.run(f"DELETE FROM things WHERE id IN ({seen[-1]}, {seen[0]});")
        database.run(f"INSERT INTO things VALUES ({1000 + changes}, NULL, NULL, -1, NULL, NULL);")
        changes += 1
    assert len(seen) == len(set(seen))
    assert set(range(60)) <= set(seen)


async def test_a_composite_key_pages_and_gets(database, make, soon):
    database.fresh("pairs", "a VARCHAR(5) NOT NULL, b INT NOT NULL, v INT, PRIMARY KEY (a, b)")
    database.run("INSERT INTO pairs VALUES ('x', 1, 1), ('x', 2, 2), ('y', 1, 3), ('y', 2, 4);")
    adapter = make(
        database,
        "tables: {pairs: {primary_key: [a, b], columns: [{name: a, type: text(5)}, {name: b, type: integer},"
        " {name: v, type: integer, nullable: true}]}}",
    )
    page = (await adapter.invoke("pairs.list", {"limit": 3}, soon())).value
    rest = (await adapter.invoke("pairs.list", {"limit": 3, "after": page["next"]}, soon())).value
    assert [item["v"] for item in page["items"] + rest["items"]] == [1, 2, 3, 4]
    assert (await adapter.invoke("pairs.get", {"a": "y", "b": 1}, soon())).value["v"] == 3
    with pytest.raises(Invalid) as refused:
        await adapter.invoke("pairs.get", {"a": "y"}, soon())
    assert refused.value.errors[0].pointer == "/b"


FILTERS = [
    (["a", "eq", 2], lambda row: row["a"] == 2),
    (["a", "eq", "2"], lambda row: row["a"] == 2),
    (["a", "ne", 2], lambda row: row["a"] not in (2, None)),
    (["a", "lt", 2], lambda row: row["a"] == 1),
    (["a", "le", 2], lambda row: row["a"] in (1, 2)),
    (["d", "gt", "0.50"], lambda row: row["d"] != "0.50"),
    (["d", "ge", 1.5], lambda row: row["d"] != "0.50"),
    (["d", "in", ["0.5", "2.50"]], lambda row: row["d"] != "1.50"),
    (["t", "like", "b%"], lambda row: (row["t"] or "").startswith("b")),
    (["t", "like", "b\\_\\%!"], lambda row: row["t"] == "b_%!"),
    (["t", "like", "_"], lambda row: len(row["t"] or "") == 1),
    (["a", "null", True], lambda row: row["a"] is None),
    (["a", "null", False], lambda row: row["a"] is not None),
    (["at", "lt", "2024-01-01T02:00:00+01:00"], lambda row: (row["at"] or "3") < "2024-01-01T01:00:00Z"),
]


async def test_filters(database, make, soon):
    _fill(database)
    adapter = make(database, TABLES)
    whole = (await adapter.invoke("things.list", {"limit": 1000}, soon())).value["items"]
    for condition, holds in FILTERS:
        expected = [row for row in whole if holds(row)]
        assert expected, condition
        assert await _walk(adapter, soon, 9, where=[condition]) == expected, condition
    both = [["a", "eq", 2], ["d", "gt", "0.50"]]
    expected = [row for row in whole if row["a"] == 2 and row["d"] != "0.50"]
    assert await _walk(adapter, soon, 2, where=both, sort=["id"]) == expected


HOSTILE = "1'; DROP TABLE things; --"
BAD = [
    ({"where": [[HOSTILE, "eq", 1]]}, "/where/0"),
    ({"where": [["a", "= 1 OR 1 =", 1]]}, "/where/0"),
    ({"where": [["a", "eq", HOSTILE]]}, "/where/0"),
    ({"where": [["a", "eq", None]]}, "/where/0"),
    ({"where": [["a", "in", []]]}, "/where/0"),
    ({"where": [["a", "in", "1"]]}, "/where/0"),
    ({"where": [["a", "like", "1"]]}, "/where/0"),
    ({"where": [["a", "null", "yes"]]}, "/where/0"),
    ({"where": [["a"]]}, "/where"),
    ({"where": [["a", "eq", 1]] * 51}, "/where"),
    ({"sort": ["a; DROP TABLE things"]}, "/sort/0"),
    ({"sort": ["a", "-a"]}, "/sort/1"),
    ({"sort": [5]}, "/sort/0"),
    ({"limit": 0}, "/limit"),
    ({"limit": 1001}, "/limit"),
    ({"limit": "5; DROP TABLE things"}, "/limit"),
    ({"after": {"sort": ["id"], "at": [HOSTILE]}}, "/after"),
    ({"after": {"sort": ["a", "id"], "at": [1, 1]}}, "/after"),
    ({"after": {"sort": ["id"], "at": []}}, "/after"),
    ({"after": "x"}, "/after"),
]


@pytest.mark.parametrize(("request_", "pointer"), BAD)
async def test_what_a_list_does_not_understand_is_invalid(sqlite, make, soon, request_, pointer):
    _fill(sqlite)
    adapter = make(sqlite, TABLES)
    with pytest.raises(Invalid) as refused:
        await adapter.invoke("things.list", request_, soon())
    assert refused.value.errors[0].pointer == pointer


async def test_hostile_values_are_only_values(database, make, soon):
    _fill(database)
    adapter = make(database, TABLES)
    for value in (
        HOSTILE,
        "\\' OR 1=1 -- ",
        '" OR ""="',
        "`; --",
        "? OR :x",
        "{fn now()}",
        "/*! x */",
        "😀' OR '1'='1",
    ):
        for op in ("eq", "like"):
            found = await adapter.invoke("things.list", {"where": [["t", op, value]]}, soon())
            assert found.value["items"] == []
    assert len(await _walk(adapter, soon, 50)) == 60


async def test_hostile_identifiers_are_only_names(database, make, soon):
    quote = "`" if database.kind == "mariadb" else '"'
    names = {"table": "a b'; --", "key": 'k"`ey', "column": "select * from x; -- '"}
    quoted = {what: quote + name.replace(quote, quote * 2) + quote for what, name in names.items()}
    database.fresh(quoted["table"], f"{quoted['key']} INT PRIMARY KEY, {quoted['column']} VARCHAR(20)")
    adapter = make(
        database,
        f"""
tables:
  odd:
    table: "a b'; --"
    primary_key: ['{names["key"]}']
    columns:
      - {{name: '{names["key"]}', type: integer}}
      - {{name: "{names["column"]}", type: text, nullable: true}}
""",
    )
    row = {names["key"]: 1, names["column"]: "v"}
    assert (await adapter.invoke("odd.insert", row, soon())).value == row
    changed = {**row, names["column"]: "w"}
    assert (await adapter.invoke("odd.update", changed, soon())).value == changed
    listed = await adapter.invoke("odd.list", {"sort": ["-" + names["column"]]}, soon())
    assert listed.value["items"] == [changed]
    await adapter.invoke("odd.delete", {names["key"]: 1}, soon())
    database.run(f"DROP TABLE {quoted['table']};")
