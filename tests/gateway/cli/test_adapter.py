"""`figway adapter new` and `check`: a package that works at once, and a verdict on any."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.testing.rules import RULES
from gateway.cli.adapter import command

SUITE = """
import pytest

@pytest.mark.parametrize("rule", ["offline", "loop", "docs", "unknown"])
def test_rule(rule):
    if rule == "docs":
        pytest.skip("there are none")
    if rule == "loop":
        pytest.fail("the loop stands still", pytrace=False)
"""


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Suites run without the plug-ins that happen to be here, which take seconds to load."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def figway(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def test_what_new_writes_is_green_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert figway("new", "work-queue").output.startswith("figway-work-queue is an adapter of kind work-queue.")
    done = figway("check", "work-queue", "--json")
    report = json.loads(done.output)
    assert (done.exit_code, report["grade"]) == (0, "gold"), done.output
    states = {each["rule"]: each["state"] for each in report["rules"]}
    assert states == {rule: "not asked" if rule in ("claims", "changes") else "kept" for rule in RULES}


def test_what_new_writes_is_tidy(tmp_path: Path) -> None:
    assert figway("new", "work-queue", "--into", str(tmp_path)).exit_code == 0
    ruff = Path(sys.executable).with_name("ruff")
    plain = ["--no-cache", "--isolated", "--line-length", "120"]
    for verb in (["check", "--select", "E,F,I,B,UP,SIM,RUF,ASYNC,PT,RET,N"], ["format", "--diff"]):
        run = subprocess.run([ruff, *verb, *plain, str(tmp_path)], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and "__kind__" in path.read_text()]


@pytest.mark.slow
def test_what_new_writes_is_typed(tmp_path: Path) -> None:
    assert figway("new", "work-queue", "--into", str(tmp_path)).exit_code == 0
    folder = tmp_path / "figway-work-queue"
    mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "figway_work_queue"]
    environment = {**os.environ, "MYPYPATH": str(Path(__file__).parents[3])}
    run = subprocess.run(mypy, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("name", ["Queue", "a_b", "../x", "-x", "a--b", "", "x" * 41])
def test_a_name_that_cant_be_a_kinds_is_refused(tmp_path: Path, name: str) -> None:
    done = figway("new", "--into", str(tmp_path), "--", name)
    assert done.exit_code == 2
    assert "is no name for a kind" in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_kind_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    done = figway("new", "soap", "--into", str(tmp_path))
    assert (done.exit_code, "is installed already" in done.output) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "figway-x").mkdir()
    done = figway("new", "x", "--into", str(tmp_path))
    assert (done.exit_code, "is there already" in done.output) == (1, True)
    assert list((tmp_path / "figway-x").iterdir()) == []


def test_a_broken_rule_is_told_with_the_grade_that_is_left(tmp_path: Path) -> None:
    suite = tmp_path / "suite.py"
    suite.write_text(SUITE)
    done = figway("check", str(suite), "--json")
    report = json.loads(done.output)
    assert (done.exit_code, report["grade"]) == (1, "bronze")
    assert [(each["rule"], each["state"], each["detail"]) for each in report["rules"]] == [
        ("offline", "kept", ""),
        ("loop", "broken", "the loop stands still"),
        ("docs", "not asked", "there are none"),
    ]


@pytest.mark.parametrize(
    ("files", "name", "says"),
    [
        ({}, "saop", "no kind 'saop' is installed; there are"),
        ({}, "soap", "the kind 'soap' ships no suite: adapters.soap.conformance isn't there"),
        ({"suite.py": "import no_such_module"}, "suite.py", "No module named 'no_such_module'"),
        ({"figway-x/pyproject.toml": "[project"}, "x", "can't be read"),
        ({"figway-x/pyproject.toml": ""}, "x", "names 0 entry points in figway.adapters"),
        (
            {"figway-x/pyproject.toml": '[project.entry-points."figway.adapters"]\nx = "figway_x:KIND"'},
            "figway-x",
            "figway_x/conformance.py isn't there",
        ),
    ],
    ids=["unknown", "no-suite", "broken-suite", "broken-project", "no-kind", "no-suite-of-a-package"],
)
def test_what_cant_be_checked_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], name: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for file, text in files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text)
    done = figway("check", name)
    assert done.exit_code == 1
    assert says in done.output
