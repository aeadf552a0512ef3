"""Approvals of calls in their file: who may decide, until when they count, and for which write they are used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.approvals import approvals as module
from gateway.approvals.approvals import LASTS, MOST_OF_CALLER, Approvals
from gateway.approvals.record import Approval, Asker, NoSuchApproval, NotYours, TooMany
from gateway.call import Principal

ASKER = Asker("d1", ("claude", "orchestrator"))
BOSS = Principal("boss")


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def approvals(tmp_path: Path, clock: Clock) -> Approvals:
    return Approvals(tmp_path / "approvals.db", clock)


def asked(approvals: Approvals, subject: str = "call:1", asker: Asker = ASKER, needed: int = 1) -> Approval:
    details = {"operation": "make", "arguments": {"body": {"iban": "NO93"}}, "preview": {"dry_run": True}}
    return approvals.ask(subject, "make for ann", "ann", needed, details, asker=asker, planned=["id"])[0]


@pytest.mark.parametrize(
    "who",
    [
        Principal("ann"),
        Principal("claude"),
        Principal("orchestrator", issuer="https://other.example"),
        Principal("human", agent="claude"),
        Principal("human", delegation=("new",)),
    ],
    ids=["principal", "agent", "chain", "by-the-agent", "by-any-agent"],
)
def test_nobody_with_a_part_in_it_decides(approvals: Approvals, who: Principal) -> None:
    found = asked(approvals)
    for yes in (True, False):
        with pytest.raises(NotYours):
            approvals.decide(found.id, who, approve=yes)
    assert approvals.get(found.id).state == "pending"


def test_it_is_used_for_one_key(approvals: Approvals) -> None:
    found = asked(approvals)
    assert not approvals.use_for(found.id, "k1")
    approvals.decide(found.id, BOSS, approve=True)
    assert [approvals.use_for(found.id, key) for key in ("k1", "k2", "k1")] == [True, False, True]
    standing = approvals.standing("call:1", "k1")
    assert standing is not None
    assert (standing.state, standing.used_for) == ("used", "k1")
    assert approvals.standing("call:1", "k2") is None
    assert approvals.standing("call:2", "k1") is None


def test_it_counts_for_a_day(approvals: Approvals, clock: Clock) -> None:
    used, given, waiting, refused = (asked(approvals, f"call:{number}") for number in range(4))
    for each in (used, given):
        approvals.decide(each.id, BOSS, approve=True)
    approvals.decide(refused.id, BOSS, approve=False)
    approvals.use_for(used.id, "k")
    clock.now += LASTS - timedelta(seconds=1)
    assert all(approvals.standing(f"call:{number}", "k") is not None for number in range(4))
    clock.now += timedelta(seconds=1)
    assert [approvals.standing(f"call:{number}", "k") for number in range(4)] == [None] * 4
    assert not any(approvals.use_for(each.id, "k") for each in (used, given, waiting))


def test_a_caller_asks_for_so_many(approvals: Approvals, clock: Clock) -> None:
    for number in range(MOST_OF_CALLER):
        asked(approvals, f"call:{number}")
    assert asked(approvals, "call:0").subject == "call:0"  # which waits already
    with pytest.raises(TooMany):
        asked(approvals, "call:more")
    asked(approvals, "call:other", Asker("d2"))
    clock.now += LASTS
    asked(approvals, "call:more")


def test_another_tenants_approver_sees_none_of_it(approvals: Approvals) -> None:
    found = asked(approvals, asker=Asker("d1", (), "blue"))
    with pytest.raises(NoSuchApproval):
        approvals.decide(found.id, Principal("boss", tenant="red"), approve=True)
    assert [len(approvals.newest(tenant=tenant)) for tenant in (None, "blue", "red")] == [1, 1, 0]
    assert approvals.decide(found.id, Principal("boss", tenant="blue"), approve=True).state == "approved"


def test_what_is_told_in_the_background_has_no_arguments(approvals: Approvals) -> None:
    found = asked(approvals)
    assert "NO93" not in repr(found.announced())
    assert "NO93" in repr(found.document())
    assert "planned" not in found.document()


def test_other_tenants_approvals_hide_nobodys_own(approvals: Approvals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_LISTED", 3)
    own = asked(approvals, "call:own", Asker("d0", (), "blue"))
    for number in range(4):
        asked(approvals, f"call:{number}", Asker(f"red-{number}", (), "red"))
    assert [each.id for each in approvals.newest(pending=True, tenant="blue")] == [own.id]
    assert [each.asker.tenant for each in approvals.newest()] == ["red"] * 3


def test_what_a_call_was_made_with_is_forgotten_on_a_quiet_host_too(approvals: Approvals, clock: Clock) -> None:
    made = asked(approvals)
    clock.now += timedelta(days=2, seconds=1)
    assert approvals.newest()[0].id == made.id
    assert not approvals.get(made.id).details
