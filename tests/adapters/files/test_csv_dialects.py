"""What CSV files of the wild have beside RFC 4180: preambles, comments, commas, dates, and EBCDIC."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.errors import ConfigError
from adapters.files.columns import Column
from adapters.files.config import CsvOptions
from adapters.files.csv_format import CsvFormat
from adapters.files.formats import Bad, Record
from adapters.files.undecodable import Undecodable

Values = Callable[..., list[dict[str, Any]]]
Scanned = Callable[..., list[Record | Bad]]


def _all(format: CsvFormat, data: bytes) -> list[Record | Bad]:
    file = io.BytesIO(data)
    reader = format.reader(file, len(data))
    found = list(reader.scan(file))
    for each in found:
        if isinstance(each, Record):
            assert reader.decode(data[each.start : each.end]) == each.value
    return found


def test_preamble_comments_and_blank_lines(values: Values) -> None:
    data = b'Report "1\nof today\n# a\nid,v\n#no,record\n1,#x\n\n"2\n#3",y\n# end'
    options = {"skip": 2, "comment": "#"}
    assert values("csv", data, options=options) == [{"id": "1", "v": "#x"}, {"id": "2\n#3", "v": "y"}]


def test_names_that_stand_twice_are_taken_by_place(values: Values, scanned: Scanned) -> None:
    data = b"id,v,v,\n1,a,b,c\n"
    columns = {"id": "text", "first": {"from": 2}, "second": {"from": 3}, "last": {"from": 4}}
    assert values("csv", data, options={"columns": columns}) == [{"id": "1", "first": "a", "second": "b", "last": "c"}]
    with pytest.raises(Undecodable, match="twice: v; say which"):
        scanned("csv", data, options={"columns": {"id": "text", "v": "text"}})
    with pytest.raises(Undecodable, match="names a column twice"):
        scanned("csv", data)
    spaced = {"id": "text", "price": {"from": "Unit 'Price' (€)", "type": "decimal"}}
    assert values("csv", "id,Unit 'Price' (€)\n1,2\n".encode(), options={"columns": spaced}) == [
        {"id": "1", "price": "2"}
    ]


def test_ragged_records_and_nulls(values: Values, scanned: Scanned) -> None:
    data = b"id,a,b\n1\n2,NULL,x\n3,N/A,\\N\n"
    options = {"ragged": True, "nulls": ["NULL", "N/A", "\\N"]}
    assert values("csv", data, options=options) == [
        {"id": "1", "a": None, "b": None},
        {"id": "2", "a": None, "b": "x"},
        {"id": "3", "a": None, "b": None},
    ]
    assert isinstance(scanned("csv", b"id,a\n1,2,3\n", options=options)[0], Bad)


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ({"type": "decimal", "decimal_point": ",", "grouping": "."}, "-1.234.567,890", "-1234567.890"),
        ({"type": "decimal", "decimal_point": ",", "grouping": "."}, "1,5", "1.5"),
        ({"type": "decimal", "decimal_point": ",", "grouping": "."}, "1.5", None),
        ({"type": "decimal", "decimal_point": ","}, "1.5", None),
        ({"type": "decimal", "grouping": ","}, "12,34", None),
        ({"type": "integer", "grouping": "'"}, "1'234", 1234),
        ({"type": "integer", "grouping": " "}, "1 234 567", 1234567),
        ({"type": "boolean", "truths": ["J", "N"]}, "J", True),
        ({"type": "boolean", "truths": ["J", "N"]}, "true", None),
        ({"type": "date"}, "2024-02-29", "2024-02-29"),
        ({"type": "date"}, "2023-02-29", None),
        ({"type": "date"}, "20240229", None),
        ({"type": "date", "format": "%d.%m.%Y"}, "29.02.2024", "2024-02-29"),
        ({"type": "date", "format": "%m/%d/%Y"}, "29/02/2024", None),
        ({"type": "time", "format": "%H%M"}, "2359", "23:59:00"),
        ({"type": "datetime"}, "2024-02-29 01:02:03", "2024-02-29T01:02:03"),
        ({"type": "datetime"}, "2024-02-29T01:02:03Z", None),
        ({"type": "instant"}, "2024-02-29T01:02:03+01:00", "2024-02-29T00:02:03Z"),
        ({"type": "instant"}, "2024-02-29T01:02:03.5Z", "2024-02-29T01:02:03.500000Z"),
        ({"type": "instant"}, "2024-02-29T01:02:03", None),
        ({"type": "instant", "zone": "Europe/Berlin"}, "2024-07-01T00:00:00", "2024-06-30T22:00:00Z"),
        ({"type": "instant", "zone": "Europe/Berlin"}, "2024-10-27T02:30:00", None),
        ({"type": "instant", "zone": "Europe/Berlin"}, "2024-03-31T02:30:00", None),
        (
            {"type": "instant", "zone": "UTC", "format": "%Y%m%d%H%M%S%f"},
            "20240229010203000004",
            "2024-02-29T01:02:03.000004Z",
        ),
        ({"type": "instant"}, "0001-01-01T00:00:00+14:00", None),
    ],
    ids=str,
)
def test_spellings(scanned: Scanned, column: dict[str, Any], text: str, expected: Any) -> None:
    columns = {"id": "text", "v": column}
    (found,) = scanned("csv", f"id;v\n1;{text}\n".encode(), options={"delimiter": ";", "columns": columns})
    if expected is None:
        assert isinstance(found, Bad)
        assert found.reason.startswith("v ")
        assert text not in found.reason
    else:
        assert isinstance(found, Record)
        assert found.value["v"] == expected


@pytest.mark.parametrize(
    "column",
    [
        {"type": "date", "format": "%d.%m.%y"},
        {"type": "text", "format": "%Y"},
        {"type": "decimal", "decimal_point": ",", "grouping": ","},
        {"type": "date", "zone": "Europe/Berlin"},
        {"type": "instant", "zone": "Nowhere/X"},
        {"from": 0},
        {"type": "float"},
        {"kind": "text"},
    ],
    ids=str,
)
def test_columns_that_are_refused(column: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Column.model_validate(column)


@pytest.mark.parametrize("encoding", ["utf-7", "utf-32", "hz", "iso2022_jp", "base64", "none"])
def test_encodings_whose_lines_can_not_be_read_alone(scanned: Scanned, encoding: str) -> None:
    with pytest.raises(ConfigError, match="code page"):
        scanned("csv", b"", code_page=encoding)


@pytest.mark.parametrize("end", ["\n", "\x85"])
@pytest.mark.parametrize("encoding", ["cp037", "cp500", "cp1140"])
def test_ebcdic(values: Values, encoding: str, end: str) -> None:
    data = f'id,v{end}1,"a{end}b"{end}2,ü{end}'.encode(encoding)
    assert values("csv", data, code_page=encoding) == [{"id": "1", "v": "a\nb"}, {"id": "2", "v": "ü"}]


_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@settings(deadline=None)
@given(
    st.lists(st.lists(_TEXTS, min_size=2, max_size=2), max_size=6),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.booleans(),
)
def test_what_the_csv_module_writes_is_read(
    rows: list[list[str]], delimiter: str, encoding: str, end: str, quoting: Any, escaped: bool
) -> None:
    dialect: dict[str, Any] = {
        "delimiter": delimiter,
        "doublequote": not escaped,
        "escapechar": "\\" if escaped else None,
    }
    # Before Python 3.13 the module leaves a break bare that isn't in its end of line, unless it quotes everything.
    quoting = csv.QUOTE_ALL if escaped or end != "\r\n" else quoting
    out = io.StringIO()
    csv.writer(out, lineterminator=end, quoting=quoting, **dialect).writerows([["a", "b"], *rows])
    # What the module itself doesn't read back isn't asked of us.
    assume([*csv.reader(io.StringIO(out.getvalue(), newline=""), strict=True, **dialect)] == [["a", "b"], *rows])
    found = _all(CsvFormat(CsvOptions(**dialect), encoding, None), out.getvalue().encode(encoding))
    assert [each.value for each in found if isinstance(each, Record)] == [{"a": a, "b": b} for a, b in rows]


@settings(deadline=None)
@given(st.text('a1,"\n\r;#\\ é', max_size=40).map(str.encode) | st.binary(max_size=40))
def test_any_bytes_end_in_records_and_sentences(data: bytes) -> None:
    """Ranges follow each other within the file, whatever it holds."""
    options = CsvOptions(ragged=True, comment="#", columns={"a": "integer"}, header=False)  # type: ignore[dict-item]
    at = 0
    for each in _all(CsvFormat(options, "utf-8", "a"), data):
        assert at <= each.start <= each.end <= len(data)
        at = each.end


def test_duckdb_reads_the_same(values: Values, tmp_path: Any) -> None:
    rows = [[str(n), f'say "{n}",\nä', f"{n * 7919 % 100000}.{n % 100:02}"] for n in range(500)]
    path = tmp_path / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "text", "d"], *rows])
    columns = {"id": "integer", "text": "text", "d": "decimal"}
    ours = values("csv", path.read_bytes(), options={"columns": columns})
    types = "{'id': 'BIGINT', 'text': 'VARCHAR', 'd': 'DECIMAL(18,2)'}"
    theirs = duckdb.sql(f"SELECT id, text, d FROM read_csv('{path}', columns={types})").fetchall()
    assert [(each["id"], each["text"], each["d"]) for each in ours] == [(n, text, str(d)) for n, text, d in theirs]
