"""What examples answer: taken by the contract whatever is asked, the same each time, and with what the caller named."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.mock.answers import Answers, Asked
from gateway.mock.mock import CantMock

TEXTS = {"type": "string"}
SCALARS = st.one_of(
    st.sampled_from(["^[A-Z]{2}-[0-9]{3,5}$", "^(a|bc)+$", "[^a-z]x?"]).map(lambda each: {"pattern": each, **TEXTS}),
    st.sampled_from(["date", "date-time", "uuid", "email"]).map(lambda each: {"type": "string", "format": each}),
    st.tuples(st.integers(-20, 20), st.integers(0, 3)).map(
        lambda each: {"type": "integer", "minimum": each[0], "maximum": sum(each)}
    ),
    st.integers(0, 12).map(lambda each: {"type": "string", "maxLength": each}),
    st.sampled_from([{"type": "boolean"}, {"type": ["string", "null"]}, {"enum": ["A", "B"]}, {"const": 7}]),
)  # fmt: skip
NAMES = st.sampled_from(["id", "customerId", "number", "name", "status"])
ENTITIES = st.dictionaries(NAMES, SCALARS, max_size=5).flatmap(
    lambda properties: st.sets(st.sampled_from(sorted(properties) or ["id"])).map(
        lambda needed: {
            "type": "object",
            "properties": properties,
            "required": sorted(needed & properties.keys()),
            "additionalProperties": False,
        }
    )
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-30, 30), st.text(max_size=6), st.sampled_from(["AB-123", "A"])
)
GIVEN = st.dictionaries(st.sampled_from(["id", "customer_id", "customerId", "NUMBER", "name"]), VALUES, max_size=4)
QUICKLY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def taken(schema: Any, value: Any) -> bool:
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(value)


@QUICKLY
@given(ENTITIES, GIVEN, GIVEN)
def test_a_reply_keeps_its_contract_and_is_the_same_for_the_same_question(schema: Any, path: Any, body: Any) -> None:
    asked = Asked(path, body, last=next(iter(path), ""))
    told = [Answers(schema, (), is_list=False).to(asked) for _ in range(2)]
    assert taken(schema, told[0])
    assert json.dumps(told[0]) == json.dumps(told[1])


@QUICKLY
@given(ENTITIES, GIVEN, st.integers(1, 7), st.integers(0, 3), st.one_of(st.none(), st.integers(3, 9)))
def test_pages_keep_the_contract_and_make_the_list(schema: Any, equal: Any, limit: int, least: int, most: Any) -> None:
    items = {"type": "array", "items": schema, "minItems": least, **({} if most is None else {"maxItems": most})}
    whole = {
        "type": "object",
        "required": ["items", "next"],
        "properties": {"items": items, "next": {"type": ["string", "null"]}},
    }
    answers = Answers(whole, (), is_list=True)
    where = [[name, "eq", value] for name, value in equal.items()]
    everything = answers.to(Asked({}, page={"limit": 100, "after": None, "where": where}))["items"]
    read: list[Any] = []
    after: Any = None
    for _ in range(20):
        page = answers.to(Asked({}, page={"limit": limit, "after": after, "where": where}))
        assert taken(whole, {**page, "next": None})
        assert len(page["items"]) <= limit or least > 1
        read += page["items"]
        after = page["next"]
        if after is None:
            break
    assert after is None
    assert read == everything


def entity(**properties: Any) -> Any:
    return {"type": "object", "properties": properties, "additionalProperties": False}


TEXT = {"type": "string", "maxLength": 8}


@pytest.mark.parametrize(
    ("properties", "asked", "told"),
    [
        ({"id": TEXT}, Asked({"customer_id": "C-1"}, last="customer_id"), {"id": "C-1"}),
        ({"id": TEXT}, Asked({"customer_id": "C-1"}), {}),
        ({"customerId": TEXT, "id": TEXT}, Asked({"customer_id": "C-1"}, last="customer_id"), {"customerId": "C-1"}),
        ({"id": TEXT}, Asked({"customerId": "C-1"}, last="customerId"), {"id": "C-1"}),
        ({"id": TEXT}, Asked({"id": "much too long"}, last="id"), {}),
        ({"name": TEXT}, Asked({"id": "1"}, {"name": "New", "other": 1}, "id"), {"name": "New"}),
        ({"id": TEXT}, Asked({"id": "path"}, {"id": "body"}, "id"), {"id": "path"}),
    ],
    ids=["the last one", "not the last", "its own name first", "another spelling", "not taken", "a body", "both"],
)
def test_what_the_caller_named_stands_in_it(properties: Any, asked: Asked, told: Any) -> None:
    answers = Answers(entity(**properties), (), is_list=False)
    plain = answers.to(Asked({}))
    assert answers.to(asked) == {**plain, **told}


def test_items_are_told_apart_by_what_looks_like_their_key() -> None:
    schema = entity(items={"type": "array", "items": entity(name=TEXT, order_number=TEXT)}, next={})
    answers = Answers(schema, [{"items": [{"name": "Ann", "order_number": "O-09"}], "next": "/x"}], is_list=True)
    page = answers.to(
        Asked({}, page={"limit": 3, "after": None, "where": [["name", "eq", "Bob"], ["name", "ge", "Z"]]})
    )
    assert [each["order_number"] for each in page["items"]] == ["O-09", "O-10", "O-11"]
    assert {each["name"] for each in page["items"]} == {"Bob"}
    assert page["next"] == 3


def test_what_is_answered_is_the_callers_to_change() -> None:
    answers = Answers(entity(tags={"type": "array"}), [{"tags": ["a"]}], is_list=False)
    answers.to(Asked({}))["tags"].append("b")
    assert answers.to(Asked({})) == {"tags": ["a"]}


def test_a_reply_without_a_body_has_none() -> None:
    assert Answers(None, (), is_list=False).to(Asked({"id": 1}, last="id")) is None


def test_where_nothing_fits_there_is_no_answer() -> None:
    with pytest.raises(CantMock):
        Answers({"type": "integer", "minimum": 3, "maximum": 2}, (), is_list=False)
