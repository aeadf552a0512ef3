"""Buckets and keys: who is served by which side, for good."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call import Call, Principal
from gateway.identity.signing import Keyring
from gateway.migration.bucket import bucket, bucket_of
from gateway.migration.choose import NO_BUCKET, choose, key_in, share
from gateway.migration.model import MILLION, Group, Side, Stage
from gateway.routing.mapping import expression

GOLDEN = [
    ("customers", "customers", "C-10001", 693701),
    ("2026-11", "customers", "C-10001", 441839),
    ("customers", "customers", "", 983065),
    ("s", "orders", "Ærøskøbing 🚢", 487892),
    ("s", "orders", "a|b", 430665),
]
"""Salt, group, key and the bucket that it has always been in, on every worker, host and release."""


WHOLE = {
    20_000: "383aa1935e99dc2f57f65ddce3778f01c5cc5c019a7436fb6c331e04bf5517ed",
    1_000_000: "c0d056028bcf614bffde5d8e59af3c0a81b389654fac4ca85ede48c6e643ec06",
}
"""Of so many customers, who has always been served by which side at those weights: SHA-256 of a byte each."""


def call_of(principal: Principal | None = None, **places: Any) -> Call:
    call = Call("1", "get", 1, "GET", "/x", 0.0, "", {})
    call.principal = principal
    for name, value in places.items():
        setattr(call, name, value)
    return call


@pytest.mark.parametrize(("salt", "group", "key", "expected"), GOLDEN)
def test_a_key_is_in_its_bucket_for_good(salt: str, group: str, key: str, expected: int) -> None:
    assert bucket(salt, group, key) == bucket_of(salt, group)(key) == expected


@given(st.text(), st.integers(0, MILLION), st.integers(0, MILLION))
def test_ramping_up_sends_nobody_back(key: str, one: int, other: int) -> None:
    low, high = sorted((one, other))
    stages = [Stage("canary", weight=low), Stage("canary", weight=high)]
    mine = bucket("s", "g", key)
    assert not (mine < share(stages[0]) and not mine < share(stages[1]))


def as_specified(key: str) -> int:
    """A key's bucket, as the rule is written down."""
    hashed = sha256(f"v1|customers|customers|{key}".encode()).digest()
    return int.from_bytes(hashed[:8], "big") * 10**6 >> 64


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_shares_are_their_weights_and_ramping_up_moves_nobody_back(count: int, tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path, "side")
    calls = [call_of(path={"id": f"C-{number}"}) for number in range(count)]
    moved, before, golden, off = 0, bytes(count), sha256(), []
    for percent in (1, 5, 25, 50, 99):
        group = Group(
            "customers", Stage("canary", weight=percent * 10_000), salt="customers", key=expression("path.id")
        )
        choice = choose(group, ring)
        chosen = [choice(call) for call in calls]
        served = bytes(side == "replacement" for side, _ in chosen)
        moved += sum(old > new for old, new in zip(before, served, strict=True))
        before = served
        golden.update(served)
        off.append(abs(100 * sum(served) / count - percent))
        if percent == 1:
            assert all(place == as_specified(f"C-{number}") for number, (_, place) in enumerate(chosen))
    print(f"{count} keys at 1, 5, 25, 50 and 99 %: {moved} moved back, at most {max(off):.4f} points off")
    assert moved == 0
    assert max(off) <= (0.2 if count == 1_000_000 else 0.8)
    assert golden.hexdigest() == WHOLE[count]


@pytest.mark.parametrize(
    ("key", "call", "expected"),
    [
        ("path.id", call_of(path={"id": "C-1"}), "C-1"),
        ("path.id", call_of(path={"id": 17}), "17"),
        ("path.id", call_of(Principal("ann", tenant="acme")), "acme"),
        ("path.id", call_of(Principal("ann", tenant="acme"), path={"id": ""}), "acme"),
        ("path.id", call_of(Principal("ann", tenant="acme"), path={"id": ["x"]}), "acme"),
        ("path.id", call_of(Principal("ann", tenant="acme"), path={"id": True}), "acme"),
        ("abs(path.id)", call_of(Principal("ann"), path={"id": "x"}), "ann"),
        (None, call_of(Principal("ann", agent="bot")), "ann"),
        (None, call_of(Principal("bot", agent="bot", tenant="acme")), "acme"),
        (None, call_of(Principal("bot", agent="bot")), None),
        (None, call_of(Principal("")), None),
        (None, call_of(), None),
    ],
)
def test_the_key_is_the_entity_else_the_tenant_else_who_it_is_for(key: str | None, call: Call, expected: str) -> None:
    group = Group("g", Stage(), salt="g", key=None if key is None else expression(key))
    assert key_in(group)(call) == expected


def test_without_a_key_legacy_answers_at_any_weight(tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path, "side")
    for stage in (Stage("canary", weight=MILLION), Stage("live", holdback=0)):
        assert choose(Group("g", stage, salt="g"), ring)(call_of(Principal("bot", agent="bot"))) == (
            "legacy",
            NO_BUCKET,
        )


@pytest.mark.parametrize(
    ("who", "side"),
    [
        (Principal("ann"), "replacement"),
        (Principal("ann", teams=("red",), tenant="acme"), "replacement"),
        (Principal("bob", teams=("blue", "red"), tenant="acme"), "legacy"),
        (Principal("bob", teams=("red", "blue")), "replacement"),
        (Principal("bob", teams=("green",), tenant="acme"), "replacement"),
        (Principal("bob", tenant="other"), "legacy"),
        (Principal("red"), "legacy"),
        (None, "legacy"),
    ],
)
def test_a_caller_of_its_own_goes_before_its_teams_and_those_before_its_tenant(
    tmp_path: Path, who: Principal | None, side: str
) -> None:
    cohorts: dict[str, Side] = {
        "principal:ann": "replacement",
        "team:red": "replacement",
        "team:blue": "legacy",
        "tenant:acme": "replacement",
    }
    group = Group("g", Stage("canary", weight=0), salt="g", cohorts=cohorts)
    assert choose(group, Keyring.open(tmp_path, "side"))(call_of(who))[0] == side
