"""Every way round a mask, and what is decided before and after a call is read, on the same gateway."""

from __future__ import annotations

import re
from typing import Any

import pytest

NORTH = [key for key in range(30) if key % 3 == 0]
SECRETS = re.compile(r"@[xyz]\.example|\d\.50")


def test_a_masked_field_is_in_no_reply(shop: Any) -> None:
    for path in ("/customers?limit=100", "/unfiltered?limit=100", "/customers/3", "/overview/3"):
        response = shop.get("masked", path)
        assert response.status_code == 200
        assert not SECRETS.search(response.text)
        assert "email" not in response.text
    assert shop.get("all", "/customers/3").json()["email"] == "c3@x.example"


@pytest.mark.parametrize(
    "query",
    ["email=c3@x.example", "email.like=c3%25", "balance.ge=1", "sort=email", "sort=-balance", "sort=name,email"],
)
@pytest.mark.parametrize("path", ["/customers", "/unfiltered"])
def test_nothing_may_be_asked_by_a_masked_field(shop: Any, path: str, query: str) -> None:
    refused = shop.get("masked", f"{path}?{query}")
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["pointer"].startswith(f"/query/{query.split('=')[0]}")
    assert shop.get("masked", f"{path}?name.like=C%25&sort=-name&limit=2").status_code == 200


def test_a_parameter_of_which_nobody_knows_what_it_is_about_is_refused(shop: Any) -> None:
    assert shop.get("masked", "/items?q=lab").status_code == 400
    assert shop.get("all", "/items?q=lab&limit=1").status_code == 200
    assert "name" not in shop.get("masked", "/items?limit=1").json()["items"][0]


def test_a_composites_expressions_see_no_masked_field(shop: Any) -> None:
    body = shop.get("masked", "/overview/3").json()
    assert "email" not in body
    assert "email" not in body["customer"]


def test_a_token_stands_for_a_value_the_same_within_a_tenant_only(shop: Any) -> None:
    mine, again = (shop.get("tokens", path).json() for path in ("/customers/3", "/customers?limit=4"))
    other = shop.get("southern", "/customers/3").json()
    assert mine["email"].endswith("@token.invalid")
    assert mine["name"].startswith("tok-")
    assert again["items"][3]["email"] == mine["email"]
    assert other["email"] != mine["email"]
    assert again["items"][0]["email"] != mine["email"]
    assert not re.search(r"@[xyz]\.example|Customer", shop.get("tokens", "/overview/3").text)


def test_where_permits_meet_each_row_shows_what_one_of_them_does(shop: Any) -> None:
    items = [item for page in shop.walk("mixed", "/customers") for item in page]
    assert len(items) == 30
    assert {item["id"] for item in items if "email" in item} == set(NORTH)
    assert "email" in shop.get("mixed", "/customers/3").json()
    assert "email" not in shop.get("mixed", "/customers/1").json()
    assert shop.get("mixed", "/customers?email=c1@y.example").status_code == 400


def test_two_permits_show_more_than_one(shop: Any) -> None:
    items = [item for page in shop.walk("both", "/customers") for item in page]
    assert len(items) == 30
    assert {item["id"] for item in items if "email" in item} == set(NORTH)


def test_a_policy_on_arguments_decides_on_each_call(shop: Any) -> None:
    assert "pay" in shop.get("payer", "/openapi.json").text
    assert shop.send("payer", "POST", "/pay/1", {"amount": "99.99"}).status_code == 200
    assert shop.send("payer", "POST", "/pay/1", {"amount": "100.00"}).status_code == 403
    assert shop.send("payer", "POST", "/pay/1", {"amount": "0.00001"}).status_code == 403
    assert shop.send("payer", "POST", "/pay/1", {}).status_code == 400


def test_a_composite_is_listed_only_for_who_may_use_its_parts(shop: Any) -> None:
    assert "/overview/{id}" in shop.get("narrow", "/openapi.json").json()["paths"]
    assert "/overview/{id}" not in shop.get("looker", "/openapi.json").json()["paths"]
    assert shop.get("looker", "/overview/3").status_code == 403


def test_a_narrowed_credential_reaches_no_further(shop: Any) -> None:
    assert shop.get("narrowed", "/customers/3").status_code == 200
    refused = shop.send("narrowed", "PATCH", "/customers/3", {"name": "No"})
    assert refused.status_code == 403
    assert "narrowed" in refused.json()["detail"]
    paths = shop.get("narrowed", "/openapi.json").json()["paths"]
    assert {method for item in paths.values() for method in item} <= {"get", "post"}
    assert "/pay/{id}" not in paths


def test_what_is_listed_says_what_is_left_out(shop: Any) -> None:
    operation = shop.get("masked", "/openapi.json").json()["paths"]["/customers"]["get"]
    assert operation["x-figway-left-out"] == ["balance", "email"]
    assert "x-figway-left-out" not in shop.get("all", "/openapi.json").json()["paths"]["/customers"]["get"]


def test_a_policy_on_trial_changes_no_answer_and_is_recorded(shop: Any) -> None:
    before = _would_deny(shop)
    tried, other = shop.get("masked", "/customers/3"), shop.get("all", "/customers/3")
    assert (tried.status_code, other.status_code) == (200, 200)
    assert _would_deny(shop) == before + 1
    assert shop.audited(tried.headers["figway-lineage"])["trial"] == ["strict:deny"]
    assert not shop.audited(other.headers["figway-lineage"]).get("trial")


def _would_deny(shop: Any) -> int:
    told = shop.get("all", "/-/policy/trials").json()
    assert told["sets"] == ["strict"]
    return sum(each["calls"] for each in told["items"] if (each["set"], each["would"]) == ("strict", "deny"))


def test_who_may_ask_is_told_why(shop: Any) -> None:
    path = "/-/policy/explain?as=zoe&tenant=north&role=masked&action=get_customer"
    assert shop.get("masked", path).status_code == 403
    told = shop.get("all", path).json()
    assert (told["decision"], told["deciding"]) == ("allow", ["masked"])
    assert told["narrowing"] == [{"name": "masked", "mask": "email, balance"}]
    outcomes = {each["name"]: each["outcome"] for each in told["policies"] if each["trial"] is None}
    assert outcomes["masked"] == "satisfied"
    assert outcomes["north"] == "not satisfied"
    assert [each["outcome"] for each in told["policies"] if each["trial"] == "strict"] == ["satisfied"]
    waiting = shop.get("all", "/-/policy/explain?as=zoe&role=payer&action=pay").json()
    assert waiting["decision"] == "depends"
    for wrong in ("", "?as=zoe", "?as=zoe&action=gone", "?as=zoe&as=ann&action=pay", "?as=zoe&action=pay&who=x"):
        assert shop.get("all", f"/-/policy/explain{wrong}").status_code == 400
