"""Output schemas of callers who don't see all: what they are answered fits, and says no more than what policies say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as Path_
from types import ModuleType
from typing import Any

import httpx
import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call import Principal
from gateway.ingress.mcp_masked import masked
from gateway.policy.grants import Grant
from gateway.routing.rules import Mark, Path

NAMES = ["a", "b", "c"]
SCALARS = {"string": st.text(max_size=4), "integer": st.integers(), "boolean": st.booleans()}


def shapes(depth: int = 3) -> st.SearchStrategy[Any]:
    """Schemas of objects, arrays and scalars."""
    scalar = st.sampled_from(sorted(SCALARS)).map(lambda kind: {"type": kind})
    if depth == 0:
        return scalar
    inner = shapes(depth - 1)
    return st.one_of(scalar, inner.map(lambda items: {"type": "array", "items": items}), objects(inner))


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    members = st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    return st.tuples(members, st.sets(st.sampled_from(NAMES))).map(
        lambda both: {
            "type": "object",
            "properties": both[0],
            "required": sorted(both[1] & both[0].keys()),
            "additionalProperties": False,
        }
    )


def values(schema: Any) -> st.SearchStrategy[Any]:
    if schema["type"] == "array":
        return st.lists(values(schema["items"]), max_size=3)
    if schema["type"] != "object":
        return SCALARS[schema["type"]]
    each = {name: values(member) for name, member in schema["properties"].items()}
    needed = {name: each[name] for name in schema["required"]}
    return st.fixed_dictionaries(needed, optional={name: of for name, of in each.items() if name not in needed})


paths = st.sets(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(tuple), max_size=4).map(frozenset)


@given(st.data(), objects(shapes()), paths, paths, st.booleans())
def test_what_is_left_of_a_reply_fits(
    data: st.DataObject, schema: Any, left_out: frozenset[Path], tokens: frozenset[Path], is_list: bool
) -> None:
    grant = Grant([Mark(masked=left_out, tokenised=tokens)], Principal("ann"), b"k" * 32)
    row = data.draw(values(schema))
    whole = {"type": "object", "properties": {"items": {"type": "array", "items": schema}}, "required": ["items"]}
    told = masked(whole if is_list else schema, grant.unsafe, is_list=is_list)
    assert told is not None
    shown = grant.redacted(row)
    assert jsonschema_rs.validator_for(told).is_valid({"items": [shown]} if is_list else shown)
    if not grant.unsafe:
        assert told == (whole if is_list else schema)


@pytest.mark.parametrize(
    "more", [{"anyOf": [{}]}, {"$ref": "#/$defs/T"}, {"minProperties": 1}, {"dependentRequired": {}}]
)
def test_what_a_schema_cant_say_is_left_out_whole(more: Any) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {}}, **more}}}
    assert masked(schema, [("a", "b")], is_list=False) is None
    assert masked(schema, [("a",)], is_list=False) is not None


POLICY = """
@id("all") permit (principal in Role::"reader", action, resource);
@id("some") @tokenise("name") permit (principal in Role::"narrow", action == Action::"get_item", resource);
"""


@pytest.fixture(scope="module")
def narrowing(tmp_path_factory: pytest.TempPathFactory, running: ModuleType) -> Iterator[Any]:
    files = {
        "gateway.yaml": "upstreams: {lab: {kind: lab}, faulty: {kind: lab}, closed: {kind: lab, down: true}}\n",
        "openapi/lab.yaml": (Path_(__file__).parent.parent / "ingress" / "lab.yaml").read_text(),
        "policies/access.cedar": POLICY,
    }
    with running.serving(running.write_workspace(tmp_path_factory.mktemp("narrowing"), files)) as gateway:
        yield gateway


def test_a_caller_is_told_its_own_schema(narrowing: Any, running: ModuleType) -> None:
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}

    def asked(key: str, method: str, **params: Any) -> Any:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        fields = {**headers, "authorization": key}
        return httpx.post(f"{narrowing.url}/mcp", json=message, headers=fields, timeout=30).json()["result"]

    narrow = running.create_key(narrowing.folder, "narrow", principal="nina")
    (tool,) = asked(narrow, "tools/list")["tools"]
    (whole,) = [each for each in asked(narrowing.reader, "tools/list")["tools"] if each["name"] == "get_item"]
    assert "name" in whole["outputSchema"]["required"]
    assert tool["outputSchema"]["required"] == ["sku", "on_hand"]
    answer, clear = [
        asked(key, "tools/call", name="get_item", arguments={"sku": "A"})["structuredContent"]
        for key in (narrow, narrowing.reader)
    ]
    assert answer["name"] != clear["name"]
    assert jsonschema_rs.validator_for(tool["outputSchema"]).is_valid(answer)
