"""`figway decode --dataset`: a file of any format, by the description of a dataset."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

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


def test_one_of_two(tmp_path: Path) -> None:
    code, _, err = _run(tmp_path, "format: csv", b"a\n", "--format", "csv")
    assert code == 2
    assert "writes json only" in err
    done = CliRunner().invoke(command, [str(tmp_path / "data")])
    assert done.exit_code == 2
    assert "--copybook, or with --dataset" in done.stderr
