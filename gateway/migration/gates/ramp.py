"""Whether a group goes on to the next step of its ramp: sure of every gate, late enough, allowed, and with enough keys.

Pure functions of what has been counted and what time it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from adapters.zones import zone
from gateway.limits.calendar import Closing
from gateway.migration.gates.bound import is_below, upper, wilson
from gateway.migration.model import Stage
from gateway.migration.totals import Totals
from gateway.routing.gates_schema import FreezeModel, GatesModel, RampModel


class Gate(NamedTuple):
    """One rate against its limit. `bound`: the largest rate that isn't excluded yet, whenever one looks."""

    name: str
    bad: int
    total: int
    limit: float

    @property
    def passed(self) -> bool:
        return is_below(self.bad, self.total, self.limit)

    def as_json(self) -> dict[str, Any]:
        """For histories and people; `interval` is for display only."""
        low, high = wilson(self.bad, self.total)
        return {
            "gate": self.name,
            "bad": self.bad,
            "total": self.total,
            "limit": self.limit,
            "bound": round(upper(self.bad, self.total), 6),
            "interval": [round(low, 6), round(high, 6)],
            "passed": self.passed,
        }


@dataclass(frozen=True, slots=True)
class Step:
    """What the ramp does: `hold` for `reason`, go on to `weight` (millionths), propose it, or give up."""

    action: Literal["hold", "promote", "propose", "rollback", "done"]
    reason: str
    weight: int = 0


def gates_of(gates: GatesModel, totals: Totals) -> Sequence[Gate]:
    """The gates and what has been counted of each: all that went wrong, the same for the same key again, too."""
    arm, seen = totals.replacement, totals.verdicts
    found = [Gate("error", arm.errors, arm.calls, gates.error)]
    if gates.slow is not None:
        found.append(Gate("slow", arm.slow, arm.calls, gates.slow.limit))
    if gates.mismatch is not None:
        found.append(Gate("mismatch", seen.mismatch, seen.compared, gates.mismatch))
    return found


def next_step(gates: GatesModel, ramp: RampModel, stage: Stage, totals: Totals, keys: int, now: float) -> Step:
    """What the ramp does with a group in canary. `keys`: from how many the replacement had calls; `now` in Unix
    seconds."""
    weight = next((each for each in ramp.steps if each > stage.weight), None)
    if weight is None:
        return Step("done", "the last step is taken")
    lasted = now - totals.since
    missing = lacking(gates, totals, keys)
    if missing and ramp.deadline is not None and lasted >= ramp.deadline and ramp.on_deadline == "rollback":
        return Step("rollback", f"the step's deadline has passed: {missing}")
    if lasted < ramp.every:
        return Step("hold", "the step hasn't lasted long enough")
    reason = missing or closed(ramp, now)
    if reason:
        return Step("hold", reason)
    return Step("propose" if gates.manual else "promote", "every gate is passed", weight)


def lacking(gates: GatesModel, totals: Totals, keys: int) -> str:
    """What is lacking to go on, as a sentence; empty: nothing."""
    if not totals.replacement.calls:
        return "the replacement had no calls"
    if gates.mismatch is not None and totals.verdicts.inconclusive:
        return "too many replies can't be compared for parity to say anything"
    for gate in gates_of(gates, totals):
        if not gate.passed:
            return f"it isn't sure yet that the rate of {gate.name} is below {100 * gate.limit:g} %"
    if keys < gates.keys:
        return f"calls came from about {keys} keys, and {gates.keys} are needed"
    return ""


def closed(ramp: RampModel, now: float) -> str:
    """Why no step may be taken at that moment (Unix seconds), as a sentence; empty: it may."""
    if any(_frozen(freeze, now) for freeze in ramp.freezes):
        return "no step is taken on these days"
    if ramp.windows and not Closing(ramp.windows).until(now):
        return "it is outside the ramp's windows"
    return ""


def _frozen(freeze: FreezeModel, now: float) -> bool:
    today = datetime.fromtimestamp(now, UTC).astimezone(zone(freeze.zone)).date()
    return freeze.first <= today <= freeze.last
