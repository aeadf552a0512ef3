"""Filters, orders and pages against the plainest way to do the same."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Condition, ListRequest
from adapters.errors import Invalid
from adapters.files.conditions import like
from adapters.files.content import InMemory, Version
from adapters.files.formats import FieldType
from adapters.files.generation import Generation
from adapters.files.part import Part
from adapters.files.query import Query

FIELDS: dict[str, FieldType] = {"k": "integer", "a": "text", "d": "decimal"}

ROWS = st.lists(
    st.fixed_dictionaries(
        {"a": st.sampled_from(["", "x", "xy", "y"]), "d": st.sampled_from([None, "-1.50", "2.00", "10.0", "2"])}
    ),
    max_size=25,
)
SORTS = st.sampled_from([(), ("k",), ("-k",), ("a",), ("-d",), ("d", "-a"), ("-a", "-k")])


def _generation(rows: list[dict[str, Any]]) -> Generation:
    part = Part("f", Version(0, 0, 0, 0, 0), datetime.now(UTC), InMemory(b""), None)
    part.rows = [{"k": number, **row} for number, row in zip(count(), rows, strict=False)]
    part.keys = [row["k"] for row in part.rows]
    return Generation((part,), "integer")


def _sorted(rows: list[dict[str, Any]], sort: tuple[str, ...]) -> list[int]:
    for text in reversed((*sort, "k")):
        name = text.removeprefix("-")
        number = float if name == "d" else lambda value: value
        rows = sorted(
            rows,
            key=lambda row: (row[name] is not None, None if row[name] is None else number(row[name])),
            reverse=text.startswith("-"),
        )
    return [row["k"] for row in rows]


@settings(deadline=None, max_examples=300, database=None)
@given(ROWS, SORTS, st.integers(1, 7), st.sampled_from([None, ("d", "ge", "2"), ("a", "in", ["x", "y"])]))
def test_pages_put_together_are_the_list(rows: Any, sort: Any, limit: int, where: Any) -> None:
    generation = _generation(rows)
    conditions = (Condition(*where),) if where else ()
    seen: list[int] = []
    after = None
    while True:
        page = Query(ListRequest(limit, after, sort, conditions), FIELDS, "k").page(generation)
        seen += [found.ordinal for found in page.found]
        assert len(page.found) <= limit
        after = page.next
        if after is None:
            break
    kept = [{"k": number, **row} for number, row in enumerate(rows)]
    if where == ("d", "ge", "2"):
        kept = [row for row in kept if row["d"] is not None and float(row["d"]) >= 2]
    elif where:
        kept = [row for row in kept if row["a"] in ("x", "y")]
    assert seen == _sorted(kept, sort)


@settings(deadline=None, max_examples=500, database=None)
@given(st.text("ab%_.", max_size=7), st.text("ab.\n", max_size=9))
def testlike(pattern: str, text: str) -> None:
    expression = "".join({"%": ".*", "_": "."}.get(character, re.escape(character)) for character in pattern)
    assert like(pattern)(text) == (re.fullmatch(expression, text, re.DOTALL) is not None)


def test_like_does_not_backtrack() -> None:
    assert not like("%a" * 40 + "b")("a" * 20_000)


@pytest.mark.parametrize(
    "value", ["nan", "inf", "-Infinity", "1e999", "1_0", "١", "9" * 400, 10**390, math.inf, math.nan]
)
@pytest.mark.parametrize("kind", ["integer", "number", "decimal"])
def test_what_is_no_number_of_its_field_is_told(kind: FieldType, value: Any) -> None:
    fields: dict[str, FieldType] = {"k": "integer", "n": kind}
    digits = kind != "number" and str(value).isdecimal() and str(value).isascii()
    right = digits or (kind == "decimal" and value == "1e999")
    try:
        Query(ListRequest(1, None, (), (Condition("n", "ge", value),)), fields, "k")
    except Invalid:
        assert not right
    else:
        assert right
