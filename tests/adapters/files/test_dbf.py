"""DBF tables as the dbf library writes them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dbf
import pytest

from adapters.files.formats import Bad, Record
from adapters.files.undecodable import Undecodable

Values = Callable[..., list[dict[str, Any]]]
Scanned = Callable[..., list[Record | Bad]]

COLUMNS = {
    "id": {"from": "ID"},
    "count": {"from": "COUNT", "type": "integer"},
    "price": {"from": "PRICE", "type": "decimal"},
    "yes": {"from": "YES", "type": "boolean"},
    "on": {"from": "ON", "type": "date"},
}


def _table(
    folder: Path, fields: str, rows: list[tuple[Any, ...]], kind: str = "db3", codepage: str = "cp1252"
) -> bytes:
    path = folder / "table.dbf"
    table = dbf.Table(str(path), fields, dbf_type=kind, codepage=codepage)
    table.open(mode=dbf.READ_WRITE)
    for row in rows:
        table.append(row)
    table.close()
    return path.read_bytes()


@pytest.fixture
def written(tmp_path: Path) -> bytes:
    rows = [
        ("Größe", 12345, Decimal("-12.50"), True, date(2024, 2, 29)),
        ("b", None, None, None, None),
    ]
    return _table(tmp_path, "id C(10); count N(8,0); price N(10,2); yes L; on D", rows)


def test_dbase(values: Values, written: bytes) -> None:
    assert values("dbf", written, options={"columns": COLUMNS}) == [
        {"id": "Größe", "count": 12345, "price": "-12.50", "yes": True, "on": "2024-02-29"},
        {"id": "b", "count": None, "price": None, "yes": None, "on": None},
    ]


def test_visual_foxpro(values: Values, tmp_path: Path) -> None:
    fields = "id C(5); n I; d B; money Y; at T; m N(5,0) null; z I null"
    rows = [("a", -2147483647, 0.1, Decimal("-1.5"), datetime(2024, 2, 29, 23, 59, 58), 5, dbf.Null)]
    data = _table(tmp_path, fields, rows, "vfp", "cp1250")
    columns = {
        "id": {"from": "ID"},
        "n": {"from": "N", "type": "integer"},
        "d": {"from": "D", "type": "decimal"},
        "money": {"from": "MONEY", "type": "decimal"},
        "at": {"from": "AT", "type": "instant", "zone": "Europe/Berlin"},
        "m": {"from": "M", "type": "integer"},
        "z": {"from": "Z", "type": "integer"},
    }
    assert values("dbf", data, options={"columns": columns}) == [
        {
            "id": "a",
            "n": -2147483647,
            "d": "0.1",
            "money": "-1.5000",
            "at": "2024-02-29T22:59:58.000000Z",
            "m": 5,
            "z": None,
        }
    ]


@pytest.mark.parametrize("page", ["cp437", "cp850", "cp852", "cp866", "cp1250", "cp1251", "cp1252"])
def test_code_pages(values: Values, tmp_path: Path, page: str) -> None:
    text = "Ж" if page in ("cp866", "cp1251") else "Ł" if page in ("cp852", "cp1250") else "ß"
    data = _table(tmp_path, "id C(4)", [(text,)], codepage=page)
    assert values("dbf", data, options={"columns": {"id": {"from": "ID"}}}) == [{"id": text}]


def test_a_table_that_says_no_code_page(values: Values, scanned: Scanned, written: bytes) -> None:
    data = written[:29] + b"\0" + written[30:]
    found = scanned("dbf", data, options={"columns": COLUMNS})
    assert isinstance(found[0], Bad)
    assert "code page" in found[0].reason
    assert values("dbf", data, code_page="cp1252", options={"columns": COLUMNS})[0]["id"] == "Größe"


def test_deleted_records(values: Values, written: bytes) -> None:
    (start,) = struct.unpack("<H", written[8:10])
    data = written[:start] + b"*" + written[start + 1 :]
    assert [each["id"] for each in values("dbf", data, options={"columns": COLUMNS})] == ["b"]
    assert len(values("dbf", data, options={"columns": COLUMNS, "deleted": True})) == 2


@pytest.mark.parametrize(
    ("place", "text", "reason"),
    [
        (11, b"********", "count didn't fit its field"),
        (11, b"    1_00", "count isn't a decimal number"),
        (29, b"X", "yes is neither true nor false"),
        (30, b"20230229", "on "),
        (0, b"x", "deletion mark"),
    ],
)
def test_what_is_not_of_its_type(scanned: Scanned, written: bytes, place: int, text: bytes, reason: str) -> None:
    at = struct.unpack("<H", written[8:10])[0] + place
    found = scanned("dbf", written[:at] + text + written[at + len(text) :], options={"columns": COLUMNS})
    assert isinstance(found[0], Bad)
    assert reason in found[0].reason


def test_tables_that_are_none(scanned: Scanned, written: bytes, tmp_path: Path) -> None:
    for data in (b"", bytes(100), b"\x03" + bytes(99), written[:-30], b"\x04" + written[1:]):
        with pytest.raises(Undecodable):
            scanned("dbf", data, options={"columns": COLUMNS})
    with pytest.raises(Undecodable, match="encrypted"):
        scanned("dbf", written[:15] + b"\1" + written[16:], options={"columns": COLUMNS})
    other = tmp_path / "other"
    other.mkdir()
    data = _table(other, "id C(4); note M", [("a", "x")])
    with pytest.raises(Undecodable, match="in another file"):
        scanned("dbf", data, options={"columns": {"id": {"from": "ID"}, "note": {"from": "NOTE"}}})
