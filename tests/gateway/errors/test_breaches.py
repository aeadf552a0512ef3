"""What a broken request is told: each breach leads to its place, and doing what it says ends with a valid request."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadRequest, InvalidRequest, Problem
from gateway.filters.breaches import MOST, Breach, breaches, fix_of, summary
from gateway.filters.parameters import QueryReader
from gateway.filters.validate import _request_schema, compiled
from gateway.mock.mock import mocked
from gateway.nearest import nearest, nearest_names
from gateway.routing.load import compile_workspace, read_workspace
from gateway.routing.model import Parameter

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = 3000 if os.environ.get("FIGWAY_SLOW") else 200

NASTY: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["body"],
    "properties": {
        "body": {
            "$id": "urn:figway:body",
            "type": "object",
            "required": ["title", "priority", "lines"],
            "additionalProperties": False,
            "properties": {
                "title": {"type": "string", "minLength": 2, "maxLength": 8},
                "priority": {"enum": ["low", "normal", "urgent"]},
                "due": {"type": ["string", "null"], "format": "date"},
                "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
                "pack": {"type": "integer", "minimum": 6, "maximum": 600, "multipleOf": 6},
                "code": {"type": "string", "pattern": "^C-[0-9]{5}$"},
                "kind": {"const": "task"},
                "note": {"anyOf": [{"type": "string", "maxLength": 4}, {"type": "null"}]},
                "who~/": {"oneOf": [{"type": "integer"}, {"$ref": "#/$defs/Who"}]},
                "lines": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 3,
                    "uniqueItems": True,
                    "items": {"$ref": "#/$defs/Line"},
                },
            },
            "$defs": {
                "Who": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
                "Sku": {"type": "string", "pattern": "^[A-Z]+$"},
                "Line": {
                    "allOf": [{"type": "object", "required": ["sku"], "properties": {"sku": {"$ref": "#/$defs/Sku"}}}],
                    "properties": {"qty": {"type": "integer", "minimum": 1}},
                    "unevaluatedProperties": False,
                },
            },
        },
    },
}
VALID: dict[str, Any] = {
    "body": {
        "title": "Call", "priority": "low", "due": "2026-11-21", "share": 0.5, "pack": 12, "code": "C-10001",
        "kind": "task", "note": "no", "who~/": {"name": "Ann"}, "lines": [{"sku": "A", "qty": 1}, {"sku": "B"}],
    },
}  # fmt: skip


@cache
def subjects() -> list[tuple[str, dict[str, Any], Any]]:
    """Schemas of requests with a valid one each: a nasty one, and those of the demo's contracts."""
    found: list[tuple[str, dict[str, Any], Any]] = [("nasty", NASTY, VALID)]
    with tempfile.TemporaryDirectory() as cache:
        loaded = compile_workspace(
            read_workspace(ROOT), cache=Path(cache), environment=os.environ, strict_secrets=False
        )
    for route in loaded.compiled.routes:
        valid: dict[str, Any] = {"path": {}, "query": {}, "header": {}}
        for each in route.parameters:
            valid[each.where][each.name] = mocked(each.schema)
        if route.body is not None:
            valid["body"] = mocked(next(iter(route.body.media.values())))
        found.append((route.operation_id, dict(_request_schema(route)), valid))
        assert compiled(found[-1][1]).is_valid(valid)
    return found


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a value, the value itself first."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from places(part, (*path, name))


NAMES = st.sampled_from(["titel", "colour", "limt", "qyt", "a/b~c", ""])
WRONG = st.sampled_from(
    [None, True, 0, -1, 7, 10**6, 0.25, "", "x", "much too long", "2026-13-41", [], {}, [1, 1], {"a": 1}, ["x"] * 9]
)


