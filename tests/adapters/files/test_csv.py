"""CSV dialects and their traps."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Context
from adapters.files.adapter import FilesAdapter
from adapters.files.config import CsvOptions
from adapters.files.csv_format import CsvFormat
from adapters.files.formats import Bad, Record
from adapters.files.undecodable import Undecodable

Build = Callable[..., FilesAdapter]


def _scan(data: bytes, encoding: str = "utf-8", key: str | None = None, **options: Any) -> list[Record | Bad]:
    file = io.BytesIO(data)
    reader = CsvFormat(CsvOptions(**options), encoding, key).reader(file, len(data))
    found = list(reader.scan(file))
    for record in found:  # each record decodes alone from its bytes as it did in the file
        if isinstance(record, Record):
            assert reader.decode(data[record.start : record.end]) == record.value
    return found


def _values(data: bytes, encoding: str = "utf-8", **options: Any) -> list[dict[str, Any]]:
    found = _scan(data, encoding, **options)
    assert all(isinstance(record, Record) for record in found), found
    return [record.value for record in found if isinstance(record, Record)]


AB = [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]


@pytest.mark.parametrize(
    ("data", "encoding", "options"),
    [
        (b"a,b\n1,x\n2,y\n", "utf-8", {}),
        (b"a,b\r\n1,x\r\n2,y", "utf-8", {}),
        (b"a,b\r1,x\r2,y\r", "utf-8", {}),
        (b"a,b\n1,x\n\n2,y\n\n", "utf-8", {}),
        (b"\xef\xbb\xbfa,b\n1,x\n2,y\n", "utf-8", {}),
        (b"\xef\xbb\xbfa,b\n1,x\n2,y\n", "utf-8-sig", {}),
        ("a,b\n1,x\n2,y\n".encode("utf-16"), "utf-16", {}),
        ("a,b\n1,x\n2,y\n".encode("utf-16-be"), "utf-16-be", {}),
        (b"a;b\n1;x\n2;y\n", "utf-8", {"delimiter": ";"}),
        (b"a\tb\n1\tx\n2\ty\n", "utf-8", {"delimiter": "\t"}),
        (b"a,b\n'1','x'\n2,y\n", "utf-8", {"quotechar": "'"}),
        (b"a, b\n1, x\n2, y\n", "utf-8", {"skipinitialspace": True}),
        (b"1,x\n2,y\n", "utf-8", {"header": False, "columns": {"a": "text", "b": "text"}}),
        (b"b,c,a\nx,0,1\ny,0,2\n", "utf-8", {"columns": {"a": "text", "b": "text"}}),
    ],
)
def test_dialects(data: bytes, encoding: str, options: dict[str, Any]) -> None:
    assert _values(data, encoding, **options) == AB


def test_quoted_newlines_and_quotes_belong_to_the_field() -> None:
    data = b'a,b\n"1\r\n,""2""",x\n3,5" pipe\n'
    assert _values(data) == [{"a": '1\r\n,"2"', "b": "x"}, {"a": "3", "b": '5" pipe'}]
    assert _values(b'a,b\n"x\\"y",1\n', doublequote=False, escapechar="\\") == [{"a": 'x"y', "b": "1"}]


def test_encodings() -> None:
    assert _values("a\nGrüße 𝄞\n".encode()) == [{"a": "Grüße 𝄞"}]
    assert _values("a\nGrüße\n".encode("cp1252"), "cp1252") == [{"a": "Grüße"}]
    found = _scan(b"a,b\n1,x\n2,\xff\n3,y\n", key="a")
    assert found[1] == Bad(8, 12, "b isn't text in the dataset's code page", "2")
    assert [type(record) for record in found] == [Record, Bad, Record]


