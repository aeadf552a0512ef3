"""What each credential of `.figway/demo.json` may do: what policies/access.cedar says, and nothing more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

READS = {
    "list_customers": "/customers?limit=1",
    "get_customer": "/customers/C-10001",
    "get_customer_overview": "/customers/C-10001/overview",
    "list_inventory": "/inventory?limit=1",
    "get_inventory": "/inventory/BRG-6204-ZZ",
    "list_invoices": "/invoices?limit=1",
    "get_invoice": "/invoices/R-2601751",
    "list_tasks": "/tasks?limit=1",
}
TASK = {"customer_id": "C-10001", "title": "Roles", "due_date": "2027-01-15", "priority": "low"}
MAY_WRITE = {
    "agent": {"create_task"},
    "developer": {"create_task"},
    "platform": {"create_task", "update_customer"},
    "approver": set(),
    "second_approver": set(),
    "auditor": set(),
}
ALL = {*READS, "get_task", "create_task", "update_customer"}


@pytest.mark.parametrize("role", MAY_WRITE)
def test_a_role_may_do_what_the_policy_says(
    as_role: Callable[[str], httpx.Client], platform: httpx.Client, role: str
) -> None:
    client = as_role(role)
    answers = {name: client.get(path) for name, path in READS.items()}
    answers["get_task"] = client.get(platform.post("/tasks", json=TASK).headers["location"])
    answers["create_task"] = client.post("/tasks", json=TASK)
    answers["update_customer"] = client.patch("/customers/C-10012", json={"phone": "+47 1"})
    assert set(answers) == ALL
    expected = dict.fromkeys(answers, 200) | {"create_task": 202}
    expected |= dict.fromkeys({"create_task", "update_customer"} - MAY_WRITE[role], 403)
    assert {name: answer.status_code for name, answer in answers.items()} == expected


@pytest.mark.parametrize("role", MAY_WRITE)
def test_a_role_is_shown_what_it_may_do(demo: Any, role: str) -> None:
    document = demo.get("/openapi.json", role)
    shown = {each["operationId"] for item in document["paths"].values() for each in item.values()}
    assert shown == ALL - ({"create_task", "update_customer"} - MAY_WRITE[role])


@pytest.mark.parametrize("header", [None, "Bearer figway_aaaaaaaaaaaa_" + "b" * 48, "Basic YTpi"])
def test_nobody_else_may_do_anything(demo: Any, header: str | None) -> None:
    headers = {"authorization": header} if header else {}
    for path in (*READS.values(), "/openapi.json"):
        reply = httpx.get(f"{demo.facts['base_url']}{path}", headers=headers)
        assert (reply.status_code, reply.headers["content-type"]) == (401, "application/problem+json")


def test_the_credentials_are_for_this_user_alone(demo: Any) -> None:
    assert (demo.folder / ".figway" / "demo.json").stat().st_mode & 0o077 == 0
    assert set(demo.facts["credentials"]) == set(MAY_WRITE)
