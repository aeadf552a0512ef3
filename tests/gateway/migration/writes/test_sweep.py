"""kill -9 at any step of a dual write, of one worker and of all: steps are counted in calls, and drawn by a seed.

Whatever the step: what was answered has happened, nothing is lost, nothing is made twice where the upstream can tell,
and of what nobody knows people are told.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import httpx
import pytest

AtStage = Callable[..., AbstractContextManager[Any]]
SIDES = {"dual_legacy": ("old", "new"), "dual_new": ("new", "old")}
SEED = int(os.environ.get("FIGWAY_SEED", "20261121"))
POINTS = 30 if os.environ.get("FIGWAY_SLOW") else 3
FILES = (
    *(f"gateway/migration/{name}.py" for name in ("writes", "outbox", "outbox_file", "apply", "pending", "requests")),
    *(f"gateway/operations/{name}.py" for name in ("file", "ledger", "service", "outcome")),
    "gateway/filters/idempotency.py",
    "lab_adapter.py",
)
QUIET = ("_run", "_lead", "work", "__init__", "build", "operations", "any")
ROUTES = ("told", "items", "again")
"""Writes that the upstream can tell of, that it can't, and that may be repeated."""
LONG = 60.0


def _sent(at: Any, path: str) -> httpx.Response | None:
    """The answer; None: whoever was to give it was killed."""
    try:
        answer: httpx.Response = at.put(path, 1, f"key-{path}")
    except httpx.HTTPError:
        return None
    return answer


def _final(at: Any, path: str) -> httpx.Response:
    """The last word on a write: what is unknown for now, busy or standing still is asked for again."""
    until = time.monotonic() + LONG
    while True:
        answer = _sent(at, path)
        if answer is not None and (answer.status_code == 200 or (answer.status_code == 504 and _stays(answer, path))):
            return answer
        assert time.monotonic() < until, (path, answer and answer.text, at.gateway.logged()[-3000:])
        time.sleep(0.1)


def _stays(answer: httpx.Response, path: str) -> bool:
    """Whether a 504 is the last word: where nobody can tell, or of a change that was made and isn't made again."""
    return "/items/" in path or ("/again/" in path and "its answer is lost" in answer.json()["detail"])


class Sweep:
    """One stage's. Points are drawn from as many steps as three writes take."""

    def __init__(self, fuse: Any, sides: tuple[str, str], dice: Random) -> None:
        self._fuse, self._sides, self._dice = fuse, sides, dice
        self._steps = self._number = 0
        self.killed = self.unknown = 0

    def send(self, at: Any) -> list[str]:
        """Three writes, one of which may be the last thing that somebody does."""
        paths = [f"/{route}/{route}-{self._number}" for route in ROUTES]
        self._number += 1
        self._fuse.light(self._dice.randint(1, self._steps) if self._steps else 10**9)
        with ThreadPoolExecutor(len(paths)) as callers:
            answers = list(callers.map(lambda path: _sent(at, path), paths))
        if not self._steps:
            at.until(lambda: not at.states())
            assert [each and each.status_code for each in answers] == [200] * len(paths)
            self._steps = 10**9 - self._fuse.put_out()
            return paths
        quiet = time.monotonic() + 3
        while not self._fuse.killed and at.states() and time.monotonic() < quiet:
            time.sleep(0.01)
        self.killed += bool(self._fuse.killed)
        self._fuse.put_out()
        return paths

    def judge(self, at: Any, paths: list[str]) -> None:
        """What has become of them, when everything has come to rest."""
        answers = {path.rsplit("/", 1)[1]: _final(at, path) for path in paths}
        at.until(lambda: all(at.states().get(sku) in (None, "unknown", "unsettled") for sku in answers), LONG)
        at.until(lambda: not any(sku in at.states() for sku in answers if "items" not in sku), LONG)
        for sku, answer in answers.items():
            first, other = (at.numbers(side, sku) for side in self._sides)
            if sku.startswith("told"):
                assert (first, other) == ([1], [1]), sku
            elif sku.startswith("again"):
                assert (set(first), set(other)) == ({1}, {1}), sku
            else:
                self._judge_untold(at, sku, answer)

    def _judge_untold(self, at: Any, sku: str, answer: httpx.Response) -> None:
        first, other = (at.numbers(side, sku) for side in self._sides)
        state = at.states().get(sku)
        assert max(len(first), len(other)) <= 1, "applied twice"
        if answer.status_code == 200 or other:
            assert first == [1]
        if state is None and first:
            assert other == [1], "lost, and nobody is told"
        if state is None and not first:  # it was kept that it would be sent, but not even the outbox heard of it
            with at.gateway.client() as client:
                found = client.get(f"/-/operations/{answer.json()['operation']}").json()
            assert found["state"] == "unknown"
        self.unknown += answer.status_code == 504


@pytest.mark.parametrize(
    ("stage", "workers"),
    [
        ("dual_legacy", 2),
        pytest.param("dual_legacy", 1, marks=pytest.mark.slow),
        pytest.param("dual_new", 2, marks=pytest.mark.slow),
        pytest.param("dual_new", 1, marks=pytest.mark.slow),
    ],
)
def test_writes_are_killed_at_any_step(
    lab: AtStage, fuses: ModuleType, tmp_path: Path, stage: str, workers: int
) -> None:
    fuse = fuses.Fuse(tmp_path / "fuse", FILES, QUIET)
    sweep = Sweep(fuse, SIDES[stage], Random(SEED))
    arguments = ("--workers", str(workers)) if workers > 1 else ()
    left: list[str] = []
    points = -1
    while points < POINTS or left:
        with lab(stage, "canary", *arguments, extra=fuse.environment) as at:
            if left:
                sweep.judge(at, left)
            left = []
            while points < POINTS and at.gateway.process.poll() is None:
                left = sweep.send(at)
                points += 1
                if workers == 1 and fuse.killed:
                    at.gateway.process.wait(10)
                    break
                sweep.judge(at, left)
                left = []
    told = f"{sweep.killed} kills, {sweep.unknown} writes of unknown outcome, all told"
    print(f"{stage}, {workers} workers, {points} points (seed {SEED}): 0 lost, 0 twice, {told}")
    assert sweep.killed >= points // 6
