"""Operation names, and what an input becomes on the wire."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Effect
from adapters.errors import Invalid
from adapters.http.template import Request, template

STABLE = settings(max_examples=200, deadline=None, database=None)


def request(name: str, /, **input: Any) -> Request:
    compiled = template(name)
    assert compiled is not None
    return compiled.request(input)


@pytest.mark.parametrize(
    "name",
    ["GET /", "GET /v2/customers/{id}", "POST /a/{b}/c/{d}.json", "DELETE /x/{a}:{b}", "PUT /tail/", "HEAD /%20/{_a1}"],
)
def test_names_that_are_well_formed(name: str) -> None:
    compiled = template(name)
    assert compiled is not None
    assert compiled.name == name


@pytest.mark.parametrize(
    "name",
    [
        "", "GetCustomer", "GET", "GET v2", "get /v2", "FETCH /v2", "GET  /v2", "GET /v2 ", "GET /v2?x={x}",
        "GET /v2#a", "GET /a//b", "GET /a/../b", "GET /a/./b", "GET /%2e%2E/b", "GET /a/..", "GET /{a}/{a}",
        "GET /{1}", "GET /{a", "GET /a}", "GET /{a b}", "GET /%zz", "GET /é", "GET //host/x", "GET http://host/x",
    ],
)  # fmt: skip
def test_names_that_are_not(name: str) -> None:
    assert template(name) is None


@pytest.mark.parametrize(
    ("method", "effect"),
    [
        ("GET", Effect.READ),
        ("HEAD", Effect.READ),
        ("PUT", Effect.IDEMPOTENT_WRITE),
        ("DELETE", Effect.IDEMPOTENT_WRITE),
        ("POST", Effect.WRITE),
        ("PATCH", Effect.WRITE),
    ],
)
def test_what_a_method_does(method: str, effect: Effect) -> None:
    compiled = template(f"{method} /v2/{{id}}")
    assert compiled is not None
    operation = compiled.operation()
    assert (operation.effect, operation.input["required"], operation.is_list) == (effect, ["id"], False)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_what_remains_goes_into_the_query(method: str) -> None:
    sent = request(
        f"{method} /c/{{id}}", id="C-1", city="Köln & Bonn", limit=5, on=True, tag=["a", "b"], none=None, query="x=y"
    )
    assert sent == Request(
        "/c/C-1?city=K%C3%B6ln%20%26%20Bonn&limit=5&on=true&tag=a&tag=b&query=x%3Dy", {}, None, "C-1"
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_what_remains_becomes_the_body(method: str) -> None:
    sent = request(f"{method} /c/{{id}}", id=7, name="Ann", note=None)
    assert (sent.target, json.loads(sent.body or b""), sent.key) == ("/c/7", {"name": "Ann", "note": None}, "7")
    assert request(f"{method} /c/{{id}}", id=7).body is None


def test_query_header_and_body_can_be_named() -> None:
    sent = request(
        "PUT /c/{id}", id=1, query={"dry": True}, header={"If-Match": '"3"', "X-N": 4, "X-Z": None}, body=[1]
    )
    assert sent == Request("/c/1?dry=true", {"If-Match": '"3"', "X-N": "4"}, b"[1]", "1")
    sent = request("GET /c", limit=5, query={"limit": 6, "q": "a"}, header={"Accept-Language": "de"})
    assert sent == Request("/c?limit=6&q=a", {"Accept-Language": "de"}, None, None)
    assert request("POST /c", body=None).body == b"null"


@pytest.mark.parametrize(
    ("name", "input", "pointer"),
    [
        ("GET /c/{id}", {}, "/id"),
        ("GET /c/{id}", {"id": None}, "/id"),
        ("GET /c/{id}", {"id": ["a"]}, "/id"),
        ("GET /c/{id}", {"id": ""}, "/id"),
        ("GET /c/{id}", {"id": ".."}, "/id"),
        ("GET /c/{id}", {"id": "a/../../etc"}, "/id"),
        ("GET /c/{id}", {"id": "a\\..\\b"}, "/id"),
        ("GET /c/{id}", {"id": "/a"}, "/id"),
        ("GET /c/{id}", {"id": "a\r\nb"}, "/id"),
        ("GET /c/.{id}", {"id": "."}, "/id"),
        ("GET /c", {"filter": {"a": 1}}, "/filter"),
        ("POST /c", {"body": {}, "name": "x"}, "/name"),
        ("POST /c", {"header": {"Authorization": "x"}}, "/header/Authorization"),
        ("POST /c", {"header": {"host": "x"}}, "/header/host"),
        ("POST /c", {"header": {"a b": "x"}}, "/header/a b"),
        ("POST /c", {"header": {"X-A": "a\nb"}}, "/header/X-A"),
    ],
)
def test_inputs_that_are_refused(name: str, input: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        request(name, **input)
    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_two_values_cannot_climb_together() -> None:
    compiled = template("GET /c/{a}{b}")
    assert compiled is not None
    with pytest.raises(Invalid):
        compiled.request({"a": "x", "b": ".."})
    assert compiled.request({"a": "x", "b": "y"}).target == "/c/xy"


@pytest.mark.parametrize("input", [{"x": "\ud800"}, {"x": 2**65}])
def test_what_json_cannot_hold_is_refused(input: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        request("POST /c", **input)


@STABLE
@given(value=st.text(max_size=30), other=st.one_of(st.integers(), st.booleans(), st.text(max_size=10)))
def test_a_value_stays_in_its_segment(value: str, other: Any) -> None:
    try:
        sent = request("GET /a/{one}/b/{two}", one=value, two=other, q=value)
    except Invalid:
        return
    assert sent.target.isascii()
    assert sent.target.isprintable()
    parts = urlsplit(sent.target)
    segments = parts.path.split("/")
    assert (segments[:2], segments[3]) == (["", "a"], "b")
    assert unquote(segments[2]) == value
    assert parse_qsl(parts.query, keep_blank_values=True) == [("q", value)]
    assert not {".", "..", ""} & set(segments[1:])


@STABLE
@given(path=st.text("ab1/{}%2eE._? é"))
def test_a_name_is_taken_as_it_is_or_not_at_all(path: str) -> None:
    compiled = template("GET /" + path)
    if compiled is None:
        return
    segments = compiled.request(dict.fromkeys(compiled.names, "x")).target.split("/")
    assert len(segments) == path.count("/") + 2
    assert not {".", ".."} & {unquote(segment) for segment in segments}
    assert "" not in segments[1:-1]
