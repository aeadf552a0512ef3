"""Workbooks as openpyxl writes them, judged cell by cell against python-calamine, and hostile ones."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
import python_calamine

from adapters.files.formats import Bad, Record
from adapters.files.undecodable import Undecodable
from adapters.files.xlsx import Workbook

Values = Callable[..., list[dict[str, Any]]]
Scanned = Callable[..., list[Record | Bad]]


def _saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _book(rows: list[list[Any]], title: str = "Sheet") -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    return book


def test_types(values: Values) -> None:
    data = _saved(
        _book(
            [
                ["id", "n", "price", "on", "at", "clock", "yes", "Größe (m²)"],
                [
                    *("007", 9007199254740991, 0.1, date(2024, 2, 29), datetime(2024, 3, 31, 10, 0)),
                    *(time(3, 4, 5), True, "x_x000D_y"),
                ],
                [8, None, -1e-7, None, None, None, False, "'a' \"b\" 𝄞"],
            ]
        )
    )  # fmt: skip
    columns = {
        "id": "text",
        "n": "integer",
        "price": "decimal",
        "on": "date",
        "at": {"type": "instant", "zone": "Europe/Berlin"},
        "clock": "time",
        "yes": "boolean",
        "size": {"from": "Größe (m²)"},
    }
    assert values("excel", data, options={"columns": columns}) == [
        {
            "id": "007",
            "n": 9007199254740991,
            "price": "0.1",
            "on": "2024-02-29",
            "at": "2024-03-31T08:00:00.000Z",
            "clock": "03:04:05.000",
            "yes": True,
            "size": "x\ry",
        },
        {
            "id": "8",
            "n": None,
            "price": "-0.0000001",
            "on": None,
            "at": None,
            "clock": None,
            "yes": False,
            "size": "'a' \"b\" 𝄞",
        },
    ]


def test_without_columns_all_is_text(values: Values) -> None:
    data = _saved(_book([["id", None, "b"], [1.5, "left out", date(2024, 1, 2)], [None, None, None], [True, 1, 2]]))
    assert values("excel", data) == [{"id": "1.5", "b": "2024-01-02"}, {"id": "TRUE", "b": "2"}]


def test_errors_and_formulas_are_never_empty_cells(scanned: Scanned) -> None:
    book = _book([["id", "v"], ["a", "#DIV/0!"], ["b", 1], ["c", "=1+1"]])
    book.active["B2"].data_type = "e"
    found = scanned("excel", _saved(book), options={"columns": {"id": "text", "v": "integer"}})
    assert [type(each) for each in found] == [Bad, Record, Bad]
    assert isinstance(found[0], Bad)
    assert isinstance(found[2], Bad)
    assert (found[0].reason, found[0].key, found[0].place) == ("v holds the error #DIV/0!", "a", "row 2")
    assert found[2].reason == "v has a formula without a value; save the workbook in Excel once"


@pytest.mark.parametrize(
    ("value", "kind", "reason"),
    [
        (1.5, "integer", "isn't an integer"),
        ("x", "integer", "isn't an integer"),
        (datetime(2024, 1, 1, 1), "date", "declare it as datetime"),
        (datetime(2024, 1, 1, 1), "decimal", "is a date"),
        (datetime(2024, 1, 1, 1), "time", "declare it as datetime"),
        (datetime(2024, 1, 1), "instant", "says no zone"),
        (3, "boolean", "isn't of type boolean"),
    ],
)
def test_what_is_not_of_its_type(scanned: Scanned, value: Any, kind: str, reason: str) -> None:
    (found,) = scanned(
        "excel", _saved(_book([["id", "v"], ["a", value]])), options={"columns": {"id": "text", "v": kind}}
    )
    assert isinstance(found, Bad)
    assert reason in found.reason


def test_two_hundred_columns_under_merged_headers(values: Values) -> None:
    book = openpyxl.Workbook()
    sheet = book.create_sheet("Über 'sicht' \"1\"")
    sheet["B3"] = "id"
    sheet.merge_cells("B3:B4")
    for group in range(100):
        left = 3 + group * 2
        sheet.cell(3, left, f"Q{group} Größe")
        sheet.merge_cells(start_row=3, end_row=3, start_column=left, end_column=left + 1)
        sheet.cell(4, left, "net")
        sheet.cell(4, left + 1, "tax'd")
    for row in range(5, 8):
        for column in range(2, 203):
            sheet.cell(row, column, row * 1000 + column)
    options = {"sheet": "Über 'sicht' \"1\"", "range": "B3", "header": 2}
    found = values("excel", _saved(book), options=options)
    assert len(found) == 3
    assert len(found[0]) == 201
    assert found[2]["id"] == "7002"
    assert found[0]["Q7 Größe tax'd"] == "5018"
    assert found[1]["Q99 Größe net"] == "6201"
    picked = {"id": "integer", "last": {"type": "decimal", "from": 201}}
    assert values("excel", _saved(book), options={**options, "range": "B3:GT6", "columns": picked}) == [
        {"id": 5002, "last": "5202"},
        {"id": 6002, "last": "6202"},
    ]


def test_cells_against_calamine() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in range(1, 200):
        for column in range(1, 30):
            choice = (row * 31 + column * 7) % 6
            number = row * 1.1 / column
            sheet.cell(
                row,
                column,
                [None, f"t{row} ä", row * column, number, datetime(1999 + row, 1, 1, 5, 6, 7), row % 2 == 0][choice],
            )
    data = _saved(book)
    ours = Workbook(io.BytesIO(data))
    theirs = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0)
    rows = theirs.to_python(skip_empty_area=False)
    seen = 0
    for number, cells in ours.rows(ours.sheet(1)):
        for column, expected in enumerate(rows[number - 1], 1):
            cell = cells.get(column, "")
            if isinstance(expected, date) and not isinstance(expected, datetime):
                expected = datetime(expected.year, expected.month, expected.day)
            assert cell == expected, (number, column)
            seen += 1
    assert seen > 5000


def test_the_1904_calendar(values: Values) -> None:
    book = _book([["id", "on"], ["a", date(2024, 2, 29)]])
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    assert values("excel", _saved(book), options={"columns": {"id": "text", "on": "date"}}) == [
        {"id": "a", "on": "2024-02-29"}
    ]


def _changed(data: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for each in source.namelist():
            target.writestr(each, change(source.read(each)) if each == part else source.read(each))
    return out.getvalue()


def test_corners_far_apart_take_no_memory(values: Values) -> None:
    book = _book([["id"]])
    book.active["A1048576"] = "last"
    book.active["XFD1048576"] = "corner"
    assert values("excel", _saved(book)) == [{"id": "last"}]


@pytest.mark.parametrize(
    ("part", "change", "reason"),
    [
        ("xl/worksheets/sheet1.xml", lambda data: data[:200], "damaged"),
        ("xl/worksheets/sheet1.xml", lambda data: b'<!DOCTYPE x [<!ENTITY e "1">]>' + data, "DTD"),
        ("xl/worksheets/sheet1.xml", lambda data: data.replace(b'r="A1"', b'r="1A"'), "no place"),
        ("xl/workbook.xml", lambda data: b"", "damaged"),
    ],
)
def test_hostile_workbooks(scanned: Scanned, part: str, change: Callable[[bytes], bytes], reason: str) -> None:
    data = _changed(_saved(_book([["id"], ["a"]])), part, change)
    with pytest.raises(Undecodable, match=reason):
        scanned("excel", data)


def test_a_sheet_that_ends_early(scanned: Scanned) -> None:
    data = _saved(_book([["id"], *([f"key {number}"] for number in range(100))]))
    found = scanned("excel", _changed(data, "xl/worksheets/sheet1.xml", lambda part: part[:3000]))
    assert [type(each) for each in (found[0], found[-1])] == [Record, Bad]
    assert isinstance(found[-1], Bad)
    assert found[-1].lost
    assert "damaged" in found[-1].reason


@pytest.mark.parametrize("data", [b"", b"\xd0\xcf\x11\xe0" + bytes(600), b"PK\x03\x04", b"a,b\n"])
def test_other_files(scanned: Scanned, data: bytes) -> None:
    with pytest.raises(Undecodable, match="isn't an Excel workbook"):
        scanned("excel", data)


def test_an_archive_whose_offsets_lead_out_of_it(scanned: Scanned) -> None:
    data = _saved(_book([["id"], ["a"]]))
    at = data.rindex(b"PK\x05\x06") + 16
    with pytest.raises(Undecodable, match="damaged"):
        scanned("excel", data[:at] + (10**8).to_bytes(4, "little") + data[at + 4 :])


def test_sheets_that_are_not_there(scanned: Scanned) -> None:
    data = _saved(_book([["id"], ["a"]]))
    for sheet in (2, "Other"):
        with pytest.raises(Undecodable, match="workbook has"):
            scanned("excel", data, options={"sheet": sheet})
    with pytest.raises(Undecodable, match="no header"):
        scanned("excel", data, options={"range": "C9"})
    with pytest.raises(Undecodable, match="lacks the column id"):
        scanned("excel", _saved(_book([["x"], ["a"]])))


def test_numbers_are_the_shortest_that_are_the_same_double(values: Values) -> None:
    numbers = [1.1, 1e21, 123456789012345.0, 5e-324, 0.3]
    data = _saved(_book([["id", "d"], *([str(at), number] for at, number in enumerate(numbers))]))
    found = values("excel", data, options={"columns": {"id": "text", "d": "decimal"}})
    assert [float(Decimal(each["d"])) for each in found] == numbers
    assert found[0]["d"] == "1.1"
