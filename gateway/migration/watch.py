"""One group under its guardrails: its judge, the probes of legacy that the judge asks for, and the stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from gateway.migration.evidence import Evidence
from gateway.migration.gates.judge import PROBE_DEADLINE, Judge, Ruling
from gateway.migration.model import MILLION, Group, Stage
from gateway.migration.stages import refused
from gateway.migration.totals import Totals

_PROBE_PAUSE = 1.0
"""Seconds between probes once the burst is spent: what the old system is asked at most, beside its callers."""
_BURST = 5

Probe = Callable[[str, float], Awaitable[bool | None]]


def is_guarded(group: Group) -> bool:
    """Whether callers are served by the replacement and may be served by legacy again."""
    stage = group.stage
    return stage.reads in {"canary", "live", "new_only"} and not refused(group, stage, legacy(stage))


def legacy(stage: Stage) -> Stage:
    """The same stage with reads at legacy, and writes where they are."""
    return replace(stage, reads="legacy", weight=0)


def share_of(stage: Stage) -> float:
    """Of the keys, how many the replacement serves."""
    match stage.reads:
        case "canary":
            return stage.weight / MILLION
        case "live":
            return 1 - stage.holdback / MILLION
        case _:
            return 1.0


class Watch:
    """A group as it is in one snapshot. `look` again and again; `close` when it is over."""

    def __init__(self, group: Group, evidence: Evidence, probe: Probe, now: float) -> None:
        self.group = group
        self.generation = evidence.generation(group.name)
        self._evidence, self._probe = evidence, probe
        self._judge = Judge(group.gates, share_of(group.stage))
        self._totals = Totals()
        self._probing: asyncio.Task[None] | None = None
        self._recall(now)

    def _recall(self, now: float) -> None:
        """Goes on where whoever led before has ended, perhaps by a crash."""
        known = self._evidence.recalled(self.group.name)
        if known is not None:
            self._judge.recall(known, now)
        if self.ruling == "fine" and self._evidence.stopped(self.group.name):
            self._judge.take_over(now)

    @property
    def ruling(self) -> Ruling:
        """What became of it at the last look."""
        return self._judge.ruling

    @property
    def reason(self) -> str:
        """Why, as a sentence."""
        return self._judge.alarm.sentence if self._judge.alarm else "legacy and the replacement are well again"

    def look(self, now: float) -> Ruling:
        """Looks at what has been counted; stops the replacement, or lets it serve again. `now` is monotonic."""
        before, self._totals = self._totals, self._evidence.read(self.group.name)
        ruling = self._judge.look(self._totals, now)
        if before != self._totals or ruling != "fine":
            self._evidence.remember(self.group.name, self.generation, self._judge.memory())
        stopped = ruling in {"checking", "rollback"}
        if stopped != self._evidence.stopped(self.group.name):
            self._evidence.stop(self.group.name, stopped=stopped)
        if ruling in {"checking", "vetoed"}:
            if self._probing is None or self._probing.done():
                self._probing = asyncio.create_task(self._ask())
        else:
            self.close()
        return ruling

    async def _ask(self) -> None:
        """Probes legacy, one at a time, for as long as the judge wants to know."""
        asked = 0
        while self._judge.ruling in {"checking", "vetoed"}:
            ok = await self._probe(self.group.name, asyncio.get_running_loop().time() + PROBE_DEADLINE)
            if ok is not None:
                self._judge.probed(ok=ok)
            asked += 1
            await asyncio.sleep(0 if ok and asked < _BURST else _PROBE_PAUSE)

    def close(self) -> None:
        """Ends the probes."""
        if self._probing is not None:
            self._probing.cancel()
            self._probing = None

    def as_json(self) -> dict[str, Any]:
        """The evidence of the last look."""
        return {**self._judge.as_json(), **self._totals.as_json()}