@st.composite
def broken(draw: Callable[..., Any]) -> tuple[dict[str, Any], Any]:
    """A schema, and a valid request that something was done to, once or several times."""
    _, schema, valid = draw(st.sampled_from(subjects()))
    value = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(list(places(value))))
        what = draw(st.sampled_from(["replace", "remove", "add", "repeat"]))
        at = value
        for part in path[:-1]:
            at = at[part]
        here = at[path[-1]] if path else value
        if what == "add" and isinstance(here, dict):
            here[draw(NAMES)] = copy.deepcopy(draw(WRONG))
        elif what == "repeat" and isinstance(here, list) and here:
            here += copy.deepcopy(here) * draw(st.integers(1, 3))
        elif len(path) > 1:
            if what == "remove":
                del at[path[-1]]
            else:
                at[path[-1]] = copy.deepcopy(draw(WRONG))
    return schema, value


@given(broken())
@settings(max_examples=EXAMPLES, deadline=None)
def test_doing_what_is_told_ends_with_a_valid_request(made: tuple[dict[str, Any], Any]) -> None:
    schema, value = made
    validator = compiled(schema)
    for _ in range(60):
        if validator.is_valid(value):
            return
        found = breaches(validator, schema, value)
        assert 0 < len(found) <= MOST
        for breach in found:
            assert_leads_somewhere(value, breach)
        assert fix_of(found, "There.").endswith("There.")
        mend(value, found[0])
    raise AssertionError(f"{value} is still broken: {breaches(validator, schema, value)}")


def parts_of(pointer: str) -> list[str]:
    assert pointer == "" or pointer.startswith("/")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def step(value: Any, part: str) -> Any:
    return value[int(part)] if isinstance(value, list) else value[part]


def parent_of(value: Any, breach: Breach) -> tuple[Any, str]:
    *above, last = parts_of(breach["pointer"])
    for part in above:
        value = step(value, part)
    return value, last


def assert_leads_somewhere(value: Any, breach: Breach) -> None:
    if not breach["pointer"]:
        return
    parent, last = parent_of(value, breach)
    if breach["rule"] == "required":
        assert last not in parent
    else:
        step(parent, last)  # raises where there is nothing


def mend(value: Any, breach: Breach) -> None:
    """Does what a breach says, as a program would that knows nothing of the contract beside it."""
    parent, last = parent_of(value, breach)
    rule, wanted = breach["rule"], breach.get("expected")
    key: Any = int(last) if isinstance(parent, list) else last
    if rule in ("additionalProperties", "unevaluatedProperties", "falseSchema"):
        del parent[key]
        return
    parent[key] = mended(None if rule == "required" else parent[key], rule, wanted)


