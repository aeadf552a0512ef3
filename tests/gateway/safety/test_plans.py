"""Dry runs and their plans over HTTP: nothing is written, and what runs afterwards is what was shown."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

DRY = {"prefer": "dry-run"}


def slug(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rpartition(":")[2]


def planned(client: httpx.Client, number: int, title: str, path: str = "parts") -> dict[str, Any]:
    tried = client.patch(f"/{path}/{number}", json={"title": title}, headers=DRY)
    assert tried.status_code == 200, tried.text
    document: dict[str, Any] = tried.json()
    return document


def test_a_dry_run_shows_before_and_after_and_writes_nothing(shop: Any, ann: httpx.Client) -> None:
    tried = ann.patch("/parts/1", json={"title": "two"}, headers=DRY)
    assert tried.headers["content-type"] == "application/vnd.figway.dry-run+json"
    assert (tried.headers["preference-applied"], tried.headers["cache-control"]) == ("dry-run", "no-store")
    document = tried.json()
    after = {"number": 1, "title": "two", "hush": "x"}
    assert document["would"] == {"status": 200, "body": after}
    assert (document["before"], document["after"]) == ({**after, "title": "one"}, after)
    assert (document["dry_run"], document["affected"]) == (True, 1)
    assert document["needs"] == {"plan": True, "approval": 0}
    assert "cost" not in tried.text  # what the contract doesn't tell, a dry run doesn't
    assert shop.row(1) == "one"


def test_a_write_goes_by_its_plan_or_not_at_all(shop: Any, ann: httpx.Client, fresh: Any) -> None:
    refused = ann.patch("/parts/2", json={"title": "two"}, headers=fresh())
    assert slug(refused) == (428, "plan-required")
    assert "dry-run" in refused.json()["fix"]
    token = planned(ann, 2, "two")["plan_token"]
    made = ann.patch("/parts/2", json={"title": "two"}, headers=fresh(figway_plan=token))
    assert (made.status_code, shop.row(2)) == (200, "two")


def test_a_plan_is_for_its_caller_its_route_and_its_very_arguments(shop: Any, ann: httpx.Client, fresh: Any) -> None:
    token = planned(ann, 3, "two")["plan_token"]
    own = {"figway_plan": token}
    other = shop.client(shop.key("ann", "writer"))  # the same principal, without the agent
    key, _, sealed = token.partition(".")
    for response in (
        ann.patch("/parts/3", json={"title": "three"}, headers=fresh(**own)),
        ann.patch("/parts/4", json={"title": "two"}, headers=fresh(**own)),
        ann.patch("/both/3", json={"title": "two"}, headers=fresh(**own)),
        ann.patch("/parts/3", json={"title": "two"}, headers=fresh(if_match="*", **own)),
        other.patch("/parts/3", json={"title": "two"}, headers=fresh(**own)),
        *(
            ann.patch("/parts/3", json={"title": "two"}, headers=fresh(figway_plan=forged))
            for forged in (
                "",
                "x",
                f"{key}.",
                f"{key}.{sealed[:-2]}",
                f"{key}.{sealed[:-1]}A{sealed[-1]}",
                f"0.{sealed}",
            )
        ),
    ):
        assert response.status_code in (400, 412), response.text
    assert (shop.row(3), shop.row(4)) == ("one", "one")


def test_what_has_changed_since_is_left_alone(shop: Any, ann: httpx.Client, fresh: Any) -> None:
    token = planned(ann, 5, "two")["plan_token"]
    shop.sql("UPDATE part SET cost = 10 WHERE id = 5")  # also where the contract doesn't show it
    headers = fresh(figway_plan=token)
    refused = ann.patch("/parts/5", json={"title": "two"}, headers=headers)
    assert slug(refused) == (412, "plan-refused")
    assert shop.row(5) == "one"
    again = {**headers, "figway-plan": planned(ann, 5, "two")["plan_token"]}  # nothing was done: the key is free
    assert ann.patch("/parts/5", json={"title": "two"}, headers=again).status_code == 200


def test_a_write_that_is_known_is_answered_without_its_plan(shop: Any, ann: httpx.Client, fresh: Any) -> None:
    headers = fresh(figway_plan=planned(ann, 6, "two")["plan_token"])
    first = ann.patch("/parts/6", json={"title": "two"}, headers=headers)
    del headers["figway-plan"]
    again = ann.patch("/parts/6", json={"title": "two"}, headers=headers)
    assert (again.status_code, again.json()) == (200, first.json())
    assert "figway-replayed" in again.headers


def test_a_plan_may_be_followed_where_none_is_asked_for(shop: Any, ann: httpx.Client) -> None:
    token = ann.delete("/parts/7", headers=DRY).json()["plan_token"]
    shop.sql("UPDATE part SET name = 'changed' WHERE id = 7")
    assert slug(ann.delete("/parts/7", headers={"figway-plan": token})) == (412, "plan-refused")
    assert shop.row(7) == "changed"
    assert ann.delete("/parts/7").status_code == 204


def test_a_write_by_a_plan_may_be_answered_later(shop: Any, ann: httpx.Client, fresh: Any) -> None:
    refused = ann.patch("/parts/8", json={"title": "two"}, headers=fresh(prefer="respond-async"))
    assert slug(refused) == (428, "plan-required")
    token = planned(ann, 8, "two")["plan_token"]
    late = ann.patch(
        "/parts/8", json={"title": "two"}, headers=fresh(prefer="respond-async, wait=10", figway_plan=token)
    )
    assert (late.status_code, shop.row(8)) == (200, "two")


def test_what_a_caller_may_not_see_is_in_no_dry_run(shop: Any) -> None:
    document = planned(shop.clients["masked"], 9, "two")
    assert "hush" not in document["before"]
    assert "hush" not in document["after"]
    assert document["before"]["title"] == "one"


def test_a_write_over_its_bound_is_refused_and_undone(shop: Any, ann: httpx.Client, fresh: Any) -> None:
    shop.sql("UPDATE part SET name = 'odd' WHERE id IN (50, 51, 52)")
    for headers in (DRY, fresh()):
        refused = ann.post("/cleared", json={"prefix": "odd%"}, headers=headers)
        assert slug(refused) == (422, "rejected")
        assert "more than 2 rows" in refused.json()["detail"]
    assert {shop.row(number) for number in (50, 51, 52)} == {"odd"}
    shop.sql("UPDATE part SET name = 'even' WHERE id = 52")
    tried = ann.post("/cleared", json={"prefix": "odd%"}, headers=DRY).json()
    assert (tried["affected"], "before" in tried) == (2, False)
    assert (
        ann.post("/cleared", json={"prefix": "odd%"}, headers=fresh(figway_plan=tried["plan_token"])).status_code == 200
    )
    assert shop.row(50) == "cleared"


@pytest.mark.parametrize("rounds", [20])
def test_no_dry_run_ever_writes(shop: Any, ann: httpx.Client, rounds: int) -> None:
    before, items = [shop.row(number) for number in range(1, 60)], shop.items()
    for number in range(rounds):
        planned(ann, 20 + number, f"x{number}")
        assert ann.delete(f"/parts/{20 + number}", headers=DRY).status_code == 200
        assert ann.post("/items", json={"sku": "a"}, headers=DRY).status_code == 400  # the lab can't be tried
    assert [shop.row(number) for number in range(1, 60)] == before
    assert shop.items() == items
