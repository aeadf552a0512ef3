"""Sweeps: every seeded divergence is found, of each kind, and nothing else; they go on after a crash."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

Serve = Callable[..., AbstractContextManager[Any]]
SEED = 20261121
COUNT = 120


def diverge(shops: tuple[Any, Any], fill: Callable[[int], Any], seed: int) -> dict[str, str]:
    """Fills both and has them differ; entity → how."""
    old, new = shops
    old.kept, new.kept = fill(COUNT), fill(COUNT)
    chance = random.Random(seed)
    chosen = chance.sample(sorted(old.kept), 25)
    expected: dict[str, str] = {}
    for number, id in enumerate(chosen):
        match number % 5:
            case 0:
                del new.kept[id]
                expected[id] = "missing"
            case 1:
                del old.kept[id]
                expected[id] = "extra"
            case 2:
                new.kept[id]["city"] = "Oslo"
                expected[id] = "different"
            case 3:  # what only the entity's own route shows
                new.kept[id]["limit"] = "99999.00"
                expected[id] = "different"
            case 4:  # as the rules of parity allow
                new.kept[id] |= {"seen": "y", "limit": str(round(float(old.kept[id]["limit"]) + 0.01, 2))}
    return expected


@pytest.mark.parametrize("deep", [True, False], ids=["details", "lists"])
@pytest.mark.parametrize("backwards", [False, True], ids=["alike", "backwards"])
def test_every_divergence_is_found_and_no_other(
    moving: Serve, shops: tuple[Any, Any], fill: Callable[[int], Any], deep: bool, backwards: bool
) -> None:
    print(f"seed {SEED}")
    expected = diverge(shops, fill, SEED)
    shops[1].backwards = backwards
    with moving(deep=deep) as at:
        run = at.sweep()
        assert run["state"] == "done"
        found = at.reconciliation()
        assert at.kinds() == expected
        counts = {kind: list(expected.values()).count(kind) for kind in ("missing", "extra", "different")}
        assert run["counts"] == {"same": COUNT - len(expected), "unknown": 0, **counts}
        assert run["walked"] == {"legacy": len(at.old.kept), "replacement": len(at.new.kept)}
        sample = next(each for each in found["examples"] if each["kind"] == "different")
        assert "Oslo" not in str(found)
        assert sample["differences"][0]["at"] in ("/city", "/limit")
