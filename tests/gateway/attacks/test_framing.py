"""Malformed framing, directly and through HAProxy and nginx."""

from __future__ import annotations

from typing import Any

import pytest
from beside import beside

on_framing = beside(__file__, "on_framing")
ATTACKS = [
    each for name, each in vars(on_framing).items() if callable(each) and not name.startswith("_") and name != "Any"
]


# Each in one or two of the three ways; in all of them in the slow tests.
PLACES = [
    pytest.param(
        each, through, id=f"{each.__name__}-{through}", marks=[pytest.mark.slow] if number % 2 != at % 2 else []
    )
    for number, each in enumerate(ATTACKS)
    for at, through in enumerate(on_framing.THROUGH)
]


@pytest.mark.parametrize(("attack", "through"), PLACES)
def test_no_request_has_two_meanings(lab: Any, attack: Any, through: str) -> None:
    attack(lab, lab.ports[through])
