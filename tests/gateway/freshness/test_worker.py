"""The worker: alarms before a disk is full, pauses, and failures that are tried again."""

from __future__ import annotations

import random
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from adapters.changes import Retained
from adapters.errors import Unavailable
from gateway.events.log import EventLog
from gateway.freshness import worker
from gateway.freshness.capturing import Capturing
from gateway.freshness.documents import troubles
from gateway.freshness.gauges import CaptureGauges
from gateway.freshness.worker import Followed, _Following

_NAME = "erp.things"


def _following(log: EventLog, capture: Any) -> _Following:
    capturing = Capturing(_NAME, capture, log, "d")
    followed = Followed(capture.guarantee, 1_000_000, capturing)
    return _Following(_NAME, capture, followed, log, 0.02)


async def test_a_source_that_keeps_too_much_raises_an_alarm(tmp_path: Path, imagined: ModuleType) -> None:
    log, capture = EventLog(tmp_path / "events.db"), imagined.Imagined(imagined.Table(1), 0, 0.0)
    kept = [2_000_000]

    async def retained(deadline: float) -> Retained:
        return Retained(kept[0])

    capture.retained = retained
    following = _following(log, capture)
    try:
        await following._step()
        following._measured = 0.0
        await following._step()
        assert "keeps more than" in troubles(await log.standings())[_NAME]
        kept[0], following._measured = 10, 0.0
        await following._step()
        assert troubles(await log.standings()) == {}
        following._followed.capturing.comparing.alarm, following._measured = "3 rows differed", 0.0
        await following._step()
        assert troubles(await log.standings()) == {_NAME: "3 rows differed"}
    finally:
        log.close()


async def test_what_fails_is_said_and_tried_ever_more_slowly(tmp_path: Path, imagined: ModuleType) -> None:
    table = imagined.Table(1)
    table.happen(20)
    log, capture = EventLog(tmp_path / "events.db"), imagined.Imagined(table, 0, 0.0)
    following = _following(log, capture)
    good = capture.changes

    async def bad(*_: Any) -> Any:
        raise Unavailable("the database can't be reached")

    try:
        await following._step()
        capture.changes = bad
        pauses = [await following._step() for _ in range(12)]
        assert pauses == sorted(pauses)
        assert pauses[0] < 1 < pauses[-1] == 30.0
        assert troubles(await log.standings()) == {_NAME: "the database can't be reached"}
        capture.changes = good
        for _ in range(30):
            pause = await following._step()
        assert pause < 1
        assert troubles(await log.standings()) == {}
        assert following._followed.problem == ""
    finally:
        log.close()


def test_a_source_that_has_nothing_new_works_a_fifth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(worker.time, "monotonic", lambda: clock[0])
    budget, rng, worked = worker._Budget(), random.Random(4), 0.0
    for _ in range(2_000):
        took = rng.choice([0.002, 0.005, 0.03, 0.4])
        clock[0] += took
        worked += took
        clock[0] += max(0.02, budget.spent(took))
        assert worked <= 0.21 * (clock[0] - 100.0) + worker._CREDIT + 0.4
    clock[0] += 10.0
    assert budget.spent(0.25) == 0.0, "one slow answer doesn't hold up what comes next"
    assert budget.spent(0.25) > 0.5


async def test_what_is_measured_is_put_and_taken_back(tmp_path: Path, imagined: ModuleType) -> None:
    table = imagined.Table(1)
    log = EventLog(tmp_path / "events.db")
    following = _following(log, imagined.Imagined(table, 0, 0.0))
    try:
        for _ in range(5):
            await following._step()
        table.happen(10)
        for _ in range(20):
            await following._step()
    finally:
        log.close()
    put: dict[Any, float] = {}

    class Meters:
        def put(self, family: Any, value: float, *labels: str) -> None:
            put[family.name] = value

        def add(self, family: Any, value: float, *labels: str) -> None:
            put[family.name] = put.get(family.name, 0) + value

    leading = SimpleNamespace(followed={_NAME: following._followed})
    gauges = CaptureGauges(leading)  # type: ignore[arg-type]
    gauges(Meters())  # type: ignore[arg-type]
    assert put["figway_capture_changes_total"] == len(table.history)
    assert put["figway_capture_stalled"] == 0
    assert put["figway_capture_age_seconds"] >= 0
    leading.followed = {}
    gauges(Meters())  # type: ignore[arg-type]
    assert put["figway_capture_age_seconds"] == 0
