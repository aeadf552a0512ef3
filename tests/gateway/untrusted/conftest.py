"""The texts that rules are judged by: a text a line, `\\n`, `\\\\` and `\\uXXXX` standing for what can't be seen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ESCAPE = re.compile(r"\\(?:(n)|(\\)|u([0-9A-F]{4})|U([0-9A-F]{8}))")


def _texts(name: str) -> list[str]:
    def meant(found: re.Match[str]) -> str:
        code = found[3] or found[4]
        return chr(int(code, 16)) if code else "\n" if found[1] else "\\"

    lines = Path(__file__).with_name(f"{name}.txt").read_text("utf-8").split("\n")
    return [_ESCAPE.sub(meant, line) for line in lines if line]


@pytest.fixture(scope="session")
def benign() -> list[str]:
    """What businesses write every day."""
    return _texts("benign")


@pytest.fixture(scope="session")
def hostile() -> list[str]:
    """What was written to be obeyed by a model."""
    return _texts("hostile")