def mended(value: Any, rule: str, wanted: Any) -> Any:
    if rule == "required":
        return mocked({**(wanted or {}), "properties": {}} if wanted else {"type": "string"})
    if rule in ("minimum", "maximum", "const"):
        return wanted
    if rule == "exclusiveMinimum":
        return wanted + 0.5
    if rule == "multipleOf":
        return max(1, value // wanted) * wanted
    if rule in ("enum", "type", "anyOf", "oneOf"):
        first = wanted[0] if isinstance(wanted, list) else wanted
        return first if rule == "enum" else mocked({"type": first})
    if rule in ("format", "pattern"):
        return mocked({"type": "string", rule: wanted})
    if rule == "minLength":
        return value + "x" * (wanted - len(value))
    if rule == "minItems":
        return value + [{}] * (wanted - len(value))
    if rule in ("maxLength", "maxItems"):
        return value[:wanted]
    assert rule == "uniqueItems", rule
    return [each for at, each in enumerate(value) if each not in value[:at]]


def told(value: Any) -> dict[str, Breach]:
    return {breach["pointer"]: breach for breach in breaches(compiled(NASTY), NASTY, value)}


def test_each_rule_says_what_would_be_right() -> None:
    body = {
        "titel": "x", "priority": "hgh", "due": "soon", "share": 0, "pack": 7, "code": "10001", "kind": "t",
        "note": "too long", "who~/": {"nam": 1}, "lines": [{"sku": "A", "quantity": 1}],
    }  # fmt: skip
    found = told({"body": body})
    assert found["/body/titel"]["expected"] == ["title"]
    assert "did you mean 'title'" in found["/body/titel"]["detail"]
    assert found["/body/title"] == {
        "pointer": "/body/title",
        "detail": "is missing",
        "rule": "required",
        "expected": {"type": "string", "minLength": 2, "maxLength": 8},
    }
    assert found["/body/priority"]["expected"] == ["low", "normal", "urgent"]
    assert (found["/body/due"]["rule"], found["/body/due"]["expected"]) == ("format", "date")
    assert (found["/body/share"]["rule"], found["/body/share"]["expected"]) == ("exclusiveMinimum", 0)
    assert (found["/body/pack"]["rule"], found["/body/pack"]["expected"]) == ("multipleOf", 6)
    assert found["/body/code"]["expected"] == "^C-[0-9]{5}$"
    assert found["/body/kind"]["expected"] == "task"
    assert found["/body/note"]["rule"] == "maxLength"  # of the alternative that a text can only mean
    assert found["/body/who~0~1/name"]["rule"] == "required"
    assert found["/body/lines/0/quantity"]["expected"] == ["qty", "sku"]
    assert told({"body": {**VALID["body"], "who~/": "Ann"}})["/body/who~0~1"]["expected"] == ["integer", "object"]


def test_what_is_told_has_bounds_and_shows_no_value() -> None:
    secret = "hunter2-" * 1000
    long = {"body": {**VALID["body"], **{f"{secret}{number}": secret for number in range(100)}, "title": secret}}
    found = breaches(compiled(NASTY), NASTY, long)
    assert len(found) == MOST
    unnamed = [breach for breach in found if breach["pointer"] == "/body"]  # their own names are too long
    assert len(unnamed) == MOST - 1
    assert fix_of(unnamed[:1], "There.") == "Mend what stands at /body. There."
    assert all(len(str(breach)) < 2000 for breach in found)
    (title,) = (each for each in breaches(compiled(NASTY), NASTY, {"body": {**VALID["body"], "title": secret}}))
    assert "hunter2" not in str(title)
    assert summary({"enum": list(range(1000))}) == {"enum": list(range(50))}
    assert summary(True) is None


def test_a_reference_that_leads_nowhere_only_tells_less() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "object", "required": ["b"]}}}
    elsewhere: dict[str, Any] = {"type": "object"}
    validator = jsonschema_rs.Draft202012Validator(schema)
    assert breaches(validator, elsewhere, {"a": {}}) == [
        {"pointer": "/a/b", "detail": "is missing", "rule": "required"}
    ]


def test_the_nearest_names_are_told_and_of_very_many_none() -> None:
    assert nearest_names("PRIORTY", ["priority", "title"]) == ["priority"]
    assert nearest("colour", ["title"]) == ""
    assert nearest_names("x" * 100, ["x" * 99]) == []
    assert nearest_names("a", [f"a{number}" for number in range(2000)]) == []


def query(raw: bytes) -> Problem:
    names = ("limit", "priority")
    reader = QueryReader(Parameter(name, "query", {"type": "string"}, required=False) for name in names)
    with pytest.raises((InvalidRequest, BadRequest)) as refused:
        reader(raw)
    return refused.value


def test_query_parameters_are_told_likewise() -> None:
    unknown = query(b"limt=3")
    assert unknown.errors[0]["expected"] == ["limit"]
    assert unknown.fix == "Leave out /query/limt; did you mean 'limit'? This route takes: limit, priority."
    assert query(b"colour=3").errors[0]["expected"] == ["limit", "priority"]
    assert query(b"limit=3&limit=4").errors[0]["rule"] == "maxItems"
    assert "UTF-8" in (query(b"limit=%ff").fix or "")


def test_a_problem_tells_its_errors_as_they_are() -> None:
    breach: Mapping[str, Any] = {"pointer": "/body/a", "detail": "is missing", "rule": "required", "expected": {"a": 1}}
    document = InvalidRequest("no", errors=[breach], fix="Send /body/a.").document()
    assert (document["errors"], document["fix"], document["retryable"]) == ([breach], "Send /body/a.", False)
