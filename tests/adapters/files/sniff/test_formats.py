"""Fixed width, workbooks, DBF, JSON lines and Parquet, told by looking at them and read back equal."""

from __future__ import annotations

import datetime
import io
import json
import zipfile
from decimal import Decimal

import dbf
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.files.sniff.found import CantTell, Sniffed
from adapters.files.sniff.sample import compiled, sample
from adapters.files.sniff.sniff import sniffed


def told(data: bytes, name: str, **given_: str) -> list[tuple[str, Sniffed | CantTell]]:
    return list(sniffed(io.BytesIO(data), name, **given_))


def one(data: bytes, name: str, **given_: str) -> Sniffed:
    ((_, found),) = told(data, name, **given_)
    assert isinstance(found, Sniffed), found
    return found


def read(found: Sniffed, data: bytes):
    return sample(compiled(found.dataset), io.BytesIO(data), len(data)).values


# Fixed width


@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 99999), st.from_regex("[A-Za-z]{1,9}", fullmatch=True), st.integers(1, 10**6)),
        min_size=12,
        max_size=40,
    ),
    header=st.booleans(),
)
def test_columns_of_fixed_width(rows, header):
    cents = [f"{number / 100:.2f}" for _, _, number in rows]
    lines = [
        f"{at:<7}{name:<12}{number:>12}  x" for at, ((_, name, _), number) in enumerate(zip(rows, cents, strict=True))
    ]
    if header:
        lines = [f"{'ID':<7}{'NAME':<12}{'PRICE':>12}  K", *lines]
    data = ("\n".join(lines) + "\n").encode()
    found = one(data, "parts.txt", format="fixed")
    assert [each.options["type"] for each in found.columns] == ["integer", "text", "decimal", "text"]
    if header:
        assert [each.name for each in found.columns] == ["id", "name", "price", "k"]
    values = [list(value.values()) for value in read(found, data)]
    assert values == [[at, name, cents[at], "x"] for at, (_, name, _) in enumerate(rows)]


def test_a_longer_value_than_the_samples_is_never_cut_unseen():
    short = "".join(f"{at:<8}ab{at % 90:>8}\n" for at in range(20)).encode()
    found = one(short, "a.txt", format="fixed")
    assert [(each.options["at"], each.options["width"]) for each in found.columns] == [(1, 8), (9, 2), (11, 8)]
    # Digits that the sample's rows hadn't, to the left of the number; letters where the number begins.
    assert read(found, b"1234567 ab 1234567\n") == [{"column_1": 1234567, "column_2": "ab", "column_3": 1234567}]
    assert read(found, b"1       abcd    17\n") == []


def test_a_ruler_of_dashes_says_where_columns_stand():
    lines = [
        " id | name       | price",
        "----+------------+-------",
        "  1 | a b        |  1.50",
        " 22 | c          | 12.00",
    ]
    data = "\n".join(lines).encode()
    found = one(data, "psql.txt", format="fixed")
    assert read(found, data) == [
        {"id": 1, "name": " a b", "price": "1.50"},
        {"id": 22, "name": " c", "price": "12.00"},
    ]


