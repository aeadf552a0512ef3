"""The autopilot's loop on real evidence: what it stops, publishes and tells, and what others do meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.migration import autopilot as room
from gateway.migration import watch
from gateway.migration.autopilot import Autopilot
from gateway.migration.evidence import Evidence
from gateway.migration.model import Group, Stage
from gateway.routing.gates_schema import GatesModel, RampModel
from gateway.store.contract import Moved, StoreError
from gateway.store.leader import Leader

CANARY = Stage("canary", weight=500_000)


@dataclass
class Controls:
    """A store of stages, as the loop sees it."""

    evidence: Evidence
    group: Group
    version: int = 1
    healthy: bool | None = True
    failures: list[Exception] = field(default_factory=list)
    flips: list[tuple[Stage, str, Mapping[str, Any]]] = field(default_factory=list)
    events: list[Mapping[str, Any]] = field(default_factory=list)
    probes: int = 0

    def groups(self) -> tuple[int, Mapping[str, Group]]:
        return self.version, {"customers": self.group}

    async def flip(self, group: str, stage: Stage, reason: str, evidence: Mapping[str, Any], expected: int) -> int:
        if self.failures:
            raise self.failures.pop(0)
        if expected != self.version:
            raise Moved(expected, self.version)
        self.flips.append((stage, reason, evidence))
        self.publish(stage)
        return self.version

    def publish(self, stage: Stage) -> None:
        self.version += 1
        self.group = replace(self.group, stage=stage)
        self.evidence.begin("customers", self.version, stage)

    async def probe(self, group: str, deadline: float) -> bool | None:
        self.probes += 1
        await asyncio.sleep(0)
        return self.healthy

    async def notify(self, event: Mapping[str, Any]) -> None:
        self.events.append(event)

    def told(self) -> list[str]:
        return [event["event"] for event in self.events]


@pytest.fixture
def controls(tmp_path: Path) -> Iterator[Controls]:
    evidence = Evidence.open(tmp_path / "evidence", SimpleNamespace(claim=lambda: 0))
    evidence.begin("customers", 1, CANARY)
    yield Controls(evidence, Group("customers", CANARY, gates=GatesModel()))
    evidence.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes come one after another, instead of once a second."""
    monkeypatch.setattr(watch, "_PROBE_PAUSE", 0.001)


def fail(controls: Controls, times: int, first: int = 0) -> None:
    for key in range(first, first + times):
        controls.evidence.note("customers", "replacement", error=True, slow=False, key=key, signature="timeout")


