"""`fields`, `expand` and `previous`: what a contract offers of them is there, or `figway check` says that it isn't."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.load import Loaded
from gateway.routing.mapping import expression, parts
from gateway.routing.model import Finding
from gateway.routing.shown import members_of

Problems = Callable[..., list[Finding]]
Load = Callable[..., Loaded]

GATEWAY = """\
upstreams:
  shop: {kind: odbc, dsn: env:SHOP_DSN, read_only: false}
  next: {kind: http, base_url: "http://next.test"}
"""
TABLES = """\
tables:
  maker: {primary_key: [id], columns: [{name: id, type: integer}]}
  stock:
    primary_key: [SKU]
    columns: [{name: SKU, type: char(8)}, {name: on_hand, type: integer}, {name: maker_id, type: integer}]
    foreign_keys: [{columns: [maker_id], table: maker, references: [id], parent: maker, children: stock}]
"""
FIELDS: Mapping[str, Any] = {"name": "fields", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}}
EXPAND: Mapping[str, Any] = {
    "name": "expand", "in": "query", "schema": {"type": "array", "items": {"enum": ["maker"]}}
}  # fmt: skip
MAPPING = "{items: items[].{sku: SKU, on_hand: on_hand, maker: maker}, next: next}"
ITEM: Mapping[str, Any] = {
    "type": "object",
    "properties": {"sku": {"type": "string"}, "on_hand": {"type": "integer"}, "maker": {"type": "object"}},
}


def _listing(*parameters: Mapping[str, Any], output: str = MAPPING, also: str = "", **binding: Any) -> dict[str, Any]:
    """A list of the shop's stock."""
    members = {"items": {"type": "array", "items": ITEM}, "next": {"type": "string"}}
    reply = {"type": "object", "properties": members | ({also: {"type": "string"}} if also else {})}
    paging = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("limit", "cursor")]
    legacy = {"upstream": "shop", "operation": "stock.list", "output": output, **binding}
    return _operation("list_stock", [*paging, *parameters], reply, {"effect": "read", "legacy": legacy})


