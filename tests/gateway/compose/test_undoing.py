"""Composites that undo what they have done, over a gateway that serves them."""

from __future__ import annotations

import time
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest

_STEPS = """
one: {route: make, input: {sku: "'one'", n: body.n}, compensate: {route: unmake, input: {sku: one.sku, n: body.n}}}
two:
  route: make
  input: {sku: "'two'", n: body.n}
  compensate:
    route: unmake
    input: {sku: two.sku, n: body.n, refuse: body.undo_refuse, once: body.undo_once}
three:
  route: make
  input: {sku: "'three'", n: body.n, refuse: body.refuse, error: body.error}
  compensate: {route: unmake, input: {sku: three.sku, n: body.n}}
"""
_SAFE = """
one: {route: make, input: {sku: "'one'", n: body.n}, compensate: {route: unmake, input: {sku: one.sku, n: body.n}}}
two:
  route: make
  input: {sku: "'two'", n: body.n, error: body.error}
  compensate: {route: unmake, input: {sku: "'two'", n: body.n}, if_unknown: true}
"""
_IDEMPOTENT = """
one: {route: make, input: {sku: "'one'", n: body.n}, compensate: {route: unmake, input: {sku: one.sku, n: body.n}}}
two:
  route: set_it
  input: {sku: "'two'", n: body.n}
  compensate: {route: unset_it, input: {sku: "'two'", n: body.n}}
three: {route: make, input: {sku: "'three'", n: body.n, refuse: body.refuse}}
"""
_EACH = """
many:
  route: make
  for_each: body.skus
  input: {sku: item.sku, n: body.n, refuse: item.refuse}
  compensate: {route: unmake, input: {sku: many.sku, n: body.n, after: index}}
"""


def composites(lab: ModuleType) -> list[str]:
    """What the gateway serves."""
    return [
        lab.composite("/saga", "saga", _STEPS),
        lab.composite("/safe", "safe", _SAFE),
        lab.composite("/idem", "idem", _IDEMPOTENT),
        lab.composite("/each", "each", _EACH),
        lab.composite("/outer", "outer", """
first: {route: saga, input: {body: "{n: body.n}"}, compensate: {route: unmake, input: {sku: "'saga'", n: body.n}}}
last: {route: make, input: {sku: "'last'", n: body.n, refuse: body.refuse}}
"""),
    ]  # fmt: skip


class Lab:
    """A gateway, and what its upstreams did."""

    def __init__(self, served: tuple[Any, Path], lab: ModuleType) -> None:
        self.gateway, self._journal, self._lab = *served, lab
        self.n = uuid4().hex

    def post(self, path: str, body: dict[str, Any], key: str | None = None, **headers: str) -> Any:
        fields = {} if key is None else {"idempotency-key": key}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        with self.gateway.client() as client:
            return client.post(path, json={"n": self.n, **body}, headers=fields)

    def done(self) -> list[str]:
        """The SKUs of what was written for this test, in order; what undoes has the same again."""
        return [each["sku"] for each in self._lab.effects(self._journal) if each["n"] == self.n]

    def operation(self, id: str) -> dict[str, Any]:
        with self.gateway.client() as client:
            found: dict[str, Any] = client.get(f"/-/operations/{id}").json()
        return found

    def settled(self, id: str) -> dict[str, Any]:
        """The operation once nothing is done about it any more."""
        until = time.monotonic() + 20
        while (found := self.operation(id))["state"] == "running":
            assert time.monotonic() < until, found
            time.sleep(0.05)
        return found


@pytest.fixture
def shop(served: tuple[Any, Path], lab: ModuleType) -> Lab:
    return Lab(served, lab)


def states(operation: dict[str, Any]) -> dict[str, str]:
    return {each["step"]: each["state"] for each in operation["parts"]}


