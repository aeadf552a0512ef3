"""Whole files by Cobrix's options: frames, segments, families, generated columns, and what FILLER becomes."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from adapters.files.compile import compile_format
from adapters.files.config import Dataset
from adapters.files.copybook import cobrix
from adapters.files.copybook.output import Csv
from adapters.files.copybook.parquet import rows_as_table
from adapters.files.copybook.records import Records
from adapters.files.copybook.table import columns
from adapters.files.formats import Bad

TWO = "01 R. 05 A PIC X(2). 05 N PIC 9."
AB1, CD2 = {"A": "ab", "N": 1}, {"A": "cd", "N": 2}


def _records(source: str, **options: str) -> Records:
    given = {"source_format": "free", "encoding": "ascii", **options}
    chosen, page, _ = cobrix.read([(name.replace("__", ":"), value) for name, value in given.items()])
    return Records(source, page, chosen)


def _read(source: str, data: bytes, **options: str) -> list[Any]:
    found = _records(source, **options).scan(BytesIO(data), len(data), "the file")
    return [each.reason if isinstance(each, Bad) else each.value for each in found]


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (b"ab1cd2", {}),
        (b"HHab1cd2T", {"file_start_offset": "2", "file_end_offset": "1"}),
        (b"<ab1><cd2>", {"record_start_offset": "1", "record_end_offset": "1"}),
        (b"ab1..cd2..", {"record_length": "5"}),
        (b"ab1cd2", {"record_format": "FB", "records_per_block": "2"}),
        (b"ab1cd2", {"record_format": "FB", "block_length": "6"}),
        (b"\0\6\0\0ab1cd2", {"record_format": "FB", "is_bdw_big_endian": "true"}),
        (b"\0\0\3\0ab1\0\0\3\0cd2", {"record_format": "V"}),
        (b"\3\0\0\0ab1\3\0\0\0cd2", {"is_record_sequence": "true"}),
        (b"\0\0\0\3ab1\0\0\0\3cd2", {"record_format": "V", "is_rdw_big_endian": "true"}),
        (b"\0\7\0\0ab1\0\7\0\0cd2", {"record_format": "V", "is_rdw_big_endian": "true", "rdw_adjustment": "-4"}),
        (b"\0\0\3\0ab1\0\0\5\0cd2..", {"record_format": "V"}),
        (b"\x80\0\0\x0e\0\3\0\0ab1\0\3\0\0cd2",
         {"record_format": "VB", "is_bdw_big_endian": "true", "is_rdw_big_endian": "true"}),
        (b"\x12\0\0\0" b"\0\0\3\0ab1\0\0\3\0cd2",
         {"record_format": "VB", "bdw_adjustment": "-4", "rdw_adjustment": "0"}),
        (b"ab1\r\n\r\ncd2\n", {"record_format": "D"}),
        (b"ab1\ncd2 and more\n\x1a", {"record_format": "D2"}),
        (b"ab1\ncd2", {"is_text": "true"}),
        (b"ab1cd2", {"is_text": "true", "allow_partial_records": "true"}),
        (b"x\nab1\ncd2\n", {"record_format": "D", "minimum_record_length": "2"}),
        ("ab1\x85cd2\x85".encode("cp1047").replace(b"\x15", b"\x15"),
         {"record_format": "T", "encoding": "ebcdic", "ebcdic_code_page": "cp1047"}),
    ],
)  # fmt: skip
def test_frames(data: bytes, options: dict[str, str]) -> None:
    if options.get("record_format") == "VB" and data[:1] == b"\x12":
        data = b"\0\0\x12\0" + data[4:]
    assert _read(TWO, data, **options) == [AB1, CD2]


def test_records_that_tell_their_own_length() -> None:
    source = "01 R. 05 LEN-X PIC 9. 05 A PIC X(5)."
    expected = [{"LEN_X": 3, "A": "ab"}, {"LEN_X": 4, "A": "cde"}]
    assert _read(source, b"3ab4cde", record_length_field="LEN-X") == expected
    assert _read(source, b"3ab 4cde ", record_length_field="LEN_X + 1") == expected
    assert _read(source, b"3ab 4cde ", record_length_field="LEN-X", rdw_adjustment="1") == expected
    assert _read(source, b"3ab   4cde    ", record_length_field="(LEN-X * 4) / 2") == expected
    mapped = "01 R. 05 K PIC X. 05 A PIC X(5)."
    found = _read(mapped, b"XabYcdeZ", record_length_field="K", record_length_map='{"X": 3, "Y": 4, "_": 1}')
    assert found == [{"K": "X", "A": "ab"}, {"K": "Y", "A": "cde"}, {"K": "Z", "A": None}]
    assert "no length for" in _read(mapped, b"Xab", record_length_field="K", record_length_map='{"Y": 3}')[0]
    assert "own length" in _read(source, b"0ab", record_length_field="LEN-X")[0]
    assert "divides by zero" in _read(source, b"3ab", record_length_field="LEN-X / 0")[0]


@pytest.mark.parametrize("text", ["LEN +", "LEN LEN", "(LEN", "LEN $ 2", "", "NOWHERE", "()", "LEN + + 1"])
def test_wrong_length_expressions_are_told(text: str) -> None:
    with pytest.raises(ValueError, match="record_length_field"):
        _records("01 R. 05 LEN PIC 9. 05 A PIC X.", record_length_field=text)


def test_tables_that_vary_without_any_length() -> None:
    source = """01 R. 05 N PIC 9. 05 T OCCURS 0 TO 3 DEPENDING ON N. 10 M PIC 9.
    10 U PIC X OCCURS 1 TO 2 DEPENDING ON M. 05 Z PIC X."""
    found = _read(source, b"21a2bcz0y11dx", variable_size_occurs="true")
    assert found == [
        {"N": 2, "T": [{"M": 1, "U": ["a"]}, {"M": 2, "U": ["b", "c"]}], "Z": "z"},
        {"N": 0, "T": [], "Z": "y"},
        {"N": 1, "T": [{"M": 1, "U": ["d"]}], "Z": "x"},
    ]


def test_a_count_may_be_a_text() -> None:
    source = "01 R. 05 K PIC X. 05 T PIC 9 OCCURS 0 TO 3 DEPENDING ON K."
    mapping = '{"T": {"A": 1, "B": 2}}'
    found = _read(source, b"A123B123C123", occurs_mappings=mapping)
    assert [each["T"] for each in found] == [[1], [1, 2], [1, 2, 3]]


SEGMENTS = """
01 R. 05 ID PIC X. 05 KEY-OF PIC 9.
   05 COMPANY. 10 NAME PIC X(4).
   05 DEPT REDEFINES COMPANY. 10 TITLE PIC X(3).
   05 PERSON REDEFINES COMPANY. 10 PHONE PIC 9(4).
