"""The breaker against a model: with any interleaving of calls, no two probes, and nothing but health counts."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.breaker import Breaker, BreakerLimits, BreakerOpen, Verdict

LIMITS = BreakerLimits(ratio=0.5, minimum=4, window=10.0, open_for=5.0)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def breaker(clock: Clock, chance: float = 0.0) -> Breaker:
    return Breaker(LIMITS, clock=clock, chance=lambda: chance)


def spend(one: Breaker, verdict: Verdict, times: int = 1) -> None:
    for _ in range(times):
        one.record(one.admit(), verdict)


def opened(clock: Clock, chance: float = 0.0) -> Breaker:
    one = breaker(clock, chance)
    spend(one, Verdict.FAILURE, 4)
    return one


def test_too_few_calls_say_nothing() -> None:
    one = breaker(Clock())
    spend(one, Verdict.FAILURE, 3)
    assert one.state == "closed"
    spend(one, Verdict.FAILURE)
    assert one.state == "open"


def test_it_opens_at_the_ratio_and_not_below() -> None:
    one = breaker(Clock())
    spend(one, Verdict.SUCCESS, 5)
    spend(one, Verdict.FAILURE, 4)
    assert one.state == "closed"
    spend(one, Verdict.FAILURE)
    assert one.state == "open"


def test_failures_leave_with_the_window() -> None:
    clock = Clock()
    one = breaker(clock)
    spend(one, Verdict.FAILURE, 3)
    clock.now += LIMITS.window
    spend(one, Verdict.FAILURE)
    assert one.state == "closed"


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 5.0), (1.0, 7.5)])
def test_how_long_it_stays_open_varies_by_half(chance: float, seconds: float) -> None:
    clock = Clock()
    one = opened(clock, chance)
    clock.now += seconds - 0.01
    with pytest.raises(BreakerOpen):
        one.admit()
    clock.now += 0.02
    assert one.state == "half_open"
    one.admit()


def test_whoever_is_refused_is_told_when_to_come_back() -> None:
    clock = Clock()
    one = opened(clock)
    clock.now += 2
    with pytest.raises(BreakerOpen) as caught:
        one.admit()
    assert caught.value.retry_after == 3.0


def test_a_neutral_probe_decides_nothing() -> None:
    clock = Clock()
    one = opened(clock)
    clock.now += 6
    spend(one, Verdict.NEUTRAL, 3)
    assert one.state == "half_open"
    spend(one, Verdict.SUCCESS)
    assert one.state == "closed"


def test_after_recovery_the_past_is_forgotten() -> None:
    clock = Clock()
    one = opened(clock)
    clock.now += 6
    spend(one, Verdict.SUCCESS)
    spend(one, Verdict.FAILURE, 3)
    assert one.state == "closed"


class Calls(RuleBasedStateMachine):
    """Calls begin and end in any order while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = breaker(self.clock)
        self.running: list[tuple[int, bool]] = []
        """Tickets, and whether the call is a probe."""

    @rule()
    def begin(self) -> None:
        state = self.breaker.state
        if state == "open" or any(probe for _, probe in self.running):
            with pytest.raises(BreakerOpen) as refused:
                self.breaker.admit()
            assert refused.value.retry_after > 0
        else:
            self.running.append((self.breaker.admit(), state == "half_open"))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), verdict=st.sampled_from(Verdict))
    def end(self, data: st.DataObject, verdict: Verdict) -> None:
        before = self.breaker.state
        ticket, probe = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.breaker.record(ticket, verdict)
        after = self.breaker.state
        if verdict is Verdict.NEUTRAL:
            assert after == before
        if probe and verdict is Verdict.SUCCESS:
            assert after == "closed"
        if probe and verdict is Verdict.FAILURE:
            assert after == "open"
        if not probe and before != "closed":
            assert after == before, "a call from before it opened has no say"

    @rule(seconds=st.floats(0.0, 8.0))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def at_most_one_probe(self) -> None:
        assert sum(probe for _, probe in self.running) <= 1

    @invariant()
    def a_free_half_open_breaker_admits(self) -> None:
        if self.breaker.state == "half_open" and not any(probe for _, probe in self.running):
            self.breaker.check()


TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=80, stateful_step_count=40, deadline=None, database=None)
