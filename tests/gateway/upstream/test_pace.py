"""When an upstream counts as slow: against what is usual for it."""

from __future__ import annotations

import random

from gateway.pace import Pace


def test_an_upstream_that_nobody_has_asked_for_a_while_is_not_known_to_be_slow() -> None:
    now = 0.0
    pace = noted(Pace(lambda: now), 0.1, 640)
    noted(pace, 0.5, 16)
    assert pace.slow
    now = 2.5
    assert not pace.slow, "who keeps away would never learn that it is well again"
    noted(pace, 0.5, 16)
    assert pace.slow, "its baseline is as it was"


def noted(pace: Pace, seconds: float, times: int) -> Pace:
    chance = random.Random(17)
    for _ in range(times):
        pace.note(seconds * chance.uniform(0.8, 1.0))
    return pace


def test_nothing_is_slow_before_one_knows_what_is_usual() -> None:
    assert not noted(Pace(), 5.0, 40).slow


def test_half_as_much_again_is_slow_and_what_is_usual_again_is_not() -> None:
    pace = noted(Pace(), 0.1, 640)
    assert not pace.slow
    assert noted(pace, 0.2, 16).slow
    assert noted(pace, 0.2, 64).slow
    assert not noted(pace, 0.1, 128).slow


def test_a_lasting_change_becomes_what_is_usual() -> None:
    pace = noted(Pace(), 0.1, 640)
    assert noted(pace, 0.2, 640).slow
    assert not noted(pace, 0.2, 2_000).slow


def test_chance_among_microseconds_is_not_slow() -> None:
    pace = noted(Pace(), 0.000_02, 640)
    assert not noted(pace, 0.000_2, 64).slow