def test_the_format_is_told_where_the_name_does_not_tell_it():
    assert one(b"a;b\n1;2\n", "x.dat").dataset["format"] == "csv"
    fixed = "".join(f"{at:<5}{'abc':<9}{at * 3:>6}\n" for at in range(30)).encode()
    assert one(fixed, "x.dat").dataset["format"] == "fixed"
    assert one(b'{"a": 1}\n{"a": 2}\n', "x.dat").dataset["format"] == "json_lines"
    with pytest.raises(CantTell, match="save it as"):
        told(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old.xls")


# Workbooks


def _book() -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Sales 2024"
    sheet["B1"] = "Sales, in thousands"
    sheet.merge_cells("B1:G1")
    for place, text in {
        "B3": "Item",
        "C3": "Q1",
        "E3": "Q2",
        "G3": "When",
        "C4": "net",
        "D4": "gross",
        "E4": "net",
        "F4": "gross",
    }.items():
        sheet[place] = text
    for area in ("B3:B4", "C3:D3", "E3:F3", "G3:G4"):
        sheet.merge_cells(area)
    for at in range(30):
        row = [f"A{at}", at * 1.5, at, at * 2.25, None if at == 7 else at * 3, datetime.datetime(2024, 1, 1 + at)]
        for column, value in zip("BCDEFG", row, strict=True):
            sheet[f"{column}{5 + at}"] = value
    return book


def _bytes(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_a_sheet_with_a_title_and_merged_headers():
    data = _bytes(_book())
    found = one(data, "sales.xlsx")
    options = found.dataset["options"]
    assert (options["range"], options["header"]) == ("B3", 2)
    types = {each.name: each.options["type"] for each in found.columns}
    assert types == {
        "item": "text", "q1_net": "decimal", "q1_gross": "integer", "q2_net": "decimal", "q2_gross": "integer",
        "when": "date",
    }  # fmt: skip
    values = read(found, data)
    assert values[7] == {
        "item": "A7", "q1_net": "10.5", "q1_gross": 7, "q2_net": "15.75", "q2_gross": None, "when": "2024-01-08",
    }  # fmt: skip
    assert len(values) == 30
    assert found.key == "item"


def test_each_sheet_is_told_alone_and_a_hopeless_one_says_why():
    book = _book()
    book.create_sheet("Empty")
    plain = book.create_sheet("Länder & Zeiten")
    plain.append(["id", "at", "clock", "ok", "id"])
    for at in range(5):
        plain.append([at, datetime.datetime(2024, 1, 1 + at, 10 if at else 0), datetime.time(10, at), at > 2, None])
    wide = book.create_sheet("Wide")
    wide.append([f"c{at}" for at in range(200)])
    for row in range(40):
        wide.append([row * at for at in range(200)])
    data = _bytes(book)
    found = dict(told(data, "all.xlsx"))
    assert isinstance(found["Empty"], CantTell)
    times = found["Länder & Zeiten"]
    assert isinstance(times, Sniffed)
    assert times.name == "all_lander_zeiten"
    kinds = {each.name: each.options["type"] for each in times.columns}
    assert kinds == {"id": "integer", "at": "datetime", "clock": "time", "ok": "boolean", "id_2": "text"}
    assert read(times, data)[0]["clock"] == "10:00:00.000"
    wide_found = found["Wide"]
    assert isinstance(wide_found, Sniffed)
    assert (len(wide_found.columns), wide_found.key) == (200, "c1")


def test_a_workbook_that_unpacks_without_end_is_refused():
    source = zipfile.ZipFile(io.BytesIO(_bytes(_book())))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for each in source.infolist():
            data = source.read(each)
            if each.filename == "xl/worksheets/sheet1.xml":
                data = data.replace(b"</worksheet>", b" " * (70 * 1024 * 1024) + b"</worksheet>")
            made.writestr(each.filename, data)
    with pytest.raises(CantTell, match="200 times its size"):
        told(out.getvalue(), "bomb.xlsx")


def test_errors_in_cells_are_told_and_not_guessed():
    book = openpyxl.Workbook()
    book.active.append(["id", "n"])
    for at in range(20):
        book.active.append([at, "#DIV/0!" if at == 3 else at])
    book.active["B5"].data_type = "e"
    found = one(_bytes(book), "x.xlsx")
    assert found.bad == 1
    assert "row 5" in found.faults[0]
    assert any(each.of == "records" and each.doubtful for each in found.said)


# Formats that say their types


def test_dbf_fields_have_the_types_of_the_header(tmp_path):
    path = tmp_path / "cust.dbf"
    table = dbf.Table(
        str(path), "cust_no N(8,0); name C(20); since D; active L; balance N(12,2); remark M", codepage="cp1252"
    )
    table.open(mode=dbf.READ_WRITE)
    for at in range(25):
        table.append((at, f"Name {at}", dbf.Date(2024, 1, 1 + at), at % 2 == 0, at * 1.25, "memo"))
    table.close()
    found = one(path.read_bytes(), "cust.dbf")
    kinds = {each.name: each.options["type"] for each in found.columns}
    assert kinds == {"cust_no": "integer", "name": "text", "since": "date", "active": "boolean", "balance": "decimal"}
    assert read(found, path.read_bytes())[3] == {
        "cust_no": 3, "name": "Name 3", "since": "2024-01-04", "active": False, "balance": "3.75",
    }  # fmt: skip
    assert any("left out" in each.sentence for each in found.said)
    assert found.key == "cust_no"


def test_json_lines_have_types_by_their_values():
    rows = [
        {"id": at, "Name": "x", "price": at * 1.5, "at": "2024-01-01T00:00:00Z", "tags": ["a"], "ok": True, "/odd": 1,
         "big": 2**60, "mixed": at if at % 2 else "x"}
        for at in range(30)
    ]  # fmt: skip
    del rows[3]["ok"]
    data = "\n".join(map(json.dumps, rows)).encode() + b"\nnot json\n"
    found = one(data, "events.jsonl")
    kinds = {each.name: each.options["type"] for each in found.columns}
    assert kinds == {
        "id": "integer", "name": "text", "price": "decimal", "at": "instant", "tags": "json", "ok": "boolean",
        "odd": "integer", "big": "decimal", "mixed": "json",
    }  # fmt: skip
    values = read(found, data)
    assert (values[3]["ok"], values[3]["price"], values[3]["odd"], values[3]["big"]) == (None, "4.5", 1, str(2**60))
    assert found.bad == 1


def test_parquet_has_the_types_of_its_schema():
    table = pa.table(
        {
            "ID": pa.array(range(30)),
            "amount": pa.array([Decimal("1.50")] * 30),
            "at": pa.array([datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)] * 30),
            "tags": pa.array([["a"]] * 30),
            "gone": pa.array([datetime.timedelta(1)] * 30),
        }
    )
    out = io.BytesIO()
    pq.write_table(table, out)
    found = one(out.getvalue(), "ledger.parquet")
    kinds = {each.name: each.options["type"] for each in found.columns}
    assert kinds == {"id": "integer", "amount": "decimal", "at": "instant", "tags": "json"}
    assert read(found, out.getvalue())[1]["amount"] == "1.50"
    assert any(each.of == "gone" for each in found.said)


def test_a_sample_is_bounded(monkeypatch):
    monkeypatch.setattr("adapters.files.sniff.sample.MOST_CELLS", 600)
    data = b"a,b\n" + b"".join(b"%d,%d\n" % (at, at) for at in range(1000))
    found = one(data, "x.csv")
    assert (found.records, found.whole) == (300, False)
    assert any("the first 300 records" in each.sentence for each in found.said)
