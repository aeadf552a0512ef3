"""Every way round a row predicate, on a gateway over PostgreSQL and an adapter that can't be narrowed."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from typing import Any

import pytest

NORTH = [key for key in range(30) if key % 3 == 0]
HIDDEN_KEY, ABSENT_KEY, VISIBLE_KEY = 1, 999, 3


def _ids(pages: list[list[Any]]) -> list[int]:
    return [item["id"] for page in pages for item in page]


@pytest.mark.parametrize("path", ["/customers", "/unfiltered"])
def test_a_list_holds_visible_rows_only_and_its_pages_are_full(shop: Any, path: str) -> None:
    pages = shop.walk("narrow", path)
    assert _ids(pages) == NORTH
    assert [len(page) for page in pages] == [4, 4, 2]
    assert _ids(shop.walk("all", path)) == list(range(30))


@pytest.mark.parametrize("limit", [1, 2, 5, 10, 100])
@pytest.mark.parametrize("path", ["/customers", "/unfiltered"])
def test_next_is_there_only_when_a_visible_row_follows(shop: Any, path: str, limit: int) -> None:
    pages = shop.walk("narrow", path, limit)
    assert _ids(pages) == NORTH
    assert all(len(page) == limit for page in pages[:-1])
    assert pages[-1]


def test_an_upstream_that_cant_be_narrowed_is_read_until_the_page_is_full(shop: Any) -> None:
    pages = shop.walk("narrow", "/items", 6)
    assert [item["on_hand"] for page in pages for item in page] == list(range(990, 1000))
    assert [len(page) for page in pages] == [6, 4]


def test_where_nothing_is_visible_nothing_follows(shop: Any) -> None:
    response = shop.get("nothing", "/items?limit=1")
    assert response.json() == {"items": [], "next": None}


@pytest.mark.parametrize("path", ["/customers", "/unfiltered"])
def test_a_filter_finds_no_hidden_row(shop: Any, path: str) -> None:
    assert shop.walk("narrow", f"{path}?region=south") == [[]]
    assert shop.walk("narrow", f"{path}?region=north") == shop.walk("narrow", path)
    assert shop.walk("narrow", "/customers?email=c1@y.example") == [[]]
    assert _ids(shop.walk("narrow", "/customers?email=c3@x.example")) == [3]


@pytest.mark.parametrize("path", ["/customers", "/unfiltered"])
def test_a_sort_moves_no_hidden_row_into_sight(shop: Any, path: str) -> None:
    assert _ids(shop.walk("narrow", f"{path}?sort=-balance")) == NORTH[::-1]


def test_a_cursor_tells_no_value_and_serves_only_those_who_see_as_little(shop: Any) -> None:
    following = shop.get("narrow", "/unfiltered?limit=2&sort=balance").json()["next"]
    cursor = re.search(r"cursor=([^&]*)", following)[1]
    payload = cursor.partition(".")[2] or cursor
    assert b"balance" not in urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    open_cursor = shop.get("all", "/unfiltered?limit=2&sort=balance").json()["next"]
    refused = shop.get("narrow", open_cursor)
    assert refused.status_code == 400
    assert refused.json()["type"] == "urn:figway:problem:bad-request"


def test_a_row_without_a_region_belongs_to_nobody(shop: Any) -> None:
    """NULL matches nothing; neither does the tenant of a caller who has none."""
    assert shop.get("narrow", "/customers/2").status_code == 404
    assert shop.walk("homeless", "/customers") == [[]]
    assert shop.walk("homeless", "/unfiltered") == [[]]
    assert shop.get("homeless", "/customers/3").status_code == 404


def test_a_hidden_row_is_answered_as_one_that_isnt_there(shop: Any) -> None:
    hidden, absent = shop.get("narrow", f"/customers/{HIDDEN_KEY}"), shop.get("narrow", f"/customers/{ABSENT_KEY}")
    told = [_anonymous(each) for each in (hidden, absent)]
    assert told[0] == told[1]
    assert hidden.status_code == 404
    assert shop.get("narrow", f"/customers/{VISIBLE_KEY}").json()["id"] == VISIBLE_KEY


def _anonymous(response: Any) -> tuple[int, dict[str, str], dict[str, Any]]:
    """All of a response but what names the call itself."""
    own = {"date", "figway-lineage", "traceparent", "content-length"}
    headers = {name: value for name, value in response.headers.items() if name not in own}
    return response.status_code, headers, {**response.json(), "instance": ""}


def test_only_the_audit_tells_a_hidden_row_from_an_absent_one(shop: Any) -> None:
    hidden, absent = shop.get("narrow", f"/customers/{HIDDEN_KEY}"), shop.get("narrow", f"/customers/{ABSENT_KEY}")
    decisions = [shop.audited(each.headers["figway-lineage"])["decision"] for each in (hidden, absent)]
    assert decisions == ["deny", "allow"]


def test_a_hidden_row_takes_as_long_as_an_absent_one(shop: Any) -> None:
    """By what is done, not by the clock: both are answered after one call of the same operation."""
    calls = []
    for key in (HIDDEN_KEY, ABSENT_KEY):
        record = shop.audited(shop.get("narrow", f"/customers/{key}").headers["figway-lineage"])
        calls.append([(each["upstream"], each["operation"]) for each in record["upstream_calls"]])
    assert calls[0] == calls[1] == [("shop", "customers.get")]


def test_lineage_knows_one_call_for_a_page_and_no_hidden_row(shop: Any) -> None:
    response = shop.get("narrow", "/items?limit=6")
    (call,) = shop.audited(response.headers["figway-lineage"])["upstream_calls"]
    assert call["operation"] == "item.list"
    hidden = shop.audited(shop.get("narrow", f"/customers/{HIDDEN_KEY}").headers["figway-lineage"])["upstream_calls"]
    absent = shop.audited(shop.get("narrow", f"/customers/{ABSENT_KEY}").headers["figway-lineage"])["upstream_calls"]
    assert [(each["outcome"], each.get("sources")) for each in hidden] == [
        (each["outcome"], each.get("sources")) for each in absent
    ]


def test_who_may_not_call_the_route_learns_nothing_of_its_rows(shop: Any) -> None:
    for key in (HIDDEN_KEY, ABSENT_KEY, VISIBLE_KEY):
        assert shop.get("payer", f"/customers/{key}").status_code == 403


def test_head_tells_no_more_than_get(shop: Any) -> None:
    with shop.client("narrow") as client:
        hidden, absent = client.head(f"/customers/{HIDDEN_KEY}"), client.head(f"/customers/{ABSENT_KEY}")
    assert (hidden.status_code, hidden.headers["content-length"]) == (404, absent.headers["content-length"])


def test_a_composite_sees_what_its_caller_sees(shop: Any) -> None:
    assert shop.get("narrow", f"/overview/{VISIBLE_KEY}").json()["customer"]["id"] == VISIBLE_KEY
    told = [_anonymous(shop.get("narrow", f"/overview/{key}")) for key in (HIDDEN_KEY, ABSENT_KEY)]
    assert told[0] == told[1]
    assert told[0][0] == 404


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_hidden_row_cant_be_written(shop: Any, method: str) -> None:
    body = {"name": "Mine"} if method == "PATCH" else None
    told = [_anonymous(shop.send("narrow", method, f"/customers/{key}", body)) for key in (HIDDEN_KEY, ABSENT_KEY)]
    assert told[0] == told[1]
    assert told[0][0] == 404
    assert shop.server.sql("SELECT name FROM customers WHERE id = 1").strip() == "Customer 01"


def test_a_visible_row_can_be_written_and_removed(shop: Any) -> None:
    changed = shop.send("narrow", "PATCH", f"/customers/{VISIBLE_KEY}", {"name": "New"})
    assert (changed.status_code, changed.json()["name"]) == (200, "New")
    assert shop.send("narrow", "DELETE", f"/customers/{VISIBLE_KEY}").status_code == 204
    assert shop.server.sql("SELECT count(*) FROM customers WHERE id = 3").strip() == "0"


def test_a_write_moves_no_row_out_of_sight(shop: Any) -> None:
    refused = shop.send("narrow", "PATCH", f"/customers/{VISIBLE_KEY}", {"region": "south"})
    assert refused.status_code == 422
    assert shop.server.sql("SELECT region FROM customers WHERE id = 3").strip() == "north"


def test_a_row_is_made_only_where_it_can_be_seen(shop: Any) -> None:
    new = {"id": 100, "name": "New", "email": "new@x.example", "balance": "1.50"}
    refused = shop.send("narrow", "POST", "/customers", {**new, "region": "south"})
    assert refused.status_code == 422
    assert shop.server.sql("SELECT count(*) FROM customers WHERE id = 100").strip() == "0"
    made = shop.send("narrow", "POST", "/customers", {**new, "region": "north"})
    assert (made.status_code, made.headers["location"]) == (201, "/customers/100")


def test_a_failure_says_nothing_of_what_the_upstream_said(shop: Any) -> None:
    taken = shop.send("narrow", "POST", "/customers", {"id": HIDDEN_KEY, "region": "north", "name": "New"})
    assert taken.status_code == 409
    assert "key" not in taken.json()["detail"].lower()
    assert "errors" not in taken.json()


def test_a_broken_reply_says_nothing_of_where_it_breaks(shop: Any) -> None:
    broken = {"id": 1, "region": "north", "name": "x" * 61}
    assert "/name" in shop.send("all", "POST", "/raw", {"value": broken}).json()["detail"]


def test_a_dataset_shows_visible_records_only(shop: Any) -> None:
    pages = shop.walk("narrow", "/stock?sort=-on_hand&on_hand.ge=6")
    assert [item["on_hand"] for page in pages for item in page] == [27, 24, 21, 18, 15, 12, 9, 6]
    assert [len(page) for page in pages] == [4, 4]


def test_a_warning_about_a_dataset_is_for_who_sees_all_of_it(shop: Any) -> None:
    assert "1 record" in shop.get("all", "/stock?limit=2").headers["figway-warning"]
    assert "figway-warning" not in shop.get("narrow", "/stock?limit=2").headers


def test_a_hidden_record_is_answered_as_one_that_isnt_there(shop: Any) -> None:
    told = [_anonymous(shop.get("narrow", f"/stock/{key}")) for key in ("S01", "S02", "S98")]
    assert told[0] == told[1] == told[2]
    assert told[0][0] == 404
    assert "decoded" in shop.get("all", "/stock/S98").json()["detail"]
    assert shop.get("narrow", "/stock/S03").status_code == 200


def test_a_record_that_cant_be_decoded_says_nothing_of_itself(shop: Any) -> None:
    broken = shop.get("narrow", "/stock/S99")
    assert broken.status_code == 502
    assert "S99" not in broken.json()["detail"]
    assert "bytes" not in broken.json()["detail"]


def test_a_soap_reply_is_looked_at_row_by_row(shop: Any) -> None:
    assert [each["quantity"] for each in shop.get("narrow", "/lines?limit=5").json()["items"]] == [2, 4]
    assert len(shop.get("all", "/lines?limit=5").json()["items"]) == 5


def test_a_hidden_order_is_answered_as_one_that_the_soap_service_doesnt_have(shop: Any) -> None:
    told = [_anonymous(shop.get("narrow", f"/orders/{key}")) for key in (101, 404)]
    assert told[0] == told[1]
    assert told[0][0] == 404
    assert shop.get("all", "/orders/101").json()["id"] == 101
    assert shop.get("narrow", "/orders/7").json()["id"] == 7


def test_a_soap_services_fault_says_nothing(shop: Any) -> None:
    assert "order 400" in shop.get("all", "/orders/400").text
    assert "order 400" not in shop.get("narrow", "/orders/400").text


def test_a_nested_member_of_a_soap_reply_is_left_out(shop: Any) -> None:
    assert "email" not in shop.get("masked", "/orders/7").json()["customer"]
    assert "email" in shop.get("all", "/orders/7").json()["customer"]
