"""The replacement: its token, lists, changes made once per Idempotency-Key, look-up by key, and how it differs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
import pytest

from gateway.demo.crm_next.backfill import rounded_otherwise
from gateway.demo.estate import Estate


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer guessed"}, {"Authorization": "Basic Zmlnd2F5Og=="}])
def test_without_the_token_nothing_is_answered(estate: Estate, headers: dict[str, str]) -> None:
    url = estate.environment()["CRM_NEXT_URL"]
    for path in ("/v2/customers", "/v2/customers/C-10001", "/v2/requests/k"):
        reply = httpx.get(url + path, headers=headers)
        assert reply.status_code == 401
        assert reply.headers["WWW-Authenticate"] == "Bearer"
        assert "Nordlys" not in reply.text


def test_it_knows_each_customer_of_the_crm(crm_next: httpx.Client, crm: Any, soap: Any) -> None:
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        page = crm_next.get("/v2/customers", params={"limit": 200, "after": after}).raise_for_status().json()
        seen += [each["number"] for each in page["data"]]
        after = page["nextAfter"]
    listed = crm.call("<c:ListCustomers><c:Limit>1000</c:Limit></c:ListCustomers>").all("Customers/Customer/Id")
    assert seen[:1000] == [each.text for each in listed]
    assert len(seen) == len(set(seen)) == 2_000


def test_it_differs_as_the_readme_says(crm_next: httpx.Client) -> None:
    customer = crm_next.get("/v2/customers/C-10001").json()
    assert customer["status"] == "active"
    assert customer["phone"] == "+4755010203"
    assert customer["createdAt"] == "2019-03-11T09:15:00.000+00:00"
    assert customer["creditLimit"] == {"amount": "20000.00", "currency": "EUR"}
    assert customer["contacts"][1]["person"] is None
    assert customer["contacts"][1]["preferred"] is False
    assert customer["version"] == 1
    folded = crm_next.get("/v2/customers", params={"namePrefix": "nordlys marine as"}).json()
    assert [each["number"] for each in folded["data"]] == ["C-10001"]


def test_few_balances_are_higher(crm_next: httpx.Client, crm: Any) -> None:
    listed = crm.call("<c:ListCustomers><c:Limit>1000</c:Limit></c:ListCustomers>").all("Customers/Customer")
    legacy = {each.findtext("{*}Id"): Decimal(each.findtext("{*}Balance")) for each in listed}
    page = crm_next.get("/v2/customers", params={"limit": 200, "after": "C-10200"}).json()["data"]
    higher = {each["number"] for each in page if Decimal(each["balance"]["amount"]) != legacy[each["number"]]}
    assert higher == {number for number in legacy if "C-10200" < number <= "C-10400" and rounded_otherwise(number)}
    assert 0 < len(higher) < 8


def test_filters_narrow_a_list(crm_next: httpx.Client) -> None:
    found = crm_next.get("/v2/customers", params={"city": "Bergen", "status": "dormant"}).json()["data"]
    assert {(each["address"]["city"], each["status"]) for each in found} == {("Bergen", "dormant")}
    assert crm_next.get("/v2/customers", params={"namePrefix": "%"}).json() == {"data": [], "nextAfter": None}


def test_one_key_changes_once_and_is_found_again(crm_next: httpx.Client) -> None:
    def change(_: int) -> httpx.Response:
        return crm_next.patch("/v2/customers/C-10020", json={"phone": "+47 1"}, headers={"Idempotency-Key": "key-1"})

    before = crm_next.get("/control").json()["writes"]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(change, range(16)))
    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.text for reply in replies}) == 1
    assert sum("Idempotency-Replayed" not in reply.headers for reply in replies) == 1
    assert crm_next.get("/control").json()["writes"] == before + 1
    kept = crm_next.get("/v2/requests/key-1").json()
    assert kept["customerNumber"] == "C-10020"
    assert kept["customer"] == replies[0].json()


def test_a_key_of_another_change_is_refused(crm_next: httpx.Client) -> None:
    headers = {"Idempotency-Key": "key-2"}
    assert crm_next.patch("/v2/customers/C-10021", json={"email": None}, headers=headers).status_code == 200
    reply = crm_next.patch("/v2/customers/C-10021", json={"email": "a@b.example"}, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (422, "key_reused")
    assert crm_next.get("/v2/customers/C-10021").json()["email"] is None


def test_a_key_that_changed_nothing_is_unknown(crm_next: httpx.Client) -> None:
    headers = {"Idempotency-Key": "key-3"}
    assert crm_next.patch("/v2/customers/C-99999", json={"phone": None}, headers=headers).status_code == 404
    assert crm_next.patch("/v2/customers/C-10022", json={"balance": None}, headers=headers).status_code == 422
    assert crm_next.get("/v2/requests/key-3").status_code == 404


def test_a_change_merges_and_counts_the_version_up(crm_next: httpx.Client) -> None:
    before = crm_next.get("/v2/customers/C-10023").json()
    changes = {"creditLimit": {"amount": "12.5"}, "favouriteSku": None}
    after = crm_next.patch("/v2/customers/C-10023", json=changes).json()
    expected = {
        **before,
        "creditLimit": {"amount": "12.50", "currency": "EUR"},
        "favouriteSku": None,
        "updatedAt": after["updatedAt"],
        "version": 2,
    }
    assert after == expected == crm_next.get("/v2/customers/C-10023").json()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"displayName": ""}, "displayName"),
        ({"displayName": None}, "displayName"),
        ({"status": "ACTIVE"}, "status"),
        ({"email": "nowhere"}, "email"),
        ({"creditLimit": {"amount": "1.234"}}, "creditLimit.amount"),
        ({"creditLimit": {"amount": "-1"}}, "creditLimit.amount"),
        ({"creditLimit": {"amount": "NaN"}}, "creditLimit.amount"),
        ({"address": {"city": "Oslo"}}, "address.line1"),
        ({"number": "C-1"}, "number"),
    ],
)
def test_a_bad_field_is_named(crm_next: httpx.Client, changes: dict[str, Any], field: str) -> None:
    reply = crm_next.patch("/v2/customers/C-10024", json=changes)
    assert reply.status_code == 422
    assert field in [each["field"] for each in reply.json()["fields"]]


@pytest.mark.parametrize("body", [b"{", b'{"phone": 1e400}', b"\xff", b"[]"])
def test_a_body_that_is_no_change_is_refused(crm_next: httpx.Client, body: bytes) -> None:
    reply = crm_next.patch("/v2/customers/C-10024", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code in (400, 422)


def test_it_hangs_and_fails_as_told_while_the_control_answers(crm_next: httpx.Client) -> None:
    crm_next.post("/control", json={"hang": True}).raise_for_status()
    with ThreadPoolExecutor(1) as pool:
        hung = pool.submit(crm_next.get, "/v2/customers/C-10001", timeout=30)
        with pytest.raises(httpx.ReadTimeout):
            crm_next.get("/v2/customers/C-10001", timeout=0.3)
        assert crm_next.get("/control").json()["hang"] is True
        crm_next.post("/control", json={"hang": False}).raise_for_status()
        assert hung.result().status_code == 200
    for fail, status in (("500", 500), ("html", 503)):
        crm_next.post("/control", json={"fail": fail}).raise_for_status()
        assert crm_next.get("/v2/customers/C-10001").status_code == status
    assert crm_next.post("/control", json={"noise": 1}).status_code == 422
