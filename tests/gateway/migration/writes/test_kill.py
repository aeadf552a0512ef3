"""kill -9 at every step of a dual write: nothing lost, nothing twice where the upstream can tell, the rest is listed.

The lab adapter holds a side up before or behind its effect, and the gateway is killed meanwhile.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import Any

import httpx
import pytest

AtStage = Callable[..., AbstractContextManager[Any]]
LONG = 7
"""Seconds: time to kill it in, and within the deadline, as the other side is told anew with the same request."""
STEPS: dict[str, dict[str, Any]] = {
    "first-before": {"first": {"seconds": LONG}},
    "first-behind": {"first": {"after": LONG}},
    "other-before": {"then": {"seconds": LONG}},
    "other-behind": {"then": {"after": LONG}},
}
"""Step → what holds the write up: which side, before or behind its effect."""
SIDES = {"dual_legacy": ("old", "new"), "dual_new": ("new", "old")}


def _put(at: Any, path: str, said: dict[str, Any]) -> None:
    with suppress(httpx.HTTPError):
        at.put(path, 1, "killed" + path, **said)


def _there(at: Any, sides: tuple[str, str], sku: str) -> bool:
    """Whether a write has come to where it's held up."""
    side, moment = sku.split("-", 2)[1:]
    if moment == "behind":
        return bool(at.numbers(sides[side == "other"], sku))
    return bool(at.state_of(sku) == ("sent" if side == "first" else "applying"))


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["dual_legacy", "dual_new"])
def test_writes_are_killed_at_every_step(lab: AtStage, stage: str) -> None:
    sides = SIDES[stage]
    writes = {f"/{route}/{route}-{step}": said for route in ("told", "items") for step, said in STEPS.items()}
    skus = [path.rsplit("/", 1)[1] for path in writes]
    with lab(stage, kills=True) as at, ThreadPoolExecutor(len(writes)) as callers:
        for path, said in writes.items():
            callers.submit(_put, at, path, said)
        at.until(lambda: all(_there(at, sides, sku) for sku in skus))
        at.gateway.stop(signal.SIGKILL)
    before = {sku: [at.numbers(side, sku) for side in sides] for sku in skus}
    with lab(stage, kills=True) as at:
        open_still = {"items-first-before", "items-first-behind", "items-other-before", "items-other-behind"}
        at.until(lambda: at.states().keys() == open_still, 60)
        # Where the upstream can tell: on both sides once, or on neither.
        assert [at.numbers(side, "told-first-before") for side in sides] == [[], []]
        for sku in ("told-first-behind", "told-other-before", "told-other-behind"):
            assert [at.numbers(side, sku) for side in sides] == [[1], [1]], sku
        # Where it can't: nothing more has happened, and people are told.
        for sku in open_still:
            assert [at.numbers(side, sku) for side in sides] == before[sku], sku
            assert at.states()[sku] == ("unknown" if "first" in sku else "unsettled")
        # Sent again with its key, each is the same write (what was never made would be held up again).
        again = {path: said for path, said in writes.items() if "told-first-before" not in path}
        # One of unknown outcome is looked at again once it can't be under way any more.
        lost = "/told/told-first-behind"
        at.until(lambda: at.put(lost, 1, "killed" + lost, **writes[lost]).status_code == 200)
        answers = {path: at.put(path, 1, "killed" + path, **said).status_code for path, said in again.items()}
        assert answers == {path: 504 if "items-first" in path else 200 for path in again}
        for sku in skus:
            expected = before[sku] if sku in open_still else [[], []] if "first-before" in sku else [[1], [1]]
            assert [at.numbers(side, sku) for side in sides] == expected, sku
        assert at.states().keys() == open_still