"""
MAP = {"segment_field": "ID", "redefine_segment_id_map__0": "COMPANY => C", "redefine-segment-id-map__1": "DEPT => D",
       "redefine_segment_id_map__2": "PERSON => P,Q"}  # fmt: skip
DATA = b"X0----\nC1Acme\nD2abc\nP30001\nP40002\nD5def\nC6Bolt\nQ70003\n"


def test_segments_show_what_they_are() -> None:
    found = _read(SEGMENTS, DATA, record_format="D", segment_filter="C, Q", **MAP)
    assert found == [
        {"ID": "C", "KEY_OF": 1, "COMPANY": {"NAME": "Acme"}, "DEPT": None, "PERSON": None},
        {"ID": "C", "KEY_OF": 6, "COMPANY": {"NAME": "Bolt"}, "DEPT": None, "PERSON": None},
        {"ID": "Q", "KEY_OF": 7, "COMPANY": None, "DEPT": None, "PERSON": {"PHONE": 3}},
    ]


def test_children_are_put_into_their_parents() -> None:
    options = {**MAP, "segment_children__0": "COMPANY => DEPT,PERSON", "segment-children__1": "DEPT => PERSON"}
    records = _records(SEGMENTS, record_format="D", generate_record_id="true", **options)
    found: list[Any] = [each.value for each in records.scan(BytesIO(DATA), len(DATA))]  # type: ignore[union-attr]
    people = [{"PHONE": 1}, {"PHONE": 2}]
    assert [each["COMPANY"] for each in found] == [
        {
            "NAME": "Acme",
            "DEPT": [{"TITLE": "abc", "PERSON": people}, {"TITLE": "def", "PERSON": []}],
            "PERSON": people,
        },
        {"NAME": "Bolt", "DEPT": [], "PERSON": [{"PHONE": 3}]},
    ]
    assert all("DEPT" not in each for each in found)
    assert [each["Record_Byte_Length"] for each in found] == [6 + 5 + 6 + 6 + 5, 12]
    assert records.skipped == 1


def test_families_have_columns() -> None:
    options = {**MAP, "segment_children__0": "COMPANY => DEPT", "segment-children__1": "DEPT => PERSON"}
    records = _records(SEGMENTS, record_format="D", **options)
    wanted = columns(records.layout.root, records.options)
    rows: list[Any] = [each.value for each in records.scan(BytesIO(DATA), len(DATA))]  # type: ignore[union-attr]
    assert rows_as_table(rows, wanted).to_pylist() == rows
    target = BytesIO()
    writer = Csv(target, wanted)
    for row in rows:
        writer.write(row)
    writer.close()
    assert target.getvalue().decode().splitlines()[::2] == ["ID,KEY_OF,COMPANY.NAME,COMPANY.DEPT", "C,6,Bolt,[]"]


def test_ids_join_the_records_of_a_hierarchy() -> None:
    options = {"segment_field": "ID", "segment_id_level0": "C", "segment_id_level1": "D", "segment_id_level2": "_"}
    records = _records(SEGMENTS, record_format="D", segment_id_prefix="A", **options)
    ids = [tuple(each.value[f"Seg_Id{level}"] for level in range(3))  # type: ignore[union-attr]
           for each in records.scan(BytesIO(DATA), len(DATA))]  # fmt: skip
    assert ids == [
        ("A_0_1", None, None),
        ("A_0_1", "A_0_1_L1_1", None),
        ("A_0_1", "A_0_1_L1_1", "A_0_1_L2_1"),
        ("A_0_1", "A_0_1_L1_1", "A_0_1_L2_2"),
        ("A_0_1", "A_0_1_L1_2", None),
        ("A_0_6", None, None),
        ("A_0_6", "A_0_6_L1_0", "A_0_6_L2_1"),
    ]
    assert records.skipped == 1


def test_what_stands_in_front_of_each_record() -> None:
    (found,) = _read(TWO, b"ab1", generate_record_id="true", generate_record_bytes="true", with_input_file_name_col="F")
    assert found == {
        "File_Id": 0,
        "Record_Id": 0,
        "Record_Byte_Length": 3,
        "Record_Bytes": "YWIx",
        "F": "the file",
        **AB1,
    }


FILLED = (
    "01 Rec. 05 FILLER. 10 A PIC X. 10 FILLER PIC X. 05 FILLER PIC X. 05 G. 10 FILLER PIC X. 05 FILLER. 10 b-c PIC X."
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"FILLER_1": {"A": "a"}, "FILLER_2": {"b_c": "e"}}),
        ({"drop_group_fillers": "true", "drop_value_fillers": "false"}, {"FILLER_P2": "c", "G": {"FILLER_P3": "d"}}),
        ({"drop_value_fillers": "false"},
         {"FILLER_1": {"A": "a", "FILLER_P1": "b"}, "FILLER_P2": "c", "G": {"FILLER_P3": "d"},
          "FILLER_2": {"b_c": "e"}}),
        ({"filler_naming_policy": "previous_field_name"},
         {"FILLER_AFTER_Rec": {"A": "a"}, "FILLER_AFTER_G": {"b_c": "e"}}),
        ({"schema_retention_policy": "keep_original"}, {"Rec": {"FILLER_1": {"A": "a"}, "FILLER_2": {"b_c": "e"}}}),
        ({"non_terminals": "FILLER_1,G"}, None),
    ],
)  # fmt: skip
def test_fillers(options: dict[str, str], expected: Any) -> None:
    found = _read(FILLED, b"abcde", **options)
    if expected is not None:
        assert found == [expected]
    else:
        assert found == [{"FILLER_1": {"A": "a"}, "FILLER_1_NT": "ab", "FILLER_2": {"b_c": "e"}}]


def test_views_of_the_bytes() -> None:
    source = "01 R. 05 A PIC 9(2). 05 B PIC X(2) COMP. 05 T PIC X OCCURS 2."
    assert _read(source, b"12\x01\xffxy", debug="true") == [
        {"A": 12, "A_debug": "3132", "B": "Af8=", "B_debug": "01FF", "T": ["x", "y"], "T_debug": ["78", "79"]}
    ]
    assert _read(source, b"12\x01\xffxy", binary_as_hex="true")[0]["B"] == "01FF"
    assert _read(source, b"01\x01\xffxy", display_pic_always_string="true")[0]["A"] == "01"


def test_pages_of_single_fields_and_what_is_no_value() -> None:
    source = "01 R. 05 A PIC X(2). 05 B PIC X(2). 05 N PIC 9(2)V9."
    records = _records(source, encoding="ebcdic", field_code_page__ascii="B")
    data = b"\xc1\xc2AB\xf1\xc1\xd1" + bytes(7) + b"\x40" * 7
    values = [each.value for each in records.scan(BytesIO(data), len(data))]  # type: ignore[union-attr]
    assert values == [
        {"A": "AB", "B": "AB", "N": None},
        {"A": None, "B": None, "N": None},
        {"A": "", "B": "@@", "N": None},
    ]
    assert records.wrong == 1
    old = _records(source, encoding="ebcdic", improved_null_detection="false")
    (value,) = [each.value for each in old.scan(BytesIO(bytes(7)), 7)]  # type: ignore[union-attr]
    assert value == {"A": "", "B": "", "N": "0.0"}


def test_a_record_that_ends_early_has_nulls() -> None:
    source = "01 R. 05 A PIC X(3). 05 N PIC 9(2). 05 G. 10 B PIC X. 05 T PIC 9 OCCURS 2."
    assert _read(source, b"ab\nabc1\nabc12\n", record_format="D") == [
        {"A": "ab", "N": None, "G": {"B": None}, "T": [None, None]},
        {"A": "abc", "N": None, "G": {"B": None}, "T": [None, None]},
        {"A": "abc", "N": 12, "G": {"B": None}, "T": [None, None]},
    ]


def test_a_dataset_tells_segments_apart_and_copies_copybooks() -> None:
    options = {
        "source_format": "free",
        "segment_field": "ID",
        "redefine_segment_id_map": {"COMPANY": ["C"], "PERSON": ["P"]},
    }
    dataset = Dataset(
        match="*", format="copybook", copybook="a/c.cpy", key="key_of", code_page="ascii", options=options
    )
    body = SEGMENTS.replace("01 R.", "")
    files = {"a/c.cpy": b"01 R. COPY SEGMENTS.", "a/segments.cpy": body.encode(), "b/segments.cpy": b"05 WRONG PIC X."}
    format = compile_format(dataset, "key_of", files, "")
    reader = format.reader(BytesIO(), 0)
    assert reader.decode(b"C1Acme") == {"id": "C", "key_of": 1, "company": {"name": "Acme"}, "dept": {"title": "Acm"}}
    assert reader.decode(b"P10012") == {"id": "P", "key_of": 1, "person": {"phone": 12}, "dept": {"title": "001"}}


def test_options_that_name_what_the_copybook_has_not_are_told() -> None:
    with pytest.raises(ValueError, match="segment_field: NOPE"):
        _records(TWO, segment_field="NOPE")
    with pytest.raises(ValueError, match="segment_children names A"):
        _records(TWO, segment_field="A", redefine_segment_id_map__0="N => 1", segment_children__0="A => N")
