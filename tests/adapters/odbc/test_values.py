"""Values pass both ways unchanged, on every database; what can't is refused."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import BadReply, Invalid
from adapters.odbc.values import ColumnType, decode, encode

NASTY = {
    "sqlite": "id INTEGER PRIMARY KEY, n BIGINT, d DECIMAL(15,4), t TEXT, c CHAR(6), b BOOLEAN, day DATE, clock TIME,"
    " local_at TIMESTAMP, at TIMESTAMP, raw BLOB, f DOUBLE",
    "postgresql": "id integer PRIMARY KEY, n bigint, d numeric(30,4), t text, c char(6), b boolean, day date,"
    " clock time, local_at timestamp, at timestamptz, raw bytea, f double precision",
    "mariadb": "id INT PRIMARY KEY, n BIGINT, d DECIMAL(30,4), t LONGTEXT, c CHAR(6), b BOOLEAN, day DATE,"
    " clock TIME(6), local_at DATETIME(6), at TIMESTAMP(6) NULL, raw LONGBLOB, f DOUBLE",
}
TABLES = """
tables:
  nasty:
    primary_key: [id]
    columns:
      - {name: id, type: integer}
      - {name: n, type: integer, nullable: true}
      - {name: d, type: 'decimal(30,4)', nullable: true}
      - {name: t, type: text, nullable: true}
      - {name: c, type: char(6), nullable: true}
      - {name: b, type: boolean, nullable: true}
      - {name: day, type: date, nullable: true}
      - {name: clock, type: time, nullable: true}
      - {name: local_at, type: timestamp, nullable: true}
      - {name: at, type: timestamptz, nullable: true}
      - {name: raw, type: binary, nullable: true}
      - {name: f, type: float, nullable: true}
"""
FULL = {
    "n": [2**63 - 1, -(2**63), 0, 2**53 + 1],
    "d": ["0.1000", "-12345678901.2345", "0.0000", "99999999999.9999"],
    "t": [
        "",
        "😀 e\u0301 \u202e",
        "'; DROP TABLE nasty; --",
        "a\\'b\"c`d?{e}:f\n\t",
        "x" * 70_000,
        " trailing  ",
        "%_",
    ],
    "c": ["ab", "", "ü😀", "abcdef"],
    "b": [True, False],
    "day": ["0001-01-01", "1582-10-10", "1899-12-31", "9999-12-31", "2024-02-29"],
    "clock": ["00:00:00", "23:59:59.999999", "12:30:00.000001"],
    "local_at": ["1899-12-31T23:59:59Z", "2100-01-01T00:00:00.000001Z", "2024-03-31T01:30:00Z"],
    "at": ["1970-01-02T00:00:00Z", "2037-12-31T23:59:59.999999Z", "2024-10-27T00:30:00Z"],
    "raw": [base64.b64encode(bytes(range(256)) * 400).decode(), "", "AA=="],
    "f": [0.1, 0.1 + 0.2, 1e15 + 0.3, -123456.789e30, 0.0],
}


@pytest.mark.parametrize("time_zone", ["UTC", "Europe/Berlin"])
async def test_every_type_round_trips(database, make, soon, time_zone):
    database.fresh("nasty", NASTY[database.kind])
    adapter = make(database, TABLES, time_zone=time_zone)
    cases = [(name, value) for name, values in FULL.items() for value in values]
    for key, (name, value) in enumerate(cases):
        row = (await adapter.invoke("nasty.insert", {"id": key, name: value}, soon())).value
        assert row[name] == value, name
        assert all(row[other] is None for other in FULL if other != name)
        found = (await adapter.invoke("nasty.list", {"limit": 5, "where": [[name, "eq", value]]}, soon())).value
        assert key in [item["id"] for item in found["items"]], (name, value)
        assert (await adapter.invoke("nasty.update", {"id": key, name: None}, soon())).value[name] is None


async def test_every_character_passes(database, make, soon):
    """Blocks of 500 characters: the whole of Unicode's basic plane, and some beyond."""
    database.fresh("nasty", NASTY[database.kind])
    adapter = make(database, TABLES)
    plane = [*range(1, 0xD800), *range(0xE000, 0x10000), *range(0x1F600, 0x1F650), *range(0x2F800, 0x2FA1E)]
    for key, start in enumerate(range(0, len(plane), 500)):
        text = "".join(map(chr, plane[start : start + 500]))
        assert (await adapter.invoke("nasty.insert", {"id": key, "t": text}, soon())).value["t"] == text
    for length in range(1, 40):
        for text in ("Ú" * length, "é" * length, "付x" * length, "😀" * length):
            row = {"id": 10_000, "t": text}
            assert (await adapter.invoke("nasty.insert", row, soon())).value["t"] == text
            await adapter.invoke("nasty.delete", {"id": 10_000}, soon())


async def test_extreme_doubles_pass_on_servers(server, make, soon):
    server.fresh("nasty", NASTY[server.kind])
    adapter = make(server, TABLES)
    for key, value in enumerate([-1.7976931348623157e308, 2.2250738585072014e-308]):
        assert (await adapter.invoke("nasty.insert", {"id": key, "f": value}, soon())).value["f"] == value


