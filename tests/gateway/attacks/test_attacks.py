"""Every attack of the table, each against a gateway that runs; the fixture `lab` looks at what it left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from beside import beside

_HERE = Path(__file__).parent


def _attacks(name: str) -> list[Callable[[Any], None]]:
    module = beside(__file__, name)
    own = [each for each in vars(module).values() if getattr(each, "__module__", "") == module.__name__]
    return [each for each in own if callable(each) and not each.__name__.startswith("_")]


MODULES = sorted(path.stem for path in _HERE.glob("on_*.py") if path.stem != "on_framing")
FOUND = [(name, each) for name in MODULES for each in _attacks(name)]
# Each takes a third of a second: every other one is for the slow tests.
ATTACKS = [
    pytest.param(each, id=f"{name[3:]}-{each.__name__}", marks=[pytest.mark.slow] if number % 2 else [])
    for number, (name, each) in enumerate(FOUND)
]


def test_the_table_names_every_attack() -> None:
    table = yaml.safe_load((_HERE / "attacks.yaml").read_text())
    written = {name: set(surface["techniques"]) for name, surface in table.items()}
    made = {path.stem[3:]: {each.__name__ for each in _attacks(path.stem)} for path in _HERE.glob("on_*.py")}
    assert written == made
    assert sum(map(len, made.values())) >= 150


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_does_not_succeed(lab: Any, attack: Callable[[Any], None]) -> None:
    attack(lab)
