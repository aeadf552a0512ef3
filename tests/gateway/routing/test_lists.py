"""Lists and composites: what callers may ask must reach something."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.routing.load import Loaded
from gateway.routing.model import Finding

Problems = Callable[..., list[Finding]]
Load = Callable[..., Loaded]

GATEWAY = "upstreams:\n  shop: {kind: odbc, dsn: env:SHOP_DSN}\n"
TABLES = """\
tables:
  stock:
    primary_key: [SKU]
    columns:
      - {name: SKU, type: char(8)}
      - {name: on_hand, type: integer}
"""
CONTRACT = """\
openapi: 3.1.0
info: {title: Shop, version: "1"}
paths:
  /stock:
    get:
      operationId: list_stock
      parameters:
        - {name: limit, in: query, schema: {type: integer}}
        - {name: cursor, in: query, schema: {type: string}}
        - {name: sku.in, in: query, schema: {type: array, items: {type: string}}}
        - {name: on_hand.ge, in: query, schema: {type: integer}}
      responses:
        "200": {description: Stock., content: {application/json: {schema: {$ref: "#/components/schemas/Page"}}}}
      x-gateway:
        effect: read
        legacy:
          {upstream: shop, operation: stock.list, output: "{items: items[].{sku: SKU, on_hand: on_hand}, next: next}"}
  /stock/first:
    get:
      operationId: get_first
      parameters: [{name: least, in: query, schema: {type: integer}}]
      responses:
        "200": {description: Stock., content: {application/json: {schema: {type: object}}}}
      x-gateway:
        effect: read
        compose:
          steps:
            stock: {route: list_stock, input: {on_hand.ge: query.least, limit: 1}}
            again: {route: list_stock, input: {sku.in: "stock.items[].sku"}, on_error: {default: {items: []}}}
          output: "{first: stock.items[0].sku, again: again.items}"
components:
  schemas:
    Page:
      type: object
      properties:
        items: {type: array, items: {type: object, properties: {sku: {type: string}, on_hand: {type: integer}}}}
        next: {type: [string, "null"]}
"""


@pytest.fixture
def lists() -> dict[str, bytes]:
    texts = {"gateway.yaml": GATEWAY, "openapi/shop.yaml": CONTRACT, "openapi/sources/shop/tables.yaml": TABLES}
    return {name: text.encode() for name, text in texts.items()}


def test_a_list_and_a_composite_of_it(lists: dict[str, bytes], load: Load) -> None:
    listed, first = load(lists).compiled.routes
    assert listed.is_list
    assert listed.legacy is not None
    assert listed.legacy.input is None
    assert listed.legacy.fields == {"sku": "SKU", "on_hand": "on_hand"}
    assert first.compose is not None
    stock, again = first.compose.steps
    assert (stock.after, again.after) == (frozenset(), {"stock"})
    assert (again.on_error, again.default) == ("default", {"items": []})
    assert stock.input["limit"]({}) == 1


@pytest.mark.parametrize(
    ("old", "new", "key", "sentence"),
    [
        ("on_hand.ge, in", "in_hand.ge, in", "x-gateway.legacy", "'in_hand.ge' leads to no field"),
        ("sku: SKU", "sku: SKUS", "legacy.output", "no 'SKUS'"),
        ("stock.items[0].sku", "stock.items[0].sk", "compose.output", "no 'sk'"),
        ("query.least", "query.most", "stock.input.on_hand.ge", "no 'most'"),
        ("{on_hand.ge: query.least, limit: 1}", "{}", "x-gateway.compose", "'least' is used nowhere"),
        ("stock.list, output", 'stock.list, input: {limit: list.limit}, output', "legacy", "'sku.in' is used nowhere"),
        ("operation: stock.list", "operation: stock.get", "x-gateway.legacy", "'stock.get' needs 'SKU'"),
    ],
)  # fmt: skip
def test_what_would_lead_nowhere_is_refused(
    lists: dict[str, bytes], problems: Problems, old: str, new: str, key: str, sentence: str
) -> None:
    text = lists["openapi/shop.yaml"].decode()
    assert old in text
    found = problems({**lists, "openapi/shop.yaml": text.replace(old, new).encode()})
    assert any(each.key.endswith(key) and sentence in each.message for each in found), found


def test_more_than_25_steps_are_refused(lists: dict[str, bytes], problems: Problems) -> None:
    steps = "".join(f"            s{number}: {{route: list_stock, input: {{}}}}\n" for number in range(24))
    text = (
        lists["openapi/shop.yaml"].decode().replace('          output: "{first', f'{steps}          output: "{{first')
    )
    (found,) = problems({**lists, "openapi/shop.yaml": text.encode()})
    assert found.key.endswith("compose.steps")
    assert "25" in found.message
