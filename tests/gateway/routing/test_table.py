"""The route table against the plainest way to do the same: try every template."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.routing.table import AmbiguousPath, Table

SEGMENTS = st.sampled_from(["a", "b", "c", "{x}", "{y}"])
TEMPLATES = st.lists(SEGMENTS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
PATHS = st.lists(st.sampled_from(["a", "b", "c", "d", ""]), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


def canonical(template: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", template)


def plainly(templates: list[str], path: str) -> list[str]:
    """Every template that fits, the most special first: a fixed segment wins over a parameter, from the left."""
    fitting = []
    for template in templates:
        parts, segments = template.split("/")[1:], path.split("/")[1:]
        if len(parts) == len(segments) and all(
            part == segment or (part.startswith("{") and segment) for part, segment in zip(parts, segments, strict=True)
        ):
            fitting.append(template)
    return sorted(fitting, key=lambda template: [part.startswith("{") for part in template.split("/")[1:]])


@settings(deadline=None, max_examples=400, database=None)
@given(st.lists(TEMPLATES, min_size=1, max_size=8, unique_by=canonical), PATHS)
def test_it_finds_what_trying_every_template_finds(templates: list[str], path: str) -> None:
    table: Table[str] = Table()
    for template in templates:
        table.add("GET", template, template)
    match = table.match(path.encode())
    fitting = plainly(templates, path)
    if not fitting:
        assert match is None
        return
    assert match is not None
    template, names = match.methods["GET"]
    assert template == fitting[0]
    segments = path.split("/")[1:]
    expected = [
        segment for part, segment in zip(template.split("/")[1:], segments, strict=True) if part.startswith("{")
    ]
    assert match.values == expected
    assert len(names) == len(expected)


@pytest.mark.parametrize(
    "path",
    [b"/a/..", b"/a/.", b"/a/%2e%2e", b"/a/%2E", b"/a/%00", b"/a/\x80", b"/a/%zz", b"/a/b c", b"/a/%7f", b"/a/%ff"],
)
def test_what_has_two_readings_is_refused(path: bytes) -> None:
    table: Table[str] = Table()
    table.add("GET", "/a/{x}", "a")
    with pytest.raises(AmbiguousPath):
        table.match(path)


def test_an_encoded_slash_stays_within_its_parameter() -> None:
    table: Table[str] = Table()
    table.add("GET", "/a/{x}", "a")
    match = table.match(b"/a/..%2F..%2Fetc")
    assert match is not None
    assert match.values == ["../../etc"]
    assert table.match(b"/a/.hidden") is not None
