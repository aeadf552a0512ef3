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
from gateway.migration.gates.ramp import gates_of, next_step
from gateway.migration.model import Group, Stage
from gateway.migration.watch import Watch, is_guarded
from gateway.store.contract import Moved, StoreError

logger = logging.getLogger("figway")

_PULSE = 0.01
_TICK = 0.1
_RAMP_PAUSE = 1.0
_RETRY = 0.25
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
    """Runs in the process that leads. `run` until it is cancelled."""

    def __init__(self, evidence: Evidence, controls: Controls) -> None:
        self._evidence, self._controls = evidence, controls
        self._watches: dict[str, Watch] = {}
        self._retry: dict[str, float] = {}
        self._told: dict[str, str] = {}
        self._ramped = 0.0

    async def run(self) -> None:
        """Looks at all groups, again and again."""
        pulse, looked = -1, 0.0
        try:
            while True:
                now = time.monotonic()
                if self._evidence.pulse != pulse or now >= looked + _TICK:
                    pulse, looked = self._evidence.pulse, now
                    await self.tick(now)
                await asyncio.sleep(_PULSE)
        finally:
            for watch in self._watches.values():
                watch.close()

    async def tick(self, now: float) -> None:
        """Looks at every group once. `now` on the monotonic clock."""
        version, groups = self._controls.groups()
        for gone in self._watches.keys() - groups.keys():
            self._watches.pop(gone).close()
        for name, group in groups.items():
            if not is_guarded(group.stage):
                self._forget(name)
            elif await self._guard(group, version, now):
                version, _ = self._controls.groups()
        if now >= self._ramped + _RAMP_PAUSE:
            self._ramped = now
            for group in groups.values():
                await self._ramp(group)

    def _forget(self, name: str) -> None:
        if name in self._watches:
            self._watches.pop(name).close()

    # ── guardrails ───────────────────────────────────────────────────────────────────────────────────────────

    async def _guard(self, group: Group, version: int, now: float) -> bool:
        """Whether there is another snapshot now."""
        watch = self._watches.get(group.name)
        if watch is None or watch.group != group or watch.generation != self._evidence.generation(group.name):
            self._forget(group.name)
            watch = self._watches[group.name] = Watch(group, self._evidence, self._controls.probe, now)
        before = watch.ruling
        ruling = watch.look(now)
        if ruling != before and ruling != "rollback":
            await self._tell(group, ruling, watch.reason, watch.as_json())
        if ruling != "rollback" or now < self._retry.get(group.name, 0.0):
            return False
        return await self._flip(group, legacy(group.stage), f"rolled back: {watch.reason}", watch.as_json(), version)

    async def _flip(self, group: Group, stage: Stage, reason: str, evidence: Mapping[str, Any], version: int) -> bool:
        try:
            published = await self._controls.flip(group.name, stage, reason, evidence, version)
        except Moved:
            return True  # another snapshot: the group is looked at as it is in there
        except StoreError as error:
            self._retry[group.name] = time.monotonic() + _RETRY
            logger.error("group %s isn't flipped, which is tried again: %s", group.name, error)
            return False
        self._retry.pop(group.name, None)
        what = "rolled_back" if stage.reads == "legacy" else "promoted"
        await self._tell(group, what, reason, {**evidence, "version": published, "weight": stage.weight})
        return True

    # ── ramps ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _ramp(self, group: Group) -> None:
        if group.ramp is None or group.stage.reads != "canary" or self._evidence.stopped(group.name):
            return
        watch = self._watches.get(group.name)
        version, groups = self._controls.groups()
        if watch is None or watch.ruling != "fine" or groups.get(group.name) != group:
            return
        totals = self._evidence.read(group.name)
        keys = self._evidence.keys(group.name, "replacement")
        step = next_step(group.gates, group.ramp, group.stage, totals, keys, time.time())
        evidence = {
            **totals.as_json(),
            "keys": keys,
            "gates": [each.as_json() for each in gates_of(group.gates, totals)],
        }
        if step.action == "promote":
            await self._flip(group, replace(group.stage, weight=step.weight), step.reason, evidence, version)
        elif step.action == "rollback":
            await self._flip(group, legacy(group.stage), f"rolled back: {step.reason}", evidence, version)
        elif self._told.get(group.name) != f"{totals.generation} {step.reason}":
            self._told[group.name] = f"{totals.generation} {step.reason}"
            await self._tell(
                group, {"hold": "held", "propose": "proposed"}.get(step.action, step.action), step.reason, evidence
            )

    async def _tell(self, group: Group, what: str, reason: str, evidence: Mapping[str, Any]) -> None:
        level = logging.WARNING if what in {"rolled_back", "checking", "vetoed"} else logging.INFO
        logger.log(level, "group %s: %s: %s", group.name, what, reason)
        await self._controls.notify(
            {"event": what, "group": group.name, "reason": reason, "author": AUTHOR, "evidence": dict(evidence)}
        )


def legacy(stage: Stage) -> Stage:
    """The same stage with reads at legacy, and what belongs to writes as it is."""
    return replace(stage, reads="legacy", weight=0)
