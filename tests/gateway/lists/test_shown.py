"""`fields`, `expand` and `previous`: what of a list is shown, and which way it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Article = Callable[[int], dict[str, Any]]


def _only(entity: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: entity[name] for name in names}


@pytest.mark.parametrize("fields", ["sku", "label", "price,sku", "sku,name,region,price,label"])
def test_a_list_has_the_members_that_are_asked_for(world: Any, article_of: Article, fields: str) -> None:
    page = world.get(f"/articles?limit=5&fields={fields}").json()
    assert page["items"] == [_only(article_of(number), *fields.split(",")) for number in range(5)]


def test_pages_go_on_with_the_same_members(world: Any) -> None:
    pages = world.walk("/articles?limit=100&fields=sku&sort=-price")
    assert [item for page in pages for item in page] == [{"sku": f"S{number:05}"} for number in reversed(range(1000))]


def test_one_entity_has_the_members_that_are_asked_for(world: Any, article_of: Article) -> None:
    assert world.get("/articles/S00003?fields=price").json() == {"price": "3.25"}
    assert world.get("/articles/S00003?fields=").json() == article_of(3)
    assert world.get("/articles/S00003").json() == article_of(3)


@pytest.mark.parametrize("path", ["/articles", "/articles/S00003", "/plain", "/seen", "/stock", "/items", "/all"])
def test_what_isnt_there_is_refused_with_what_is(world: Any, path: str) -> None:
    response = world.get(f"{path}?fields=nothing%20here")
    assert response.status_code == 400
    problem = response.json()
    assert problem["errors"] == [{"pointer": "/query/fields", "detail": "there is no such member"}]
    assert ("price" if path in ("/articles", "/plain") else "") in problem["fix"]
    assert "nothing here" not in response.text


@pytest.mark.parametrize(
    ("path", "fields"), [("/plain", "SKU"), ("/seen", "sku"), ("/stock", "sku"), ("/items", "sku"), ("/all", "sku")]
)
def test_whatever_stands_behind_it_takes_fields(world: Any, path: str, fields: str) -> None:
    page = world.get(f"{path}?fields={fields}&limit=3").json()
    assert [list(item) for item in page["items"]] == [[fields]] * 3


@pytest.mark.parametrize("path", ["/articles", "/seen"])
def test_rows_are_hidden_by_members_that_arent_asked_for(world: Any, path: str) -> None:
    items = [item for page in world.walk(f"{path}?limit=50&fields=sku", "narrow") for item in page]
    assert items == [{"sku": f"S{number:05}"} for number in range(0, 1000, 3)]


def test_one_hidden_entity_isnt_there_whatever_is_asked_for(world: Any) -> None:
    assert world.get("/articles/S00003?fields=sku", "narrow").json() == {"sku": "S00003"}
    assert world.get("/articles/S00004?fields=sku", "narrow").status_code == 404


@pytest.mark.parametrize("path", ["/articles", "/seen"])
def test_masks_hold(world: Any, path: str) -> None:
    assert world.get(f"{path}?limit=1&fields=price,sku", "masked").json()["items"] == [{"sku": "S00000"}]
    mixed = world.get(f"{path}?limit=4&fields=price", "mixed").json()["items"]
    assert mixed == [{"price": "0.25"}, {}, {}, {"price": "3.25"}]


def test_expand_joins_under_the_contracts_name(world: Any, article_of: Article) -> None:
    one = world.get("/articles/S00003?expand=made_by").json()
    assert one == {**article_of(3), "made_by": {"id": 3, "name": "Maker 3"}}
    items = world.get("/articles?limit=2&expand=made_by&fields=sku,made_by").json()["items"]
    assert items == [{"sku": f"S0000{n}", "made_by": {"id": n, "name": f"Maker {n}"}} for n in range(2)]
    assert world.get("/articles?limit=1&fields=made_by&expand=made_by").json()["items"] == [
        {"made_by": {"id": 0, "name": "Maker 0"}}
    ]
    refused = world.get("/articles?expand=secrets")
    assert refused.status_code == 400
    assert "made_by" in refused.text


@pytest.mark.parametrize("path", ["/articles", "/articles/S00003"])
def test_who_may_not_see_all_rows_expands_nothing(world: Any, path: str) -> None:
    response = world.get(f"{path}?expand=made_by", "narrow")
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/query/expand"
    assert world.get(f"{path}?expand=made_by", "masked").status_code == 200


@pytest.mark.parametrize("name", ["all", "masked", "narrow"])
def test_a_list_is_read_backwards(world: Any, name: str) -> None:
    there = world.walk("/articles?limit=70&sort=-region,sku", name)
    with world.client(name) as client:
        first = following = "/articles?limit=70&sort=-region,sku"
        assert client.get(first).json()["previous"] is None
        while following is not None:
            page = client.get(following).json()
            last, following = following, page["next"]
    back = world.walk(last, name, "previous")
    assert [item for page in reversed(back) for item in page] == [item for page in there for item in page]


def test_a_cursor_leads_one_way_for_one_caller(world: Any) -> None:
    page = world.get("/articles?limit=5").json()
    after = world.get(page["next"]).json()
    assert world.get(after["previous"]).json()["items"] == page["items"]
    turned = after["previous"].replace("cursor=p.", "cursor=")
    assert turned != after["previous"]
    assert world.get(turned).status_code == 400
    assert world.get(page["next"].replace("cursor=", "cursor=p.")).status_code == 400
    assert world.get(after["previous"], "narrow").status_code == 400
    assert world.get(after["previous"] + "&region=north").status_code == 400
