"""One group on its way, over the control API and the verbs: conditions, rules, freezes, drift, approvals."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import httpx
import orjson

from gateway.store.sqlite import SqliteState


def figway(running: Any, control: Any, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """A verb at the workspace, at this host's store unless a server is named."""
    return running.figway(*arguments, "--workspace", str(control.folder), extra=extra)


def test_conditions_rules_and_drift(administer: Callable[..., Any], running: Any) -> None:
    with administer(writes=True) as control:
        _illegal_steps(control)
        _conditions(control)
        _drift(control, running)


def _drift(control: Any, running: Any) -> None:
    """What was changed at run time stays, is named, and can be written back."""
    file = control.folder / "policies" / "migration.yaml"
    planned = figway(running, control, "plan", "--json")
    assert planned.returncode == 1
    assert [each["group"] for each in orjson.loads(planned.stdout)["drift"]] == ["items"]
    applied = figway(running, control, "apply")
    assert applied.returncode == 1
    assert "items is at reads shadow" in applied.stderr
    assert control.stage()["reads"] == "shadow"
    before = file.read_text()
    assert figway(running, control, "pull").returncode == 0
    assert file.read_text() == before.replace("path.sku}", "path.sku, reads: {stage: shadow}}")
    made = figway(running, control, "apply", "--json")
    assert made.returncode == 0, made.stderr
    assert orjson.loads(made.stdout)["plan"]["stages"] == []
    assert orjson.loads(made.stdout)["snapshot"]["author"].startswith("host:")
    # Now the file leads: what it says next is a step like any other, and as legal.
    file.write_text(before.replace("path.sku}", "path.sku, reads: {stage: live}}"))
    jumped = figway(running, control, "apply")
    assert jumped.returncode == 1
    assert "after shadow comes canary" in jumped.stderr
    file.write_text(before)
    back = figway(running, control, "apply", "--json")
    assert back.returncode == 0, back.stderr
    assert control.stage()["reads"] == "legacy"


def test_writes_stand_still_while_who_gets_them_changes(administer: Callable[..., Any]) -> None:
    with administer(2, writes=True, seconds=1.5) as control:
        _waits_for_writes(control)
        _let_go_when_the_process_died(control)


def _waits_for_writes(control: Any) -> None:
    """A write that was admitted before ends before its successor is activated."""
    journal = control.folder / "journal"

    def write() -> None:
        with control.gateway.client() as client:
            assert client.put("/items/A").status_code == 200

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.5)
    assert not journal.exists(), "the write is under way"
    answer = control.flip({"writes": "dual_legacy"})
    written = journal.read_text()
    writer.join()
    assert answer.status_code == 200, answer.text
    assert '"sku": "A"' in written
    assert answer.json()["snapshot"]["version"] == 3
    reasons = [each["reason"] for each in control.anna.get("/-/admin/snapshots?limit=2").json()["items"]]
    assert reasons == ["test", "test (writes stand still)"]
    assert control.stage()["frozen"] is False


def _let_go_when_the_process_died(control: Any) -> None:
    """Who froze the writes is killed before it could let go: another process does, and nothing else has changed."""
    workers = control.gateway.workers()
    with control.gateway.client() as client:
        writer = threading.Thread(target=_perhaps, args=(lambda: client.put("/items/A"),))
        writer.start()
        time.sleep(0.3)
        flip = threading.Thread(target=_quietly, args=(control,))
        flip.start()
        until = time.monotonic() + 10
        while (holder := _frozen_by(control)) is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert holder in workers
        os.kill(holder, signal.SIGKILL)
        flip.join()
        writer.join()
    until = time.monotonic() + 30
    while _frozen_by(control) is not None:
        assert time.monotonic() < until
        time.sleep(0.05)
    with control.gateway.client(control.anna.headers["authorization"]) as anna:
        found = anna.get("/-/admin/snapshots?limit=1").json()["items"][0]
    assert found["stages"]["items"]["writes"] == "dual_legacy"
    assert not found["stages"]["items"]["frozen"]
    assert found["author"] == "host"


def _quietly(control: Any) -> None:
    with control.gateway.client(control.anna.headers["authorization"]) as anna:
        version = int(anna.get("/-/admin/snapshots?limit=1").json()["items"][0]["version"])
        body, headers = {"writes": "dual_new", "reason": "test"}, {"if-match": f'"{version}"'}
        _perhaps(lambda: anna.post("/-/admin/groups/items/flip", json=body, headers=headers))


def _perhaps(call: Callable[[], Any]) -> None:
    """A call whose process may be killed on purpose."""
    with suppress(httpx.TransportError):
        call()


