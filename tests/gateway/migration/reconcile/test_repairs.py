"""Repairs: proposed from what was found, approved by another person, applied once, or dropped."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

Serve = Callable[..., AbstractContextManager[Any]]


def seed(shops: tuple[Any, Any], fill: Callable[[int], Any]) -> None:
    """One of each kind."""
    old, new = shops
    old.kept, new.kept = fill(10), fill(10)
    del new.kept["C-0001"]
    del old.kept["C-0002"]
    new.kept["C-0003"] |= {"city": "Oslo", "limit": "99.00"}


@pytest.mark.parametrize("writes", [pytest.param("dual_legacy", marks=pytest.mark.slow), "dual_new"])
def test_repairs_make_the_other_side_as_the_one_with_the_last_word(
    moving: Serve, shops: tuple[Any, Any], fill: Callable[[int], Any], writes: str
) -> None:
    seed(shops, fill)
    right, wrong = shops if writes == "dual_legacy" else shops[::-1]
    with moving(writes=writes, reads="shadow" if writes == "dual_legacy" else "live") as at:
        assert at.apply().status_code == 409, "nothing is proposed"
        assert not at.sweep()["clean"]
        proposed = {each["entity"]: each["verb"] for each in at.propose()}
        verbs = {"C-0001": "create", "C-0002": "delete"}
        turned = {"C-0001": "delete", "C-0002": "create"}
        assert proposed == {"C-0003": "update", **(verbs if writes == "dual_legacy" else turned)}
        assert wrong.writes() == [], "nothing is applied before another person has said yes"
        own = at.apply().json()["errors"][0]["pointer"].rsplit("/", 1)[1]
        assert at.clients["anna"].post(f"/-/approvals/{own}/approve", json={}).status_code == 403
        at.approved()
        at.until(lambda: all(each["state"] == "done" for each in at.repairs()["repairs"]))
        assert sorted(wrong.writes()) == ["DELETE", "PATCH", "POST"]
        assert right.writes() == []
        assert at.sweep()["clean"]
        assert not any(at.reconciliation()["found"].values())
        shown = at.figway("route", "repairs", "customers")
        assert (shown.returncode, shown.stdout.count("done")) == (0, 3), shown.stderr
        records = at.host("audit", "query", "--kind", "intent", "--limit", "50", "--json")
        assert records.stdout.count('"anna"') >= 3, records.stdout


def test_a_repair_of_what_has_changed_meanwhile_is_dropped_and_told(
    moving: Serve, shops: tuple[Any, Any], fill: Callable[[int], Any]
) -> None:
    seed(shops, fill)
    old, new = shops
    with moving() as at:
        at.sweep()
        assert len(at.propose()) == 3
        old.kept["C-0003"]["city"] = "Moss"
        at.approved()
        at.until(lambda: all(each["state"] in ("done", "dropped") for each in at.repairs()["repairs"]))
        states = {each["entity"]: (each["state"], each["why"]) for each in at.repairs()["repairs"]}
        dropped = "it has changed since it was proposed: it is different now"
        assert states == {"C-0001": ("done", None), "C-0002": ("done", None), "C-0003": ("dropped", dropped)}
        assert new.writes("C-0003") == []


@pytest.mark.slow
def test_kill_9_while_repairs_are_applied_loses_none_and_applies_none_twice(
    moving: Serve, shops: tuple[Any, Any], fill: Callable[[int], Any]
) -> None:
    old, new = shops
    old.kept, new.kept = fill(12), fill(12)
    wrong = sorted(new.kept)[:6]
    for id in wrong:
        new.kept[id]["city"] = "Oslo"
    with moving() as at:
        at.sweep()
        assert len(at.propose()) == 6
        new.write_latency = 0.4
        at.approved()
        at.until(lambda: len(new.writes()) >= 1)
        at.gateway.stop(signal.SIGKILL)
    new.write_latency = 0.0
    with moving() as at:
        at.until(lambda: all(each["state"] == "done" for each in at.repairs()["repairs"]))
        assert [new.writes(id) for id in wrong] == [["PATCH"]] * 6
        assert {new.kept[id]["city"] for id in wrong} == {"Bergen"}
        assert at.sweep()["clean"]


def test_what_the_side_refuses_is_for_people(moving: Serve, shops: tuple[Any, Any], fill: Callable[[int], Any]) -> None:
    seed(shops, fill)
    new = shops[1]
    with moving() as at:
        assert at.figway("route", "unknowns", "customers").returncode == 0
        at.sweep()
        at.propose()
        new.refuses = True
        at.approved()
        at.until(lambda: sum(bool(each["why"]) for each in at.repairs()["repairs"]) == 3)
        why = at.repairs()["repairs"][0]["why"]
        assert why == "parked: conflict, see figway route unknowns customers"
        listed = at.figway("route", "unknowns", "customers")
        assert (listed.returncode, listed.stdout.count("to be decided")) == (1, 3)
        ids = [line.split()[0] for line in listed.stdout.splitlines()[1:]]
        for at_host, id in enumerate(ids):
            verb = at.host if at_host == 0 else at.figway
            settled = verb("route", "unknowns", "customers", "--settle", id, "--happened", "yes")
            assert f"{id}: it happened" in settled.stdout, settled.stderr
        assert at.figway("route", "unknowns", "customers").returncode == 0
        assert at.figway("route", "unknowns", "customers", "--settle", ids[0], "--happened", "no").returncode == 1
        assert at.figway("route", "unknowns", "customers", "--settle", ids[0]).returncode == 2
