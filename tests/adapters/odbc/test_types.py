"""Every type exact both ways: what was written comes back equal, is what the client prints, and pages."""

from __future__ import annotations

import contextlib
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import BadReply, Invalid
from adapters.odbc import batches, moments, nested
from adapters.odbc.config import Config
from adapters.odbc.introspect import introspect
from adapters.odbc.tables import Column, write_tables
from adapters.odbc.values import ColumnType, decode, encode
from adapters.secret import Reference

POSTGRES = {
    # column: its type, and pairs of what is given and how psql prints that
    "i2": ("smallint", [(-32768, "-32768"), (32767, "32767")]),
    "big": ("bigint", [(-(2**63), str(-(2**63))), (2**63 - 1, str(2**63 - 1))]),
    "num": ("numeric", [("-0." + "0" * 29 + "1", "-0." + "0" * 29 + "1"), ("9" * 60, "9" * 60)]),
    "num2": ("numeric(20,5)", [("123456789012345.12345", "123456789012345.12345"), ("-1.50000", "-1.50000")]),
    "f8": ("double precision", [(5e-324, "5e-324"), (0.1, "0.1")]),
    "b": ("boolean", [(True, "t"), (False, "f")]),
    "c": ("char(5)", [("a b", "a b  "), ("", "     ")]),
    "v": ("varchar(10)", [("𝄞 x ", "𝄞 x "), ("", "")]),
    "d": ("date", [("-0043-03-15", "0044-03-15 BC"), ("+12026-02-28", "12026-02-28")]),
    "tm": ("time", [("23:59:59.999999", "23:59:59.999999"), ("00:00:00", "00:00:00")]),
    "ttz": ("timetz", [("13:45:00.5+05:30", "13:45:00.5+05:30"), ("00:00:00-08", "00:00:00-08")]),
    "ts": ("timestamp", [("0000-12-31T23:59:59.5Z", "0001-12-31 23:59:59.5 BC"),
                         ("0001-01-01T00:00:00Z", "0001-01-01 00:00:00")]),
    "tz": ("timestamptz", [("+10000-01-01T00:00:00Z", "10000-01-01 00:00:00+00"),
                           ("1582-10-15T00:00:00Z", "1582-10-15 00:00:00+00")]),
    "iv": ("interval", [("P-1Y-2M3DT-4H-5M-6.7S", "-1-2 +3 -4:05:06.7"), ("PT0S", "0")]),
    "bin": ("bytea", [("AP8Q", "\\x00ff10"), ("", "\\x")]),
    "u": ("uuid", [("0b0c3d9e-4f6a-4b63-9d0e-2f1a9c3b7d55", "0b0c3d9e-4f6a-4b63-9d0e-2f1a9c3b7d55")] * 2),
    "j": ("json", [({"a": [1, 2.5, None, "𝄞\n"], "b": {}}, '{"a":[1,2.5,null,"𝄞\\n"],"b":{}}'), ([], "[]")]),
    "jb": ("jsonb", [({"z": -(2**63)}, '{"z": -9223372036854775808}'), ("text", '"text"')]),
    "ip": ("inet", [("::1/64", "::1/64"), ("10.0.0.1/32", "10.0.0.1")]),
    "bt": ("bit(4)", [("1010", "1010"), ("0000", "0000")]),
    "vb": ("varbit", [("101", "101"), ("", "")]),
    "m": ("mood", [("a b", "a b"), ("c", "c")]),
    "ia": ("int[]", [([1, None, -2], "{1,NULL,-2}"), ([[1, 2], [3, 4]], "{{1,2},{3,4}}")]),
    "ta": ("text[]", [(["", "NULL", 'q"\\,{}', None], '{"","NULL","q\\"\\\\,{}",NULL}'), ([], "{}")]),
    "na": ("numeric[]", [(["1.10", "-0.5"], "{1.10,-0.5}"), ([None], "{NULL}")]),
    "ba": ("bytea[]", [(["AAE="], '{"\\\\x0001"}'), ([], "{}")]),
    "r": ("int4range", [("[1,5)", "[1,5)"), ("empty", "empty")]),
}  # fmt: skip
MARIADB = {
    "t1": ("tinyint", [(-128, "-128"), (127, "127")]),
    "bu": ("bigint unsigned", [("18446744073709551615", "18446744073709551615"), ("0", "0")]),
    "num": ("decimal(65,30)", [("9" * 35 + "." + "9" * 30, "9" * 35 + "." + "9" * 30),
                               ("-0." + "0" * 29 + "1", "-0." + "0" * 29 + "1")]),
    "f8": ("double", [(0.1, "0.1"), (-1.7976931348623157e308, "-1.7976931348623157e308")]),
    "c": ("char(5)", [("a b", "a b"), ("", "")]),
    "v": ("varchar(10)", [("𝄞 x ", "𝄞 x "), ("Ú", "Ú")]),
    "d": ("date", [("1000-01-01", "1000-01-01"), ("9999-12-31", "9999-12-31")]),
    "tm": ("time(6)", [("23:59:59.999999", "23:59:59.999999"), ("00:00:00", "00:00:00.000000")]),
    "dt": ("datetime(6)", [("1000-01-01T00:00:00.000001Z", "1000-01-01 00:00:00.000001"),
                           ("9999-12-31T23:59:59Z", "9999-12-31 23:59:59.000000")]),
    "y": ("year", [(1901, "1901"), (2155, "2155")]),
    "bin": ("varbinary(20)", [("AP8Q", None), ("", "")]),
    "e": ("enum('a b','c')", [("a b", "a b"), ("c", "c")]),
    "s": ("set('a','b')", [("a,b", "a,b"), ("", "")]),
    "u": ("uuid", [("0b0c3d9e-4f6a-4b63-9d0e-2f1a9c3b7d55", "0b0c3d9e-4f6a-4b63-9d0e-2f1a9c3b7d55")] * 2),
    "i6": ("inet6", [("2001:db8::ff00:42:8329", "2001:db8::ff00:42:8329"), ("::1", "::1")]),
    "bt": ("bit(12)", [("4095", None), ("1", None)]),
}  # fmt: skip
TYPES = {"postgresql": POSTGRES, "mariadb": MARIADB}