def test_one_that_succeeds_is_kept_and_said_again(shop: Lab) -> None:
    first, second = (shop.post("/saga", {}, "a" + shop.n) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert shop.done() == ["one", "two", "three"]
    operation = shop.operation(second.headers["figway-replayed"])
    assert operation["state"] == "succeeded"
    assert set(states(operation).values()) == {"done"}


@pytest.mark.parametrize("key", [False, True])
@pytest.mark.parametrize(("refuse", "status"), [("Conflict", 409), ("Unavailable", 503)])
def test_what_was_done_is_undone_in_reverse(shop: Lab, refuse: str, status: int, key: bool) -> None:
    name = "b" + shop.n if key else None
    reply = shop.post("/saga", {"refuse": refuse}, name)
    assert reply.status_code == status
    assert "Undone: one, two." in reply.json()["detail"]
    assert shop.done() == ["one", "two", "two", "one"]
    if key:  # what was refused for good is said again; what may work later is done anew
        again = shop.post("/saga", {"refuse": refuse}, name)
        assert again.status_code == status
        assert len(shop.done()) == (4 if status == 409 else 8)


def test_a_part_of_unknown_outcome_stays_and_so_does_what_it_may_stand_on(shop: Lab) -> None:
    reply = shop.post("/saga", {"error": "UnknownOutcome"}, "c" + shop.n)
    assert reply.status_code == 504
    assert shop.done() == ["one", "two", "three"]
    told = reply.json()
    assert "Done, and not undone: one, two. Not known: three." in told["detail"]
    operation = shop.operation(told["operation"])
    assert operation["state"] == "unknown"
    assert states(operation) == {"one": "done", "two": "done", "three": "unknown"}
    again = shop.post("/saga", {"error": "UnknownOutcome"}, "c" + shop.n)
    assert again.json()["detail"] == told["detail"]
    assert again.json()["operation"] == told["operation"]
    assert len(shop.done()) == 3


def test_it_is_undone_blindly_where_the_contract_says_that_this_does_no_harm(shop: Lab) -> None:
    reply = shop.post("/safe", {"error": "UnknownOutcome"})
    assert shop.done() == ["one", "two", "two", "one"]
    assert "Undone: one, two." in reply.json()["detail"]


def test_what_may_be_repeated_is_asked_for_and_undone(shop: Lab) -> None:
    reply = shop.post("/idem", {"refuse": "Conflict"})
    assert reply.status_code == 409
    assert shop.done() == ["one", "two", "two", "one"]


def test_what_cannot_be_undone_is_told(shop: Lab) -> None:
    reply = shop.post("/saga", {"refuse": "Conflict", "undo_refuse": "Conflict"})
    assert reply.status_code == 504
    assert "Done, and not undone: one, two." in reply.json()["detail"]
    operation = shop.operation(reply.json()["operation"])
    assert operation["state"] == "unknown"
    assert states(operation) == {"one": "done", "two": "left", "three": "not_done"}
    assert operation["parts"][1]["note"] == "unmake: conflict"
    assert shop.done() == ["one", "two"]


def test_what_cannot_be_undone_now_is_undone_later(shop: Lab) -> None:
    reply = shop.post("/saga", {"refuse": "Conflict", "undo_refuse": "Unavailable", "undo_once": True}, "d" + shop.n)
    assert reply.status_code == 504
    assert "is tried again" in reply.json()["detail"]
    operation = shop.settled(reply.json()["operation"])
    assert operation["state"] == "failed"
    # No process has ended: nothing may say so.
    assert operation["problem"]["detail"] == "Not all of the change was made. Undone: one, two."
    assert states(operation) == {"one": "undone", "two": "undone", "three": "not_done"}
    assert shop.done() == ["one", "two", "two", "one"]


def test_each_item_is_undone_by_its_own_reply(shop: Lab) -> None:
    skus = [{"sku": "a"}, {"sku": "b"}, {"sku": "b"}, {"sku": "c", "refuse": "Conflict"}, {"sku": "d"}]
    reply = shop.post("/each", {"skus": skus})
    assert reply.status_code == 409
    assert shop.done() == ["a", "b", "b", "b", "b", "a"]


def test_a_composite_within_one_undoes_itself_and_is_undone_as_one_part(shop: Lab) -> None:
    reply = shop.post("/outer", {"refuse": "Conflict"})
    assert reply.status_code == 409, reply.text
    assert shop.done() == ["one", "two", "three", "saga"]


def test_who_may_not_undo_may_not_begin(shop: Lab, running: ModuleType, lab: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "narrow"
    policy = 'forbid (principal, action == Action::"unmake", resource);'
    journal = lab.workspace(folder, running, *lab.ROUTES, lab.composite("/saga", "saga", _STEPS), policy=policy)
    with running.serving(folder) as gateway, gateway.client() as client:
        reply = client.post("/saga", json={"n": 1})
        assert reply.status_code == 403
        assert "'unmake'" in reply.json()["detail"]
        assert "saga" not in client.get("/openapi.json").text
    assert lab.effects(journal) == []
