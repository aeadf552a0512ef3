"""`figway decode`: what it prints, writes and refuses, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from gateway.cli import app

Run = Callable[..., Result]

COPYBOOK = """\
       01  TASK.
           COPY BODY REPLACING ==:P:== BY ==TASK==.
           05  Parts OCCURS 2.
               10  AMOUNT  PIC S9(3)V99 COMP-3.
"""
BODY = "           05  :P:-ID  PIC X(3).\n           05  FILLER  PIC X.\n"
RECORDS = b"\xc1\x7e\x40\x40\x12\x34\x5d\x00\x10\x0c" + b"\xd1\xd2\xd3\x40\x00\x00\x0c\xff\xff\xff"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "task.cpy").write_text(COPYBOOK)
    (tmp_path / "body.cpy").write_text(BODY)
    (tmp_path / "data").write_bytes(RECORDS)
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(folder)

    def call(*arguments: str) -> Result:
        result = CliRunner().invoke(app, ["decode", "data", "--copybook", "task.cpy", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return call


def test_json_lines(run: Run) -> None:
    done = run()
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"TASK_ID": "A=", "Parts": [{"AMOUNT": "-123.45"}, {"AMOUNT": "1.00"}]},
        {"TASK_ID": "JKL", "Parts": [{"AMOUNT": "0.00"}, {"AMOUNT": None}]},
    ]
    assert (done.exit_code, done.stderr) == (0, "figway: 1 values are null because they couldn't be decoded\n")


def test_csv_and_parquet_into_files(run: Run, folder: Path) -> None:
    assert run("--format", "csv", "--out", "out.csv").exit_code == 0
    header, first, *_ = (folder / "out.csv").read_text().splitlines()
    assert header == "TASK_ID,Parts"
    assert first == '"A=","[{""AMOUNT"":""-123.45""},{""AMOUNT"":""1.00""}]"' or first.startswith("A=,")
    assert run("--format", "parquet", "--out", "out.parquet").exit_code == 0
    rows = pq.read_table(folder / "out.parquet").to_pylist()
    assert [str(row["Parts"][0]["AMOUNT"]) for row in rows] == ["-123.45", "0.00"]
    assert {path.name for path in folder.iterdir()} == {
        "task.cpy", "body.cpy", "data", "out.csv", "out.parquet",
    }  # fmt: skip


def test_records_that_cannot_be_decoded_are_a_finding(run: Run) -> None:
    done = run("--option", "strict=true")
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr.splitlines() == [
        "figway: bytes 10 to 20 can't be decoded: AMOUNT isn't a packed number of 5 digits",
        "figway: 1 of 2 records couldn't be decoded",
    ]


def test_every_fault_of_the_copybook_is_told_with_its_line(run: Run, folder: Path) -> None:
    (folder / "task.cpy").write_text("       01 R.\n          05 A PIC Q.\n          05 B.\n")
    done = run()
    assert done.exit_code == 1
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["task.cpy:2", "task.cpy:3"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--option", "colour=red"], "option colour isn't known"),
        (["--option", "record_extractor=com.x"], "option record_extractor isn't supported"),
        (["--option", "record_format"], "--option must be NAME=VALUE"),
        (["--format", "parquet"], "name it with --out"),
        (["--format", "xml"], "xml"),
    ],
    ids=["unknown", "refused", "no-value", "parquet-to-terminal", "format"],
)
def test_what_is_asked_wrongly_is_refused_in_a_sentence(run: Run, arguments: list[str], sentence: str) -> None:
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_what_cannot_be_written_is_told_and_leaves_nothing(run: Run, folder: Path) -> None:
    done = run("--out", "missing/out.json")
    assert done.exit_code == 1
    assert "No such file" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error(folder: Path) -> None:
    (folder / "data").write_bytes(RECORDS[:10] * 50_000)
    figway = Path(sys.executable).with_name("figway")
    shell = f"{figway} decode data --copybook task.cpy | head -n 1"
    done = subprocess.run(["bash", "-c", shell], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith('{"TASK_ID":"A="')
    assert done.stderr == ""


def test_parquet_without_pyarrow_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = run("--format", "parquet", "--out", "out.parquet")
    assert done.exit_code == 1
    assert done.stderr == "figway: Parquet needs pyarrow and numpy: install them with pip install 'figway[columnar]'\n"


def test_options_for_spark_are_taken_and_said(run: Run) -> None:
    done = run("--option", "input_split_records=5", "--option", "pedantic=true")
    assert done.exit_code == 0
    assert "option input_split_records is for Spark and changes nothing here" in done.stderr
