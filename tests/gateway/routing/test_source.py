"""YAML with positions: values by the core schema, lines, and refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.routing.report import Report
from gateway.routing.source import parse

# A JSON file with raw control characters or line separators in its texts is not also YAML.
PRINTABLE = st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Co", "Cs", "Zl", "Zp"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(PRINTABLE, max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4),
    max_leaves=20,
)


def _parsed(text: str | bytes) -> tuple[Any, list[tuple[int, str]]]:
    report = Report()
    content = text if isinstance(text, bytes) else text.encode()
    document = parse("a.yaml", content, report)
    findings = [(finding.line, finding.message) for finding in report.sorted()]
    return None if document is None else document.data, findings


def test_plain_values_follow_the_core_schema() -> None:
    data, findings = _parsed("a: no\nb: 2026-01-01\nc: 12\nd: 1.5e3\ne: true\nf: ~\ng: '12'\nh: 0x10\ni: 1:30\nj:\n")
    assert not findings
    assert data == {
        "a": "no",
        "b": "2026-01-01",
        "c": 12,
        "d": 1500.0,
        "e": True,
        "f": None,
        "g": "12",
        "h": "0x10",
        "i": "1:30",
        "j": None,
    }


def test_keys_are_texts_as_written() -> None:
    assert _parsed("200: {true: 1}\n")[0] == {"200": {"true": 1}}


def test_lines_of_values_and_of_what_is_missing() -> None:
    document = parse("a.yaml", b"a:\n  b:\n    - x\n    - c: 1\n", Report())
    assert document is not None
    assert [document.line(place) for place in (("a", "b"), ("a", "b", "1", "c"), ("a", "b", "7"), ("z",))] == [
        2,
        4,
        2,
        1,
    ]


@settings(deadline=None, max_examples=100, database=None)
@given(st.dictionaries(st.text("abc", min_size=1), JSON, max_size=5))
def test_json_is_read_as_json(value: Any) -> None:
    assert _parsed(json.dumps(value, ensure_ascii=False)) == (value, [])


@settings(deadline=None, max_examples=200, database=None)
@given(st.binary(max_size=200) | st.text(alphabet="[]{}&*a: \n-!'\"|>%@`#?,\t", max_size=200).map(str.encode))
def test_any_bytes_give_a_document_or_a_finding(content: bytes) -> None:
    data, findings = _parsed(content)
    assert data is not None or findings


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("- a\n", 1, "must hold a mapping"),
        ("", 1, "must hold a mapping"),
        ("a: [1\nb: 2\n", 2, "can't be read"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "tags"),
        ("a: 1\n? [x]\n: 2\n", 2, "a key must be a text"),
        ("a: 1\nb: \xff\n".encode("latin-1"), 2, "UTF-8"),
        ("b: 1\na: " + "[" * 500 + "]" * 500, 2, "nested more than"),
        ("a: 1\nb: &x [*x]\n", 2, "leads back into itself"),
        ("a: 1\x00\n", 1, "can't be read"),
        ("a: *gone\n", 1, "can't be read"),
    ],
)
def test_what_cannot_be_used_is_told_by_line(text: str | bytes, line: int, sentence: str) -> None:
    data, findings = _parsed(text)
    assert data is None
    assert len(findings) == 1
    assert findings[0][0] == line
    assert sentence in findings[0][1]


def test_deep_nesting_ends_no_process() -> None:
    data, findings = _parsed("a: " + "[" * 200_000)
    assert data is None
    assert "nested more than" in findings[0][1]
