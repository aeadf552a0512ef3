"""The texts speak of the project alone: no machine, no registry, no ticket, nothing left for later."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

Tree = Callable[[Mapping[str, str]], Path]

# What a text may not say, and why. Spelled with classes so that this file doesn't say it either.
FORBIDDEN = {
    r"(?<![\w.-])/wor[k]/|/hom[e]/\w|\.\./share[d]\b": "a path of one machine",
    r"pyp[i]\.org|pythonhoste[d]\.org|de[b]\.debian\.org|registry\.npm[j]s|npm[j]s\.com/": "the host of a registry",
    r"\b(TOD[O]|FIXM[E]|XX[X])\b": "work left undone",
    r"(?i)\bissue [#]?\d+\b": "a ticket's number",
}
PLACES = ("gateway", "adapters", "openapi", "policies", "docker", "tests", ".ci")


def forbidden_words(tree: Path) -> list[str]:
    """Every line of a text file that says what it may not."""
    return [
        f"{path.relative_to(tree)}:{number}: {reason}"
        for path in _texts(tree)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for pattern, reason in FORBIDDEN.items()
        if re.search(pattern, line)
    ]


def _texts(tree: Path) -> Iterator[Path]:
    yield from (path for path in sorted(tree.iterdir()) if path.is_file() and path.name != ".git" and _is_text(path))
    for place in PLACES:
        for path in sorted((tree / place).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and _is_text(path):
                yield path


def _is_text(path: Path) -> bool:
    try:
        path.read_text()
    except UnicodeDecodeError:
        return False
    return True


def test_texts_speak_of_the_project_alone(root: Path) -> None:
    assert forbidden_words(root) == []


@pytest.mark.parametrize(
    "text",
    ["see /wor" "k/main", "../share" "d/DESIGN.md", "from pyp" "i.org", "# TOD" "O later", "as Issue " "12 says"],
)  # fmt: skip
def test_a_forbidden_word_is_found(tree: Tree, text: str) -> None:
    assert len(forbidden_words(tree({"docker/notes.md": f"fine\n{text}\n", "tests/data.bin": "fine"}))) == 1
