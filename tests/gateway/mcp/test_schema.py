"""A contract's schemas as a tool's: the same meaning, without references; and arguments as requests."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Effect
from gateway.errors import InvalidRequest
from gateway.filters.parameters import QueryReader
from gateway.ingress.mcp_calls import request_of
from gateway.ingress.mcp_schema import inlined, input_of, output_of
from gateway.ingress.mcp_tools import Tool
from gateway.routing.model import Body, Parameter, Route

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


def route(*parameters: Parameter, body: Any = None, effect: Effect = Effect.READ, **more: Any) -> Route:
    media = None if body is None else Body(True, {"application/json": body})
    return Route("an_id", "GET", "/a/{p}", effect, "g", parameters, media, 200, more.pop("reply", None), **more)


def tool(of: Route) -> Tool:
    output, wrapped = output_of(of)
    return Tool(of, "", input_of(of), output, wrapped, {of.operation_id: of})


P = Parameter("p", "path", {"type": "string"}, required=True)


def test_names_that_stand_twice_are_told_apart_by_their_places() -> None:
    flat = input_of(route(P, body={"type": "object", "properties": {"x": {}}, "required": ["x"]}))
    assert flat.places == {"p": "path", "x": "body"}
    assert flat.schema["required"] == ["p", "x"]
    twice = input_of(route(P, body={"type": "object", "properties": {"p": {}}}))
    assert twice.places is None
    assert set(twice.schema["properties"]) == {"path", "body", "_gateway"}
    assert input_of(route(P, body={"type": "array"})).places is None
    assert input_of(route(P, body={"oneOf": []})).places is None


def test_writes_say_how_they_are_made_and_reads_how_old_they_may_be() -> None:
    def said(effect: Effect) -> set[str]:
        return set(input_of(route(P, effect=effect)).schema["properties"]["_gateway"]["properties"])

    assert said(Effect.READ) == {"max_age"}
    assert said(Effect.WRITE) == {"dry_run", "idempotency_key", "plan_token", "approval"}


def test_what_recurs_keeps_its_references() -> None:
    tree = {"type": "object", "properties": {"in": {"$ref": "#/$defs/T"}, "n": {"$ref": "#/$defs/N"}}}
    schema = {"$ref": "#/$defs/T", "$defs": {"T": tree, "N": {"type": "integer"}, "Unused": {}}}
    written = inlined(schema)
    assert set(written["$defs"]) == {"T"}
    assert '"#/$defs/N"' not in json.dumps(written)
    for value in ({"in": {"in": {"n": 1}}}, {"in": {"in": {"n": "x"}}}, {"n": 2}, 5):
        assert jsonschema_rs.is_valid(schema, value) == jsonschema_rs.is_valid(written, value)


def test_what_would_be_too_large_keeps_its_references() -> None:
    defs = {f"D{n}": {"allOf": [{"$ref": f"#/$defs/D{n + 1}"}] * 2} for n in range(40)}
    schema = {"$ref": "#/$defs/D0", "$defs": {**defs, "D40": {"type": "string"}}}
    assert inlined(schema) == schema


def test_what_isnt_an_object_is_wrapped() -> None:
    assert output_of(route(P, reply={"type": "array"})) == (
        {"type": "object", "properties": {"result": {"type": "array"}}, "required": ["result"]},
        True,
    )
    assert output_of(route(P, reply={"type": "object"}, enforcement="off")) == (None, False)


@given(TEXTS.filter(bool), TEXTS, st.integers(-(2**63), 10**19 - 1), st.booleans(), st.lists(TEXTS, max_size=4))
def test_arguments_come_out_of_the_request_as_they_went_in(
    path: str, text: str, number: int, flag: bool, many: list[str]
) -> None:
    kinds = {"text": "string", "number": "integer", "flag": "boolean"}
    parameters = [Parameter(name, "query", {"type": kind}) for name, kind in kinds.items()]
    parameters.append(Parameter("many", "query", {"type": "array", "items": {"type": "string"}}))
    made = tool(route(P, *parameters))
    given = {"text": text, "number": number, "flag": flag, "many": many}
    made.check({"p": path, **given})
    request = request_of(made, {"p": path, **given})
    assert unquote(request.path.decode()) == f"/a/{path}"
    assert request.path.count(b"/") == 2
    # A list that holds nothing can't be said in a query; it is left out.
    assert QueryReader(parameters)(request.query) == {name: each for name, each in given.items() if each != []}


@pytest.mark.parametrize("many", [["a,b"], [""]])
def test_a_list_that_would_be_read_otherwise_is_refused(many: list[str]) -> None:
    joined = Parameter("many", "query", {"type": "array", "items": {"type": "string"}}, explode=False)
    with pytest.raises(InvalidRequest):
        request_of(tool(route(P, joined)), {"p": "a", "many": many})
