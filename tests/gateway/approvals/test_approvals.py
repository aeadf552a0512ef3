"""Approvals: used once, by who asked, for what was asked; decided by others, in time, and by exactly as many."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.approvals.approvals import LASTS, Approvals
from gateway.approvals.record import ApprovalError, NoSuchApproval, NotOpen, NotYours
from gateway.call import Principal

BOB, CAROL = Principal("bob"), Principal("carol")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def approvals(tmp_path: Path, clock: Clock) -> Iterator[Approvals]:
    opened = Approvals(tmp_path / "approvals.db", clock)
    yield opened
    opened.close()


def test_it_is_used_once(approvals: Approvals) -> None:
    asked, new = approvals.ask("plan:1", "to canary", "alice")
    assert new
    assert approvals.use("plan:1", "alice") is None, "nobody has said yes"
    assert approvals.decide(asked.id, BOB, approve=True).state == "approved"
    used = approvals.use("plan:1", "alice")
    assert used is not None
    assert used.state == "used"
    assert approvals.use("plan:1", "alice") is None


def test_of_many_who_use_it_at_once_one_gets_it(approvals: Approvals, tmp_path: Path, clock: Clock) -> None:
    asked, _ = approvals.ask("plan:1", "to canary", "alice")
    approvals.decide(asked.id, BOB, approve=True)
    others = [Approvals(tmp_path / "approvals.db", clock) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda at: others[at % 4].use("plan:1", "alice"), range(16)))
    for each in others:
        each.close()
    assert sum(each is not None for each in found) == 1


def test_it_is_good_for_nothing_and_nobody_else(approvals: Approvals) -> None:
    asked, _ = approvals.ask("plan:1", "to canary", "alice")
    approvals.decide(asked.id, BOB, approve=True)
    assert approvals.use("plan:2", "alice") is None
    assert approvals.use("plan:1", "mallory") is None
    assert approvals.use("plan:1", "alice", needed=2) is None, "more people must say yes to that"
    assert approvals.use("plan:1", "alice") is not None


@pytest.mark.parametrize("after", [LASTS, LASTS + timedelta(days=1)])
def test_an_expired_one_is_neither_decided_nor_used(approvals: Approvals, clock: Clock, after: timedelta) -> None:
    one, _ = approvals.ask("plan:1", "to canary", "alice")
    two, _ = approvals.ask("plan:2", "to live", "alice")
    approvals.decide(one.id, BOB, approve=True)
    clock.now += after - timedelta(microseconds=1) if after == LASTS else after
    if after == LASTS:
        assert approvals.get(one.id).state == "approved"
        clock.now += timedelta(microseconds=1)
    assert approvals.use("plan:1", "alice") is None
    assert approvals.get(one.id).state == "expired"
    with pytest.raises(NotOpen):
        approvals.decide(two.id, BOB, approve=True)
    again, new = approvals.ask("plan:1", "to canary", "alice")
    assert new
    assert again.id != one.id


@pytest.mark.parametrize(
    "who",
    [
        Principal("alice"),
        Principal("alice", issuer="https://id.example.com", tenant="t"),
        Principal("bob", agent="assistant"),
        Principal("bob", delegation=("assistant",)),
    ],
)
def test_who_asked_can_not_decide_nor_can_an_agent(approvals: Approvals, who: Principal) -> None:
    asked, _ = approvals.ask("plan:1", "to canary", "alice")
    for approve in (True, False):
        with pytest.raises(NotYours):
            approvals.decide(asked.id, who, approve=approve)
    assert approvals.get(asked.id).state == "pending"


def test_the_host_s_user_is_the_same_person(approvals: Approvals) -> None:
    asked, _ = approvals.ask("plan:1", "to canary", "host:alice")
    with pytest.raises(NotYours):
        approvals.decide(asked.id, Principal("alice"), approve=True)


def test_two_need_two_people(approvals: Approvals) -> None:
    asked, _ = approvals.ask("plan:1", "writes to new_only", "alice", 2)
    assert approvals.decide(asked.id, BOB, approve=True).state == "pending"
    assert approvals.use("plan:1", "alice", 2) is None
    with pytest.raises(NotYours):
        approvals.decide(asked.id, BOB, approve=True)
    assert approvals.decide(asked.id, CAROL, approve=True).state == "approved"
    assert approvals.use("plan:1", "alice", 2) is not None


def test_one_no_is_enough_and_stays(approvals: Approvals) -> None:
    asked, _ = approvals.ask("plan:1", "writes to new_only", "alice", 2)
    approvals.decide(asked.id, BOB, approve=True)
    assert approvals.decide(asked.id, CAROL, approve=False, reason="not on a Friday").state == "denied"
    with pytest.raises(NotOpen):
        approvals.decide(asked.id, Principal("dave"), approve=True)
    assert approvals.use("plan:1", "alice", 2) is None
    assert [each.reason for each in approvals.get(asked.id).decisions] == ["", "not on a Friday"]


def test_of_two_who_decide_at_once_the_second_learns_that_it_is_decided(
    approvals: Approvals, tmp_path: Path, clock: Clock
) -> None:
    for at in range(10):
        asked, _ = approvals.ask(f"plan:{at}", "to canary", "alice")
        others = [Approvals(tmp_path / "approvals.db", clock) for _ in range(2)]

        def decide(place: int, id: str = asked.id, at: list[Approvals] = others) -> bool:
            try:
                at[place].decide(id, (BOB, CAROL)[place], approve=place == 0)
            except ApprovalError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            won = list(pool.map(decide, range(2)))
        for each in others:
            each.close()
        found = approvals.get(asked.id)
        assert sum(won) == 1
        assert len(found.decisions) == 1
        assert found.state == ("approved" if won[0] else "denied")


def test_the_same_question_is_asked_once(approvals: Approvals) -> None:
    first, _ = approvals.ask("plan:1", "to canary", "alice")
    again, new = approvals.ask("plan:1", "to canary", "alice")
    assert (again.id, new) == (first.id, False)
    other, new = approvals.ask("plan:1", "to canary", "dora")
    assert new
    assert {each.id for each in approvals.newest(pending=True)} == {first.id, other.id}


def test_it_outlives_the_process(approvals: Approvals, tmp_path: Path, clock: Clock) -> None:
    asked, _ = approvals.ask("plan:1", "to canary", "alice", details={"routes": ["get_item"]})
    approvals.decide(asked.id, BOB, approve=True, reason="fine")
    again = Approvals(tmp_path / "approvals.db", clock)
    found = again.get(asked.id)
    again.close()
    assert found == approvals.get(asked.id)
    assert found.details == {"routes": ["get_item"]}
    with pytest.raises(NoSuchApproval):
        approvals.get("01JD")


def test_a_use_that_came_to_nothing_is_given_back(approvals: Approvals) -> None:
    asked, _ = approvals.ask("plan:1", "to canary", "alice")
    approvals.decide(asked.id, BOB, approve=True)
    approvals.use("plan:1", "alice")
    approvals.give_back(asked.id)
    assert approvals.use("plan:1", "alice") is not None
