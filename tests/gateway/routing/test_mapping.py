"""Mappings against `jmespath` itself, and where they differ on purpose."""

from __future__ import annotations

from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.routing.mapping import BadExpression, expression, literal, renames
from gateway.routing.model import MappingFailed

NAMES = st.sampled_from(["a", "b", "c", "items"])
SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x", "20261231"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=15
)


def _paths() -> st.SearchStrategy[str]:
    step = st.sampled_from(["", "[]", "[*]", "[0]", "[-1]"])
    parts = st.lists(st.tuples(NAMES, step).map("".join), min_size=1, max_size=3)
    return parts.map(".".join)


def _more(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    paths = _paths()
    members = st.lists(
        st.tuples(st.sampled_from(["p", "q", "r"]), inner), min_size=1, max_size=3, unique_by=lambda m: m[0]
    )
    hashes = members.map(lambda pairs: "{" + ", ".join(f"{name}: {value}" for name, value in pairs) + "}")
    return st.one_of(
        hashes,
        st.tuples(paths, hashes).map(".".join),
        st.tuples(paths, hashes).map(lambda pair: f"{pair[0]}[].{pair[1]}"),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: f"[{', '.join(each)}]"),
        st.tuples(paths, inner).map(lambda pair: f"{pair[0]} | {pair[1]}"),
        st.tuples(inner, st.sampled_from(["||", "&&"]), inner).map(lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"),
        st.tuples(
            paths, st.sampled_from(["==", "!=", "<", ">="]), st.sampled_from(["`1`", "'x'", "`null`", "`true`"])
        ).map(" ".join),
        st.tuples(paths, paths, inner).map(lambda parts: f"{parts[0]}[?{parts[1]} == `1`].{{p: {parts[2]}}}"),
        st.tuples(inner, inner).map(lambda parts: f"({parts[0]}) | [{parts[1]}]"),
        inner.map(lambda each: f"type({each})"),
        inner.map(lambda each: f"not_null({each}, 'x')"),
        paths.map(lambda each: f"!{each}"),
    )


EXPRESSIONS = st.recursive(_paths() | st.sampled_from(["`1`", "'x'", "`null`", "@"]), _more, max_leaves=6)


def _same(ours: Any, theirs: Any) -> bool:
    """Equal, but for members of objects that we leave out where they say null; true isn't 1."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        missing = theirs.keys() - ours.keys()
        return ours.keys() <= theirs.keys() and (
            all(theirs[name] is None for name in missing) and all(_same(ours[name], theirs[name]) for name in ours)
        )
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_same, ours, theirs))
    return type(ours) is type(theirs) and bool(ours == theirs)


@settings(deadline=None, max_examples=400, database=None)
@given(EXPRESSIONS, VALUES)
def test_values_are_those_of_jmespath(source: str, value: Any) -> None:
    try:
        theirs = jmespath.search(source, value)
    except jmespath.exceptions.JMESPathError:
        with pytest.raises(MappingFailed):
            expression(source)(value)
        return
    assert _same(expression(source)(value), theirs)


def test_absent_stays_absent_and_null_stays_null() -> None:
    mapped = expression("{id: Id, phone: Phone, email: Email, city: Address.City, codes: Codes[].{c: C}}")
    assert mapped({"Id": 1, "Email": None}) == {"id": 1, "email": None}


def test_an_absent_value_by_itself_is_null() -> None:
    assert expression("a.b")({}) is None
    assert expression("[a, b]")({"a": 1}) == [1, None]


def test_a_filter_on_what_is_absent_is_absent() -> None:
    assert expression("{tasks: tasks.items[?status != 'x']}")({}) == {}


@pytest.mark.parametrize(
    ("source", "compiled"),
    [
        ("{items: Customers.Customer[].{id: Id, city: Address.City}, next: NextAfterId}", True),
        ("{status: lookup(status, {O: 'open'}), due: iso_date(due)}", True),
        ("items[?status == 'x' && !done].id", False),
        ("sort_by(items, &id)", False),
        ("{p: a} | keys(@)", False),
    ],
)
def test_what_only_picks_and_renames_runs_as_closures(source: str, compiled: bool) -> None:
    assert expression(source).compiled is compiled


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("path.id", {"path"}),
        ("{a: customer.id, b: stock.items[?x == y]}", {"customer", "stock"}),
        ("sort_by(items, &name)[0].id", {"items"}),
        ("a || length(b)", {"a", "b"}),
        ("list.where[?[0] != query.status]", {"list"}),
        ("`5`", set()),
    ],
)
def test_names_are_those_of_the_scope(source: str, names: set[str]) -> None:
    assert expression(source).names() == names


def test_renames_are_found_in_objects_and_in_items() -> None:
    assert renames(expression("Customer.{id: Id, city: Address.City}")) == {"id": "Id"}
    assert renames(expression("{items: items[].{sku: SKU, n: n}, next: next}")) == {"sku": "SKU", "n": "n"}
    assert renames(expression("items")) == {}
    assert renames(literal(5)) == {}


def test_literals_stay_what_they_are() -> None:
    assert literal(5)({"path": {}}) == 5
    assert literal(None).names() == frozenset()


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("{a: }", "isn't JMESPath"),
        ("lenght(a)", "did you mean length"),
        ("length(a, b)", "takes 1 argument"),
        ("(" * 3000 + "a" + ")" * 3000, "nested too deep"),
        ("", "isn't JMESPath"),
    ],
)
def test_a_bad_expression_is_told(source: str, sentence: str) -> None:
    with pytest.raises(BadExpression, match=sentence.replace("(", r"\(")):
        expression(source)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("length(a)", {"a": 5}),
        ("sort(a)", {"a": [1, "x"]}),
        ("sum(a)", {"a": ["x"]}),
        ("merge(@, b)", {"b": ["x"]}),
        ("merge(@, b)", {"b": [["x", 1]]}),
    ],
)
def test_values_that_dont_fit_fail(source: str, value: Any) -> None:
    with pytest.raises(MappingFailed):
        expression(source)(value)


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        (20261231, "2026-12-31"), ("20261231", "2026-12-31"), (0, None), ("", None), (None, None), ("soon", "soon"),
        (2700728, "0270-07-28"), ("2700728", "2700728"), (-1, -1), (True, True), (123456789, 123456789),
    ],
)  # fmt: skip
def test_dates_of_digits(value: Any, iso: Any) -> None:
    assert expression("iso_date(d)")({"d": value}) == iso


@pytest.mark.parametrize(("value", "digits"), [("2026-12-31", 20261231), (None, None), ("31.12.2026", "31.12.2026")])
def test_dates_to_digits(value: Any, digits: Any) -> None:
    assert expression("digits_date(d)")({"d": value}) == digits


@pytest.mark.parametrize("table", ["{O: 'open', P: 'paid'}", "{O: 'open', P: not_null(p, 'paid')}"])
def test_look_up(table: str) -> None:
    mapped = expression(f"items[].lookup(s, {table})")
    assert mapped({"items": [{"s": "P"}, {"s": "?"}, {"s": "O"}, {}]}) == ["paid", "open"]
