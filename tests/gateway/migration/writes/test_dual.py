"""Dual writes over HTTP: one side answers, the other one is told in order, readers see what they wrote."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest

AtStage = Callable[..., AbstractContextManager[Any]]
SIDES = {"dual_legacy": ("old", "new"), "dual_new": ("new", "old")}


@pytest.mark.parametrize("stage", SIDES)
def test_one_side_answers_and_the_other_is_told_in_the_order_of_the_entity(lab: AtStage, stage: str) -> None:
    first, other = SIDES[stage]
    with lab(stage) as at:
        served = at.put("/items/a", 0, "a-0").headers["figway-served-by"]
        assert served == {"old": "legacy", "new": "replacement"}[first]
        with ThreadPoolExecutor(8) as callers:
            put = [callers.submit(at.put, f"/items/{n % 3}", n, f"k-{n}") for n in range(24)]
        assert [each.result().status_code for each in put] == [200] * 24
        at.until(lambda: len(at.journal(other)) == 25)
        for sku in "012":
            assert at.numbers(first, sku) == at.numbers(other, sku)
            assert sorted(at.numbers(first, sku)) == [n for n in range(24) if n % 3 == int(sku)]


@pytest.mark.parametrize("stage", SIDES)
def test_an_entity_is_read_where_its_write_is_until_the_other_side_has_it(lab: AtStage, stage: str) -> None:
    first, other = SIDES[stage]
    with lab(stage, "canary" if stage == "dual_legacy" else "legacy") as at:
        assert f"({other})" in at.get("b").json()["name"]
        at.put("/items/b", 1, "b-1", then={"seconds": 1.5})
        assert f"({first})" in at.get("b").json()["name"]
        assert f"({other})" in at.get("c").json()["name"]
        at.until(lambda: at.numbers(other, "b") == [1])
        at.until(lambda: f"({other})" in at.get("b").json()["name"])


def test_a_definite_failure_is_returned_and_replayed_and_the_other_side_never_hears_of_it(lab: AtStage) -> None:
    with lab("dual_legacy") as at:
        refused = at.put("/items/a", 1, "k", first={"refuse": "Conflict"})
        again = at.put("/items/a", 1, "k", first={"refuse": "Conflict"})
        assert (refused.status_code, again.status_code) == (409, 409)
        assert "figway-replayed" in again.headers
        at.put("/items/a", 2, "l")
        at.until(lambda: at.numbers("new", "a") == [2])
        assert at.numbers("old", "a") == [2]


def test_a_write_that_cannot_be_repeated_needs_a_key(lab: AtStage) -> None:
    with lab("dual_legacy") as at:
        answer = at.put("/items/a", 1)
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:figway:problem:bad-request")
        assert at.put("/again/a", 1).status_code == 200
        at.until(lambda: at.numbers("new", "a") == [1])


def test_an_unknown_outcome_never_reaches_the_other_side_and_holds_the_entity_back(lab: AtStage) -> None:
    with lab("dual_legacy") as at:
        lost = at.put("/items/a", 1, "k", first={"error": "UnknownOutcome"})
        assert (lost.status_code, bool(lost.json()["operation"])) == (504, True)
        assert at.put("/items/a", 2, "l").status_code == 200
        at.put("/items/b", 3, "m")
        at.until(lambda: at.numbers("new", "b") == [3])
        assert at.numbers("new", "a") == []
        assert "(old)" in at.get("a").json()["name"]
        again = at.put("/items/a", 1, "k", first={"error": "UnknownOutcome"})
        assert (again.status_code, again.json()["operation"]) == (504, lost.json()["operation"])
        assert at.numbers("old", "a") == [1, 2]
        # Where nobody can tell, a person decides; then the entity's writes go on in their order.
        with at.gateway.client() as client:
            listed = client.get("/-/admin/groups/lab/writes").json()
            assert [(each["state"], each["for_people"]) for each in listed["writes"]] == [
                ("unknown", True),
                ("owed", False),
            ]
            place = f"/-/admin/groups/lab/writes/{listed['writes'][0]['id']}"
            assert client.post(place, json={"happened": "yes"}).status_code == 400
            assert client.post(place, json={"happened": True}).status_code == 200
            at.until(lambda: at.numbers("new", "a") == [1, 2])
            assert client.post(place, json={"happened": True}).status_code == 404


def test_an_unknown_outcome_is_looked_up_where_the_upstream_can_tell(lab: AtStage) -> None:
    with lab("dual_legacy") as at:
        assert at.put("/told/a", 1, "k", first={"error": "UnknownOutcome"}).status_code == 504
        at.until(lambda: at.numbers("new", "a") == [1])
        assert at.numbers("old", "a") == [1]


def test_what_the_other_side_cannot_take_now_is_tried_again(lab: AtStage) -> None:
    with lab("dual_legacy") as at:
        at.put("/told/a", 1, "k", then={"error": "UnknownOutcome"})
        at.put("/told/a", 2, "l")
        at.until(lambda: at.numbers("new", "a") == [1, 2])


def test_a_write_that_the_other_side_refuses_is_parked_before_the_later_ones_of_its_entity(lab: AtStage) -> None:
    with lab("dual_legacy") as at:
        at.put("/items/a", 1, "k", then={"refuse": "Conflict"})
        at.put("/items/a", 2, "l")
        at.put("/items/b", 3, "m")
        at.until(lambda: at.numbers("new", "b") == [3])
        assert at.numbers("new", "a") == []
        assert "(old)" in at.get("a").json()["name"]
