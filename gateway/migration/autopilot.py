"""The elected worker's loop: rolls back what its guardrails say, and takes the steps of ramps.

Something that went wrong in any worker is seen within `_PULSE`; whatever comes of it, it is looked at every `_TICK`.
An alarm stops the replacement through shared memory at once; the snapshot without it follows. What the loop knows is
in the evidence, so whoever is elected after a crash goes on: a group that is stopped is looked at again, and rolling
back what is at legacy already does nothing. A snapshot of somebody else's in between is never undone: then the group
is looked at as it stands now.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from gateway.migration.evidence import Evidence
from gateway.migration.gates.judge import Ruling
from gateway.migration.gates.ramp import gates_of, next_step
from gateway.migration.model import Group, Stage
from gateway.migration.watch import Watch, is_guarded, legacy
from gateway.store.contract import Moved, StoreError
from gateway.store.leader import Leader

logger = logging.getLogger("figway")

_PULSE = 0.01
_TICK = 0.1
_RAMP_PAUSE = 1.0
_RETRY = 0.25
_LEAD_POLL = 1.0
_EVENTS = {"hold": "held", "propose": "proposed", "done": "done"}
AUTHOR = "autopilot"


class Controls(Protocol):
    """What the loop sees and does; `app` makes them."""

    def groups(self) -> tuple[int, Mapping[str, Group]]:
        """The active snapshot's version, and its groups."""
        ...

    async def flip(self, group: str, stage: Stage, reason: str, evidence: Mapping[str, Any], expected: int) -> int:
        """Publishes a snapshot that differs from `expected` in the group's stage only; returns its version, which
        `groups` tells from then on. Raises `Moved` when another snapshot is active, or `StoreError`."""
        ...

    async def probe(self, group: str, deadline: float) -> bool | None:
        """Whether legacy answers a read of the group well by then (monotonic); None: it couldn't be asked."""
        ...

    async def notify(self, event: Mapping[str, Any]) -> None:
        """Tells people. Doesn't raise."""
        ...


class Autopilot:
    """Runs in the process that leads. Flips are made beside the loop: one that takes long holds up no other group."""

    def __init__(self, evidence: Evidence, controls: Controls) -> None:
        self._evidence, self._controls = evidence, controls
        self._watches: dict[str, Watch] = {}
        self._flips: dict[str, asyncio.Task[None]] = {}
        self._retry: dict[str, float] = {}
        self._told: dict[str, str] = {}
        self._ramped = 0.0

    async def lead(self, leader: Leader) -> None:
        """Runs while this process leads, which it may not for a long time."""
        while not leader.try_lead():  # noqa: ASYNC110 - the lock is another process's: nothing here tells
            await asyncio.sleep(_LEAD_POLL)
        try:
            await self.run()
        finally:
            leader.resign()

    async def run(self) -> None:
        """Looks at all groups, again and again, until it is cancelled."""
        pulse, looked = -1, 0.0
        try:
            while True:
                now, beat = time.monotonic(), self._evidence.pulse
                if beat != pulse or now >= looked + _TICK:
                    pulse, looked = beat, now
                    await self.tick(now)
                await asyncio.sleep(_PULSE)
        finally:
            for task in self._flips.values():
                task.cancel()
            for name in tuple(self._watches):
                self._forget(name)

    async def tick(self, now: float) -> None:
        """Looks at every group once. `now` on the monotonic clock."""
        version, groups = self._controls.groups()
        for gone in self._watches.keys() - groups.keys():
            self._forget(gone)
        ramps = now >= self._ramped + _RAMP_PAUSE
        self._ramped = now if ramps else self._ramped
        for name, group in groups.items():
            if name in self._flips:
                continue
            if not is_guarded(group):
                self._forget(name)
            elif await self._guard(group, version, now) == "fine" and ramps:
                await self._ramp(group, version)

    def _forget(self, name: str) -> None:
        watch = self._watches.pop(name, None)
        if watch is not None:
            watch.close()

    async def _guard(self, group: Group, version: int, now: float) -> Ruling:
        watch = self._watches.get(group.name)
        if watch is None or watch.group != group or watch.generation != self._evidence.generation(group.name):
            self._forget(group.name)
            watch = self._watches[group.name] = Watch(group, self._evidence, self._controls.probe, now)
        before, ruling = watch.ruling, watch.look(now)
        if ruling == "rollback":
            if now >= self._retry.get(group.name, 0.0):
                self._flip(group, legacy(group.stage), f"rolled back: {watch.reason}", watch.as_json(), version)
        elif ruling != before:
            await self._tell(group, ruling, watch.reason, watch.as_json())
        return ruling

    async def _ramp(self, group: Group, version: int) -> None:
        if group.ramp is None or group.stage.reads != "canary":
            return
        totals = self._evidence.read(group.name)
        keys = self._evidence.keys(group.name, "replacement")
        step = next_step(group.gates, group.ramp, group.stage, totals, keys, time.time())
        gates = [each.as_json() for each in gates_of(group.gates, totals)]
        evidence = {**totals.as_json(), "keys": keys, "gates": gates}
        if step.action == "promote":
            self._flip(group, replace(group.stage, weight=step.weight), step.reason, evidence, version)
        elif step.action == "rollback":
            self._flip(group, legacy(group.stage), f"rolled back: {step.reason}", evidence, version)
        elif self._told.get(group.name) != (told := f"{totals.generation} {step.reason}"):
            self._told[group.name] = told
            await self._tell(group, _EVENTS[step.action], step.reason, evidence)

    def _flip(self, group: Group, stage: Stage, reason: str, evidence: Mapping[str, Any], version: int) -> None:
        task = asyncio.create_task(self._flipped(group, stage, reason, evidence, version))
        self._flips[group.name] = task
        task.add_done_callback(lambda _: self._flips.pop(group.name, None))

    async def _flipped(
        self, group: Group, stage: Stage, reason: str, evidence: Mapping[str, Any], version: int
    ) -> None:
        try:
            published = await self._controls.flip(group.name, stage, reason, evidence, version)
        except Moved:
            return  # another snapshot: the group is looked at as it is in there
        except StoreError as error:
            self._retry[group.name] = time.monotonic() + _RETRY
            logger.error("group %s isn't flipped, which is tried again: %s", group.name, error)
            return
        self._retry.pop(group.name, None)
        what = "rolled_back" if stage.reads == "legacy" else "promoted"
        await self._tell(group, what, reason, {**evidence, "version": published, "weight": stage.weight})

    async def _tell(self, group: Group, what: str, reason: str, evidence: Mapping[str, Any]) -> None:
        level = logging.WARNING if what in {"rolled_back", "checking", "vetoed"} else logging.INFO
        logger.log(level, "group %s: %s: %s", group.name, what, reason)
        await self._controls.notify(
            {"event": what, "group": group.name, "reason": reason, "author": AUTHOR, "evidence": dict(evidence)}
        )
