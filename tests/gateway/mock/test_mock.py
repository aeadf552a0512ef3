"""Examples made from schemas: taken by their schema, always the same, and the contract's own where it has one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.mock.mock import CantMock, mocked
from gateway.mock.texts import matching

NAMES = st.sampled_from(["id", "name", "a", "b", "c"])
PATTERNS = ["^[A-Z]{2}-[0-9]{3,5}$", "^(a|bc)+$", r"^\d{4}-\d\d$", "[^a-z]x?", r"^\w+@\w+\.example$", "^$", "b{3}"]
FORMATS = ["date", "date-time", "email", "uuid", "uri", "ipv4", "time", "hostname"]


def bounded(low: str, high: str, least: int = 0, most: int = 12) -> st.SearchStrategy[dict[str, Any]]:
    """Two bounds that leave room, or one of them, or none."""
    pairs = st.tuples(st.integers(least, most), st.integers(0, 6)).map(lambda each: (each[0], each[0] + each[1]))
    both = pairs.map(lambda each: {low: each[0], high: each[1]})
    return st.one_of(
        st.just({}), both, both.map(lambda each: {low: each[low]}), both.map(lambda each: {high: each[high]})
    )


TEXTS = st.one_of(
    bounded("minLength", "maxLength").map(lambda each: {"type": "string", **each}),
    st.sampled_from(PATTERNS).map(lambda each: {"type": "string", "pattern": each}),
    st.sampled_from(FORMATS).map(lambda each: {"type": "string", "format": each}),
)
NUMBERS = st.one_of(
    bounded("minimum", "maximum", -20, 20).map(lambda each: {"type": "integer", **each}),
    bounded("minimum", "maximum", -20, 20).map(lambda each: {"type": "number", **each}),
    st.tuples(st.integers(-50, 50), st.integers(1, 9)).map(
        lambda each: {"type": "integer", "multipleOf": each[1], "exclusiveMinimum": each[0]}
    ),
)
OTHERS = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": ["null", "string"]}),
    st.just(True),
    st.just({}),
    st.just({"$ref": "#/$defs/Node"}),
    st.lists(st.integers(0, 9), min_size=1, max_size=3).map(lambda each: {"enum": each}),
    st.integers(0, 9).map(lambda each: {"const": each}),
)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    made = st.dictionaries(NAMES, inner, max_size=4)
    closed = st.booleans()

    def whole(parts: tuple[dict[str, Any], bool, int]) -> dict[str, Any]:
        properties, is_closed, some = parts
        schema = {"type": "object", "properties": properties, "required": sorted(properties)[:some]}
        return {**schema, "additionalProperties": False} if is_closed else schema

    return st.tuples(made, closed, st.integers(0, 4)).map(whole)


def arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    items = st.tuples(inner, bounded("minItems", "maxItems", 0, 3))
    return items.map(lambda each: {"type": "array", "items": each[0], **each[1]})


def branches(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(st.sampled_from(["anyOf", "allOf"]), objects(inner)).map(lambda each: {each[0]: [each[1]]})


SCHEMAS = st.recursive(
    st.one_of(TEXTS, NUMBERS, OTHERS),
    lambda inner: st.one_of(objects(inner), arrays(inner), branches(inner)),
    max_leaves=10,
)
LOOP = {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/Loop"}}}
NODE = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "integer"}, "next": {"$ref": "#/$defs/Node"}},
}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SCHEMAS)
def test_what_is_made_is_taken_by_the_schema_and_is_always_the_same(schema: Any) -> None:
    whole = {"allOf": [schema], "$defs": {"Node": NODE}}
    made = mocked(whole)
    jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(made)
    assert json.dumps(made) == json.dumps(mocked(whole))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_texts_match_their_pattern(pattern: str) -> None:
    assert any(re.search(pattern, each) for each in matching(pattern, 0, 100))


def test_the_contracts_own_example_goes_first_where_the_schema_takes_it() -> None:
    schema = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    assert mocked(schema, [{"id": 7}, {"id": "seven"}, {"id": "eight"}]) == {"id": "seven"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "object", "required": ["a"], "properties": {"a": False}},
        {"$ref": "#/$defs/Loop", "$defs": {"Loop": LOOP}},
    ],
    ids=["no number", "no member", "without end"],
)  # fmt: skip
def test_a_schema_that_takes_nothing_has_no_example(schema: Any) -> None:
    with pytest.raises(CantMock):
        mocked(schema)


def replies() -> Iterator[Any]:
    """The schemas of the demo's contracts, each on its own."""
    paths = sorted((Path(__file__).parents[3] / "openapi").glob("*.yaml"))
    contracts = {path.stem: yaml.safe_load(path.read_text()).get("components", {}).get("schemas", {}) for path in paths}
    definitions = {name: schema for schemas in contracts.values() for name, schema in schemas.items()}
    for stem, schemas in contracts.items():
        for name, schema in schemas.items():
            yield pytest.param(definitions, schema, id=f"{stem}-{name}")


@pytest.mark.parametrize(("definitions", "schema"), list(replies()))
def test_the_demos_schemas_have_examples(definitions: Any, schema: Any) -> None:
    text = json.dumps({**schema, "$defs": definitions})
    whole = json.loads(re.sub(r'"[^"#]*#/components/schemas/', '"#/$defs/', text))
    jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(mocked(whole))