def _operation(name: str, parameters: list[Any], reply: Any, gateway: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": reply}}
    return {
        "operationId": name,
        "parameters": parameters,
        "responses": {"200": {"description": "It.", "content": content}},
        "x-gateway": gateway,
    }


def _files(method: str, operation: dict[str, Any]) -> dict[str, bytes]:
    paths = {"/stock": {method: operation}}
    contract = {"openapi": "3.1.0", "info": {"title": "Shop", "version": "1"}, "paths": paths}
    return {
        "gateway.yaml": GATEWAY.encode(),
        "openapi/shop.yaml": yaml.safe_dump(contract).encode(),
        "openapi/sources/shop/tables.yaml": TABLES.encode(),
        "policies/access.cedar": b"permit (principal, action, resource);",
    }


def _get(*parameters: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    legacy = {"upstream": "next", "operation": "GET /stock", **more.pop("binding", {})}
    return _operation("get_stock", list(parameters), ITEM, {"effect": "read", "legacy": legacy, **more})


ORDERED = {"limit": "list.limit", "after": "list.after", "sort": "list.sort", "where": "list.where"}
BROKEN = {
    "fields on a write": (
        "post",
        _operation(
            "put", [FIELDS], ITEM, {"effect": "write", "legacy": {"upstream": "shop", "operation": "stock.get"}}
        ),
        "only a read can be asked for some 'fields'",
    ),
    "fields of nothing": (
        "get",
        _operation("get", [FIELDS], {"type": "object"}, _get()["x-gateway"]),
        "'fields' needs a reply whose members are declared",
    ),
    "fields of what is measured": (
        "get",
        _get(FIELDS, cost={"estimate": 1, "measured": "on_hand"}),
        "remove 'fields' or cost.measured",
    ),
    "expand without names": (
        "get",
        _listing({**EXPAND, "schema": {"type": "array", "items": {"type": "string"}}}),
        "give its schema type: array, and its items an enum",
    ),
    "expand where nothing can": ("get", _get(EXPAND), "'GET /stock' can't expand as it is bound"),
    "expand beside an input": ("get", _listing(EXPAND, input=ORDERED), "'stock.list' can't expand as it is bound"),
    "expand that isn't mapped": (
        "get",
        _listing(EXPAND, output="{items: items[].{sku: SKU, on_hand: on_hand}, next: next}"),
        "'maker' isn't what 'stock.list' can expand",
    ),
    "expand that is a column": (
        "get",
        _listing(EXPAND, output=MAPPING.replace("maker: maker", "maker: maker_id")),
        "map it in output to one of maker",
    ),
    "expand of a composite": (
        "get",
        _operation(
            "it", [EXPAND], ITEM, {"effect": "read", "compose": {"steps": {"a": {"route": "b"}}, "output": "a"}}
        ),
        "only a read of one system can 'expand'",
    ),
    "previous beside an input": (
        "get",
        _listing(also="previous", input=ORDERED),
        "'stock.list' has no pages backwards",
    ),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_what_isnt_there_is_told(problems: Problems, name: str) -> None:
    method, operation, sentence = BROKEN[name]
    found = [each.message for each in problems(_files(method, operation))]
    assert [each for each in found if sentence in each], found


def test_what_is_there_is_compiled(load: Load) -> None:
    (route,) = load(_files("get", _listing(FIELDS, EXPAND, also="previous"))).compiled.routes
    assert (route.sparse, route.both_ways) == (True, True)
    assert route.legacy is not None
    assert route.legacy.takes == {"fields", "expand", "before"}
    assert route.legacy.reads == {"sku": {"SKU"}, "on_hand": {"on_hand"}, "maker": {"maker"}}
    assert members_of(route.reply, is_list=True) == ("maker", "on_hand", "sku")


def test_a_binding_may_have_a_meaning_of_its_own_for_them(load: Load) -> None:
    read = {"query": {"input": {"query": "{only: query.fields}"}}, "merged": {}}
    for binding in read.values():
        (route,) = load(_files("get", _get(FIELDS, binding=binding))).compiled.routes
        assert route.sparse == (not binding)


@pytest.mark.parametrize(
    ("text", "is_list", "wanted"),
    [
        ("{items: items[].{a: A, b: {x: Q, y: R[0].s}, c: d.e}, next: next}", True, {"a": "A", "b": "QR", "c": "d"}),
        ("{items: items[*].{a: A}, next: next, more: next != `null`}", True, {"a": "A"}),
        ("{a: b, items: items[].{x: y}}", False, {"a": "b", "items": ["items"]}),
        ("{items: items[?a=='b'].{a: A}, next: next}", True, None),
        ("{items: items[1:].{a: A}, next: next}", True, None),
        ("{items: items[].{a: @}, next: next}", True, None),
        ("{items: items[].{a: A}, next: next, first: items[0].B}", True, None),
        ("{items: sort_by(items,&a)[].{b: c}, next: next}", True, None),
        ("{items: items[].{a: b}[].{c: a}, next: next}", True, None),
        ("{items: items, next: next}", True, None),
        ("Customer.{a: b}", False, None),
        ("{a: *.b}", False, None),
        ("{a: join(' ', [b, c])}", False, None),
    ],
)
def test_what_a_mapping_needs_is_told_name_by_name_or_not_at_all(text: str, is_list: bool, wanted: Any) -> None:
    found = parts(expression(text), is_list=is_list)
    assert found == (None if wanted is None else {name: frozenset(each) for name, each in wanted.items()})


@given(st.dictionaries(st.sampled_from("ABCD"), st.integers()), st.sets(st.sampled_from("abcd")))
def test_a_mapping_over_what_it_needs_makes_the_same(value: dict[str, int], wanted: set[str]) -> None:
    mapped = expression("{a: A, b: B.x, c: C || D, d: {one: A, two: D}}")
    needed = parts(mapped, is_list=False)
    assert needed is not None
    names = {each for name in wanted for each in needed[name]}
    whole, partly = mapped(value), mapped({name: each for name, each in value.items() if name in names})
    assert {name: whole.get(name) for name in wanted} == {name: partly.get(name) for name in wanted}
