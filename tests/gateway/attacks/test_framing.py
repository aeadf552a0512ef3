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


@pytest.mark.parametrize("through", on_framing.THROUGH)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda each: each.__name__)
def test_no_request_has_two_meanings(lab: Any, attack: Any, through: str) -> None:
    attack(lab, lab.ports[through])
