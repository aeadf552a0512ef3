"""`/-/audit` of a gateway that runs: who may search, what is found, and that searches are recorded themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

POLICY = """
permit (principal in Role::"reader", action in Action::"read", resource);
permit (principal in Role::"writer", action in [Action::"read", Action::"write", Action::"idempotent_write"], resource);
permit (principal in Role::"auditor", action == Action::"gateway:read_audit", resource);
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, running: ModuleType) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("lab")
    contract = Path(__file__).parents[1] / "ingress" / "lab.yaml"
    upstreams = (
        f'lab: {{kind: lab, journal: "{folder}/journal.txt"}}, faulty: {{kind: lab}}, closed: {{kind: lab, down: true}}'
    )
    files = {
        "gateway.yaml": f"upstreams: {{{upstreams}}}\n",
        "openapi/lab.yaml": contract.read_text(),
        "policies/access.cedar": POLICY,
    }
    with running.serving(running.write_workspace(folder, files)) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def auditor(gateway: Any, running: ModuleType) -> Iterator[httpx.Client]:
    with gateway.client(running.create_key(gateway.folder, "auditor", principal="otto")) as client:
        yield client


def asked(auditor: httpx.Client, until: Callable[[list[dict[str, Any]]], bool] = bool, **parameters: Any) -> Any:
    """The items that are found, once there are the wanted ones: reads are in the audit some 50 ms late."""
    deadline = time.monotonic() + 15
    while True:
        response = auditor.get("/-/audit", params=parameters)
        assert response.status_code == 200, response.text
        items = response.json()["items"]
        if until(items):
            return items
        assert time.monotonic() < deadline, items
        time.sleep(0.05)


def test_a_call_is_found_by_its_id(gateway: Any, auditor: httpx.Client) -> None:
    with gateway.client() as client:
        id = client.get("/items/BRG-7").headers["figway-lineage"]
    (found,) = asked(auditor, id=id)
    assert (found["principal"], found["operation"], found["status"]) == ("wendy", "get_item", 200)
    response = auditor.get(f"/-/audit/{id}")
    assert response.json()["items"] == [found]
    assert response.headers["cache-control"] == "no-store"
    assert "BRG-7" not in response.text, "arguments aren't kept unless a policy says so"
    assert auditor.get("/-/audit/01JNOSUCHCALL").status_code == 404
    assert auditor.get(f"/-/audit/{'x' * 500}").status_code == 404


def test_a_write_is_found_with_its_intent_and_pages_follow_next(gateway: Any, auditor: httpx.Client) -> None:
    with gateway.client() as client:
        ids = [
            client.post("/items", json={"sku": f"W-{number}"}, headers={"idempotency-key": f"w-{number}"}).headers[
                "figway-lineage"
            ]
            for number in range(7)
        ]
    found = asked(auditor, lambda items: len(items) >= 7, principal="wendy", effect="write", kind="call")
    assert [item["id"] for item in found][:7] == ids[::-1]
    kinds = [item["kind"] for item in auditor.get(f"/-/audit/{ids[0]}").json()["items"]]
    assert sorted(kinds) == ["call", "intent"]
    paged, url = [], "/-/audit?principal=wendy&effect=write&kind=call&limit=3"
    while url:
        page = auditor.get(url).json()
        assert len(page["items"]) <= 3
        paged += [item["id"] for item in page["items"]]
        url = page["next"]
    assert paged == [item["id"] for item in found]


def test_who_may_not_search_is_refused_and_that_is_recorded(gateway: Any, auditor: httpx.Client) -> None:
    with gateway.client(gateway.reader) as reader:
        response = reader.get("/-/audit?principal=wendy")
    assert response.status_code == 403
    assert httpx.get(f"{gateway.url}/-/audit").status_code == 401
    (denied,) = asked(auditor, id=response.headers["figway-lineage"])
    assert (denied["kind"], denied["decision"], denied["outcome"]) == ("control", "deny", "denied")
    assert (denied["principal"], denied["operation"], denied["route"]) == ("alice", "gateway:read_audit", "/-/audit")
    assert asked(auditor, kind="control", status="401")


def test_a_search_is_recorded_with_what_was_asked(gateway: Any, auditor: httpx.Client) -> None:
    response = auditor.get("/-/audit", params={"principal": "wendy", "text": "a secret's value", "limit": 3})
    (record,) = asked(auditor, id=response.headers["figway-lineage"])
    assert (record["principal"], record["kind"]) == ("otto", "control")
    assert record["noted"] == {"asked": {"principal": "wendy", "text": "…"}}
    assert record["snapshot"] == 1
    assert record["traceparent"] == response.headers["traceparent"]
    assert record["peer"] == "127.0.0.1"
    response = auditor.get(f"/-/audit/{record['id']}")
    (look,) = asked(auditor, id=response.headers["figway-lineage"])
    assert (look["route"], look["noted"]) == ("/-/audit/{id}", {"asked": {"id": record["id"]}})


@pytest.mark.parametrize(
    ("query", "name"),
    [("nosuch=1", "nosuch"), ("limit=0", "limit"), ("limit=x", "limit"), ("time.ge=yesterday", "time.ge"),
     ("time.ge=2026-01-01T00:00:00", "time.ge"), ("status=9000", "status"), ("status=0xx", "status"),
     ("kind=a&kind=b", "kind"), ("text=", "text"), (f"text={'x' * 2000}", "text")],
)  # fmt: skip
def test_a_parameter_that_cant_be_used_is_named(auditor: httpx.Client, query: str, name: str) -> None:
    response = auditor.get(f"/-/audit?{query}")
    assert (response.status_code, response.json()["type"]) == (400, "urn:figway:problem:invalid-request"), response.text
    assert response.json()["errors"][0]["pointer"] == f"/query/{name}"


def test_a_cursor_is_good_for_its_own_question_only(auditor: httpx.Client) -> None:
    next_ = auditor.get("/-/audit?limit=1").json()["next"]
    assert auditor.get(next_).status_code == 200
    assert auditor.get(f"{next_}&principal=wendy").json()["type"] == "urn:figway:problem:bad-request"
    assert auditor.get("/-/audit?cursor=made.up").json()["type"] == "urn:figway:problem:bad-request"
