"""An agent's morning over REST: customers, stock, invoices and tasks, held against what the systems themselves hold."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from types import ModuleType
from typing import Any
from uuid import uuid4

import httpx
import pytest

Row = dict[str, Any]


def pages(client: httpx.Client, url: str) -> Iterator[list[Row]]:
    """Every page of a list, `next` followed as it is."""
    following: str | None = url
    while following is not None:
        page = client.get(following).raise_for_status().json()
        yield page["items"]
        following = page["next"]


def listed(client: httpx.Client, url: str) -> list[Row]:
    """All items of a list, over all its pages."""
    return [item for page in pages(client, url) for item in page]


@pytest.fixture(scope="module")
def stock(demo: Any) -> list[Row]:
    """The ERP's own rows, read from its file without ODBC."""
    file = re.search(r"Database=([^;]+)", demo.estate["erp"]["dsn"])
    assert file is not None
    with closing(sqlite3.connect(f"file:{file[1]}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        rows = [dict(row) for row in database.execute("SELECT * FROM stock ORDER BY sku")]
    for row in rows:
        row["unit_price"] = f"{row['unit_price']:.2f}"
        row["updated_at"] = f"{row['updated_at'].replace(' ', 'T')}Z"
    return rows


@pytest.fixture(scope="module")
def invoices(demo: Any, records: ModuleType) -> list[Row]:
    """Billing's own records by number, decoded by hand."""
    found = records.invoices(demo.drop)
    return [found[number] for number in sorted(found)]


# ── customers ────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_customers_are_listed_once(demo: Any, agent: httpx.Client) -> None:
    with closing(sqlite3.connect(demo.folder / ".figway" / "demo" / "crm.db")) as database:
        kept = [id for (id,) in database.execute("SELECT id FROM customers ORDER BY id")]
    found = list(pages(agent, "/customers?limit=200"))
    assert [each["id"] for page in found for each in page] == kept
    assert len(found) == -(-len(kept) // 200)


def test_customers_are_filtered(agent: httpx.Client) -> None:
    everyone = listed(agent, "/customers?limit=200")
    for query, fits in (
        ("city=Bergen", lambda each: each["city"] == "Bergen"),
        ("status=DORMANT", lambda each: each["status"] == "DORMANT"),
        ("name_starts_with=Nord", lambda each: each["name"].startswith("Nord")),
    ):
        wanted = [each for each in everyone if fits(each)]
        assert listed(agent, f"/customers?limit=7&{query}") == wanted
        assert 7 < len(wanted) < len(everyone)


def test_a_customer_says_what_the_list_says(demo: Any, agent: httpx.Client) -> None:
    customer = agent.get(f"/customers/{demo.sample['customer_id']}").json()
    summary = agent.get("/customers?limit=1").json()["items"][0]
    assert customer["address"]["city"] == summary["city"] == "Bergen"
    assert {name: customer[name] for name in ("id", "name", "status", "balance", "favourite_sku")} == {
        name: summary[name] for name in ("id", "name", "status", "balance", "favourite_sku")
    }


def test_a_balance_is_the_sum_of_the_unpaid_invoices(demo: Any, agent: httpx.Client, invoices: list[Row]) -> None:
    id = demo.sample["customer_id"]
    unpaid = [each for each in invoices if each["customer_id"] == id and each["status"] != "paid"]
    balance = sum((Decimal(each["gross_amount"]) for each in unpaid), Decimal(0))
    assert Decimal(agent.get(f"/customers/{id}").json()["balance"]) == balance


def test_only_the_platform_team_changes_a_customer(demo: Any, agent: httpx.Client, platform: httpx.Client) -> None:
    before, writes = agent.get("/customers/C-10007").json(), demo.set_crm()["writes"]
    phone = f"+47 {uuid4().int % 10**8:08d}"
    assert agent.patch("/customers/C-10007", json={"phone": phone}).status_code == 403
    assert (agent.get("/customers/C-10007").json(), demo.set_crm()["writes"]) == (before, writes)
    changed = platform.patch("/customers/C-10007", json={"phone": phone, "credit_limit": "1234.50"})
    assert changed.status_code == 200
    expected = {**before, "phone": phone, "credit_limit": "1234.50", "updated_at": changed.json()["updated_at"]}
    assert changed.json() == agent.get("/customers/C-10007").json() == expected


def test_the_same_change_again_changes_nothing(demo: Any, platform: httpx.Client) -> None:
    writes = demo.set_crm()["writes"]
    headers = {"idempotency-key": f"demo-{uuid4()}"}
    first, again = (
        platform.patch("/customers/C-10008", json={"phone": "+47 22 33 44 55"}, headers=headers) for _ in range(2)
    )
    assert (first.status_code, first.json()) == (200, again.json())
    assert demo.set_crm()["writes"] == writes + 1


def test_null_clears_and_absence_keeps(agent: httpx.Client, platform: httpx.Client) -> None:
    platform.patch("/customers/C-10009", json={"email": "post@example.com", "favourite_sku": "BRG-6204-ZZ"})
    cleared = platform.patch("/customers/C-10009", json={"favourite_sku": None}).json()
    assert (cleared["email"], cleared.get("favourite_sku")) == ("post@example.com", None)
    assert platform.patch("/customers/C-10009", json={"email": None}).json()["email"] is None


def test_the_crms_own_rules_are_told_in_the_routes_words(platform: httpx.Client) -> None:
    refused = platform.patch("/customers/C-10010", json={"credit_limit": "99999999.00", "email": "nobody"})
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:figway:problem:rejected")
    assert {each["pointer"] for each in refused.json()["errors"]} == {"/body/credit_limit", "/body/email"}


@pytest.mark.parametrize(
    "path", ["/customers/C-99999", "/customers/C-99999/overview", "/inventory/NO-SUCH", "/invoices/R-0"]
)
def test_what_is_not_there_is_not_found(agent: httpx.Client, path: str) -> None:
    reply = agent.get(path)
    assert (reply.status_code, reply.json()["type"]) == (404, "urn:figway:problem:not-found")


# ── stock ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("query", "fits", "order"),
    [
        ("", lambda row: True, None),
        ("name.like=%25bearing%25", lambda row: "bearing" in row["name"].lower(), None),
        ("warehouse=HAMBURG&sort=-on_hand", lambda row: row["warehouse"] == "HAMBURG", lambda row: -row["on_hand"]),
        (
            "on_hand.ge=40&on_hand.le=60&sort=on_hand",
            lambda row: 40 <= row["on_hand"] <= 60,
            lambda row: row["on_hand"],
        ),
        ("on_hand.le=0&sort=warehouse,-sku", lambda row: row["on_hand"] <= 0, lambda row: row["warehouse"]),
    ],
)
def test_stock_is_listed_as_the_erp_has_it(
    agent: httpx.Client, stock: list[Row], query: str, fits: Callable[[Row], bool], order: Callable[[Row], Any] | None
) -> None:
    found = listed(agent, f"/inventory?limit=53&{query}")
    wanted = [row for row in stock if fits(row)]
    if query.endswith("-sku"):
        wanted.reverse()
    assert found == sorted(wanted, key=order) if order else wanted
    assert len(wanted) > 53


def test_one_article_is_what_the_list_says(demo: Any, agent: httpx.Client, stock: list[Row]) -> None:
    by_sku = {row["sku"]: row for row in stock}
    for sku in (demo.sample["sku"], *list(by_sku)[::500]):
        assert agent.get(f"/inventory/{sku}").json() == by_sku[sku]


# ── invoices ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_invoice_is_what_its_bytes_say(demo: Any, agent: httpx.Client, invoices: list[Row]) -> None:
    by_number = {each["invoice_number"]: each for each in invoices}
    credit = next(number for number, each in by_number.items() if each["document_type"] == "credit_note")
    for number in (demo.sample["invoice_number"], credit, *list(by_number)[::700]):
        assert agent.get(f"/invoices/{number}").json() == by_number[number]


def test_all_invoices_are_listed_once(agent: httpx.Client, invoices: list[Row]) -> None:
    assert listed(agent, "/invoices?limit=200") == invoices


@pytest.mark.parametrize(
    ("query", "fits", "order"),
    [
        ("customer_id=C-10001", lambda each: each["customer_id"] == "C-10001", None),
        ("status=overdue", lambda each: each["status"] == "overdue", None),
        ("gross_amount.ge=2000", lambda each: Decimal(each["gross_amount"]) >= 2000, None),
        (
            "status=open&gross_amount.ge=500.50&sort=gross_amount",
            lambda each: each["status"] == "open" and Decimal(each["gross_amount"]) >= Decimal("500.50"),
            lambda each: Decimal(each["gross_amount"]),
        ),
        (
            "customer_id=C-10001&sort=due_date",
            lambda each: each["customer_id"] == "C-10001",
            lambda each: each["due_date"],
        ),
    ],
)
def test_invoices_are_filtered_and_sorted(
    agent: httpx.Client,
    invoices: list[Row],
    query: str,
    fits: Callable[[Row], bool],
    order: Callable[[Row], Any] | None,
) -> None:
    found = listed(agent, f"/invoices?limit=9&{query}")
    wanted = [each for each in invoices if fits(each)]
    assert found == (sorted(wanted, key=order) if order else wanted)
    assert 9 < len(wanted) < len(invoices)


# ── tasks ────────────────────────────────────────────────────────────────────────────────────────────────────


def settled(client: httpx.Client, location: str) -> Row:
    """A task once the gateway has seen the master file that holds it; it looks at the folder twice a second."""
    until = time.monotonic() + 15
    while (task := client.get(location).raise_for_status().json())["status"] == "queued":
        assert time.monotonic() < until
        time.sleep(0.05)
    return dict(task)


@pytest.mark.parametrize(
    ("customer", "status", "reason"), [("C-10001", "accepted", ""), ("C-99999", "rejected", "UNKNOWN CUSTOMER")]
)
def test_a_task_goes_through_the_batch(
    demo: Any, records: ModuleType, agent: httpx.Client, customer: str, status: str, reason: str
) -> None:
    asked = {"customer_id": customer, "title": f"Møte om {uuid4()}", "due_date": "2027-02-28", "priority": "high"}
    filed = agent.post("/tasks", json=asked)
    location = filed.headers["location"]
    assert (filed.status_code, location) == (202, f"/tasks/{filed.json()['id']}")
    at_once = agent.get(location)
    assert at_once.status_code == 200
    # The batch runs by itself too: it may have been here already.
    assert at_once.json()["status"] in ("queued", status)
    demo.run_batch()
    kept = records.tasks(demo.drop)[filed.json()["id"]]
    assert kept == {**filed.json(), "status": status, "reason": reason}
    assert {name: kept[name] for name in asked} == asked
    assert settled(agent, location) == kept
    assert kept in listed(agent, f"/tasks?limit=3&customer_id={customer}&status={status}&priority=high")


@pytest.mark.parametrize(
    ("title", "due_date"),
    [("Year one", "0001-01-01"), ("Leap", "2028-02-29"), ("éöü", "9999-12-31"), ("ÿ", "2027-01-01")],
)
def test_an_odd_task_spoils_nothing(demo: Any, agent: httpx.Client, title: str, due_date: str) -> None:
    asked = {"customer_id": "C-10002", "title": title, "due_date": due_date, "priority": "normal"}
    filed = agent.post("/tasks", json=asked)
    assert (filed.status_code, {name: filed.json()[name] for name in asked}) == (202, asked)
    demo.run_batch()
    task = settled(agent, filed.headers["location"])
    assert {name: task[name] for name in asked} == asked
    assert task in listed(agent, "/tasks?customer_id=C-10002")


@pytest.mark.parametrize("title", ["Spotkać się", "é\tö", "two\nlines", "\x00\x1aÿ"])
def test_a_title_that_the_file_cannot_hold_is_refused(demo: Any, agent: httpx.Client, title: str) -> None:
    asked = {"customer_id": "C-10001", "title": title, "due_date": "2027-02-28", "priority": "low"}
    refused = agent.post("/tasks", json=asked)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:figway:problem:rejected")
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/body/title"]


def test_a_task_that_breaks_the_contract_files_nothing(agent: httpx.Client) -> None:
    before = listed(agent, "/tasks?limit=200")
    for wrong in ({"title": "?"}, {"customer_id": "1", "title": "?", "due_date": "2027-02-30", "priority": "soon"}):
        assert agent.post("/tasks", json=wrong).status_code == 400
    assert [each["id"] for each in listed(agent, "/tasks?limit=200")] == [each["id"] for each in before]
