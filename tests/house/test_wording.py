"""The texts speak of the project alone: no machine, no registry, no ticket, nothing left for later."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
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
NEWLINE = "\n"
PLACES = ("gateway", "adapters", "openapi", "policies", "docker", "tests", ".ci")


def forbidden_words(tree: Path) -> list[str]:
    """Every line of a text file that says what it may not."""
    return [
        f"{path.relative_to(tree)}:{text.count(NEWLINE, 0, found.start()) + 1}: {reason}"
        for path, text in _texts(tree)
        for pattern, reason in FORBIDDEN.items()
        for found in re.finditer(pattern, text)
    ]


def _texts(tree: Path) -> Iterator[tuple[Path, str]]:
    top = [path for path in tree.iterdir() if path.name != ".git"]
    below = (path for place in PLACES for path in (tree / place).rglob("*") if "__pycache__" not in path.parts)
    for path in sorted([*top, *below]):
        if path.is_file():
            with suppress(UnicodeDecodeError):
                yield path, path.read_text()


def test_texts_speak_of_the_project_alone(root: Path) -> None:
    assert forbidden_words(root) == []


@pytest.mark.parametrize(
    "text",
    ["see /wor" "k/main", "../share" "d/DESIGN.md", "from pyp" "i.org", "# TOD" "O later", "as Issue " "12 says"],
)  # fmt: skip
def test_a_forbidden_word_is_found(tree: Tree, text: str) -> None:
    assert len(forbidden_words(tree({"docker/notes.md": f"fine\n{text}\n", "tests/data.bin": "fine"}))) == 1