def test_types() -> None:
    columns = {"n": "integer", "d": "decimal"}
    assert _values(b"n,d\n9223372036854775807,\n", columns=columns) == [{"n": 9223372036854775807, "d": None}]
    assert _values(b"n,d\n7,1.50\n-1,-.5\n,\n+3,10.\n", columns=columns) == [
        {"n": 7, "d": "1.50"},
        {"n": -1, "d": "-0.5"},
        {"n": None, "d": None},
        {"n": 3, "d": "10"},
    ]
    for wrong in ("1_000,1", "²,1", "1.0,1", "1,1e5", "1,NaN", "1,'1.5'", "x,1", "9223372036854775808,1"):
        found = _scan(f"n,d\n{wrong}\n".encode(), columns=columns)
        assert isinstance(found[0], Bad), wrong


def test_what_is_not_csv_is_told_with_its_bytes() -> None:
    found = _scan(b'a,b\n1,x\n2\n3,y,z\n4,"un\nclosed,1\n5,y\n')
    assert [(record.start, record.end) for record in found] == [(4, 8), (8, 10), (10, 16), (16, 35)]
    assert [type(record) for record in found] == [Record, Bad, Bad, Bad]
    assert [record.lost for record in found if isinstance(record, Bad)] == [False, False, True]
    found = _scan(b'a,b\n1,"x"y\n2,z\n')
    assert [type(record) for record in found] == [Bad, Record]
    assert not found[0].lost  # type: ignore[union-attr]


@pytest.mark.parametrize("data", [b"", b"b,c\n1,2\n", b"a,a\n1,2\n", b'"a\n'])
def test_a_wrong_header_condemns_the_file(data: bytes) -> None:
    with pytest.raises(Undecodable):
        _scan(data, columns={"a": "text"})


def test_a_line_without_end_does_not_fill_memory() -> None:
    found = _scan(b"a\n1\n" + b"x" * 3_000_000 + b"\n2\n")
    assert isinstance(found[0], Record)
    assert isinstance(found[1], Bad)


@settings(deadline=None, max_examples=200, database=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
            st.text(st.characters(codec="utf-8", exclude_characters="\0")),
        ),
        min_size=1,
    ),
    st.sampled_from([",", ";", "\t"]),
)
def test_what_is_written_is_read(rows: list[tuple[str, str]], delimiter: str) -> None:
    format = CsvFormat(CsvOptions(columns={"a": "text", "b": "text"}, delimiter=delimiter), "utf-8", "a")
    for a, b in rows:
        data, faults = format.encode({"a": a, "b": b})
        assert faults == []
        file = io.BytesIO(data)
        assert [record.value for record in format.reader(file, len(data)).scan(file)] == [{"a": a, "b": b}]  # type: ignore[union-attr]


@settings(deadline=None, max_examples=300, database=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_records_or_told(data: bytes) -> None:
    data = b"a,b\n" + data
    spans = [(record.start, record.end) for record in _scan(data)]
    assert all(start < end for start, end in spans)
    assert all(one[1] <= two[0] for one, two in pairwise(spans))


async def test_a_csv_dataset(build: Build, drop_folder: Path, context: Callable[..., Context]) -> None:
    (drop_folder / "s.csv").write_bytes('sku,name,qty\nA,"Schr\nöder",5\nB,Müller,\n'.encode())
    dataset = {"match": "*.csv", "format": "csv", "key": "sku"}
    adapter = build({"typed": {**dataset, "options": {"columns": {"sku": "text", "qty": "integer"}}}, "plain": dataset})
    got = await adapter.invoke("plain.get", {"sku": "A"}, context())
    assert got.value == {"sku": "A", "name": "Schr\nöder", "qty": "5"}
    assert got.sources[0].span == (13, 30)
    where = {"where": [["qty", "ge", 5]]}
    assert (await adapter.invoke("typed.list", where, context())).value["items"] == [{"sku": "A", "qty": 5}]
    named = {"where": [["name", "like", "Mü%"]], "sort": ["-name"]}
    assert [item["sku"] for item in (await adapter.invoke("plain.list", named, context())).value["items"]] == ["B"]
