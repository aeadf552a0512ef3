"""Files of rows and of COBOL records, imported as a user does it and served: what is answered is what they hold."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import openpyxl
import pytest
import yaml
from click.testing import CliRunner

from gateway.cli import app
from gateway.importing import copybook, table
from gateway.importing.model import CantImport, Request, Shape

TASK = """       01  TASK.
           05  TASK-ID     PIC 9(6).
           05  KIND        PIC X.
               88 IS-ORDER   VALUE 'O'.
               88 IS-NOTICE  VALUE 'N'.
           05  STATE       PIC X.
               88 IS-OPEN    VALUE 'P'.
           05  TITLE       PIC X(20).
           05  ORDER-PART.
               10 QUANTITY PIC 9(4).
           05  NOTICE-PART REDEFINES ORDER-PART.
               10 LETTERS  PIC X(4).
           COPY TAIL.
"""
TAIL = "           05  AMOUNT      PIC S9(7)V99 COMP-3.\n"


def packed(number: int) -> bytes:
    return bytes.fromhex(f"{abs(number):09}" + ("D" if number < 0 else "C"))


def task(at: int, page: str = "cp037") -> bytes:
    part = f"{at:04}" if at % 3 else "abcd"
    head = f"{at:06}{'O' if at % 3 else 'N'}{'PQ'[at % 2]}{f'Title {at}':<20}{part}"
    return head.encode(page) + packed(at * 7 - 300)


@pytest.fixture
def tasks(tmp_path) -> Path:
    (tmp_path / "task.cpy").write_text(TASK)
    (tmp_path / "tail.cpy").write_text(TAIL)
    (tmp_path / "TASKS.DAT").write_bytes(b"".join(map(task, range(1, 91))))
    return tmp_path


def read_copybook(folder: Path, **options: str):
    given = {"data": str(folder / "TASKS.DAT"), **options}
    return copybook.read(Request(str(folder / "task.cpy"), "work", options=given))


def test_a_copybook_becomes_a_dataset_with_its_alternatives(tasks):
    reading = read_copybook(tasks)
    dataset = reading.config["datasets"]["task"]
    assert (dataset["code_page"], dataset["record_format"], dataset["key"]) == ("cp037", "F", "task_id")
    assert dataset["options"] == {
        "segment_field": "KIND", "redefine_segment_id_map": {"ORDER-PART": ["O"], "NOTICE-PART": ["N"]},
    }  # fmt: skip
    assert set(reading.files) == {"task.cpy", "tail.cpy"}
    shapes = {each.operation: each for each in reading.operations}
    assert {name: each.shape for name, each in shapes.items()} == {
        "task.list": Shape.LIST, "task.get": Shape.GET, "task.append": Shape.CREATE,
    }  # fmt: skip
    record = shapes["task.get"].output
    assert [each.get("title") for each in record["oneOf"]] == ["order_part", "notice_part", "none of them"]
    assert record["oneOf"][0]["properties"] == {"kind": {"enum": ["O"]}}
    # Level 88 names all values of one field; of the other the sample holds more.
    assert record["properties"]["kind"]["enum"] == ["O", "N"]
    assert "enum" not in record["properties"]["state"]
    assert any("no level 88 names" in each for each in reading.decisions)


def test_one_bad_line_among_two_thousand_is_told_with_its_line(tasks):
    lines = TASK.splitlines()[:-1] + [f"           05  F{at:04}  PIC X(3)." for at in range(2000)]
    lines[1500] = "           05  F1234  PIC Q(3)."
    (tasks / "task.cpy").write_text("\n".join(lines))
    with pytest.raises(CantImport, match=r"^task\.cpy:1501: ") as caught:
        read_copybook(tasks)
    assert ";" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda folder: (folder / "TASKS.DAT").write_bytes(b"\x01" * 999), "no record format"),
        (lambda folder: (folder / "TASKS.DAT").write_bytes(b""), "empty"),
        (lambda folder: (folder / "TASKS.DAT").unlink(), "no file"),
        (lambda folder: (folder / "TASKS.DAT").write_bytes(task(1) * 30), "no field of task is filled"),
        (lambda folder: (folder / "tail.cpy").unlink(), "TAIL"),
        (lambda folder: (folder / "task.cpy").write_bytes(b"\x00\xff" * 500), "task.cpy:1"),
    ],
    ids=["other", "empty", "gone", "no key", "no copy", "binary"],
)
def test_what_cannot_be_imported_says_why(tasks, change, sentence):
    change(tasks)
    with pytest.raises(CantImport) as caught:
        read_copybook(tasks)
    assert sentence in str(caught.value)
    assert str(tasks) not in str(caught.value)


def test_what_is_copied_stays_in_the_copybooks_folder(tasks, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "tail.cpy"
    outside.write_text(TAIL)
    (tasks / "tail.cpy").unlink()
    (tasks / "tail.cpy").symlink_to(outside)
    with pytest.raises(CantImport, match="TAIL"):
        read_copybook(tasks)


def test_of_several_records_the_one_that_the_file_holds(tasks):
    text = TASK.replace("           COPY TAIL.\n", TAIL)
    (tasks / "task.cpy").write_text("       01  HEAD-LINE.\n           05  COUNT-OF  PIC 9(9) COMP-3.\n" + text)
    reading = read_copybook(tasks)
    assert reading.config["datasets"]["task"]["options"]["record"] == "task"
    assert [each.what for each in reading.left_out] == ["head_line"]


STOCK = "SKU;Name;Unit price;On hand;Since\n" + "".join(
    f"S{at:04};Thing {at};{at},50;{at % 7};{at % 28 + 1:02}.03.2024\n" for at in range(300)
)


def read_table(path: Path, **options: str):
    return table.read(Request(str(path), "stock", options=options))


def test_a_table_without_a_key_is_left_out_and_one_may_be_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,2\n" * 30)
    with pytest.raises(CantImport, match="no field is filled and different"):
        read_table(path)
    assert read_table(path, key="b").config["datasets"]["a"]["key"] == "b"
    with pytest.raises(CantImport, match="no field 'c'"):
        read_table(path, key="c")


def test_a_workbook_gives_what_it_can(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Parts"
    book.active.append(["Id", "Name", "Name", None])
    for at in range(25):
        book.active.append([at, f"n{at}", "x", at])
    book.create_sheet("Empty")
    book.save(tmp_path / "b.xlsx")
    reading = read_table(tmp_path / "b.xlsx")
    assert set(reading.config["datasets"]) == {"b_parts"}
    assert [(each.what, each.why) for each in reading.left_out] == [("Empty", "the sheet is empty")]
    assert {each.operation for each in reading.operations} == {"b_parts.list", "b_parts.get"}


def test_a_glob_takes_the_newest_and_finds_the_others(tmp_path):
    for day in ("01", "02"):
        (tmp_path / f"stock-{day}.csv").write_text(STOCK)
    reading = read_table(tmp_path / "stock-*.csv")
    assert reading.config["datasets"]["stock_02"]["match"] == "stock-*.csv"
    assert "append" not in reading.config["datasets"]["stock_02"]
    odd = tmp_path / "odd[1]?.csv"
    odd.write_text(STOCK)
    assert read_table(odd).config["datasets"]["odd_1"]["match"][0] == "odd[[]1][?].csv"


def rows(client, path: str):
    found, target = [], f"{path}?limit=50"
    while target:
        page = client.get(target).raise_for_status().json()
        found += page["items"]
        target = page["next"]
    return found


def test_files_that_were_imported_answer_with_what_they_hold(tasks, tmp_path_factory, running, monkeypatch):
    folder = tmp_path_factory.mktemp("workspace")
    (tasks / "stock.csv").write_text(STOCK, encoding="cp1252")
    commands = [
        ["init", "."],
        ["import", "table", str(tasks / "stock.csv"), "--upstream", "stock"],
        ["import", "copybook", str(tasks / "task.cpy"), "--data", str(tasks / "TASKS.DAT"), "--upstream", "work"],
        ["check"],
    ]
    monkeypatch.chdir(folder)
    for command in commands:
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, (command, done.output[-3000:])
    paths = [
        path
        for file in sorted((folder / "openapi").glob("*.yaml"))
        for path in yaml.safe_load(file.read_text())["paths"]
    ]
    assert sorted(paths) == ["/stock", "/stock/{sku}", "/tasks", "/tasks/{task_id}"]
    written = list(csv.DictReader(io.StringIO(STOCK), delimiter=";"))
    wanted = [
        {
            "sku": each["SKU"], "name": each["Name"], "unit_price": each["Unit price"].replace(",", "."),
            "on_hand": int(each["On hand"]), "since": "-".join(reversed(each["Since"].split("."))),
        }
        for each in written
    ]  # fmt: skip
    with running.serving(folder) as served, served.client(served.reader) as client:
        assert rows(client, "/stock") == wanted
        assert client.get("/stock/S0042").json() == wanted[42]
        few = client.get("/stock?unit_price.ge=290&name.like=%259&sort=-sku").json()["items"]
        assert [each["sku"] for each in few] == ["S0299"]
        found = rows(client, "/tasks")
        assert len(found) == 90
        for at, each in enumerate(found, start=1):
            part = {"order_part": {"quantity": at}} if at % 3 else {"notice_part": {"letters": "abcd"}}
            amount = at * 7 - 300
            shown = f"{'-' if amount < 0 else ''}{abs(amount) // 100}.{abs(amount) % 100:02}"
            head = {"task_id": at, "kind": "O" if at % 3 else "N", "state": "PQ"[at % 2], "title": f"Title {at}"}
            assert each == {**head, **part, "amount": shown}
        assert client.get("/tasks/7").json() == found[6]
        denied = client.post("/stock", json={"sku": "S9999", "name": "x"})
        assert denied.status_code == 403
