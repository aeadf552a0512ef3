"""A file as records: every way to tell records apart, torn ends, and constant memory."""

from __future__ import annotations

import tracemalloc
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from adapters.files.compile import compile_format
from adapters.files.config import Dataset
from adapters.files.decode import decode_file
from adapters.files.formats import Bad, Record

COPYBOOK = b"01 R.\n 05 A PIC X(3).\n 05 N PIC 9(2).\n"


def _decoded(path: Path, data: bytes, record_format: str = "F", **options: Any) -> list[Any]:
    dataset = Dataset(
        match="*",
        format="copybook",
        copybook="c",
        key="a",
        code_page="ascii",
        record_format=record_format,  # type: ignore[arg-type]
        options={"source_format": "free", **options},
    )
    (path / "data").write_bytes(data)
    found = list(decode_file(path / "data", compile_format(dataset, "a", {"c": COPYBOOK}, "")))
    return [(each.start, each.end, each.value if isinstance(each, Record) else each.reason) for each in found]


ABC, DEF = {"a": "abc", "n": 1}, {"a": "def", "n": 2}


@pytest.mark.parametrize(
    ("record_format", "data", "spans", "options"),
    [
        ("F", b"abc01def02", [(0, 5), (5, 10)], {}),
        ("F", b"HHabc01def02T", [(2, 7), (7, 12)], {"file_start_offset": 2, "file_end_offset": 1}),
        ("V", b"\0\0\5\0abc01\0\0\5\0def02", [(4, 9), (13, 18)], {}),
        ("V", b"\0\5\0\0abc01\0\5\0\0def02", [(4, 9), (13, 18)], {"is_rdw_big_endian": True}),
        ("V", b"\0\x09\0\0abc01\0\x09\0\0def02", [(4, 9), (13, 18)],
         {"is_rdw_big_endian": True, "is_rdw_part_of_record_length": True}),
        ("V", b"\0\x09\0\0abc01\0\x09\0\0def02", [(4, 9), (13, 18)], {"is_rdw_big_endian": True, "rdw_adjustment": -4}),
        ("VB", b"\0\x12\0\0\0\5\0\0abc01\0\5\0\0def02", [(8, 13), (17, 22)],
         {"is_rdw_big_endian": True, "is_bdw_big_endian": True}),
        ("VB", b"\0\x09\0\0\0\5\0\0abc01\0\x09\0\0\0\5\0\0def02", [(8, 13), (21, 26)],
         {"is_rdw_big_endian": True, "is_bdw_big_endian": True}),
        ("text", b"abc01\ndef02\n", [(0, 5), (6, 11)], {}),
        ("text", b"abc01\r\n\r\ndef02", [(0, 5), (9, 14)], {}),
    ],
)  # fmt: skip
def test_records_are_told_apart(
    tmp_path: Path, record_format: str, data: bytes, spans: list[Any], options: dict[str, Any]
) -> None:
    found = _decoded(tmp_path, data, record_format, **options)
    assert found == [(*span, value) for span, value in zip(spans, (ABC, DEF), strict=True)]


@pytest.mark.parametrize(
    ("record_format", "data", "span"),
    [
        ("F", b"abc01de", (5, 7)),
        ("V", b"\0\0\5\0abc01\0\0", (9, 11)),
        ("V", b"\0\0\5\0abc01\0\0\5\0def", (9, 16)),
        ("V", b"\0\0\5\0abc01\0\0\0\0abc01", (9, 18)),
        ("V", b"\0\0\5\0abc01\0\0\xff\xffabc01", (9, 18)),
        ("VB", b"\0\0\x09\0\0\0\5\0abc01\0\0\xff\0abc01", (13, 22)),
        ("text", b"abc01\nabc01x\n", (6, 13)),
        ("text", b"abc01\n" + b"x" * 50, (6, 56)),
    ],
)
def test_what_cannot_be_framed_is_told_to_its_end(
    tmp_path: Path, record_format: str, data: bytes, span: tuple[int, int]
) -> None:
    found = _decoded(tmp_path, data, record_format)
    assert [value for _, _, value in found][:1] == [ABC]
    assert found[-1][:2] == span
    assert isinstance(found[-1][2], str)


def test_lines_may_lack_their_trailing_spaces_and_come_after_a_long_one(tmp_path: Path) -> None:
    found = _decoded(tmp_path, b"ab\n" + b"x" * 20 + b"\nc  07\n", "text")
    assert [value for _, _, value in found] == [
        {"a": "ab", "n": None},
        "the line is longer than the layout's 5 bytes",
        {"a": "c", "n": 7},
    ]


def test_memory_is_constant(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"abc01" * 500_000)
    dataset = Dataset(match="*", format="copybook", copybook="c", key="a", code_page="ascii",
                      options={"source_format": "free"})  # fmt: skip
    records = decode_file(tmp_path / "data", compile_format(dataset, "a", {"c": COPYBOOK}, ""))
    tracemalloc.start()
    try:
        for _ in range(50_000):
            assert not isinstance(next(records), Bad)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_500_000


def test_the_key_of_an_undecodable_record_is_told_only_where_it_is_sure() -> None:
    def keys(copybook: bytes, data: bytes, **options: Any) -> list[Any]:
        dataset = Dataset(match="*", format="copybook", copybook="c", key="k", code_page="ascii", record_format="V",
                          options={"source_format": "free", "is_rdw_big_endian": True, **options})  # fmt: skip
        format = compile_format(dataset, "k", {"c": copybook}, "")
        framed = len(data).to_bytes(2, "big") + b"\0\0" + data
        return [bad.key for bad in format.reader(BytesIO(framed), 0).scan(BytesIO(framed)) if isinstance(bad, Bad)]

    first = b"01 R. 05 K PIC 9(2). 05 N PIC 9(2)."
    assert keys(first, b"07xx") == [7]
    assert keys(first, b"7") == [None]
    behind = b"01 R. 05 N PIC 9. 05 T PIC 9 OCCURS 1 TO 3 DEPENDING ON N. 05 K PIC 9."
    assert keys(behind, b"1x7", variable_size_occurs=True) == [None]
