"""YAML that is generated, and YAML that people changed meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.importing.emit import emit
from gateway.importing.merge import merge, merged_value
from gateway.routing.report import Report
from gateway.routing.source import parse

TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["", " a", "a ", "no", "1.0", "1e5", "-", "- a", "a: b", "a #b", "#a", "null", "~", "=", "<<", "2026-01-01", "a\nb"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | TEXTS
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=5), max_leaves=25
)
DOCUMENTS = st.dictionaries(TEXTS, VALUES, max_size=5)


def value(text: str) -> Any:
    report = Report()
    document = parse("test.yaml", text.encode() or b"{}", report)
    assert document is not None, report.sorted()
    assert not report.errors(), report.sorted()
    return document.data


@given(DOCUMENTS)
@settings(deadline=None)
def test_what_is_written_is_read(document: dict[str, Any]) -> None:
    assert value(emit(document)) == document


@given(DOCUMENTS, DOCUMENTS)
@settings(max_examples=50, deadline=None)
@example({"a": [{}]}, {"a": []})
@example({"a": {"b": 1}}, {"a": {}})
def test_what_nobody_touched_becomes_what_is_generated(base: dict[str, Any], new: dict[str, Any]) -> None:
    merged = merge(emit(base), base, base, new)
    assert value(merged.text) == new
    assert merged.kept == []


@given(DOCUMENTS, DOCUMENTS)
@settings(max_examples=50, deadline=None)
def test_what_only_people_touched_stays_to_the_byte(base: dict[str, Any], mine: dict[str, Any]) -> None:
    assert merge(emit(mine), mine, base, base).text == emit(mine)


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS)
@settings(max_examples=50, deadline=None)
def test_the_text_says_what_the_values_alone_would(
    base: dict[str, Any], mine: dict[str, Any], new: dict[str, Any]
) -> None:
    kept: list[str] = []
    merged = merge(emit(mine), mine, base, new)
    assert value(merged.text) == merged_value(mine, base, new, (), kept.append)


BASE = """\
paths:
  /a:
    get:
      operationId: get_a
      summary: Get a
      parameters:
        - name: x
          in: query
          description: "Something long enough that it doesn't stand on one line with everything else of this parameter."
        - {name: yy, in: query}
      responses: {"200": {description: ok}}
  /b:
    get: {operationId: get_b}
components:
  schemas:
    A: {type: object, properties: {one: {type: string}}, required: [one]}
"""


YY, B = "        - {name: yy, in: query}\n", "  /b:\n    get: {operationId: get_b}\n"


def edited(*pairs: tuple[str, str]) -> str:
    text = BASE
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


MERGES = {
    "a comment and a word of ours, a word of theirs": (
        [("      summary: Get a\n", "      # ours\n      summary: Our a\n")],
        [("operationId: get_b", "operationId: get_bb")],
        ["      # ours\n      summary: Our a\n", "get: {operationId: get_bb}\n"],
        0,
    ),
    "both changed one thing": (
        [("summary: Get a", "summary: Ours")],
        [("summary: Get a", "summary: Theirs")],
        ["summary: Ours"],
        1,
    ),
    "a parameter of theirs among ours": (
        [(YY, YY + "        - {name: ours, in: query} # keep\n")],
        [(YY, "        - {name: yy, in: query, required: true}\n        - {name: z, in: query}\n")],
        ["- {name: yy, in: query, required: true}", "- {name: ours, in: query} # keep", "- {name: z, in: query}"],
        0,
    ),
    "a word of ours in a long parameter, another member of theirs": (
        [("Something long enough", "OURS long enough")],
        [("- name: x\n          in: query\n", "- name: x\n          in: query\n          required: true\n")],
        ["OURS long enough", "          required: true\n"],
        0,
    ),
    "a member of theirs and one of ours in one line": (
        [("properties: {one: {type: string}}", "properties: {one: {type: string, description: ours}}")],
        [("{type: string}}, required: [one]", "{type: string}, two: {type: integer}}, required: [one, two]")],
        ["one: {type: string, description: ours}", "two: {type: integer}", "required: [one, two]"],
        0,
    ),
    "removed by us, unchanged by them": ([(B, "")], [("Get a", "Got a")], ["Got a"], 0),
    "removed by us, changed by them": ([(B, "")], [("get_b", "got_b")], [], 1),
    "removed by them, changed by us": ([("get_b", "ours_b")], [(B, "")], ["ours_b"], 1),
    "a path of ours, a path of theirs": (
        [("components:", "  /ours: {get: {operationId: ours}}\n\n# schemas\ncomponents:")],
        [("components:", "  /theirs: {get: {operationId: theirs}}\ncomponents:")],
        ["  /ours: {get: {operationId: ours}}\n", "/theirs", "# schemas\ncomponents:"],
        0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", list(MERGES))
def test_edits_are_kept(case: str) -> None:
    ours, theirs, there, kept = MERGES[case]
    mine, new = edited(*ours), edited(*theirs)
    merged = merge(mine, value(mine), value(BASE), value(new))
    value(merged.text)
    assert [each for each in there if each not in merged.text] == []
    assert len(merged.kept) == kept, merged.kept
    again = merge(merged.text, value(merged.text), value(new), value(new))
    assert again.text == merged.text


ODD = {
    "flow": "{a: 1, b: {c: 2}}\n",
    "document start": "---\na: 1\nb: {c: 2}\n",
    "anchors": "a: &x 1\nb: {c: 2}\nd: *x\n",
    "folded": "a: >-\n  some\n\n  text: here\nb: {c: 2}\n",
    "literal": "a: |\n  # no comment\n  x: y\nb:\n    c: 2\n",
    "flat list": "a:\n- x: 1\n- y: 2\nb:\n  c: 2\n",
    "quotes": "'a': 1\n\"b\": {c: 2} # note\n",
    "crlf": "a: 1\r\nb: {c: 2}\r\n",
}


@pytest.mark.parametrize("form", list(ODD))
def test_people_may_write_as_they_like(form: str) -> None:
    mine = value(ODD[form])
    merged = merge(ODD[form], mine, {"b": {"c": 2}}, {"b": {"c": 3}, "new": {"d": 4}})
    made = value(merged.text)
    if merged.kept:
        assert made == mine
    else:
        assert made == {**mine, "b": {"c": 3}, "new": {"d": 4}}