@pytest.fixture
async def nasty(server, make):
    """An adapter over the table as introspection describes it, its rows, and what the client should print."""
    types = TYPES[server.kind]
    if server.kind == "postgresql":
        server.run("DROP TABLE IF EXISTS nasty; DROP TYPE IF EXISTS mood; CREATE TYPE mood AS ENUM ('a b', 'c');")
    server.fresh(
        "nasty", "id INT PRIMARY KEY, " + ", ".join(f"{name} {kind} NULL" for name, (kind, _) in types.items())
    )
    tables = await introspect(Config(dsn=Reference(server.dsn, "env:X")))
    rows: list[dict[str, Any]] = [
        {"id": place, **{name: pairs[place][0] for name, (_, pairs) in types.items()}} for place in (0, 1)
    ]
    rows.append({"id": 2, **dict.fromkeys(types)})
    return make(server, write_tables({"nasty": tables["nasty"]})), rows


async def test_what_is_written_comes_back_and_is_what_the_client_prints(nasty, server, soon):
    adapter, rows = nasty
    for row in rows:
        assert (await adapter.invoke("nasty.insert", row, soon())).value == row
        assert (await adapter.invoke("nasty.get", {"id": row["id"]}, soon())).value == row
    assert (await adapter.invoke("nasty.list", {"limit": 10}, soon())).value["items"] == rows
    assert [row async for batch in adapter.bulk("nasty.list", {}, soon()) for row in batch] == rows
    for place in (0, 1):
        for name, (_, pairs) in TYPES[server.kind].items():
            if pairs[place][1] is not None:
                zone = "SET TIME ZONE 'UTC'; SET intervalstyle = 'sql_standard';" if server.kind == "postgresql" else ""
                printed = server.run(f"{zone} SELECT {name} FROM nasty WHERE id = {place};")
                assert printed.removesuffix("\n") == pairs[place][1], name


