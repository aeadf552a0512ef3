"""Plan tokens by themselves: what they hold for, when, and what becomes of them by rotation and by damage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Held
from gateway.call import Call, Planned, Principal
from gateway.control_errors import PlanRefused
from gateway.filters.plan import HEADER, LASTS, Plans
from gateway.identity.signing import Keyring, SigningKey

PLANNED = Planned("01M7", "2026-11-21T10:00:00Z", "erp", Held("abc", 1))
ANN = Principal("ann", "claude", issuer="https://id.example")


class Clock:
    """Seconds that a test sets."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def call(principal: Principal = ANN, **body: object) -> Call:
    """A validated call."""
    return Call("01M8", "change_part", 1, "PATCH", "/parts/1", 0.0, "", {"id": 1}, body=body, principal=principal)


def bringing(token: str, made: Call) -> Call:
    return replace(made, raw_headers={HEADER: token.encode("latin-1")})


@pytest.fixture
def ring(tmp_path: Path) -> Keyring:
    return Keyring.open(tmp_path, "plan")


def test_a_plan_is_opened_by_its_own_call_only(ring: Keyring) -> None:
    plans = Plans(ring, "c", "erp", Clock())
    token, until = plans.sealed(call(title="x"), PLANNED)
    assert until == Clock.now + LASTS
    opened = plans.opened(bringing(token, call(title="x")))
    assert opened is not None
    assert opened == (PLANNED, False)
    assert plans.opened(call(title="x")) is None
    for other in (
        call(title="y"),
        call(title="x", more=1),
        replace(call(title="x"), operation="other"),
        replace(call(title="x"), query={"a": "b"}),
        call(replace(ANN, id="bob"), title="x"),
        call(replace(ANN, agent=None), title="x"),
        call(replace(ANN, tenant="t"), title="x"),
        call(replace(ANN, issuer=""), title="x"),
    ):
        with pytest.raises(PlanRefused, match="very call"):
            plans.opened(bringing(token, other))


def test_a_plan_is_over_after_ten_minutes(ring: Keyring) -> None:
    clock = Clock()
    plans = Plans(ring, "c", "erp", clock)
    token, _ = plans.sealed(call(), PLANNED)
    for seconds, over in ((LASTS - 1, False), (LASTS, True), (LASTS * 100, True)):
        clock.now = Clock.now + seconds
        opened = plans.opened(bringing(token, call()))
        assert opened is not None
        assert opened.over is over


def test_a_plan_of_another_configuration_says_so(ring: Keyring) -> None:
    token, _ = Plans(ring, "c", "erp").sealed(call(), PLANNED)
    with pytest.raises(PlanRefused, match="route has changed"):
        Plans(ring, "d", "erp").opened(bringing(token, call()))


def test_a_plan_outlives_its_keys_rotation(ring: Keyring, tmp_path: Path) -> None:
    plans = Plans(ring, "c", "erp")
    token, _ = plans.sealed(call(), PLANNED)
    ring.rotate()
    assert plans.opened(bringing(token, call())) is not None
    with pytest.raises(PlanRefused):
        Plans(Keyring.open(tmp_path / "other", "plan"), "c", "erp").opened(bringing(token, call()))


class _Ring:
    """A ring of one fixed key."""

    current = SigningKey("k1", b"k" * 32)

    def by_id(self, id: str) -> SigningKey | None:
        return self.current if id == "k1" else None


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 400), st.integers(0, 255), st.sampled_from(["change", "cut", "add"]))
def test_a_damaged_plan_is_refused(at: int, byte: int, how: str) -> None:
    plans = Plans(_Ring(), "c", "erp")  # type: ignore[arg-type]
    token = plans.sealed(call(), PLANNED)[0].encode()
    at %= len(token)
    damaged = {
        "change": token[:at] + bytes([byte]) + token[at + 1 :],
        "cut": token[:at],
        "add": token[:at] + bytes([byte]) + token[at:],
    }[how]
    if damaged == token:
        return
    try:
        opened = plans.opened(bringing(damaged.decode("latin-1"), call()))
    except PlanRefused:
        return
    assert opened is not None
    assert opened.planned == PLANNED  # another spelling of the same bytes in base64, at most


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_text_is_taken_for_a_plan(raw: bytes) -> None:
    plans = Plans(_Ring(), "c", "erp")  # type: ignore[arg-type]
    for given_text in (raw, b"k1." + raw):
        with pytest.raises(PlanRefused):
            plans.opened(bringing(given_text.decode("latin-1"), call()))
