"""What an agent may not do alone, in the demo: an urgent task; and what a change would do, shown and not done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import httpx

DRY = {"prefer": "dry-run"}


def test_an_urgent_task_waits_for_a_person(
    demo: Any, records: ModuleType, agent: httpx.Client, as_role: Callable[[str], httpx.Client]
) -> None:
    approver, auditor = as_role("approver"), as_role("auditor")
    title = f"Call at once {str(uuid4())[:8]}"
    task = {"customer_id": "C-10001", "title": title, "due_date": "2027-01-15", "priority": "urgent"}
    key = {"idempotency-key": str(uuid4())}
    asked = agent.post("/tasks", json=task, headers=key)
    assert (asked.status_code, asked.json()["type"]) == (202, "urn:figway:problem:approval-pending")
    id = asked.headers["figway-approval"]
    waiting = {each["id"]: each for each in approver.get("/-/approvals?state=pending").json()["items"]}[id]
    assert waiting["details"]["arguments"]["body"] == task
    assert waiting["details"]["preview"]["would"]["body"]["title"] == title
    for who in (agent, auditor):
        assert who.post(f"/-/approvals/{id}/approve", json={}).status_code == 403
    assert title not in [each["title"] for each in records.tasks(demo.drop).values()]
    assert approver.post(f"/-/approvals/{id}/approve", json={"reason": "call them"}).json()["state"] == "approved"
    filed = agent.post("/tasks", json=task, headers=key)
    assert (filed.status_code, filed.json()["title"]) == (202, title)
    assert filed.json()["id"] == waiting["details"]["preview"]["would"]["body"]["id"]  # what was shown
    assert agent.post("/tasks", json=task, headers=key).json() == filed.json()


def test_what_a_task_would_be_is_shown_with_its_place(demo: Any, agent: httpx.Client) -> None:
    task = {"customer_id": "C-10002", "title": "Tried", "due_date": "2027-01-15", "priority": "urgent"}
    waiting = Path(demo.drop) / "in"
    before = sorted(waiting.iterdir())
    tried = agent.post("/tasks", json=task, headers=DRY).json()
    would = tried["would"]
    assert (would["status"], {name: would["body"][name] for name in task}) == (202, task)
    assert tried["place"] == f"in/TASK-{would['body']['id']}.DAT"
    assert tried["needs"] == {"plan": False, "approval": 1}
    assert not {f"TASK-{would['body']['id']}.DAT"} & {each.name for each in waiting.iterdir()}
    assert agent.get(f"/tasks/{would['body']['id']}").status_code == 404
    assert len(before) <= len(sorted(waiting.iterdir())) or before  # the batch may have taken some


def test_what_the_crm_would_be_sent_is_shown(demo: Any, platform: httpx.Client) -> None:
    control = demo.estate["crm"]["control"]
    before = httpx.get(control).json()["writes"]
    tried = platform.patch("/customers/C-10001", json={"phone": "+49 30 5550100"}, headers=DRY)
    assert tried.status_code == 200, tried.text
    document = tried.json()
    assert "+49 30 5550100" in document["request"]
    assert "would" not in document
    assert "Password" not in document["request"]
    assert httpx.get(control).json()["writes"] == before
