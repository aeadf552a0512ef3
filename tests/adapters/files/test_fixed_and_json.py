"""Columns by place, JSON lines, and arrays in JSON documents of any size."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.files import json_scan
from adapters.files.formats import Bad, Record
from adapters.files.undecodable import Undecodable

Values = Callable[..., list[dict[str, Any]]]
Scanned = Callable[..., list[Record | Bad]]

FIXED = {
    "id": {"at": 1, "width": 4},
    "name": {"at": 5, "width": 6},
    "amount": {"type": "decimal", "at": 11, "width": 8, "decimal_point": ",", "grouping": "."},
}
EXPECTED = [
    {"id": "A1", "name": "Grün", "amount": "1234.50"},
    {"id": "A2", "name": "Ätna x", "amount": None},
]
LINES = "A1  Grün  1.234,50\r\nA2  Ätna x        \r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "cp037", "cp1047"])
def test_lines_by_character(values: Values, encoding: str) -> None:
    text = LINES.replace("\r\n", "\n") if encoding.startswith("cp0") or encoding == "cp1047" else LINES
    assert values("fixed", text.encode(encoding), code_page=encoding, options={"columns": FIXED}) == EXPECTED


def test_lines_of_ebcdic_end_in_nel_too(values: Values) -> None:
    data = LINES.replace("\r\n", "\x85").encode("cp037")
    assert values("fixed", data, code_page="cp037", options={"columns": FIXED}) == EXPECTED


def test_places_in_bytes(values: Values) -> None:
    data = "A1  Grün 1.234,50\nA2  Ätna         \n".encode()
    found = values("fixed", data, options={"columns": FIXED, "unit": "byte"})
    assert found == [EXPECTED[0], {**EXPECTED[1], "name": "Ätna"}]


def test_records_of_a_length(values: Values, scanned: Scanned) -> None:
    options = {"columns": {"id": {"at": 1, "width": 2}, "n": {"type": "integer", "at": 4, "width": 2}}, "unit": "byte"}
    assert values("fixed", b"A1-07B2-08", options={**options, "length": 5}) == [
        {"id": "A1", "n": 7},
        {"id": "B2", "n": 8},
    ]
    found = scanned("fixed", b"A1-x7B2-08", options={**options, "length": 5})
    assert found[0] == Bad(0, 5, "n isn't an integer", "A1")


def test_short_lines_comments_and_preamble(values: Values, scanned: Scanned) -> None:
    options = {"columns": FIXED, "skip": 1, "comment": "#"}
    data = b"title\n# note\nA3  x\n\n"
    (bad,) = scanned("fixed", data, options=options)
    assert bad == Bad(13, 19, "the record has 5 places, its columns 18", "A3")
    assert values("fixed", data, options={**options, "ragged": True}) == [{"id": "A3", "name": "x", "amount": None}]


ITEMS = {
    "id": "integer",
    "price": "decimal",
    "on": {"type": "date", "from": "/when/day"},
    "tags": "json",
    "ok": "boolean",
}
OBJECT = (
    '{"id": 9223372036854775807, "price": 1.10, "when": {"day": "2024-02-29"}, "tags": [1.50, {"a": null}], "ok": true}'
)
VALUE = {"id": 9223372036854775807, "price": "1.10", "on": "2024-02-29", "tags": ["1.50", {"a": None}], "ok": True}


def test_json_lines(values: Values, scanned: Scanned) -> None:
    assert values("json_lines", f"\ufeff{OBJECT}\n\n{OBJECT}".encode(), options={"columns": ITEMS}) == [VALUE, VALUE]
    assert values("json_lines", b'{"id": 1}\n', options={"columns": ITEMS}) == [{**dict.fromkeys(ITEMS), "id": 1}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id": 1, "id": 2}', "one name twice"),
        ('{"id": NaN}', "no JSON"),
        ('{"id": 1', "isn't JSON"),
        ("[1]", "isn't an object"),
        ('{"id": 9223372036854775808}', "64 bits"),
        ('{"id": 1.5}', "isn't an integer"),
        ('{"id": true}', "isn't of type integer"),
        ('{"id": 7, "price": 1e9999}', "isn't a decimal number"),
        ('{"id": 7, "tags": ["\\ud800"]}', "half a character"),
        ('{"id": 7, "tags": ' + "[" * 100_000 + "]" * 100_000 + "}", "isn't JSON"),
        ('{"id": "\xff"}', "UTF-8"),
    ],
    ids=["twice", "nan", "cut", "array", "wide", "fraction", "truth", "huge", "surrogate", "deep", "latin"],
)
def test_json_that_is_refused(scanned: Scanned, line: str, reason: str) -> None:
    found = scanned("json_lines", f'{line}\n{{"id": 2}}'.encode("latin-1"), options={"columns": ITEMS})
    assert [type(each) for each in found] == [Bad, Record]
    assert isinstance(found[0], Bad)
    assert reason in found[0].reason
    assert found[0].key in (None, 7)


@pytest.mark.parametrize("pointer", ["", "/data/0/it~1e~0ms"])
def test_an_array_at_a_pointer(values: Values, pointer: str) -> None:
    array = f"[ {OBJECT} ,\n{OBJECT}]"
    text = (
        array
        if not pointer
        else f'\ufeff{{"x": [1, "]}}", {{"y": "\\""}}], "data": [{{"a": [], "it/e~ms": {array}, "z": 1}}, 2]}} '
    )
    assert values("json", text.encode(), options={"columns": ITEMS, "pointer": pointer}) == [VALUE, VALUE]
    assert values("json", b" [] ", options={"columns": ITEMS}) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[{"id": 1}', "ends too early"),
        ('[{"id": 1}] x', "behind the end"),
        ('[{"id": 1} {"id": 2}]', "comma"),
        ('[{"id": 1},', "ends too early"),
        ('[{"id": 1}, "a', "ends too early"),
        ("{}", "no array"),
        ("", "ends too early"),
    ],
)
def test_documents_that_are_none(scanned: Scanned, text: str, reason: str) -> None:
    found = scanned("json", text.encode(), options={"columns": {"id": "integer"}})
    assert isinstance(found[-1], Bad)
    assert found[-1].lost
    assert reason in found[-1].reason


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**12) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.lists(_JSON, max_size=6), st.sampled_from([1, 2, 3, 7, 4096]), st.sampled_from([None, 1]), st.booleans())
def test_elements_are_those_of_the_json_module(items: list[Any], piece: int, indent: int | None, ascii: bool) -> None:
    text = json.dumps({"a": {"]": "["}, "b": items, "c": [[]]}, indent=indent, ensure_ascii=ascii)
    data = text.encode("utf-8", "surrogatepass")
    before, json_scan._PIECE = json_scan._PIECE, piece
    try:
        found = list(json_scan.Scan(io.BytesIO(data), 0).elements(["b"]))
    finally:
        json_scan._PIECE = before
    assert [json.loads(element) for _, element in found] == items
    assert all(data[start : start + len(element)] == element for start, element in found)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=30) | st.text('[]{}",:\\ 1a', max_size=30).map(str.encode))
def test_anything_ends_in_elements_or_a_sentence(data: bytes) -> None:
    try:
        found = list(json_scan.Scan(io.BytesIO(data), 0).elements([]))
    except Undecodable:
        return
    assert data.strip().startswith(b"[")
    assert len(found) <= len(data)