async def test_thirty_digits_pass_where_the_database_keeps_them_and_are_refused_where_not(database, make, soon):
    database.fresh("nasty", NASTY[database.kind])
    adapter = make(database, TABLES)
    long = "12345678901234567890123456.7891"
    if database.kind == "sqlite":
        with pytest.raises(Invalid) as refused:
            await adapter.invoke("nasty.insert", {"id": 1, "d": long}, soon())
        assert refused.value.errors[0].pointer == "/d"
        return
    assert (await adapter.invoke("nasty.insert", {"id": 1, "d": long}, soon())).value["d"] == long
    other = long[:-1] + "2"
    found = await adapter.invoke("nasty.list", {"where": [["d", "eq", other]]}, soon())
    assert found.value["items"] == []


WRONG = [
    ("n", 2**63), ("n", True), ("n", 1.5), ("n", "1e3"), ("n", "²"), ("d", "1.00001"), ("d", "1e5"), ("d", "NaN"),
    ("d", []), ("t", 5), ("t", "a\x00b"), ("t", "\ud800"), ("c", "abcdefg"), ("b", 1), ("b", "true"),
    ("day", "2023-02-29"),
    ("day", "20240101"), ("clock", "25:00:00"), ("clock", "12"), ("local_at", "2024-01-01T00:00:00"), ("at", "today"),
    ("at", "2024-01-01"), ("raw", "a"), ("raw", "ä==="), ("f", float("inf")), ("f", 10**400), ("f", "1"), ("id", None),
    ("id/~", 1),
]  # fmt: skip


async def test_what_does_not_fit_is_refused_before_any_sql(sqlite, make, soon):
    adapter = make(sqlite, TABLES)  # the table doesn't even exist
    for name, value in WRONG:
        with pytest.raises(Invalid) as refused:
            await adapter.invoke("nasty.insert", {"id": 1, name: value}, soon())
        assert [error.pointer for error in refused.value.errors] == ["/" + name.replace("~", "~0").replace("/", "~1")]


async def test_values_that_json_can_not_spell_are_bad_replies_not_guesses(server, make, soon):
    server.fresh("nasty", NASTY[server.kind])
    odd = {
        "postgresql": [
            "d = 'NaN'",
            "day = 'infinity'",
            "f = 'Infinity'",
            "local_at = '-infinity'",
            "clock = '24:00'",
        ],
        "mariadb": ["clock = '-25:00:00'", "b = 5"],
    }
    adapter = make(server, TABLES)
    for key, assignment in enumerate(odd[server.kind]):
        server.run(f"INSERT INTO nasty(id) VALUES ({key}); UPDATE nasty SET {assignment} WHERE id = {key};")
        with pytest.raises(BadReply):
            await adapter.invoke("nasty.get", {"id": key}, soon())
    assert (await adapter.invoke("nasty.insert", {"id": 99}, soon())).value["id"] == 99


async def test_an_instant_in_the_repeated_hour_can_not_go_into_a_column_without_zone(sqlite, make, soon):
    sqlite.fresh("nasty", NASTY["sqlite"])
    adapter = make(sqlite, TABLES, time_zone="Europe/Berlin")
    first = await adapter.invoke("nasty.insert", {"id": 1, "local_at": "2024-10-27T00:30:00Z"}, soon())
    assert first.value["local_at"] == "2024-10-27T00:30:00Z"
    with pytest.raises(Invalid):
        await adapter.invoke("nasty.insert", {"id": 2, "local_at": "2024-10-27T01:30:00Z"}, soon())


async def test_a_column_that_holds_another_type_than_it_declares_is_a_bad_reply(sqlite, make, soon):
    sqlite.fresh("nasty", NASTY["sqlite"])
    sqlite.run("INSERT INTO nasty(id, n) VALUES (1, 'seven'); INSERT INTO nasty(id, day) VALUES (2, 'tomorrow');")
    adapter = make(sqlite, TABLES)
    for key in (1, 2):
        with pytest.raises(BadReply) as bad:
            await adapter.invoke("nasty.get", {"id": key}, soon())
        assert "seven" not in bad.value.message
        assert "tomorrow" not in bad.value.message


@settings(deadline=None, database=None, max_examples=200)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20))
def test_decimals_encode_without_loss(number: Decimal) -> None:
    kind = ColumnType("decimal", 30, 4)
    assert Decimal(encode(kind, format(number, "f"), UTC)) == number
    assert Decimal(decode(kind, number, UTC)) == number


@settings(deadline=None, database=None, max_examples=200)
@given(st.datetimes(min_value=datetime(1000, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)))
def test_instants_come_back_from_a_local_column_or_are_refused(moment: datetime) -> None:
    kind, zone = ColumnType("timestamp"), ZoneInfo("Europe/Berlin")
    try:
        stored = encode(kind, moment.isoformat(), zone)
    except ValueError:
        assert moment.month == 10
        return
    assert datetime.fromisoformat(decode(kind, stored, zone)) == moment


def test_types_are_read_and_written_alike() -> None:
    for written in ("decimal(10,2)", "decimal", "char(8)", "text", "text(40)", "timestamptz"):
        assert str(ColumnType.parse(written)) == written
    for wrong in ("varchar", "char", "decimal(1,2,3)", "integer(4)", "text(", ""):
        with pytest.raises(ValueError, match=r"is no type|wrong number"):
            ColumnType.parse(wrong)
