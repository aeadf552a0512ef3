"""What upstreams call their things, as paths and tools."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Effect
from gateway.importing.model import Found, Parent, Shape
from gateway.importing.naming import Named, Names
from gateway.importing.words import is_plural, plural, sentence, singular, words
from gateway.routing.contracts import METHODS
from gateway.routing.schema import OPERATION_ID

TEXT = {"type": "string"}


def soap(name: str, effect: Effect = Effect.READ, required: tuple[str, ...] = (), **members: object) -> Found:
    schema = {"type": "object", "properties": members, "required": list(required), "additionalProperties": False}
    return Found(name, effect, {"type": "object"}, schema)


def shown(named: Named) -> str:
    return f"{named.method.upper()} {named.path} {named.operation_id}"


@pytest.mark.parametrize(
    ("found", "route"),
    [
        (soap("GetCustomer", required=("CustomerId",), CustomerId=TEXT), "GET /customers/{customer_id} get_customer"),
        (soap("GetCustomer", required=("Id",), Id=TEXT), "GET /customers/{customer_id} get_customer"),
        (soap("getCustomerByEmail", required=("email",), email=TEXT),
         "GET /customers/by-email/{email} get_customer_by_email"),
        (soap("ListCustomers"), "GET /customers list_customers"),
        (soap("FindOrders", Status=TEXT), "GET /orders find_orders"),
        (soap("GetCategories"), "GET /categories get_categories"),
        (soap("SearchOrders", required=("Filter",), Filter={"type": "array"}), "POST /orders/search search_orders"),
        (soap("FindOrders", Filter={"type": "object", "properties": {"A": TEXT}}), "GET /orders find_orders"),
        (soap("CreateOrder", Effect.WRITE, Sku=TEXT), "POST /orders create_order"),
        (soap("UpdateOrder", Effect.WRITE, ("OrderId",), OrderId=TEXT), "PATCH /orders/{order_id} update_order"),
        (soap("SetPrice", Effect.WRITE, ("PriceId",), PriceId=TEXT, Price=TEXT), "PUT /prices/{price_id} set_price"),
        (soap("DeleteOrder", Effect.WRITE, ("OrderId",), OrderId=TEXT), "DELETE /orders/{order_id} delete_order"),
        (soap("CancelOrder", Effect.WRITE, ("OrderId",), OrderId=TEXT), "POST /orders/cancel cancel_order"),
        (soap("GetToken", Effect.WRITE), "POST /tokens/get get_token"),
        (soap("Ping"), "GET /ping ping"),
        (soap("Get"), "GET /get get"),
    ],
    ids=lambda value: value.operation if isinstance(value, Found) else "",
)  # fmt: skip
def test_soap_operations_become_rest(found: Found, route: str) -> None:
    assert shown(Names("up", {}).name(found)) == route


def test_tables_are_resources() -> None:
    row = {"type": "object", "properties": {"AlbumId": {"type": "integer"}, "ArtistId": {"type": "integer"}}}
    names = Names("shop", {})
    listed = Found("Album.list", Effect.READ, row, shape=Shape.LIST, resource="Album")
    key = {"type": "object", "properties": {"AlbumId": {"type": "integer"}}, "required": ["AlbumId"]}
    one = Found("Album.get", Effect.READ, row, key, Shape.GET, "Album", ("AlbumId",))
    below = Found("Album.list", Effect.READ, row, shape=Shape.LIST, resource="Album",
                  parent=Parent("Artist", {"ArtistId": "ArtistId"}))  # fmt: skip
    gone = Found("Album.delete", Effect.IDEMPOTENT_WRITE, None, key, Shape.DELETE, "Album", ("AlbumId",))
    assert [shown(names.name(each)) for each in (listed, one, below, gone)] == [
        "GET /albums list_albums",
        "GET /albums/{album_id} get_album",
        "GET /artists/{artist_id}/albums list_artist_albums",
        "DELETE /albums/{album_id} delete_album",
    ]


def test_no_two_have_one_name_and_names_stay() -> None:
    found = [soap(name) for name in ("ListOrders", "FindOrders", "listOrders", "List_Orders", "GetOrders")]
    names = Names("erp", {}, {"find_orders"}, {("get", "/orders")})
    first = [names.name(each) for each in found]
    assert len({each.operation_id for each in first}) == len({each.path for each in first}) == len(found)
    assert first[1].operation_id == "erp_find_orders"
    before = {each.id: (each.method, each.path, each.operation_id) for each in first}
    again = Names("erp", before, {"find_orders"}, {("get", "/orders")})
    assert [shown(again.name(each)) for each in reversed(found)] == [shown(each) for each in reversed(first)]


def test_a_place_that_is_taken_moves_its_key_along() -> None:
    found = soap("GetOrder", required=("OrderId",), OrderId=TEXT)
    named = Names("erp", {}, (), {("get", "/orders/{id}")}).name(found)
    assert (named.path, [each.name for each in (*named.key, *named.query)]) == ("/erp/orders/{order_id}", ["order_id"])
    names = Names("erp", {})
    names.name(soap("GetOrder", required=("Number",), Number=TEXT))
    named = names.name(found)
    assert named.path == "/orders/get-order"
    assert (named.key, [each.name for each in named.query]) == ((), ["order_id"])


@given(st.lists(st.text(max_size=80), min_size=1, max_size=8, unique=True), st.sampled_from(list(Effect)))
def test_any_name_becomes_a_route(texts: list[str], effect: Effect) -> None:
    names = Names("up", {})
    made = [names.name(soap(each, effect, (each,), **{each: TEXT})) for each in texts]
    made += [names.name(Found(f"{each}.list", effect, {}, shape=Shape.LIST, resource=each)) for each in texts]
    for each in made:
        assert re.fullmatch(OPERATION_ID, each.operation_id)
        assert re.fullmatch(r"(/[a-z][a-z0-9-]*|/\{[a-z_][a-z0-9_]*\})+", each.path)
        assert each.method in METHODS
        assert re.fullmatch("[a-z][a-z0-9_-]{0,62}", each.group)
    assert len({each.operation_id for each in made}) == len(made)
    assert len({(each.method, re.sub(r"\{.*?\}", "{}", each.path)) for each in made}) == len(made)


@given(st.text(max_size=200))
def test_words_hold_nothing_but_letters_and_digits(text: str) -> None:
    assert all(re.fullmatch("[a-z0-9]+", each) for each in words(text))
    assert sentence(text).isprintable()


@pytest.mark.parametrize(
    ("one", "many"),
    [("customer", "customers"), ("category", "categories"), ("box", "boxes"), ("status", "status"), ("day", "days"),
     ("child", "children"), ("address", "addresses"), ("person", "people"), ("stock", "stock")],
)  # fmt: skip
def test_one_and_many(one: str, many: str) -> None:
    assert (plural(one), plural(many), singular(many)) == (many, many, one)
    assert is_plural(many) is (one != many)
