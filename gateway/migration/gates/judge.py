"""The guardrails of one group: looks at what has been counted, and says when its replacement is to be taken away.

Three streams (error, slow, mismatch), each watched by an e-CUSUM against its limit; the first two by a two-arm one,
too. The two-arm test and mismatches, for which legacy was asked at the same time, decide alone. An alarm against the
limit alone may be the fault of what both sides need: legacy's own calls since the change are looked at, and probes of
it. While that goes on the replacement serves nobody; if legacy isn't seen to fail by the deadline, it is rolled back.

A pure machine: no clock, no memory, no calls of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from gateway.migration.gates.detector import Change, Cusum, TwoArm
from gateway.migration.gates.legacy import LegacyHealth
from gateway.migration.totals import Arm, Totals
from gateway.routing.gates_schema import GatesModel

Ruling: TypeAlias = Literal["fine", "checking", "vetoed", "rollback"]
Stream: TypeAlias = Literal["error", "slow", "mismatch"]

THRESHOLD = 10**6
"""How many healthy observations there are, on the average, to a false alarm: a step of 10,000 calls is rolled back
for nothing in at most 1 of 100 cases (the probability is at most their number over this), and one that takes all of an
error budget of 0.5 % by three failures in a row isn't given a fourth."""
PROBE_DEADLINE = 5.0
"""Seconds in which legacy must be seen to fail, if the replacement is to stay."""
_RECENT, _FEWEST = 2_000, 100
UNKNOWN = Change(0.5, 0.005)
"""What is assumed of a change that another process has found, which has ended."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Why a group is looked at, or rolled back."""

    stream: Stream | None
    test: Literal["limit", "two_arm", "deadline", "taken_over"]
    sentence: str


class _Counts(NamedTuple):
    calls: int
    bad: int
    raw: int


class _Traffic:
    """The replacement's share of the last calls: of some `_RECENT`, the newer ones counting more."""

    def __init__(self) -> None:
        self._ours = self._all = 0.0

    def memory(self) -> list[float]:
        return [self._ours, self._all]

    def recall(self, kept: Sequence[float]) -> None:
        self._ours, self._all = kept

    def share(self, ours: int, theirs: int) -> float:
        """With the calls since the last look; 0: there were too few."""
        self._ours, self._all = self._ours + ours, self._all + ours + theirs
        if self._all > _RECENT:
            self._ours, self._all = self._ours / 2, self._all / 2
        return self._ours / self._all if self._all >= _FEWEST else 0.0


class _Stream:
    """One stream's detectors and what they have seen."""

    def __init__(self, name: Stream, limit: float) -> None:
        self.name, self.limit = name, limit
        self.cusum, self.two_arm = Cusum(limit, THRESHOLD), TwoArm(THRESHOLD)
        self._ours = self._theirs = _Counts(0, 0, 0)
        self._calls = self._bad = 0
        self._traffic = _Traffic()
        self.legacy = (0, 0)
        """Legacy's calls since the last look: failed, and answered well."""

    def look(self, totals: Totals, share: float, *, absolute: bool) -> Alarm | None:
        """Takes in what has been counted since the last look."""
        ours, theirs = _counts(totals, self.name)
        bad, good, calls = _since(self._ours, ours)
        their_bad, their_good, their_calls = _since(self._theirs, theirs)
        self._ours, self._theirs, self.legacy = ours, theirs, (their_bad, their_good)
        share = max(share, self._traffic.share(calls, their_calls))
        if self.name != "mismatch" and self._two_arms(bad, their_bad, calls, share):
            return Alarm(self.name, "two_arm", f"the replacement's share of what went wrong ({self.name}) is too large")
        if absolute and self.cusum.note(bad, good, their_bad, their_good):
            return Alarm(self.name, "limit", f"the replacement's rate of {self.name} is above {100 * self.limit:g} %")
        return None

    def _two_arms(self, bad: int, their_bad: int, calls: int, share: float) -> bool:
        if self.two_arm.calm:
            self._calls = self._bad = 0
        self._calls, self._bad = self._calls + calls, self._bad + bad
        # Worse than legacy, but within what it may cost, is no reason.
        return self.two_arm.note(bad, their_bad, share) and self._bad > self.limit * self._calls

    def reset(self) -> None:
        self.cusum.reset()

    def memory(self) -> dict[str, Any]:
        """What it knows, as JSON."""
        detectors = {"cusum": self.cusum.memory(), "two_arm": self.two_arm.memory()}
        counts = {"ours": list(self._ours), "theirs": list(self._theirs), "since": [self._calls, self._bad]}
        return {**detectors, **counts, "traffic": self._traffic.memory()}

    def recall(self, kept: Mapping[str, Any]) -> None:
        self.cusum.recall(kept["cusum"])
        self.two_arm.recall(kept["two_arm"])
        self._ours, self._theirs = _Counts(*kept["ours"]), _Counts(*kept["theirs"])
        self._calls, self._bad = kept["since"]
        self._traffic.recall(kept["traffic"])


