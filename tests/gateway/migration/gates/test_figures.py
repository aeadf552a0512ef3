"""How often the guardrails and the gates are wrong, and how soon right: over seeded runs, with their intervals.

The full figures are those of 1,000 runs each; the normal lane has fewer, of the same seeds.
"""

from __future__ import annotations

import os
from math import log, log1p
from random import Random
from types import SimpleNamespace

import pytest

from gateway.migration.gates.bound import is_below, wilson
from gateway.routing.gates_schema import GatesModel

SLOW = bool(os.environ.get("FIGWAY_SLOW"))
RUNS = 1_000 if SLOW else 30
LIMIT = GatesModel().error
BASE = 0.0005


def runs_at(weight: float) -> int:
    """Fewer where two million calls go by before a small canary has had its twenty thousand."""
    return RUNS if SLOW or weight > 0.1 else RUNS // 6


@pytest.mark.parametrize("weight", [0.01, 0.05, 0.25, 0.5, 0.95, 0.99])
@pytest.mark.parametrize("good", [0, 1_000, 20_000])
def test_a_replacement_that_fails_always_answers_badly_three_times(
    world: SimpleNamespace, weight: float, good: int
) -> None:
    phases = [world.Phase(int(good / weight), BASE, BASE), world.Phase(int(100 / weight), 1.0, BASE)]
    runs = [world.Run(weight, phases, seed) for seed in range(runs_at(weight))]
    # One that had begun to fail by chance is stopped sooner; a veto by chance may let it go on for three more.
    soon = [run.rolled_back and run.bad_replies <= 3 for run in runs]
    print(
        f"fails always, weight {weight:g}, after {good} good: most {max(run.bad_replies for run in runs)} bad replies, "
        f"at most 3 in {world.told(soon)}, {max(run.seconds for run in runs):.2f} s of looking at most"
    )
    assert all(run.rolled_back for run in runs)
    assert sum(soon) >= 0.998 * len(runs)
    assert max(run.seconds for run in runs) < 1.0
    assert max(run.bad_replies for run in runs) <= 12


@pytest.mark.parametrize("weight", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("good", [0, 1_000, 20_000])
def test_a_replacement_that_fails_one_in_five_answers_badly_sixty_times_at_most(
    world: SimpleNamespace, weight: float, good: int
) -> None:
    phases = [world.Phase(int(good / weight), BASE, BASE), world.Phase(int(1_000 / weight), 0.2, BASE)]
    runs = [world.Run(weight, phases, seed) for seed in range(runs_at(weight))]
    most = max(run.bad_replies for run in runs)
    print(f"fails 20 %, weight {weight:g}, after {good} good: most {most} bad replies, seeds 0 to {len(runs) - 1}")
    assert all(run.rolled_back for run in runs)
    assert most <= 60


@pytest.mark.parametrize("rate", [BASE, LIMIT / 2, LIMIT])
@pytest.mark.parametrize("weight", [0.01, 0.5, 0.99])
def test_what_is_as_good_as_legacy_is_left_alone(world: SimpleNamespace, weight: float, rate: float) -> None:
    runs = [world.Run(weight, [world.Phase(20_000, rate, rate)], seed) for seed in range(RUNS)]
    outcomes = [run.rolled_back for run in runs]
    wrong, most = world.share(outcomes)
    print(f"A/A at {rate:g}, weight {weight:g}: rolled back in {world.told(outcomes)}")
    assert wrong * RUNS <= max(1, 0.004 * RUNS)
    assert most < 0.01 or not SLOW


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("weight", [0.1, 0.5, 0.9, 0.99])
def test_what_befalls_both_sides_is_nobody_s_fault(world: SimpleNamespace, weight: float, rate: float) -> None:
    phases = [world.Phase(2_000, 0.001, 0.001), world.Phase(500, rate, rate)]
    outcomes = [world.Run(weight, phases, seed).rolled_back for seed in range(RUNS)]
    wrong, most = world.share(outcomes)
    print(f"both fail at {rate:g}, weight {weight:g}: rolled back in {world.told(outcomes)}")
    assert wrong < (0.05 if SLOW else 0.1)
    assert most < 0.05 or not SLOW


def test_a_replacement_that_fails_more_than_a_failing_legacy_is_rolled_back(world: SimpleNamespace) -> None:
    phases = [world.Phase(2_000, 0.001, 0.001), world.Phase(4_000, 0.9, 0.1)]
    runs = [world.Run(0.5, phases, seed) for seed in range(RUNS)]
    assert all(run.rolled_back for run in runs)


def _promoted(rate: float, seed: int, calls: int, limit: float = LIMIT) -> bool:
    """Whether the bound says "below" at any of so many looks, one after each call."""
    random, total, bad = Random(seed), 0, 0
    while total < calls:
        total = min(calls, total + int(log(1 - random.random()) / log1p(-rate)))
        if is_below(bad, total, limit):
            return True
        total, bad = total + 1, bad + 1
    return False


@pytest.mark.parametrize("limit", [0.001, LIMIT, 0.05])
def test_a_replacement_at_its_limit_goes_on_in_less_than_one_of_twenty_runs(
    world: SimpleNamespace, limit: float
) -> None:
    runs = [_promoted(limit, seed, int(100 / limit), limit) for seed in range(4 * RUNS)]
    wrong, most = world.share(runs)
    print(f"at its limit of {limit:g}: went on in {world.told(runs)}")
    assert wrong < 0.05
    assert most < 0.05 or not SLOW


def test_a_replacement_that_is_well_goes_on() -> None:
    runs = [_promoted(LIMIT / 10, seed, 3_000) for seed in range(RUNS)]
    assert sum(runs) > 0.95 * RUNS


def _alarmed_by_wilson(rate: float, seed: int, calls: int) -> bool:
    """Whether a gate that looks at Wilson's interval after each call ever finds that a rate isn't what it is."""
    random, total, bad = Random(seed), 0, 0
    while total < calls:
        gap = int(log(1 - random.random()) / log1p(-rate))
        before, total, bad = total + gap, total + gap + 1, bad + 1
        if 1_000 <= before <= calls and wilson(bad - 1, before)[1] < rate:
            return True
        if 1_000 <= total <= calls and wilson(bad, total)[0] > rate:
            return True
    return False


def test_looking_at_wilson_s_interval_until_it_suits_would_be_no_gate(world: SimpleNamespace) -> None:
    """The test of the test: the runs that leave the guardrails alone alarm a gate that isn't valid at any time."""
    wrong, _ = world.share([_alarmed_by_wilson(0.01, seed, 20_000) for seed in range(300)])
    assert wrong > 0.3
    figures = world.share([world.Run(0.5, [world.Phase(20_000, LIMIT, LIMIT)], seed).rolled_back for seed in range(60)])
    assert figures[0] < 0.01
