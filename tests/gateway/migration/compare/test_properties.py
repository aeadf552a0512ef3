"""What holds of any two bodies under any rules."""

from __future__ import annotations

import copy
import os
from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.migration.compare.comparer import Comparer, compile_parity
from gateway.migration.compare.model import RANK, Comparison, Observed
from gateway.routing.parity_schema import ParityModel

SLOW = bool(os.environ.get("FIGWAY_SLOW"))
TODAY = date(2026, 11, 1)
NAMES = st.sampled_from(["id", "a", "b", "items", "next", "x/y", "~"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 1.0, 0.1, -0.0]),
    st.sampled_from(["", "1.0", "1.00", "1.5", "A", "a", "a ", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00",
                     "2026-01-01", "2026-01-01T00:00:01Z", "é", "e\u0301"]),
)  # fmt: skip
BODIES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
PATTERNS = st.sampled_from(
    ["/id", "/a", "/*", "/**/a", "/**", "/a/*", "/items", "/items/*/id", "/*/*", "/items/0", "/b/1/a"]
)
SYMMETRIC = st.fixed_dictionaries(
    {},
    optional={
        "ignore": st.lists(PATTERNS, max_size=2, unique=True),
        "presence_only": st.lists(PATTERNS, max_size=2, unique=True),
        "null_is_absent": st.lists(PATTERNS, max_size=2, unique=True),
        "tolerance": st.dictionaries(
            PATTERNS, st.sampled_from([{"abs": "1"}, {"rel": "0.5"}, {"within": "1s"}]), max_size=2
        ),
        "unordered": st.dictionaries(PATTERNS, st.sampled_from([{}, {"by": "id"}, {"by": ["a", "b"]}]), max_size=2),
    },
)
MAPS = st.fixed_dictionaries(
    {}, optional={"enum_map": st.dictionaries(PATTERNS, st.sampled_from([{"A": "a"}, {"1": "A"}]), max_size=2)}
)


@st.composite
def pairs(draw: Any) -> tuple[Any, Any]:
    """Two bodies that mostly resemble each other: what was shuffled and exchanged here and there."""
    body = draw(BODIES)
    return body, _changed(draw, copy.deepcopy(body), 0) if draw(st.booleans()) else draw(BODIES)


def _changed(draw: Any, value: Any, depth: int) -> Any:
    what = draw(st.integers(0, 7))
    if what == 0:
        return draw(SCALARS)
    if isinstance(value, list):
        inner = [_changed(draw, each, depth + 1) for each in value]
        return draw(st.permutations(inner)) if what < 4 else inner
    if isinstance(value, dict):
        return {
            name: _changed(draw, each, depth + 1) for name, each in value.items() if what != 1 or draw(st.booleans())
        }
    return value


def _comparer(parity: dict[str, Any]) -> Comparer:
    return compile_parity(ParityModel.model_validate(parity), None, TODAY)


def _of(parity: dict[str, Any], legacy: Any, replacement: Any, again: Any = ...) -> Comparison:
    observed = None if again is ... else Observed(200, again)
    return _comparer(parity).compare(Observed(200, legacy), Observed(200, replacement), observed)


def _many(examples: int) -> settings:
    """So many examples, a third of them in the quick lane."""
    return settings(max_examples=examples if SLOW else examples // 3, deadline=None)


@given(ANY_JSON)
@_many(200)
def test_a_body_matches_itself(body: Any) -> None:
    found = _of({}, body, copy.deepcopy(body), copy.deepcopy(body))
    assert (found.verdict, found.total, found.covered) == ("match", 0, found.fields)
    assert found.fields > 0


@given(BODIES, SYMMETRIC, MAPS)
@_many(200)
def test_a_body_is_as_good_as_itself_under_any_rules(body: Any, parity: dict[str, Any], maps: dict[str, Any]) -> None:
    assert _of(parity | maps, body, copy.deepcopy(body)).verdict == "match"


@given(pairs(), SYMMETRIC)
@_many(400)
def test_the_sides_may_be_exchanged(both: tuple[Any, Any], parity: dict[str, Any]) -> None:
    one, other = both
    there, back = _of(parity, one, other), _of(parity, other, one)
    assert there.verdict == back.verdict
    assert there.fields >= there.covered >= 0


@given(pairs(), SYMMETRIC, SYMMETRIC, MAPS)
@_many(600)
def test_a_rule_more_never_makes_a_verdict_worse(
    both: tuple[Any, Any], parity: dict[str, Any], more: dict[str, Any], maps: dict[str, Any]
) -> None:
    one, other = both
    wider = _joined(parity, more) | maps
    assert RANK[_of(wider, one, other).verdict] <= RANK[_of(parity, one, other).verdict]


@given(pairs(), SYMMETRIC)
@_many(200)
def test_what_differs_is_no_match_unless_a_rule_or_a_meaning_says_so(
    both: tuple[Any, Any], parity: dict[str, Any]
) -> None:
    found = _of(parity, *both)
    assert (found.verdict == "match") == (found.total == 0)
    assert (found.signature == "") == (found.verdict == "match")
    assert all(each.rule for each in found.differences if each.verdict == "tolerated")
    assert len({each.verdict for each in found.differences} | {found.verdict}) >= 1


@given(pairs())
@_many(200)
def test_what_legacy_itself_says_next_is_no_mismatch(both: tuple[Any, Any]) -> None:
    """The state changed between the first call and the other two: the replacement is up to date, and not to blame."""
    one, other = both
    assert _of({}, one, other, other).verdict in ("match", "noise")


@given(pairs(), SYMMETRIC)
@_many(200)
def test_asking_legacy_again_never_makes_a_verdict_worse(both: tuple[Any, Any], parity: dict[str, Any]) -> None:
    one, other = both
    assert RANK[_of(parity, one, other, other).verdict] <= RANK[_of(parity, one, other).verdict]


@given(pairs(), SYMMETRIC)
@_many(100)
def test_the_same_differences_have_the_same_signature(both: tuple[Any, Any], parity: dict[str, Any]) -> None:
    one, other = both
    assert _of(parity, one, other).signature == _of(parity, copy.deepcopy(one), copy.deepcopy(other)).signature


def _joined(parity: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Both sets of rules, each in its long form, so that two may speak of one place."""
    found: dict[str, list[Any]] = {}
    for each in (parity, more):
        for key, rules in each.items():
            entries = (
                [{"at": at, **rules[at]} for at in rules] if isinstance(rules, dict) else [{"at": at} for at in rules]
            )
            found.setdefault(key, []).extend(entries)
    return found
