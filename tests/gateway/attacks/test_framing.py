"""Malformed framing, directly and through HAProxy and nginx."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

_spec = importlib.util.spec_from_file_location("figway_attacks_on_framing", Path(__file__).with_name("on_framing.py"))
assert _spec is not None
assert _spec.loader is not None
on_framing = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(on_framing)
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