class Judge:
    """Looks again and again, at least every 100 ms. `share`: of the keys, how many the replacement serves (0 to 1)."""

    def __init__(self, gates: GatesModel, share: float) -> None:
        self._share = share
        limits: dict[Stream, float | None] = {
            "error": gates.error,
            "slow": gates.slow.limit if gates.slow else None,
            "mismatch": gates.mismatch,
        }
        self._streams = [_Stream(name, limit) for name, limit in limits.items() if limit is not None]
        self._health: LegacyHealth | None = None
        self._suspect: _Stream | None = None
        self._until = 0.0
        self.ruling: Ruling = "fine"
        self.alarm: Alarm | None = None

    def memory(self) -> dict[str, Any]:
        """What it knows, as JSON: for whoever goes on after a crash."""
        streams = {each.name: [each.limit, each.memory()] for each in self._streams}
        alarm = None if self.alarm is None else [self.alarm.stream, self.alarm.test, self.alarm.sentence]
        health = None if self._health is None else self._health.memory()
        suspect = self._suspect and self._suspect.name
        return {"streams": streams, "ruling": self.ruling, "alarm": alarm, "health": health, "suspect": suspect}

    def recall(self, memory: Mapping[str, Any], now: float) -> None:
        """Goes on from the memory of one that has ended. Of other limits it says nothing."""
        known = memory["streams"]
        if {each.name: each.limit for each in self._streams} != {name: limit for name, (limit, _) in known.items()}:
            return
        for each in self._streams:
            each.recall(known[each.name][1])
        self.ruling, self._until = memory["ruling"], now + PROBE_DEADLINE
        self.alarm = memory["alarm"] and Alarm(*memory["alarm"])
        self._health = memory["health"] and LegacyHealth.recalled(memory["health"])
        self._suspect = next((each for each in self._streams if each.name == memory["suspect"]), None)

    def take_over(self, now: float) -> None:
        """Goes on where a process that has ended had begun to look at legacy."""
        self.alarm = Alarm(None, "taken_over", "the replacement had been stopped, and legacy wasn't seen to fail")
        self._check(UNKNOWN, now)

    def look(self, totals: Totals, now: float) -> Ruling:
        """What becomes of the group. `now` on a monotonic clock, seconds."""
        if self.ruling == "rollback":
            return self.ruling
        alarms = [(each, each.look(totals, self._share, absolute=self.ruling == "fine")) for each in self._streams]
        for stream, alarm in alarms:
            if alarm is not None:
                self._alarmed(stream, alarm, now)
        if self._health is not None:
            self._health.note(*(self._suspect or self._streams[0]).legacy)
            self._weigh(self._health, now)
        return self.ruling

    def probed(self, *, ok: bool) -> None:
        """Takes in a probe of legacy."""
        if self._health is not None:
            self._health.note(int(not ok), int(ok))

    def _alarmed(self, stream: _Stream, alarm: Alarm, now: float) -> None:
        if alarm.test == "two_arm" or stream.name == "mismatch":
            self.ruling, self.alarm, self._health = "rollback", alarm, None
        elif self.ruling == "fine":
            self.alarm, self._suspect = alarm, stream
            change = stream.cusum.change
            # What came since the last look is noted right after this.
            bad, good = stream.legacy
            self._check(change._replace(legacy_bad=change.legacy_bad - bad, legacy_good=change.legacy_good - good), now)

    def _check(self, change: Change, now: float) -> None:
        self._health = LegacyHealth(change)
        self._until = now + PROBE_DEADLINE
        self.ruling = "checking"

    def _weigh(self, health: LegacyHealth, now: float) -> None:
        if self.ruling == "vetoed":
            if health.well:
                self._calm()
        elif health.well or (now >= self._until and not health.failures):
            self.ruling = "rollback"
        elif health.failing or now >= self._until:
            self.ruling = "vetoed"

    def _calm(self) -> None:
        for each in self._streams:
            each.reset()
        self._health = self._suspect = self.alarm = None
        self.ruling = "fine"

    def as_json(self) -> dict[str, Any]:
        """The evidence, for histories and messages."""
        health, alarm = self._health, self.alarm
        return {
            "ruling": self.ruling,
            "stream": alarm and alarm.stream,
            "test": alarm and alarm.test,
            "evidence": {each.name: round(each.cusum.level, 3) for each in self._streams},
            "threshold": THRESHOLD,
            "legacy_seen": None if health is None else {"failed": health.failures, "well": health.answers},
        }


def _counts(totals: Totals, stream: Stream) -> tuple[_Counts, _Counts]:
    """The replacement's and legacy's."""
    if stream == "mismatch":
        seen = totals.verdicts
        return _Counts(seen.compared, seen.mismatch_incidents, seen.mismatch), _Counts(0, 0, 0)
    return _of(totals.replacement, stream), _of(totals.legacy, stream)


def _of(arm: Arm, stream: Stream) -> _Counts:
    if stream == "error":
        return _Counts(arm.calls, arm.error_incidents, arm.errors)
    return _Counts(arm.calls, arm.slow_incidents, arm.slow)


def _since(last: _Counts, counts: _Counts) -> tuple[int, int, int]:
    """Incidents, calls that went well, and all calls, since the last look; an incident that came again is neither."""
    calls, raw = counts.calls - last.calls, counts.raw - last.raw
    return max(counts.bad - last.bad, 0), max(calls - raw, 0), max(calls, 0)
