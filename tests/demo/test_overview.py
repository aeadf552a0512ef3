"""One customer across all systems: whole, with a part missing, and with the CRM down."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

OVERVIEW = "/customers/C-10001/overview"
# The systems themselves, whatever is kept beside them.
NOW = {"cache-control": "no-cache"}


@pytest.fixture
def broken_crm(demo: Any) -> Iterator[Any]:
    """The demo's CRM switch; off again after the test, and the CRM in use again."""
    yield demo.set_crm
    demo.set_crm(latency=0, hang=False, fail=None)
    with demo.client() as client:
        until = time.monotonic() + 30
        # The circuit breaker may leave the CRM alone for some seconds.
        while client.get("/customers/C-10001", headers=NOW).status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.1)


@pytest.fixture
def erp_without_stock(demo: Any) -> Iterator[None]:
    """The ERP's table of stock is away."""
    file = re.search(r"Database=([^;]+)", demo.estate["erp"]["dsn"])
    assert file is not None
    with closing(sqlite3.connect(file[1], timeout=10, isolation_level=None)) as database:
        database.execute("ALTER TABLE stock RENAME TO stock_away")
        try:
            yield
        finally:
            database.execute("ALTER TABLE stock_away RENAME TO stock")


def test_it_answers_from_every_system(demo: Any, agent: httpx.Client) -> None:
    filed = agent.post(
        "/tasks", json={"customer_id": "C-10001", "title": "Call", "due_date": "2027-01-15", "priority": "low"}
    ).json()
    reply = agent.get(OVERVIEW)
    assert reply.status_code == 200
    assert "figway-warning" not in reply.headers
    overview = reply.json()
    assert overview["customer"] == agent.get("/customers/C-10001").json()
    assert overview["favourite"] == agent.get(f"/inventory/{demo.sample['sku']}").json()
    assert overview["invoices"] == agent.get("/invoices?customer_id=C-10001&sort=-issue_date&limit=10").json()["items"]
    assert filed["id"] in [each["id"] for each in overview["open_tasks"]]


# A CRM that fails often enough is left alone by its circuit breaker: then nothing is sent at all.
FAILING = {(503, "urn:figway:problem:upstream-busy"), (503, "urn:figway:problem:upstream-unavailable")}
LATE = {(504, "urn:figway:problem:deadline-exceeded")}
# What is kept beside it is too old for who wants it as it is now.
STALE = (504, "urn:figway:problem:stale")


@pytest.mark.parametrize(
    ("switch", "told"), [({"hang": True}, LATE), ({"fail": "500"}, FAILING), ({"fail": "fault"}, FAILING)]
)
def test_without_the_crm_it_says_so(
    demo: Any, agent: httpx.Client, broken_crm: Any, switch: dict[str, Any], told: set[tuple[int, str]]
) -> None:
    broken_crm(**switch)
    # A caller may shorten the deadline.
    reply = agent.get(OVERVIEW, headers={"prefer": "wait=2", **NOW})
    assert (reply.status_code, reply.json()["type"]) in told | {STALE}
    assert reply.json()["retryable"] is True
    # The other systems answer as ever.
    assert agent.get(f"/inventory/{demo.sample['sku']}").status_code == 200
    assert agent.get(f"/invoices/{demo.sample['invoice_number']}").status_code == 200


@pytest.mark.usefixtures("erp_without_stock")
def test_without_the_erp_its_part_is_left_out(demo: Any, agent: httpx.Client) -> None:
    reply = agent.get(OVERVIEW, headers=NOW)
    assert reply.status_code == 200
    assert reply.headers["figway-warning"].startswith("The part 'stock' is missing")
    assert sorted(reply.json()) == ["customer", "invoices", "open_tasks"]
    alone = agent.get(f"/inventory/{demo.sample['sku']}", headers=NOW)
    assert (alone.status_code, alone.json()["type"]) == (502, "urn:figway:problem:upstream-refused")
    assert "SELECT" not in alone.text


@pytest.mark.usefixtures("erp_without_stock")
def test_a_replica_answers_in_the_erp_s_stead(demo: Any, agent: httpx.Client) -> None:
    reply = agent.get(OVERVIEW)
    assert (reply.status_code, "figway-warning" in reply.headers) == (200, False)
    alone = agent.get(f"/inventory/{demo.sample['sku']}")
    assert alone.json() == reply.json()["favourite"]
    assert "detail=replica" in alone.headers["cache-status"]
    assert int(alone.headers["age"]) <= 300
