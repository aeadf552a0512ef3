"""Approvals of calls over HTTP: asked for, decided by another person, used once."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx

DRY = {"prefer": "dry-run"}


def slug(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rpartition(":")[2]


def asked(response: httpx.Response) -> str:
    """The id of the approval that was asked for."""
    assert slug(response) == (202, "approval-pending"), response.text
    return response.headers["figway-approval"]


def skus(shop: Any) -> list[str]:
    return [each["sku"] for each in shop.items()]


def test_a_call_waits_for_another_persons_yes_and_then_happens_once(
    shop: Any, ann: httpx.Client, boss: httpx.Client, fresh: Any
) -> None:
    headers, body = fresh(), {"sku": "once", "n": 1}
    first = ann.post("/items?colour=red", json=body, headers=headers)
    id = asked(first)
    assert first.headers["location"] == f"/-/approvals/{id}"
    assert first.headers["content-type"] == "application/problem+json"
    problem = first.json()
    assert (problem["retryable"], problem["errors"][0]["pointer"]) == (True, f"/-/approvals/{id}")
    assert "same Idempotency-Key" in problem["fix"]
    assert asked(ann.post("/items?colour=red", json=body, headers=headers)) == id
    assert asked(ann.post("/items?colour=red", json=body, headers=fresh())) == id  # the same call
    shown = boss.get(f"/-/approvals/{id}").json()
    assert shown["details"]["arguments"] == {"query": {"colour": "red"}, "body": body}
    assert (shown["details"]["principal"], shown["details"]["agent"]) == ("ann", "claude")
    assert shown["details"]["operation"] == "make_item"
    assert ann.get(f"/-/approvals/{id}").json()["state"] == "pending"
    assert shop.decide(boss, id).status_code == 200
    assert "once" not in skus(shop)
    made = ann.post("/items?colour=red", json=body, headers={**headers, "figway-approval": id})
    assert made.status_code == 200, made.text
    again = ann.post("/items?colour=red", json=body, headers=headers)
    assert (again.status_code, again.json()) == (200, made.json())
    assert skus(shop).count("once") == 1
    used = boss.get(f"/-/approvals/{id}").json()
    assert used["state"] == "used"
    assert asked(ann.post("/items?colour=red", json=body, headers=fresh())) != id


def test_a_no_is_told_with_its_reason(shop: Any, ann: httpx.Client, boss: httpx.Client, fresh: Any) -> None:
    headers = fresh()
    id = asked(ann.post("/items", json={"sku": "denied"}, headers=headers))
    shop.decide(boss, id, yes=False, reason="not on a Friday")
    for each in (headers, fresh()):
        refused = ann.post("/items", json={"sku": "denied"}, headers=each)
        assert slug(refused) == (403, "approval-denied")
        assert "not on a Friday" in refused.json()["detail"]
    assert "denied" not in skus(shop)


def test_only_the_calls_that_are_named_need_it(shop: Any, ann: httpx.Client, boss: httpx.Client, fresh: Any) -> None:
    assert ann.patch("/approved/10", json={"title": "small"}, headers=fresh()).status_code == 200
    assert ann.patch("/approved/10", json={"title": "small too"}).status_code == 200  # nor a key
    refused = ann.patch("/approved/10", json={"title": "big"})
    assert (slug(refused), "Idempotency-Key" in refused.json()["detail"]) == ((400, "bad-request"), True)
    headers = fresh()
    id = asked(ann.patch("/approved/10", json={"title": "big"}, headers=headers))
    preview = boss.get(f"/-/approvals/{id}").json()["details"]["preview"]
    assert (preview["before"]["title"], preview["after"]["title"]) == ("small too", "big")
    shop.decide(boss, id)
    assert ann.patch("/approved/10", json={"title": "big"}, headers=headers).status_code == 200
    assert shop.row(10) == "big"


def test_what_was_shown_to_whoever_approved_is_what_runs(
    shop: Any, ann: httpx.Client, boss: httpx.Client, fresh: Any
) -> None:
    headers = fresh()
    id = asked(ann.patch("/approved/11", json={"title": "big"}, headers=headers))
    shop.decide(boss, id)
    shop.sql("UPDATE part SET name = 'mine' WHERE id = 11")
    for _ in range(2):
        refused = ann.patch("/approved/11", json={"title": "big"}, headers=headers)
        assert slug(refused) == (412, "plan-refused")
    assert shop.row(11) == "mine"
    new = asked(ann.patch("/approved/11", json={"title": "big"}, headers=fresh()))
    assert new != id


def test_a_change_that_would_fail_is_not_asked_for(ann: httpx.Client, boss: httpx.Client, fresh: Any) -> None:
    assert slug(ann.patch("/approved/9999", json={"title": "big"}, headers=fresh())) == (404, "not-found")
    pending = boss.get("/-/approvals?state=pending").json()["items"]
    assert "9999" not in json.dumps([each["details"] for each in pending])


def test_a_plan_and_two_approvals(shop: Any, ann: httpx.Client, boss: httpx.Client, fresh: Any) -> None:
    tried = ann.patch("/both/12", json={"title": "two"}, headers=DRY).json()
    assert tried["needs"] == {"plan": True, "approval": 2}
    assert slug(ann.patch("/both/12", json={"title": "two"}, headers=fresh()))[0] == 428
    headers = fresh(figway_plan=tried["plan_token"])
    id = asked(ann.patch("/both/12", json={"title": "two"}, headers=headers))
    shop.decide(boss, id)
    assert asked(ann.patch("/both/12", json={"title": "two"}, headers=headers)) == id
    assert shop.decide(boss, id).status_code == 403  # twice is not two
    assert shop.decide(shop.clients["chief"], id).json()["state"] == "approved"
    assert ann.patch("/both/12", json={"title": "two"}, headers=headers).status_code == 200
    assert shop.row(12) == "two"


def test_an_approval_outlives_the_plan_that_it_was_asked_with(
    shop: Any, ann: httpx.Client, boss: httpx.Client, fresh: Any, monkeypatch: Any
) -> None:
    plan = ann.patch("/both/13", json={"title": "two"}, headers=DRY).json()["plan_token"]
    shop.sql("UPDATE part SET cost = 11 WHERE id = 13")
    refused = ann.patch("/both/13", json={"title": "two"}, headers=fresh(figway_plan=plan))
    assert slug(refused) == (412, "plan-refused")  # what the approver would see isn't what the plan saw


def test_a_composite_asks_for_what_its_steps_do(shop: Any, ann: httpx.Client, boss: httpx.Client, fresh: Any) -> None:
    headers = fresh()
    id = asked(ann.post("/pairs", json={"n": 7}, headers=headers))
    shop.decide(boss, id)
    assert ann.post("/pairs", json={"n": 7}, headers=headers).status_code == 200
    assert [each["n"] for each in shop.items() if each["sku"] == "one"] == [7]


def test_a_write_that_wasnt_sent_needs_no_second_yes(
    shop: Any, ann: httpx.Client, boss: httpx.Client, fresh: Any
) -> None:
    headers, body = fresh(), {"sku": "later", "refuse": "Unavailable"}
    id = asked(ann.put("/settings", json=body, headers=headers))
    shop.decide(boss, id)
    for _ in range(2):
        assert ann.put("/settings", json=body, headers=headers).status_code == 503
    assert asked(ann.put("/settings", json=body, headers=fresh())) != id


def test_respond_async_waits_for_the_yes_first(shop: Any, ann: httpx.Client, boss: httpx.Client, fresh: Any) -> None:
    headers = fresh(prefer="respond-async")
    id = asked(ann.post("/items", json={"sku": "async"}, headers=headers))
    shop.decide(boss, id)
    later = ann.post("/items", json={"sku": "async"}, headers={**headers, "prefer": "respond-async, wait=10"})
    assert (later.status_code, skus(shop).count("async")) == (200, 1)


def test_one_caller_keeps_so_many_waiting(shop: Any, fresh: Any) -> None:
    flood = shop.client(shop.key("flood", "writer"))
    told = [flood.post("/items", json={"sku": f"f{number}"}, headers=fresh()) for number in range(23)]
    assert Counter(each.status_code for each in told) == {202: 20, 429: 3}
    assert told[-1].json()["retry_after"] > 0


def test_of_64_at_once_exactly_one_runs(shop: Any, ann: httpx.Client, boss: httpx.Client, fresh: Any) -> None:
    for name, own_keys in (("same-key", False), ("own-keys", True)):
        headers = fresh()
        id = asked(ann.post("/items", json={"sku": name}, headers=headers))
        shop.decide(boss, id)

        def one(_: int, name: str = name, id: str = id, headers: Any = headers, own: bool = own_keys) -> int:
            sent = fresh(figway_approval=id) if own else {**headers, "figway-approval": id}
            return ann.post("/items", json={"sku": name}, headers=sent).status_code

        with ThreadPoolExecutor(64) as pool:
            told = Counter(pool.map(one, range(64)))
        print(name, dict(told))
        assert told[200] >= 1
        assert set(told) <= {200, 403, 409}
        assert skus(shop).count(name) == 1
        assert told[200] == 1 or not own_keys


def test_it_is_told_to_who_may_see_it_only(shop: Any, ann: httpx.Client, boss: httpx.Client, fresh: Any) -> None:
    tenant = shop.client(shop.key("tess", "writer", tenant="blue"))
    id = asked(tenant.post("/items", json={"sku": "blue"}, headers=fresh()))
    red = shop.client(shop.key("rita", "approver", tenant="red"))
    blue = shop.client(shop.key("bill", "approver", tenant="blue"))
    assert ann.get(f"/-/approvals/{id}").status_code == 404
    assert [red.get(f"/-/approvals/{id}").status_code, blue.get(f"/-/approvals/{id}").status_code] == [404, 200]
    listed = [{each["id"] for each in who.get("/-/approvals?state=pending").json()["items"]} for who in (red, blue)]
    assert [id in each for each in listed] == [False, True]
    assert shop.decide(red, id).status_code == 404
    assert shop.decide(blue, id).status_code == 200


def test_the_audit_tells_who_asked_who_decided_and_what_used_it(
    shop: Any, ann: httpx.Client, boss: httpx.Client, fresh: Any, running: Any
) -> None:
    headers = fresh()
    id = asked(ann.post("/items", json={"sku": "audited"}, headers=headers))
    shop.decide(boss, id)
    assert ann.post("/items", json={"sku": "audited"}, headers=headers).status_code == 200
    command = ["audit", "query", "--workspace", str(shop.folder), "--json", "--limit", "20"]
    records = [each for each in json.loads(running.figway(*command, check=True).stdout) if id in json.dumps(each)]
    kinds = {(each.get("kind", "call"), each.get("status")) for each in records}
    assert any(each.get("problem") == "approval-pending" for each in records), records
    assert any(each.get("kind") == "intent" and each["noted"]["approval"] == id for each in records), kinds
    decided = [each["noted"] for each in records if "decided" in each.get("noted", {})]
    assert [each["asked"]["approve"] for each in decided] == [True], kinds
    assert "ann" in decided[0]["decided"].pop("summary")
    assert decided[0]["decided"] == {"asked_by": "ann", "state": "approved"}


def test_the_arguments_are_kept_for_two_days_only(shop: Any, ann: httpx.Client, fresh: Any) -> None:
    id = asked(ann.post("/items", json={"sku": "personal"}, headers=fresh()))
    path = shop.folder / ".figway" / "approvals.db"
    assert path.stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(path, timeout=10)) as db, db:
        db.execute("UPDATE approvals SET asked = '2026-01-01T00:00:00+00:00' WHERE id = ?", [id])
    other = shop.client(shop.key("olga", "writer"))
    other.post("/items", json={"sku": "x"}, headers=fresh())
    with closing(sqlite3.connect(path, timeout=10)) as db:
        assert db.execute("SELECT details FROM approvals WHERE id = ?", [id]).fetchone() == ("{}",)


def test_an_approver_is_shown_what_is_bound(
    shop: Any, ann: httpx.Client, boss: httpx.Client, fresh: Any, running: Any
) -> None:
    sku = "safe\u202e\u200bcode"
    id = asked(ann.post("/items", json={"sku": sku}, headers=fresh()))
    extra = {"FIGWAY_TOKEN": boss.headers["authorization"]}
    command = ["approvals", "show", id, "--server", shop.gateway.url]
    told = running.figway(*command, extra=extra, check=True).stdout
    assert "safe\\u202e\\u200bcode" in told  # nothing hides
    assert json.loads(told)["details"]["arguments"]["body"]["sku"] == sku
    assert running.figway("approvals", "show", "none", "--server", shop.gateway.url, extra=extra).returncode == 1


def test_who_asked_isnt_shown_what_the_system_answered_then(shop: Any, boss: httpx.Client, fresh: Any) -> None:
    # By now they may see less of it, and nothing has looked at its texts.
    zoe = shop.client(shop.key("zoe", "writer", agent="claude"))
    id = asked(zoe.patch("/approved/31", json={"title": "big one"}, headers=fresh()))
    own, told = zoe.get(f"/-/approvals/{id}").json(), boss.get(f"/-/approvals/{id}").json()
    assert told["details"]["preview"]["before"]["title"] == "one"
    assert "preview" not in own["details"]
    assert own["details"]["arguments"] == told["details"]["arguments"]
