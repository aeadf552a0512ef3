"""`figway decode --dataset`: a file of any format, by the description of a dataset."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import UTC, date, datetime, time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from adapters.files.decode_dataset import dataset_decoding
from gateway.cli.decode import command


def _run(folder: Path, description: str, data: bytes, *more: str) -> tuple[int, str, str]:
    (folder / "d.yaml").write_text(description)
    (folder / "data").write_bytes(data)
    done = CliRunner().invoke(command, [str(folder / "data"), "--dataset", str(folder / "d.yaml"), *more])
    return done.exit_code, done.stdout, done.stderr


def test_records_are_json_lines(tmp_path: Path) -> None:
    description = (
        "format: csv\noptions: {delimiter: ';', columns: {id: integer, price: {type: decimal, decimal_point: ','}}}\n"
    )
    code, out, err = _run(tmp_path, description, b"id;price\n1;1,50\nx;2\n2;\n")
    assert out == '{"id":1,"price":"1.50"}\n{"id":2,"price":null}\n'
    assert code == 1
    assert "bytes 16 to 20 can't be decoded: id isn't an integer" in err
    assert "1 of 3 records" in err


def test_a_place_that_is_no_bytes(tmp_path: Path) -> None:
    description = "format: xml\noptions: {record: /a/r, columns: {n: integer}}\n"
    code, _, err = _run(tmp_path, description, b"<a>\n<r><n>x</n></r></a>")
    assert code == 1
    assert "figway: the record in line 2 can't be decoded: n isn't an integer\n" in err


@pytest.mark.parametrize(
    ("description", "sentence"),
    [
        ("format: word", "format: Input should be"),
        ("format: csv\noptions: {x: 1}", "options/x: Extra inputs"),
        ("format: xml\noptions: {record: a/b, columns: {n: text}}", "options: record must be a path from the root"),
        ("- a", "isn't YAML that describes a dataset"),
        ("{", "isn't YAML that describes a dataset"),
    ],
)
def test_descriptions_that_are_none(tmp_path: Path, description: str, sentence: str) -> None:
    code, out, err = _run(tmp_path, description, b"")
    assert (code, out) == (1, "")
    assert sentence in err


TYPED = (
    "format: csv\noptions: {columns: {id: integer, price: decimal, day: date, at: instant, hour: time, "
    "then: datetime, ok: boolean, name: text}}\n"
)
ROWS = (
    b"id,price,day,at,hour,then,ok,name\n"
    b'-7,1.50,2027-01-15,2027-01-15T08:00:00Z,23:59:59,2027-01-15T08:00:00,true,"a ""b"", c"\n'
    b"9223372036854775807,,,2027-01-15T08:00:00.123456+02:00,,,false,\xc3\xa4\n"
)


def test_records_are_a_table_in_csv(tmp_path: Path) -> None:
    code, out, _ = _run(tmp_path, TYPED, ROWS, "--format", "csv")
    assert code == 0
    header, first, second = csv.reader(io.StringIO(out, newline=""))
    assert header == ["id", "price", "day", "at", "hour", "then", "ok", "name"]
    assert (first[0], first[1], first[6], first[7]) == ("-7", "1.50", "true", 'a "b", c')
    assert second[:3] == ["9223372036854775807", "", ""]
    assert second[6:] == ["false", "ä"]


def test_records_are_typed_columns_in_parquet(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    code, _, err = _run(tmp_path, TYPED, ROWS, "--format", "parquet", "--out", str(out))
    assert (code, err) == (0, "")
    table = pq.read_table(out)
    kinds = ["int64", "string", "date32[day]", "timestamp[us, tz=UTC]", "time64[us]", "timestamp[us]", "bool", "string"]
    assert [str(each.type) for each in table.schema] == kinds
    first, second = table.to_pylist()
    assert first == {
        "id": -7, "price": "1.50", "day": date(2027, 1, 15), "at": datetime(2027, 1, 15, 8, tzinfo=UTC),
        "hour": time(23, 59, 59), "then": datetime(2027, 1, 15, 8), "ok": True, "name": 'a "b", c',
    }  # fmt: skip
    assert second["id"] == (1 << 63) - 1
    assert second["at"] == datetime(2027, 1, 15, 6, 0, 0, 123456, tzinfo=UTC)
    assert (second["price"], second["day"], second["hour"]) == (None, None, None)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_messages_and_lists_are_json_in_cells(tmp_path: Path, form: str) -> None:
    edifact = b"UNA:+.? 'UNB+UNOC:3+A+B+240102:1000+R'UNH+1+ORDERS:D:96A:UN'BGM+220+4711+9'UNT+3+1'UNZ+1+R'"
    out = tmp_path / "out"
    code, _, err = _run(tmp_path, "format: edifact", edifact, "--format", form, "--out", str(out))
    assert (code, err) == (0, "")
    if form == "parquet":
        (row,) = pq.read_table(out).to_pylist()
    else:
        (row,) = csv.DictReader(io.StringIO(out.read_text(), newline=""))
    assert (row["id"], row["type"]) == ("R-1", "ORDERS")
    assert json.loads(row["segments"])[1] == {"tag": "BGM", "elements": ["220", "4711", "9"]}


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_no_record_is_a_table_without_rows(tmp_path: Path, form: str) -> None:
    out = tmp_path / "out"
    code, _, _ = _run(
        tmp_path, "format: csv\noptions: {columns: {id: integer}}", b"id\n", "--format", form, "--out", str(out)
    )
    assert code == 0
    if form == "parquet":
        assert (pq.read_table(out).num_rows, pq.read_table(out).column_names) == (0, ["id"])
    else:
        assert out.read_bytes() == b"id\r\n"


def test_parquet_of_many_records_holds_them_all(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    data = b"id,name\n" + b"".join(b"%d,n%d\n" % (number, number) for number in range(104_001))
    code, _, _ = _run(tmp_path, "format: csv\noptions: {columns: {id: integer, name: text}}", data,
                      "--format", "parquet", "--out", str(out))  # fmt: skip
    assert code == 0
    assert pq.ParquetFile(out).num_row_groups == 2
    assert pq.read_table(out)["id"].to_pylist() == list(range(104_001))


def test_a_copybook_goes_by_its_own_option(tmp_path: Path) -> None:
    (tmp_path / "c.cpy").write_text("       01 R.\n          05 A PIC X(3).\n")
    description = "format: copybook\ncopybook: c.cpy\ncode_page: ascii\n"
    assert _run(tmp_path, description, b"abc")[:2] == (0, '{"a":"abc"}\n')
    code, _, err = _run(tmp_path, description, b"abc", "--format", "csv")
    assert code == 1
    assert "written as csv with --copybook" in err


LINES = b"".join(b'{"id":"%d","x":"%s"}\n' % (number, b"y" * 90) for number in range(20_000))


@pytest.mark.parametrize(
    ("description", "data"),
    [
        ("format: json_lines\noptions: {columns: {id: text, x: text}}", LINES),
        ("format: json_lines\ncompression: gzip\noptions: {columns: {id: text, x: text}}", gzip.compress(LINES)),
        (
            "format: xml\noptions: {record: /a/r, columns: {id: {from: '@id'}}}",
            b"<a>" + b"".join(b'<r id="%d" x="%s"/>\n' % (number, b"y" * 90) for number in range(20_000)) + b"</a>",
        ),
    ],
    ids=["lines", "gzip", "xml"],
)
def test_progress_is_told_in_bytes_of_the_file(tmp_path: Path, description: str, data: bytes) -> None:
    (tmp_path / "d.yaml").write_text(description)
    (tmp_path / "data").write_bytes(data)
    told: list[int] = []
    with (tmp_path / "out").open("wb") as out:
        summary = dataset_decoding(tmp_path / "data", tmp_path / "d.yaml").run(out, told.append)
    assert summary.records == 20_000
    assert len(told) == 20
    assert told == sorted(told)
    assert len(data) * 0.9 <= told[-1] <= len(data)


def test_one_of_two(tmp_path: Path) -> None:
    code, _, err = _run(tmp_path, "format: csv", b"a\n", "--option", "record_format=V")
    assert code == 2
    assert "holds its own options" in err
    done = CliRunner().invoke(command, [str(tmp_path / "data")])
    assert done.exit_code == 2
    assert "--copybook, or with --dataset" in done.stderr