def _frozen_by(control: Any) -> int | None:
    """The process that froze the group's writes, as the store has it."""
    with closing(SqliteState(control.folder / ".figway" / "state.db")) as state:
        active = state.active_snapshot()
    assert active is not None
    document = active.stages["items"]
    return int(document["frozen_by"][0]) if document["frozen"] else None


def test_approvals(administer: Callable[..., Any], running: Any) -> None:
    with administer(group=", approval: required") as control:
        asked = control.flip({"reads": "shadow"})
        assert asked.status_code == 403
        problem = asked.json()
        assert problem["type"] == "urn:figway:problem:approval-required"
        id = problem["errors"][0]["pointer"].rpartition("/")[2]
        assert control.anna.post(f"/-/approvals/{id}/approve", json={}).status_code == 403, "she has no permission"
        assert control.carol.get("/-/approvals?state=pending").json()["items"][0]["asked_by"] == "anna"
        assert control.anna.get(f"/-/approvals/{id}").json()["state"] == "pending"
        server = ("--server", control.gateway.url)
        token = control.bob.headers["authorization"]
        offline = figway(running, control, "approvals", "approve", id)
        assert offline.returncode == 2
        assert "can't approve" in offline.stderr
        approved = figway(running, control, "approvals", "approve", id, *server, FIGWAY_TOKEN=token)
        assert approved.returncode == 0, approved.stderr
        late = control.carol.post(f"/-/approvals/{id}/deny", json={})
        assert late.status_code == 409
        other = control.flip({"reads": "canary", "weight": 5})
        assert other.status_code == 409, "an illegal step isn't asked for"
        assert control.flip({"reads": "shadow"}).status_code == 200
        assert control.anna.get(f"/-/approvals/{id}").json()["state"] == "used"
        assert control.rollback().status_code == 200, "a rollback needs no approval"
        again = control.flip({"reads": "shadow"})
        assert again.status_code == 403, "an approval is used once"
        assert again.json()["errors"][0]["pointer"] != f"/-/approvals/{id}"
        denied = again.json()["errors"][0]["pointer"].rpartition("/")[2]
        assert control.bob.post(f"/-/approvals/{denied}/deny", json={"reason": "no"}).json()["state"] == "denied"
        assert control.flip({"reads": "shadow"}).status_code == 403
        assert control.stage()["reads"] == "legacy"
        found = figway(running, control, "approvals", "list", "--json")
        assert [each["state"] for each in orjson.loads(found.stdout)] == ["pending", "denied", "used"]


def _illegal_steps(control: Any) -> None:
    """Each is refused with its rule."""
    refused = control.flip({"reads": "canary", "weight": 5})
    assert refused.status_code == 409
    problem = refused.json()
    assert problem["type"] == "urn:figway:problem:stage-refused"
    told = " ".join(each["detail"] for each in problem["errors"])
    assert "after legacy comes shadow" in told
    assert "bring writes to dual_legacy first" in told
    assert control.flip({"writes": "dual_new"}).status_code == 409
    assert control.flip({"writes": "dry_run"}).status_code == 409
    assert control.version() == 1


def _conditions(control: Any) -> None:
    """A change says what it starts from, and why."""
    post, path = control.anna.post, "/-/admin/groups/items/flip"
    assert post(path, json={"reads": "shadow", "reason": "x"}).status_code == 428
    stale = post(path, json={"reads": "shadow", "reason": "x"}, headers={"if-match": '"99"'})
    assert stale.status_code == 412
    for body in (
        {"reads": "shadow"},
        {"reason": "x"},
        {"reads": "sideways", "reason": "x"},
        {"raeds": "shadow", "reason": "x"},
    ):
        wrong = post(path, json=body, headers={"if-match": '"1"'})
        assert wrong.status_code == 400, wrong.text
    assert post(path, json={"weight": 101, "reason": "x"}, headers={"if-match": '"1"'}).status_code == 400
    assert control.version() == 1
    unknown = post("/-/admin/groups/nothing/flip", json={"reads": "shadow", "reason": "x"}, headers={"if-match": '"1"'})
    assert unknown.status_code == 404
    denied = control.bob.post(path, json={"reads": "shadow", "reason": "x"}, headers={"if-match": '"1"'})
    assert denied.status_code == 403
    seen = control.anna.get("/-/admin/groups/items")
    good = post(
        path, json={"reads": "shadow", "reason": "x", "ticket": "T-1"}, headers={"if-match": seen.headers["etag"]}
    )
    assert good.status_code == 200
    snapshot = good.json()["snapshot"]
    assert (snapshot["author"], snapshot["reason"], snapshot["ticket"], snapshot["version"]) == (
        "anna",
        "x",
        "T-1",
        2,
    )
    assert good.headers["etag"] == '"2"'