async def test_pages_in_the_order_of_each_type_are_whole_both_ways(nasty, soon):
    adapter, rows = nasty
    for row in rows:
        await adapter.invoke("nasty.insert", row, soon())
    for name in rows[0]:
        for sort in (name, "-" + name):
            if name in ("j", "jb", "ia", "ta", "na", "ba"):
                with pytest.raises(Invalid):
                    await adapter.invoke("nasty.list", {"limit": 1, "sort": [sort]}, soon())
                continue
            whole = (await adapter.invoke("nasty.list", {"limit": 9, "sort": [sort]}, soon())).value["items"]
            found, page = [], {"next": None}
            for _ in rows:
                request = {"limit": 1, "sort": [sort], "after": page["next"], "before": None}
                page = (await adapter.invoke("nasty.list", request, soon())).value
                found += page["items"]
            assert (found, page["next"]) == (whole, None), sort
            back = [found[-1]]
            while page["previous"] is not None:
                request = {"limit": 1, "sort": [sort], "before": page["previous"]}
                page = (await adapter.invoke("nasty.list", request, soon())).value
                back = page["items"] + back
            assert back == whole, sort


async def test_intervals_of_a_clock(mariadb, make, soon, servers):
    mariadb.sql("DROP TABLE IF EXISTS spans; CREATE TABLE spans (id INT PRIMARY KEY, span TIME(6));")
    columns = "[{name: id, type: integer}, {name: span, type: interval}]"
    adapter = make(mariadb, f"tables: {{spans: {{primary_key: [id], columns: {columns}}}}}")
    for key, span in enumerate(["PT838H59M59S", "PT-838H-59M-59S", "PT0S", "PT-0.5S", "PT30H5.25S"]):
        assert (await adapter.invoke("spans.insert", {"id": key, "span": span}, soon())).value["span"] == span
    for span in ("P1D", "PT1.1234567S", "30:00:00"):
        with pytest.raises(Invalid):
            await adapter.invoke("spans.insert", {"id": 99, "span": span}, soon())


async def test_years_that_a_database_lacks_are_refused_before_any_sql(database, make, soon):
    database.fresh("days", "id INT PRIMARY KEY, day DATE")
    columns = "[{name: id, type: integer}, {name: day, type: date}]"
    adapter = make(database, f"tables: {{days: {{primary_key: [id], columns: {columns}}}}}")
    for day in ("-0043-02-30", "-0000-01-01", "+2026-01-01", "2026-02-30", "0044-03-15 BC"):
        with pytest.raises(Invalid):
            await adapter.invoke("days.insert", {"id": 1, "day": day}, soon())
    if database.kind != "postgresql":
        with pytest.raises(Invalid, match="doesn't fit"):
            await adapter.invoke("days.insert", {"id": 1, "day": "-0043-03-15"}, soon())


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', "[1e999]", "[9223372036854775808]", "[0.1234567890123456789]", "[" * 70 + "]" * 70]
)
async def test_documents_that_json_readers_would_change_are_bad_replies(postgres, make, soon, text):
    postgres.sql(
        "DROP TABLE IF EXISTS docs; CREATE TABLE docs (id int PRIMARY KEY, j json);"
        f"INSERT INTO docs VALUES (1, '{text}');"
    )
    columns = "[{name: id, type: integer}, {name: j, type: json}]"
    adapter = make(postgres, f"tables: {{docs: {{primary_key: [id], columns: {columns}}}}}")
    with pytest.raises(BadReply):
        await adapter.invoke("docs.get", {"id": 1}, soon())


