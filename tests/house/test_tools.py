"""The tools that read every line, run by `make check`, are set up strictly: each finds a deliberate breach."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Tree = Callable[[Mapping[str, str]], Path]


def findings(tree: Path, *command: str) -> str:
    """What a tool of the virtual environment says of `tree`, "" when it finds nothing."""
    tool = Path(sys.executable).with_name(command[0])
    run = subprocess.run([tool, *command[1:]], cwd=tree, capture_output=True, text=True, check=False)
    return "" if run.returncode == 0 else run.stdout


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("import os\n", "F401"),
        ("import time\n\n\nasync def wait() -> None:\n    time.sleep(1)\n", "ASYNC251"),
        ("def query(name: str) -> str:\n    return f\"select * from t where n = '{name}'\"\n", "S608"),
        ("def add(items: list[int] = []) -> None:\n    items.append(1)\n", "B006"),
    ],
)
def test_ruff_finds_a_breach(root: Path, tree: Tree, text: str, rule: str) -> None:
    folder = tree({"gateway/a.py": text})
    shutil.copy(root / "pyproject.toml", folder)
    assert rule in findings(folder, "ruff", "check", "--no-cache", "--output-format=concise", ".")


def test_the_formatter_finds_a_breach(root: Path, tree: Tree) -> None:
    folder = tree({"gateway/a.py": "x = { 'a':1 }\n"})
    shutil.copy(root / "pyproject.toml", folder)
    assert "gateway/a.py" in findings(folder, "ruff", "format", "--no-cache", "--check", ".")


def test_mypy_finds_a_breach(root: Path, tree: Tree) -> None:
    untyped = "def twice(value):\n    return value + value\n\n\nthrice: int = '3'\n"
    folder = tree({"gateway/__init__.py": "", "gateway/a.py": untyped, "adapters/__init__.py": ""})
    shutil.copy(root / "pyproject.toml", folder)
    found = findings(folder, "mypy", "--cache-dir=/dev/null")
    assert "no-untyped-def" in found
    assert "assignment" in found