@asynccontextmanager
async def flying(autopilot: Autopilot) -> AsyncIterator[None]:
    """The loop runs meanwhile."""
    running = asyncio.create_task(autopilot.run())
    yield
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def come(done: Callable[[], Any], seconds: float = 20.0) -> None:
    """Waits until something is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it never came to that"
        await asyncio.sleep(0.005)


async def until(autopilot: Autopilot, done: Callable[[], Any]) -> None:
    """Runs the loop until something is so."""
    async with flying(autopilot):
        await come(done)


async def test_three_failures_stop_the_replacement_and_roll_it_back_with_the_evidence(controls: Controls) -> None:
    autopilot = Autopilot(controls.evidence, controls)
    fail(controls, 2)
    await autopilot.tick(time.monotonic())
    assert not controls.evidence.stopped("customers")
    fail(controls, 1, 2)
    await autopilot.tick(time.monotonic())
    assert controls.evidence.stopped("customers")
    await until(autopilot, lambda: controls.flips)
    ((stage, reason, evidence),) = controls.flips
    assert (stage.reads, stage.weight) == ("legacy", 0)
    assert "error is above 0.5 %" in reason
    assert evidence["replacement"]["error_incidents"] == 3
    assert evidence["legacy_seen"]["failed"] == 0
    assert controls.told() == ["checking", "rolled_back"]
    assert not controls.evidence.stopped("customers")  # its new stage has ended that


async def test_what_is_at_legacy_is_never_rolled_back_again(controls: Controls) -> None:
    autopilot = Autopilot(controls.evidence, controls)
    fail(controls, 3)
    await until(autopilot, lambda: controls.flips)
    fail(controls, 10, 100)
    for _ in range(3):
        await autopilot.tick(time.monotonic())
    assert len(controls.flips) == 1


async def test_the_old_system_is_asked_five_times_and_then_once_a_second(
    controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_PROBE_PAUSE", 3600.0)
    autopilot = Autopilot(controls.evidence, controls)
    fail(controls, 3)
    await autopilot.tick(time.monotonic())
    for _ in range(50):
        await asyncio.sleep(0)
    assert controls.probes == 5


async def test_while_legacy_fails_too_nothing_is_rolled_back(controls: Controls) -> None:
    controls.healthy = False
    fail(controls, 3)
    async with flying(Autopilot(controls.evidence, controls)):
        await come(lambda: "vetoed" in controls.told())
        assert not controls.flips
        assert not controls.evidence.stopped("customers")
        controls.healthy = True
        await come(lambda: "fine" in controls.told())
        assert not controls.flips
        fail(controls, 3, 10)
        await come(lambda: controls.flips)


async def test_whoever_leads_after_a_crash_rolls_back_what_was_stopped(controls: Controls) -> None:
    fail(controls, 3)
    first = Autopilot(controls.evidence, controls)
    await first.tick(time.monotonic())
    assert controls.evidence.stopped("customers")
    del first  # and with it all that it knew
    await until(Autopilot(controls.evidence, controls), lambda: controls.flips)
    assert len(controls.flips) == 1


async def test_failures_before_a_leader_was_elected_count(controls: Controls) -> None:
    fail(controls, 3)
    await until(Autopilot(controls.evidence, controls), lambda: controls.flips)


async def test_a_newer_snapshot_of_somebody_else_is_never_undone(controls: Controls) -> None:
    """A person takes the group back and begins anew while the autopilot is about to publish."""
    autopilot = Autopilot(controls.evidence, controls)
    published = controls.flip

    async def overtaken(group: str, stage: Stage, reason: str, evidence: Mapping[str, Any], expected: int) -> int:
        controls.flip = published  # type: ignore[method-assign]
        controls.publish(Stage("canary", weight=10_000))
        return await published(group, stage, reason, evidence, expected)

    controls.flip = overtaken  # type: ignore[method-assign]
    fail(controls, 3)
    await until(autopilot, lambda: controls.version == 2)
    for _ in range(5):
        await autopilot.tick(time.monotonic())
    assert controls.group.stage.weight == 10_000
    assert not controls.flips
    fail(controls, 3, 50)
    await until(autopilot, lambda: controls.flips)


async def test_a_store_that_fails_is_tried_again_and_the_replacement_stays_stopped(
    controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_RETRY", 0.01)
    # Another group's snapshot only delays it, too.
    controls.failures = [StoreError("the disk is full"), Moved(1, 2), StoreError("the disk is full")]
    autopilot = Autopilot(controls.evidence, controls)
    fail(controls, 3)
    await until(autopilot, lambda: len(controls.failures) < 3)
    assert controls.evidence.stopped("customers")
    await until(autopilot, lambda: controls.flips)


async def test_a_manual_gate_takes_no_step_but_doesn_t_pause_the_guardrails(controls: Controls) -> None:
    gates = GatesModel(manual=True, keys=1)
    controls.group = replace(
        controls.group, gates=gates, ramp=RampModel.model_validate({"steps": [60], "every": "1ms"})
    )
    for key in range(800):
        controls.evidence.note("customers", "replacement", error=False, slow=False, key=key)
    async with flying(Autopilot(controls.evidence, controls)):
        await come(lambda: "proposed" in controls.told())
        assert controls.group.stage == CANARY
        fail(controls, 3)
        await come(lambda: controls.flips)


async def test_a_ramp_goes_up_step_by_step_each_on_evidence_of_its_own(controls: Controls) -> None:
    ramp = RampModel.model_validate({"steps": [60, 70, 99], "every": "1ms"})
    controls.group = replace(controls.group, ramp=ramp)
    weights = []
    for _ in range(3):
        for key in range(800):
            controls.evidence.note("customers", "replacement", error=False, slow=False, key=key)
        await asyncio.sleep(2 * ramp.every)
        count = len(controls.flips)
        await until(Autopilot(controls.evidence, controls), lambda count=count: len(controls.flips) > count)
        weights.append(controls.group.stage.weight)
        assert controls.evidence.read("customers").replacement.calls == 0
    assert weights == [600_000, 700_000, 990_000]
    await until(Autopilot(controls.evidence, controls), lambda: "done" in controls.told())
    assert controls.told() == ["promoted"] * 3 + ["done"]
    assert [event["author"] for event in controls.events] == ["autopilot"] * 4


async def test_without_traffic_it_holds_and_says_so_once(controls: Controls) -> None:
    controls.group = replace(controls.group, ramp=RampModel.model_validate({"steps": [60], "every": "1ms"}))
    autopilot = Autopilot(controls.evidence, controls)
    for second in range(5):
        await autopilot.tick(time.monotonic() + 2 * second)
    assert controls.told() == ["held"]
    assert "no calls" in controls.events[0]["reason"]
    assert controls.group.stage == CANARY


async def test_a_flip_that_hangs_holds_up_no_other_group(controls: Controls, monkeypatch: pytest.MonkeyPatch) -> None:
    orders, hung = replace(controls.group, name="orders"), asyncio.Event()
    published = controls.flip

    async def flip(group: str, stage: Stage, reason: str, evidence: Mapping[str, Any], expected: int) -> int:
        if group == "orders":
            await hung.wait()
        return await published(group, stage, reason, evidence, expected)

    def groups() -> tuple[int, Mapping[str, Group]]:
        return controls.version, {"orders": orders, "customers": controls.group}

    monkeypatch.setattr(controls, "flip", flip)
    monkeypatch.setattr(controls, "groups", groups)
    for key in range(3):
        controls.evidence.note("orders", "replacement", error=True, slow=False, key=key)
    async with flying(Autopilot(controls.evidence, controls)):
        await come(lambda: controls.evidence.stopped("orders"))
        fail(controls, 3)
        await come(lambda: controls.flips)


async def test_only_whoever_leads_looks(controls: Controls, tmp_path: Path) -> None:
    leading, other = Leader(tmp_path / "leader"), Leader(tmp_path / "leader")
    assert leading.try_lead()
    fail(controls, 3)
    waiting = asyncio.create_task(Autopilot(controls.evidence, controls).lead(other))
    await asyncio.sleep(0.1)
    assert not controls.evidence.stopped("customers")
    leading.resign()
    await come(lambda: controls.flips)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert leading.try_lead()
    leading.resign()


async def test_what_may_not_go_back_isn_t_looked_at(controls: Controls) -> None:
    controls.group = replace(controls.group, stage=Stage("new_only", "new_only"), state="replicated")
    fail(controls, 10)
    await Autopilot(controls.evidence, controls).tick(time.monotonic())
    assert not controls.events
    assert not controls.evidence.stopped("customers")