async def test_arrays_that_do_not_start_at_one_are_bad_replies(postgres, make, soon):
    postgres.sql("DROP TABLE IF EXISTS lists; CREATE TABLE lists (id int PRIMARY KEY, a int[]);"
                 "INSERT INTO lists VALUES (1, '[0:1]={1,2}');")  # fmt: skip
    columns = "[{name: id, type: integer}, {name: a, type: 'integer[]'}]"
    adapter = make(postgres, f"tables: {{lists: {{primary_key: [id], columns: {columns}}}}}")
    with pytest.raises(BadReply):
        await adapter.invoke("lists.get", {"id": 1}, soon())
    with pytest.raises(Invalid):
        await adapter.invoke("lists.update", {"id": 1, "a": [[1], [2, 3]]}, soon())


ELEMENTS = st.recursive(st.none() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=8)


@settings(deadline=None, database=None)
@given(st.lists(ELEMENTS, max_size=4))
def test_arrays_come_back_or_are_refused(value):
    kind = ColumnType.parse("text[]")
    try:
        written = encode(kind, value, UTC)
    except ValueError:
        return
    assert decode(kind, written, UTC) == value


@settings(deadline=None, database=None, max_examples=500)
@given(st.text(st.sampled_from(list('{},"\\aN ')), max_size=12))
def test_no_text_makes_the_array_reader_do_anything_but_answer_or_refuse(text):
    with contextlib.suppress(ValueError):
        nested.read_array(text, str)


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@settings(deadline=None, database=None)
@given(JSON)
def test_documents_come_back_equal(value):
    kind = ColumnType.parse("json")
    assert decode(kind, encode(kind, value, UTC), UTC) == value


@settings(deadline=None, database=None)
@given(st.integers(-4712, 12000), st.integers(1, 12), st.integers(1, 28))
def test_dates_of_all_years_come_back(year, month, day):
    sign = "-" if year < 0 else "+" if year > 9999 else ""
    spelt = f"{sign}{abs(year):04d}-{month:02d}-{day:02d}"
    assert moments.read_date(moments.write_date(spelt)) == spelt
    assert moments.far(moments.write_date(spelt)) == (not 1 <= year <= 9999)


RAW = {
    "integer": st.integers(-(2**63), 2**63 - 1) | st.just("7"),
    "decimal(8,2)": st.sampled_from(["1.50", "-0.25", "1.5", "7", "NaN", "", "1.50,2.50", "²"]),
    "decimal(8,0)": st.sampled_from(["1", "-20", "1.5"]),
    "float": st.floats() | st.just("1.5"),
    "text": st.text(max_size=3) | st.just(7),
    "date": st.sampled_from(["2026-01-01", "0044-03-15 BC", "infinity", "2026-02-30", "2020-W01-1", "20200101"]),
    "timestamp": st.sampled_from(["2026-01-01 10:00:00", "2026-01-01 10:00:00.5", "2026-01-01T10:00:00",
                                  "2020-W01-1T00:00:00", "0000-00-00 00:00:00", "2026-01-01 10:00"]),
    "timestamptz": st.sampled_from(["2026-01-01 10:00:00+00", "2026-01-01 10:00:00.25+00", "infinity"]),
}  # fmt: skip


@settings(deadline=None, database=None, max_examples=300)
@given(
    st.sampled_from(sorted(RAW)).flatmap(
        lambda name: st.tuples(st.just(name), st.lists(st.none() | RAW[name], max_size=5))
    )
)
def test_many_values_read_as_one_by_one(drawn):
    written, raw = drawn
    kind = ColumnType.parse(written)

    def each() -> list[Any] | None:
        try:
            return [decode(kind, value, UTC) for value in raw]
        except BadReply:
            return None

    def all_at_once() -> list[Any] | None:
        try:
            column = Column(name="a", type=kind, nullable=True)
            return [item["a"] for item in batches.items([column], [(value,) for value in raw], UTC)]
        except BadReply:
            return None

    def row_by_row() -> list[Any] | None:
        read = batches.one([Column(name="a", type=kind, nullable=True)], UTC)
        try:
            return [read((value,))["a"] for value in raw]
        except BadReply:
            return None

    assert all_at_once() == each() == row_by_row()
