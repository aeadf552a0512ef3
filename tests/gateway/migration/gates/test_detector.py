"""The detectors and the bound as what they claim to be: e-values, whatever is counted in whichever portions."""

from __future__ import annotations

from math import exp, isclose, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.migration.gates.bound import ALPHA, is_below, upper, wealth, wilson
from gateway.migration.gates.detector import SURE, Cusum, TwoArm, grid
from gateway.migration.totals import distinct

limits = st.floats(0.00001, 0.2)


@settings(deadline=None, max_examples=50)
@given(limits)
def test_the_grid_s_rates_rise_from_above_the_limit_to_failing_always(limit: float) -> None:
    rates = grid(limit)
    assert rates == sorted(rates)
    assert rates[0] > limit
    assert isclose(rates[-1], SURE)


@settings(deadline=None, max_examples=50)
@given(limits)
def test_one_observation_at_the_limit_is_worth_nothing_on_the_average(limit: float) -> None:
    """An e-value: its expectation is 1 at the limit, and below 1 below it."""
    for rate, most in ((limit, 1.0), (limit / 2, 1.0)):
        bad, good = Cusum(limit, 10), Cusum(limit, 10)
        bad.note(1, 0)
        good.note(1, 0)
        good.note(0, 1)
        # What the good one multiplies by: from the level after the bad one, which is above the floor.
        first = exp(bad.level)
        assert rate * first + (1 - rate) * exp(good.level - bad.level) <= most + 1e-9


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 40), st.integers(0, 400), limits)
def test_what_went_well_before_doesn_t_hide_what_goes_wrong_now(bad: int, good: int, limit: float) -> None:
    fresh, old = Cusum(limit, 1e6), Cusum(limit, 1e6)
    old.note(0, good)
    for _ in range(bad):
        assert fresh.note(1, 0) == old.note(1, 0)
    assert fresh.level == old.level


@settings(deadline=None, max_examples=50)
@given(st.lists(st.booleans(), max_size=60))
def test_good_calls_may_be_noted_together(outcomes: list[bool]) -> None:
    one, many, good = Cusum(0.005, 1e6), Cusum(0.005, 1e6), 0
    for bad in outcomes:
        one.note(int(bad), int(not bad))
        good += not bad
        if bad:
            many.note(0, good)
            many.note(1, 0)
            good = 0
            assert isclose(one.level, many.level, abs_tol=1e-9)


@settings(deadline=None, max_examples=50)
@given(st.floats(0.01, 0.99))
def test_a_bad_event_of_either_side_is_worth_nothing_when_they_fail_alike(share: float) -> None:
    for ratio in TwoArm.RATIOS:
        spread = share * ratio + 1 - share
        assert isclose(share * ratio / spread + (1 - share) / spread, 1.0)
    ours, theirs = TwoArm(1e6), TwoArm(1e6)
    ours.note(1, 0, share)
    theirs.note(0, 1, share)
    assert not ours.calm
    assert theirs.calm


def test_without_traffic_of_both_sides_the_two_arm_test_says_nothing() -> None:
    detector = TwoArm(10)
    assert not detector.note(1_000, 0, 1.0)
    assert not detector.note(1_000, 0, 0.0)
    assert detector.note(1_000, 0, 0.5)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 50), st.integers(1, 5_000), limits)
def test_the_wealth_is_a_fair_bet_at_the_limit(bad: int, more: int, limit: float) -> None:
    total = bad + more
    now = wealth(bad, total, limit)
    lost, won = (exp(wealth(each, total + 1, limit) - now) for each in (bad + 1, bad))
    assert limit * lost + (1 - limit) * won <= 1 + 1e-9


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 50), st.integers(1, 50_000))
def test_the_bound_is_where_a_limit_begins_to_be_passed(bad: int, more: int) -> None:
    bound = upper(bad, bad + more)
    assert bad / (bad + more) <= bound <= 1
    if bound < 0.9:
        assert is_below(bad, bad + more, bound * 1.01)
        assert not is_below(bad, bad + more, bound * 0.99)


def test_nothing_counted_is_sure_of_nothing() -> None:
    assert upper(0, 0) == 1
    assert wilson(0, 0) == (0.0, 1.0)
    assert not is_below(0, 0, 0.2)
    assert wealth(0, 0, 0.005) == 0
    assert log(1 / ALPHA) > 0


@pytest.mark.parametrize(("total", "passes"), [(700, False), (750, True)])
def test_some_seven_hundred_good_calls_pass_the_default_gate(total: int, passes: bool) -> None:
    assert is_below(0, total, 0.005) is passes


def test_distinct_keys_are_told_from_the_cells_that_they_set() -> None:
    assert distinct(0, 4096) == 0
    assert distinct(20, 4096) == 20
    assert distinct(4096, 4096) > 30_000
