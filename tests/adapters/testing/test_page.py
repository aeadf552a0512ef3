"""What the kit's page says is so: its rules, its files, its code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import adapters.testing
from adapters.contract import Effect, Operation
from adapters.testing import AdapterConformance, Changing, Subject
from adapters.testing.rules import RULES
from gateway.cli.adapter import command

PAGE = Path(adapters.testing.__file__).with_name("README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def table(head: str) -> list[list[str]]:
    """The cells of a table, by the first of its head."""
    rows = re.search(rf"^\| {head} \|.*\n\|[ |-]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert rows is not None
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[1].splitlines()]


def test_the_page_has_every_rule_with_its_grade() -> None:
    assert [(row[0].strip("` "), row[1]) for row in table("rule")] == [
        (rule.name, rule.grade.value) for rule in RULES.values()
    ]


def test_the_page_has_all_that_a_subject_is() -> None:
    told = [name for row in table("of a subject") for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(told) == sorted(field.name for field in fields(Subject))


def test_the_page_has_every_file_that_is_written(tmp_path: Path) -> None:
    assert CliRunner().invoke(command, ["new", "queue", "--into", str(tmp_path)]).exit_code == 0
    folder = tmp_path / "figway-queue"
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {row[0].strip("` ") for row in table("file")} == written - {"figway_queue/py.typed"}


def test_the_subject_of_the_page_is_one() -> None:
    @contextmanager
    def beanstalkd() -> Iterator[int]:
        yield 11300

    space: dict[str, Any] = {"beanstalkd": beanstalkd, "jobs_in": lambda port, tube: 7}
    exec(BLOCKS[0].replace('@pytest.fixture(scope="module")\n', ""), space)
    subject = next(space["subject"]())
    assert isinstance(subject, Subject)
    assert subject.written is not None
    assert subject.written() == 7
    assert subject.config("h", 1) == {"host": "h", "port": 1}
    assert issubclass(space["TestConformance"], AdapterConformance)


def test_the_changes_of_the_page_are_what_a_subject_takes() -> None:
    made: list[Any] = []
    space: dict[str, Any] = {
        "empty_table": lambda name, rows: made.append(rows),
        "change_row": lambda *change: made.append(change),
    }
    exec(BLOCKS[1], space)
    changing = space["changing"]()
    changing.change(3, None)
    assert isinstance(changing, Changing)
    assert made == [[(number, 0) for number in range(1, 6)], ("jobs", 3, None)]
    assert (changing.row(1, 2), changing.key(1)) == ({"id": 1, "state": 2}, (1,))


def test_the_tape_of_the_page_can_be_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Real:
        name = "orders"

        def operations(self) -> dict[str, Operation]:
            return {"get": Operation("get", Effect.READ, {}, {})}

    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {"real_adapter": Real()}
    exec(BLOCKS[2], space)
    assert space["replayed"].operations() == Real().operations()
