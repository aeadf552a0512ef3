"""kill -9 at any step of a flip of who has the last word on writes, of whoever carries it out: a verb at the host, or a
worker, which is all of them where there is one. Steps are counted in calls, and drawn by a seed.

Whatever the step: the group is where it was or where it was to go, its writes go on, every worker serves the same, and
what was written meanwhile has happened once.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from itertools import count
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import httpx
import pytest

from gateway.store.sqlite import SqliteState

AtStage = Callable[..., AbstractContextManager[Any]]
SEED = int(os.environ.get("FIGWAY_SEED", "20261121"))
POINTS = 20 if os.environ.get("FIGWAY_SLOW") else 2
FILES = ("gateway/migration/changes.py", "gateway/store/sqlite.py", "gateway/store/shared.py", "gateway/runtime.py")
QUIET = (
    "generation",
    "_follow",
    "_wait",
    "_late",
    "behind",
    "unsettled",
    "alive",
    "started",
    "<listcomp>",
    "<genexpr>",
)
NEXT = {"legacy": "dual_legacy", "dual_legacy": "dual_new", "dual_new": "legacy"}
LONG = 60.0


def _active(folder: Path) -> tuple[int, dict[str, Any]]:
    """The snapshot that is active, and the group's stage."""
    with closing(SqliteState(folder / ".figway" / "state.db")) as state:
        found = state.active_snapshot()
    assert found is not None
    return found.version, dict(found.stages["lab"])


class Writer(threading.Thread):
    """Writes on and on, each once more with its key until it is answered."""

    def __init__(self, at: Any, first: int) -> None:
        super().__init__(daemon=True)
        self.at, self._first, self._over = at, first, threading.Event()
        self.open: list[str] = []
        self.done: list[str] = []

    def run(self) -> None:
        for number in count(self._first):
            if self._over.is_set():
                return
            self.open.append(f"w{number}")
            self.try_open()

    def try_open(self) -> int:
        """Another try at each write that isn't answered yet; how many aren't then."""
        for sku in tuple(self.open):
            try:
                answer = self.at.put(f"/told/{sku}", 1, f"key-{sku}")
            except httpx.HTTPError:
                continue
            if answer.status_code == 200:
                self.open.remove(sku)
                self.done.append(sku)
            else:
                assert answer.status_code in (409, 502, 503, 504), answer.text
        return len(self.open)

    def stop(self) -> None:
        self._over.set()
        self.join(LONG)


def _flip(at: Any, who: str, to: str, running: ModuleType, fuse: Any) -> None:
    """Flips the group; whoever does so may be killed."""
    if who == "host":
        command = ["route", "flip", "lab", "--writes", to, "--reason", "sweep", "--workspace", str(at.folder)]
        running.figway(*command, extra=fuse.environment, timeout=LONG)
        return
    version = _active(at.folder)[0]
    try:
        with at.gateway.client() as client:
            client.timeout = LONG
            client.post(
                "/-/admin/groups/lab/flip",
                json={"writes": to, "reason": "sweep"},
                headers={"if-match": f'"{version}"'},
            )
    except httpx.HTTPError:
        pass


def _at_rest(at: Any) -> str:
    """The stage of writes, once they go on and every worker serves what is active."""
    until = time.monotonic() + LONG
    while True:
        version, stage = _active(at.folder)
        if not stage["frozen"] and _served(at) == {version}:
            return str(stage["writes"])
        assert time.monotonic() < until, (version, stage, at.gateway.logged()[-3000:])
        time.sleep(0.1)


def _served(at: Any) -> set[int]:
    """By which snapshots new connections are served, many of them."""
    headers = {"authorization": at.gateway.reader}
    try:
        answers = [httpx.get(f"{at.gateway.url}/items/x", headers=headers, timeout=10) for _ in range(8)]
    except httpx.HTTPError:
        return set()
    return {int(each.headers["figway-snapshot"]) for each in answers}


def _judged(at: Any, writer: Writer) -> int:
    """Each write has happened: at legacy once, which always has them, and at the replacement once or never; how many
    there were."""
    writer.at = at
    at.until(lambda: not writer.try_open(), LONG)
    at.until(lambda: not at.states(), LONG)
    for sku in writer.done:
        assert at.numbers("old", sku) == [1], sku
        assert at.numbers("new", sku) in ([], [1]), sku
    return len(writer.done)


@pytest.mark.parametrize(
    ("who", "workers"),
    [("host", 2), pytest.param("worker", 2, marks=pytest.mark.slow), pytest.param("worker", 1, marks=pytest.mark.slow)],
)
def test_flips_are_killed_at_any_step(
    lab: AtStage, fuses: ModuleType, running: ModuleType, tmp_path: Path, who: str, workers: int
) -> None:
    dice, fuse = Random(SEED), fuses.Fuse(tmp_path / "fuse", FILES, QUIET)
    extra = fuse.environment if who == "worker" else None
    arguments = ("--workers", str(workers)) if workers > 1 else ()
    steps = killed = writes = made = 0
    before, to, points = "legacy", "legacy", -1
    writer: Writer | None = None
    while points < POINTS or writer is not None:
        with lab("legacy", "legacy", *arguments, extra=extra) as at:
            while points < POINTS or writer is not None:
                stage = _at_rest(at)
                assert stage in (before, to)
                if writer is not None:
                    made += stage == to
                    writes += _judged(at, writer)
                if points == POINTS:
                    writer = None
                    break
                before, to, writer = stage, NEXT[stage], Writer(at, writes)
                writer.start()
                # Rather later: most steps come before anything is published.
                fuse.light(max(dice.randint(1, steps), dice.randint(1, steps)) if steps else 10**9)
                _flip(at, who, to, running, fuse)
                steps, points = steps or 10**9 - fuse.put_out(), points + 1
                dead, _ = fuse.killed, fuse.put_out()
                killed += bool(dead)
                writer.stop()
                if dead == at.gateway.process.pid:
                    at.gateway.process.wait(10)
                    break
    counted = f"{killed} kills in {points} flips of {steps} steps, {made} of all made"
    print(f"{who}, {workers} workers (seed {SEED}): {counted}; {writes} writes, 0 lost, 0 twice")
    assert killed >= points // 6
