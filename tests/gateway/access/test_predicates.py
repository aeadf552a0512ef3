"""The grammar of row predicates: what it means, and that what it isn't is told."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call import Principal
from gateway.policy.grants import Grant
from gateway.policy.rows import bind
from gateway.routing.predicates import BadPredicate, OfPrincipal, Term, parse, typed
from gateway.routing.rules import Mark

KINDS = {"a": "integer", "t": "text", "d": "decimal", "at": "instant", "f": "number", "day": "date", "ok": "boolean"}
ANN = Principal("ann", None, ("r1", "r2"), None)


def _matches(text: str, row: Any, principal: Principal = ANN) -> bool:
    predicate = tuple(tuple(typed(term, KINDS[term.field[-1]]) for term in group) for group in parse(text))
    return bind(predicate, principal).match(row)


def test_not_is_pushed_into_the_comparisons() -> None:
    assert parse("not (a = 1 and t in ['x'])") == (
        (Term(("a",), "ne", 1),),
        (Term(("t",), "out", ("x",)),),
    )
    assert parse("not (a < 1 or not d >= 1.50)") == ((Term(("a",), "ge", 1), Term(("d",), "ge", Decimal("1.50"))),)
    assert parse("t = 'it''s' and t in principal.roles") == (
        (Term(("t",), "eq", "it's"), Term(("t",), "in", OfPrincipal("roles"))),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the end"),
        ("a", "isn't a comparison"),
        ("a == 1", "'='"),
        ("a = 1 b = 2", "comes after its end"),
        ("a = null", "nothing equals null"),
        ("a in []", "']'"),
        ("a in [1", "']' is missing"),
        ("(a = 1", "')' is missing"),
        ("a = principal.roles", "principal.id"),
        ("a in principal.id", "principal.roles"),
        ("principal.id = 'x'", "member of the row"),
        ("a = 1.2.3", "can't stand here"),
        ("a = 'x", "can't stand here"),
        ("a = 1; drop table x", "';"),
        ("and = 1", "member of the row"),
        ("a not = 1", "isn't a comparison"),
        ("not " * 30 + "a = 1", "nested too deep"),
        ("(" * 30 + "a = 1", "nested too deep"),
        (" and ".join(["(a = 1 or a = 2)"] * 8), "too many alternatives"),
        ("a in [" + ", ".join(map(str, range(101))) + "]", "at most 100"),
        ("a = 1 " * 1000, "longer than"),
    ],
)
def test_what_is_no_predicate_is_told(text: str, sentence: str) -> None:
    with pytest.raises(BadPredicate) as error:
        parse(text)
    assert sentence in str(error.value)


@given(st.text(alphabet="at=!<>()[],'1.5 andorinp_", max_size=60))
def test_any_text_is_a_predicate_or_told(text: str) -> None:
    with suppress(BadPredicate):
        assert all(parse(text))


@pytest.mark.parametrize(
    ("text", "kind"),
    [("t < 'x'", "text"), ("t = 1", "text"), ("a = '1'", "integer"), ("a = 1.5", "integer"), ("a = true", "integer"),
     ("a = principal.id", "integer"), ("ok < true", "boolean"), ("day = '2026-02-30'", "date"),
     ("at = '2026-11-21T00:00:00'", "instant"), (f"a = {2**63}", "integer"), ("a in principal.roles", "integer")],
)  # fmt: skip
def test_a_literal_must_be_of_the_fields_type(text: str, kind: str) -> None:
    (term,) = parse(text)[0]
    with pytest.raises(BadPredicate):
        typed(term, kind)


@pytest.mark.parametrize(
    ("text", "row", "shown"),
    [
        ("a = 1", {"a": 1}, True),
        ("a = 1", {"a": True}, False),
        ("a = 1", {"a": "1"}, False),
        ("a != 1", {"a": None}, False),
        ("a != 1", {}, False),
        ("a != 1", None, False),
        ("a != 1", [], False),
        ("not (a = 1)", {"a": None}, False),
        ("d = 1.5", {"d": "1.50"}, True),
        ("d > 9", {"d": "10.00"}, True),
        ("d > 9", {"d": "NaN"}, False),
        ("d > 9", {"d": "ten"}, False),
        ("at < '2026-11-21T12:00:00+01:00'", {"at": "2026-11-21T10:59:59Z"}, True),
        ("at < '2026-11-21T12:00:00+01:00'", {"at": "2026-11-21T11:00:01Z"}, False),
        ("at < '2026-11-21T12:00:00+01:00'", {"at": "2026-11-21"}, False),
        ("x.y.t = 'z'", {"x": {"y": {"t": "z"}}}, True),
        ("x.y.t = 'z'", {"x": "y"}, False),
        ("t = principal.id", {"t": "ann"}, True),
        ("t = principal.tenant", {"t": None}, False),
        ("t = principal.tenant", {"t": ""}, False),
        ("t != principal.tenant", {"t": "x"}, False),
        ("t in principal.roles", {"t": "r2"}, True),
        ("t in principal.teams", {"t": "x"}, False),
        ("t not in principal.teams", {"t": "x"}, True),
        ("t not in [principal.tenant]", {"t": "x"}, False),
        ("t in ['x', principal.tenant]", {"t": "x"}, True),
        ("f >= 1", {"f": 1.0}, True),
    ],
)  # fmt: skip
def test_what_a_row_must_be(text: str, row: Any, shown: bool) -> None:
    assert _matches(text, row) is shown


def _grant(*marks: tuple[str | None, str, str]) -> Grant:
    made = []
    for rows, masked, tokenised in marks:
        predicate = None
        if rows is not None:
            predicate = tuple(tuple(typed(term, KINDS[term.field[-1]]) for term in group) for group in parse(rows))
        paths = [frozenset(tuple(each.split(".")) for each in names.split()) for names in (masked, tokenised)]
        made.append(Mark(predicate, *paths))
    return Grant(made, ANN, b"key")


def test_a_field_is_clear_where_a_permit_that_shows_the_row_leaves_it_clear() -> None:
    grant = _grant(("a = 1", "t", ""), ("a = 2", "", ""), ("a > 0", "t d", ""))
    assert grant.redacted({"a": 1, "t": "x", "d": "1"}) == {"a": 1, "d": "1"}
    assert grant.redacted({"a": 2, "t": "x", "d": "1"}) == {"a": 2, "t": "x", "d": "1"}
    assert grant.redacted({"a": 3, "t": "x", "d": "1"}) == {"a": 3}
    assert not grant.shows({"a": 0})
    assert grant.unsafe == {("t",), ("d",)}


def test_a_mask_of_the_whole_covers_its_parts() -> None:
    grant = _grant((None, "t", ""), (None, "t.x", ""))
    assert grant.redacted({"t": {"x": 1, "y": 2}}) == {"t": {"y": 2}}


def test_masks_reach_into_lists_and_leave_the_original_alone() -> None:
    row = {"a": [{"t": "x", "d": 1}, {"t": "y"}, "z"], "t": ["x@y", None, 5]}
    grant = _grant((None, "a.d", "a.t t"))
    shown = grant.redacted(row)
    assert [sorted(each) for each in shown["a"][:2]] == [["t"], ["t"]]
    assert shown["a"][0]["t"].startswith("tok-")
    assert shown["a"][2] == "z"
    # What is no text can have no token, so it is left out.
    assert len(shown["t"]) == 2
    assert shown["t"][0].endswith("@token.invalid")
    assert row == {"a": [{"t": "x", "d": 1}, {"t": "y"}, "z"], "t": ["x@y", None, 5]}


def test_a_field_that_one_permit_shows_in_every_row_is_safe_to_ask_by() -> None:
    assert _grant(("a = 1", "t", ""), (None, "", "")).unsafe == frozenset()
    assert not _grant(("a = 1", "t", ""), (None, "", "")).narrows
    assert _grant((None, "t", ""), ("a = 1", "", "")).unsafe == {("t",)}
