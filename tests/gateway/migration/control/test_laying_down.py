"""A legacy system is laid down: who asked it last, what a brown-out does, and why it may not be switched off yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.audit.note import BadNote, public_keys
from gateway.migration.decommission import verified

WAY = ("shadow", "canary", "live", "new_only")


def moved(control: Any, *, probe: bool = True) -> None:
    for reads in WAY:
        assert control.flip({"reads": reads}).status_code == 200
    if not probe:
        assert control.flip({"probe": False}).status_code == 200


def evidence(control: Any, query: str = "", *, until: Callable[[dict[str, Any]], bool] = bool) -> dict[str, Any]:
    """The evidence once it is as wanted: counts are written within a quarter of a second."""
    end = time.monotonic() + 10
    while True:
        found: dict[str, Any] = control.anna.get(f"/-/admin/groups/items/evidence{query}").raise_for_status().json()
        if until(found) or time.monotonic() > end:
            return found
        time.sleep(0.05)


def test_evidence_names_who_asked_and_says_why_not(administer: Callable[..., Any]) -> None:
    with administer(2) as control, control.gateway.client(control.gateway.reader) as alice:
        for _ in range(3):
            assert alice.get("/items/A").status_code == 200
        found = evidence(control, until=lambda found: len(found["last_callers"]) > 0)
        assert not found["decommission"]
        assert found["refused"][0].startswith("legacy isn't laid down: it is at reads legacy")
        caller = found["last_callers"][0]
        assert (caller["principal"], caller["purpose"], caller["upstream"]) == ("alice", "callers", "old")

        moved(control, probe=False)
        assert alice.get("/items/A").headers["figway-served-by"] == "replacement"
        found = evidence(control)
        assert found["laid_down"] is not None
        assert found["called_since"] == {"callers": 0, "shadow": 0, "probes": 0, "reconciliation": 0}
        assert [each for each in found["refused"] if "whole days" in each] == [
            "nothing has asked legacy for 0 whole days, 30 are needed"
        ]
        assert "no end of a month is among the days" in found["refused"]
        assert [each["stage"].split(",")[0] for each in found["history"]["snapshots"]] == [
            "reads legacy", "reads shadow", "reads canary 0 %", "reads live but 1 %", *["reads new_only"] * 2,
        ]  # fmt: skip
        assert found["history"]["unbroken"]


def test_evidence_is_signed_by_the_audits_key_and_no_word_of_it_can_be_changed(administer: Callable[..., Any]) -> None:
    with administer() as control:
        found = evidence(control, "?days=7")
        keys = public_keys((control.folder / ".figway" / "audit" / "public-keys").read_text())
        verified(found, keys)
        with pytest.raises(BadNote):
            verified({**found, "decommission": True}, keys)
        page = control.anna.get("/-/admin/groups/items/evidence?format=markdown")
        assert page.headers["content-type"].startswith("text/markdown")
        assert page.text.startswith("# May old be switched off for items?\n\n**No:**\n- legacy isn't laid down")
        assert control.anna.get("/-/admin/groups/items/evidence?days=0").status_code == 400
        assert control.anna.get("/-/admin/groups/nothing/evidence").status_code == 404
        assert control.bob.get("/-/admin/groups/items/evidence").status_code == 403


def test_in_a_brown_out_legacy_refuses_and_afterwards_answers_again(administer: Callable[..., Any]) -> None:
    with administer(2) as control, control.gateway.client(control.gateway.reader) as alice:
        assert alice.get("/items/A").status_code == 200
        path, body = "/-/admin/groups/items/brownout", {"for": "2s", "reason": "who needs it?"}
        assert control.anna.post(path, json={"for": "2s"}).status_code == 400
        assert control.anna.post(path, json={**body, "for": "2 weeks"}).status_code == 400
        begun = control.anna.post(path, json=body).raise_for_status().json()
        # In every process: each new connection may meet another one.
        refused = [httpx.get(f"{control.gateway.url}/items/A", headers=alice.headers) for _ in range(8)]
        assert {each.status_code for each in refused} == {503}
        problem = refused[0].json()
        assert problem["type"] == "urn:figway:problem:upstream-unavailable"
        assert "refuses for a while" in problem["detail"]
        assert control.anna.get("/-/live").status_code == 200
        time.sleep(max(0.0, begun["until"] - time.time()))
        end = time.monotonic() + 10
        while alice.get("/items/A").status_code != 200:
            assert time.monotonic() < end
            time.sleep(0.05)
        found = evidence(control)
        assert [(each["author"], each["reason"]) for each in found["brownouts"]] == [("anna", "who needs it?")]
        assert not any("brown-out" in each for each in found["refused"])


def test_whom_the_replacement_serves_doesnt_notice_a_brown_out(administer: Callable[..., Any]) -> None:
    with administer() as control, control.gateway.client(control.gateway.reader) as alice:
        moved(control)
        control.anna.post("/-/admin/groups/items/brownout", json={"for": "5s", "reason": "now"}).raise_for_status()
        assert alice.get("/items/A").status_code == 200
