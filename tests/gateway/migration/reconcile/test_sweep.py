"""Sweeps: every seeded divergence is found, of each kind, and nothing else; they go on after a crash."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest

Serve = Callable[..., AbstractContextManager[Any]]
SEED = 20261121
COUNT = 120


def diverge(shops: tuple[Any, Any], fill: Callable[[int], Any], seed: int) -> dict[str, str]:
    """Fills both and has them differ; entity → how."""
    old, new = shops
    old.kept, new.kept = fill(COUNT), fill(COUNT)
    chance = random.Random(seed)
    chosen = chance.sample(sorted(old.kept), 25)
    expected: dict[str, str] = {}
    for number, id in enumerate(chosen):
        match number % 5:
            case 0:
                del new.kept[id]
                expected[id] = "missing"
            case 1:
                del old.kept[id]
                expected[id] = "extra"
            case 2:
                new.kept[id]["city"] = "Oslo"
                expected[id] = "different"
            case 3:  # what only the entity's own route shows
                new.kept[id]["limit"] = "99999.00"
                expected[id] = "different"
            case 4:  # as the rules of parity allow
                new.kept[id] |= {"seen": "y", "limit": str(round(float(old.kept[id]["limit"]) + 0.01, 2))}
    return expected


@pytest.mark.parametrize(
    ("backwards", "details"),
    [
        pytest.param(False, False, id="alike-lists"),
        pytest.param(True, True, id="backwards-details", marks=pytest.mark.slow),
        pytest.param(False, True, id="alike-details", marks=pytest.mark.slow),
        pytest.param(True, False, id="backwards-lists", marks=pytest.mark.slow),
    ],
)
def test_every_divergence_is_found_and_no_other(
    moving: Serve, shops: tuple[Any, Any], fill: Callable[[int], Any], details: bool, backwards: bool
) -> None:
    print(f"seed {SEED}")
    expected = diverge(shops, fill, SEED)
    shops[1].backwards = backwards
    if not details:  # what only the entity's own route shows isn't seen by lists
        expected = {id: kind for id, kind in expected.items() if shops[1].kept.get(id, {}).get("limit") != "99999.00"}
    with moving() as at:
        run = at.sweep(details=details)
        assert (run["state"], run["details"]) == ("done", details)
        found = at.reconciliation()
        assert at.kinds() == expected
        counts = {kind: list(expected.values()).count(kind) for kind in ("missing", "extra", "different")}
        assert run["counts"] == {"same": COUNT - len(expected), "unknown": 0, **counts}
        assert run["walked"] == {"legacy": len(at.old.kept), "replacement": len(at.new.kept)}
        sample = next(each for each in found["examples"] if each["kind"] == "different")
        assert sample["differences"], sample
        assert "Oslo" not in str(found)
        assert sample["differences"][0]["at"] in ("/city", "/limit")


def test_writes_meanwhile_are_no_divergence_and_what_was_written_is_looked_at(
    moving: Serve, shops: tuple[Any, Any], fill: Callable[[int], Any]
) -> None:
    """The other side is told late; until it is, an entity is in flight and not different."""
    old, new = shops
    old.kept, new.kept = fill(40), fill(40)
    del new.kept["C-0007"]
    new.write_latency = 0.3
    over = threading.Event()

    def write(at: Any) -> int:
        number = 0
        while not over.is_set():
            number += 1
            body = {"city": f"City {number}"}
            assert at.clients["anna"].patch(f"/customers/C-{number % 7:04}", json=body).status_code in (200, 503)
            over.wait(0.2)
        return number

    with moving() as at, ThreadPoolExecutor(1) as writer:
        writing = writer.submit(write, at)
        runs = [at.sweep() for _ in range(2)]
        over.set()
        assert writing.result() > 0
        for run in runs:
            assert (run["state"], run["counts"]["missing"]) == ("done", 1)
            assert run["counts"]["different"] == run["counts"]["extra"] == 0, at.reconciliation()
        at.until(lambda: at.reconciliation()["written"]["waiting"] == 0)
        found = at.reconciliation()
        assert found["written"]["counts"]["different"] == 0
        assert found["written"]["counts"]["same"] > 0
        # What is done to one side behind the gateway's back is found when the entity is written next.
        new.kept["C-0003"]["limit"] = "5.00"
        assert at.clients["anna"].patch("/customers/C-0003", json={"city": "Moss"}).status_code == 200
        at.until(lambda: at.kinds().get("C-0003") == "different")


def test_a_sweep_goes_on_after_kill_9_and_ends_when_another_snapshot_is_served(
    moving: Serve, shops: tuple[Any, Any], fill: Callable[[int], Any]
) -> None:
    old, new = shops
    old.kept, new.kept = fill(60), fill(60)
    del new.kept["C-0001"], new.kept["C-0059"]
    with moving(rate="10/s") as at:
        begun = at.clients["anna"].post("/-/admin/groups/customers/reconciliation", json={"details": True}).json()
        at.until(lambda: at.reconciliation()["sweep"]["looked"] >= 5)
        again = at.clients["anna"].post("/-/admin/groups/customers/reconciliation", json={}).json()
        assert again["id"] == begun["id"], "one sweep of a group at a time"
        at.gateway.stop(signal.SIGKILL)
    with moving(rate="10/s") as at:
        looked = at.reconciliation()["sweep"]["looked"]
        assert looked >= 5
        run = at.ended(begun["id"])
        assert (run["state"], run["snapshot"]) == ("done", 1)
        assert run["counts"] == {"same": 58, "missing": 2, "extra": 0, "different": 0, "unknown": 0}
        at.clients["anna"].post("/-/admin/groups/customers/reconciliation", json={"details": True})
        headers = {"if-match": '"1"'}
        flip = {"reads": "canary", "weight": 1, "reason": "test"}
        place = "/-/admin/groups/customers/flip"
        assert at.clients["anna"].post(place, json=flip, headers=headers).status_code == 200
        at.until(lambda: at.reconciliation()["sweep"]["state"] == "cancelled")
        found = at.reconciliation()
        assert found["sweep"]["reason"] == "snapshot 2 is served since"
        assert found["last_done"]["id"] == begun["id"]
        with closing(sqlite3.connect(at.folder / ".figway" / "reconcile.db")) as file:
            assert file.execute("SELECT count(*) FROM places").fetchone() == (0,)


def test_legacy_is_asked_no_more_often_than_its_budget_allows(
    moving: Serve, shops: tuple[Any, Any], fill: Callable[[int], Any]
) -> None:
    old, new = shops
    old.kept, new.kept = fill(8), fill(8)
    with moving(rate="4/s") as at:
        began = time.monotonic()
        assert at.sweep(details=True)["counts"]["same"] == 8
        # A page and eight customers: nine tokens, the first at once.
        assert time.monotonic() - began >= 8 / 4

        def asked() -> dict[Any, int]:
            evidence = at.clients["anna"].get("/-/admin/groups/customers/evidence").json()
            return {(each["purpose"], each.get("operation")): each["calls"] for each in evidence["last_callers"]}

        # What is counted is in the evidence within a quarter of a second.
        at.until(lambda: sum(asked().values()) == 9)
        assert asked() == {("reconciliation", "GET /customers"): 1, ("reconciliation", "GET /customers/{id}"): 8}


def test_a_group_without_a_list_is_told_its_entities(
    moving: Serve, shops: tuple[Any, Any], fill: Callable[[int], Any], tmp_path: Path
) -> None:
    old, new = shops
    old.kept, new.kept = fill(5), fill(5)
    del new.kept["C-0002"]
    with moving(listed=False) as at:
        refused = at.figway("route", "reconcile", "customers")
        assert (refused.returncode, "--keys FILE" in refused.stderr) == (1, True), refused.stderr
        keys = tmp_path / "keys.txt"
        keys.write_text("C-0001\n\nC-0002\nC-0002\nC-9999\n")
        found = at.figway("route", "reconcile", "customers", "--keys", str(keys), "--json")
        document = json.loads(found.stdout)
        assert (found.returncode, document["sweep"]["counts"]["missing"]) == (1, 1)
        assert document["sweep"]["same"] == {"match": 1, "neither has it": 1}


@pytest.mark.slow  # half a minute of looking again
def test_a_side_that_fails_is_unknown_and_never_clean(
    moving: Serve, shops: tuple[Any, Any], fill: Callable[[int], Any]
) -> None:
    old, new = shops
    old.kept, new.kept = fill(1), fill(1)
    new.fails = True
    with moving() as at:
        run = at.sweep(details=True)
        assert (run["state"], run["clean"]) == ("done", False)
        assert run["counts"]["unknown"] == 1
        assert at.figway("route", "reconcile", "customers", "--last").returncode == 1
