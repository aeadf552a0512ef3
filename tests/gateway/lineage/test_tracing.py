"""What an expression's fields depend on: exactly where that can be told, never too little anywhere."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.lineage.fields import fields
from gateway.lineage.flow import ANY, Dependency
from gateway.lineage.tracing import WHOLE_INPUT, trace
from gateway.routing.mapping import Mapped, expression
from gateway.routing.model import MappingFailed

Place = tuple[str, ...]


def traced(source: str, schema: dict[str, Any] | None = None) -> dict[str, tuple[set[str], set[str]]]:
    """Field → the places of its value, and those that decide whether it is there."""
    found = fields(trace(expression(source).node, WHOLE_INPUT), schema)
    return {spelt(each.place): (spell(each.value), spell(each.when) - spell(each.value)) for each in found}


def spelt(place: Place) -> str:
    return "/" + "/".join(place)


def spell(dependencies: frozenset[Dependency]) -> set[str]:
    return {spelt(each.place) + ("" if each.whole else "?") for each in dependencies}


@pytest.mark.parametrize(
    ("source", "field", "value", "when"),
    [
        ("Customer.{id: Id, name: Name}", "/id", {"/Customer/Id"}, {"/Customer?"}),
        ("items[*].{sku: SKU}", "/*/sku", {"/items/*/SKU"}, {"/items/*?", "/items?"}),
        ("{first: a[0].b}", "/first", {"/a/0/b"}, {"/?"}),
        ("{last: a[-1]}", "/last", {"/a/*"}, {"/?"}),
        ("{n: length(items)}", "/n", {"/items"}, {"/?"}),
        ("{day: iso_date(d.issued)}", "/day", {"/d/issued"}, {"/?"}),
        ("{x: a || b}", "/x", {"/a", "/b"}, {"/?", "/a?"}),
        ("{x: 'constant'}", "/x", set(), {"/?"}),
        ("items[?qty > `5`].name", "/*", {"/items/*/name"}, {"/items/*/qty", "/items?", "/items/*/name?"}),
        ("sort_by(items, &rank)[*].{name: name}", "/*/name", {"/items/*/name"}, None),
        ("{all: sum(items[*].price)}", "/all", {"/items/*/price"}, None),
        ("{a: {b: {c: x.y}}}", "/a/b/c", {"/x/y"}, {"/?"}),
    ],
)
def test_plain_paths_are_exact(source: str, field: str, value: set[str], when: set[str] | None) -> None:
    found = traced(source)[field]
    assert found[0] - {each for each in found[0] if each.endswith("?")} == value
    if when is not None:
        assert found[1] == when


def test_flattened_items_are_followed_into_both_depths() -> None:
    value, _ = traced("Contacts.Contact[].{email: Reach.Email}")["/*/email"]
    assert value == {"/Contacts/Contact/*/Reach/Email", "/Contacts/Contact/*/*/Reach/Email"}


def test_a_value_that_passes_through_is_told_field_by_field_of_its_contract() -> None:
    schema = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}}},
        "$defs": {"tag": {"type": "object", "properties": {"name": {"type": "string"}}}},
    }
    found = traced("Customer", schema)
    assert found == {"/id": ({"/Customer/id"}, set()), "/tags/*/name": ({"/Customer/tags/*/name"}, set())}


def test_a_contract_that_refers_to_itself_ends() -> None:
    schema = {"properties": {"next": {"$ref": "#"}, "name": {"type": "string"}}}
    assert len(traced("@", schema)) < 50


# ── never too little ─────────────────────────────────────────────────────────────────────────────────────────

NAMES = ("a", "b", "c")
leaves = st.one_of(st.none(), st.booleans(), st.integers(-2, 3), st.sampled_from(["", "a", "x", "20261231"]))
items = st.dictionaries(st.sampled_from(NAMES), st.one_of(leaves, st.lists(leaves, max_size=2)), min_size=1)
lists = st.lists(st.one_of(items, items, items, leaves, st.lists(items, max_size=2)), min_size=1, max_size=3)
documents = st.one_of(leaves, items, lists, st.dictionaries(st.sampled_from(NAMES), lists, max_size=2))
objects = st.fixed_dictionaries({name: st.one_of(lists, lists, items, leaves) for name in NAMES})
names = st.sampled_from(NAMES)
steps = st.one_of(
    names.map(lambda name: f".{name}"),
    st.sampled_from(
        ["[0]", "[-1]", "[*]", "[].b", "[1:]", ".*", "[?a].b", "[?a == b].c", " | [0]", "[?!b].c", "[*].a"]
    ),
)
paths = st.tuples(names, st.lists(steps, max_size=3)).map(lambda pair: pair[0] + "".join(pair[1]))
FORMS = (
    "{0} || {1}",
    "{0} && {1}",
    "!{0}",
    "{0} == {1}",
    "not_null({0}, {1})",
    "length({0})",
    "sort_by({0}, &b)",
    "max_by({0}, &a)",
    "map(&c, {0})",
    "reverse({0})",
    "iso_date({0})",
    "lookup({0}, {{a: 'one', x: 'two'}})",
    "type({0})",
    "to_array({0})",
    "merge({0}, {1})",
    "keys({0})",
    "join(',', {0}[*])",
    "{0}[*].{{a: b, c: `1`}}",
    "{0}.{{b: a, c: c[*].a}}",
    "{0}[].[a, b]",
    "({0})[0]",
    "({0} || {1})[*].a",
    "[{0}, {1}][*].b",
    "{{a: {0}, b: {1}}}.a",
    "{{a: {0}, b: {1}}}.*",
    "[{{a: {0}}}, {{a: {1}}}][*].a",
    "({{a: {0}, b: {1}}} || {1}).b",
)
values = st.one_of(paths, st.tuples(st.sampled_from(FORMS), paths, paths).map(lambda each: each[0].format(*each[1:])))
expressions = st.one_of(
    values,
    st.tuples(values, values).map(lambda pair: f"{{x: {pair[0]}, y: {pair[1]}}}"),
    st.tuples(paths, values, values).map(lambda each: f"{each[0]}[*].{{x: {each[1]}, y: {each[2]}}}"),
)


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    yield at
    if isinstance(value, dict):
        for name, member in value.items():
            yield from places(member, (*at, name))
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from places(item, (*at, str(position)))


def at(value: Any, place: Place) -> Any:
    """What stands at a place; `missing` where there is nothing."""
    for part in place:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return "missing"
    return value


def changed(document: Any, place: Place, value: Any) -> Any:
    if not place:
        return value
    document = copy.deepcopy(document)
    holder = at(document, place[:-1])
    holder[int(place[-1]) if isinstance(holder, list) else place[-1]] = value
    return document


def like(pattern: Place, place: Place) -> bool:
    return all(one in (ANY, other) for one, other in zip(pattern, place, strict=False))


def touches(dependency: Dependency, place: Place) -> bool:
    """Whether a change at a place may change what depends so."""
    return like(dependency.place, place) and (dependency.whole or len(place) <= len(dependency.place))


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(expressions, objects, st.lists(st.one_of(leaves, documents), min_size=3, max_size=3))
@example("a[*].b | [0]", {"a": [{"b": None}, {"b": 1}]}, [7])
@example("a[?a].b", {"a": [{"a": 1, "b": 2}, {"a": 2, "b": 3}]}, [None])
@example("sort_by(a, &a)[*].b", {"a": [{"a": 1, "b": 1}, {"a": 2, "b": 2}]}, [9])
@example("a[].b", {"a": [[{"b": 1}], {"b": 2}]}, [7])
@example("[{x: a}, {x: b}][*].x", {"a": 1, "b": 2, "c": 3}, [7])
@example("a.{b: 'x'}", {"a": {"b": 1}}, [None])
def test_what_isn_t_traced_changes_nothing(source: str, document: dict[str, Any], others: list[Any]) -> None:
    mapped = expression(source)
    found = fields(trace(mapped.node, WHOLE_INPUT), None)
    before = evaluated(mapped, document)
    for place in places(document):
        touched = [each for each in found if any(touches(on, place) for on in (*each.value, *each.when))]
        for other in others if len(touched) < len(found) else ():
            after = evaluated(mapped, changed(document, place, other))
            for field in found:
                if field not in touched and FAILED not in (before, after):
                    assert seen(after, field.place) == seen(before, field.place), (source, document, place, other)


FAILED = object()


def evaluated(mapped: Mapped, document: Any) -> Any:
    try:
        return mapped(document)
    except MappingFailed:
        return FAILED


def seen(value: Any, pattern: Place) -> list[Any]:
    """All that stands at the places that a pattern means, with their places."""
    matching = (each for each in places(value) if len(each) == len(pattern) and like(pattern, each))
    return [(each, at(value, each)) for each in matching]
