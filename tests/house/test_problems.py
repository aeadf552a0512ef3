"""Every failure says whether to try again, and what to change: each type of problem, or each place that raises it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import control_errors, limit_errors  # noqa: F401 - their types are known once they are imported
from gateway.errors import problem_types
from gateway.remedies import REMEDIES, SITES

ROOT = Path(__file__).resolve().parents[2]
TYPES = {each.__name__: each for each in problem_types()}
_RIGHT = {
    202: {True},
    403: {True, False},
    408: {True},
    409: {True, False},
    429: {True},
    503: {True},
    504: {True, False},
}
"""Status → whether a call that ended so may be tried again; of others it may not."""


@pytest.mark.parametrize("name", sorted(TYPES))
def test_each_type_decides_whether_to_try_again(name: str) -> None:
    kind = TYPES[name]
    assert "retryable" in vars(kind), "say retryable, True or False, in the class itself"
    assert kind.retryable in _RIGHT.get(kind.status, {False})


@pytest.mark.parametrize("name", sorted(TYPES))
def test_each_type_says_what_to_do_or_has_its_places_say_it(name: str) -> None:
    kind = TYPES[name]
    assert (kind.slug in REMEDIES) != (kind.slug in SITES), "name it in gateway/remedies.py"
    told = kind("It failed.").document().get("fix")
    assert told == REMEDIES.get(kind.slug)
    assert kind("It failed.", fix="Mend it.").document()["fix"] == "Mend it."


def test_no_remedy_is_left_of_a_type_that_is_gone() -> None:
    slugs = {each.slug for each in TYPES.values()}
    assert slugs >= REMEDIES.keys() | SITES


def silent(source: str) -> Iterator[int]:
    """The lines in which a problem is made, of a type whose places must say what to change, that don't."""
    names = {name for name, kind in TYPES.items() if kind.slug in SITES}
    for node in ast.walk(ast.parse(source)):
        named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
        if named and not any(each.arg in ("fix", None) for each in node.keywords):  # type: ignore[attr-defined]
            yield node.lineno  # type: ignore[attr-defined]


def test_every_place_that_must_say_what_to_change_does() -> None:
    files = [path for path in sorted((ROOT / "gateway").rglob("*.py")) if "demo" not in path.parts]
    found = [f"{path.relative_to(ROOT)}:{line}" for path in files for line in silent(path.read_text())]
    assert not found, "give these a fix=: what their caller is to change"


def test_a_silent_place_is_found() -> None:
    assert list(silent('raise BadRequest("no")\nraise BadRequest("no", fix="so")\nraise NotFound("no")')) == [1]
