"""Calls that are answered at given rates, shown to the guardrails as they come: seeded, and by the thousand runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import log, log1p, sqrt
from random import Random
from types import SimpleNamespace

import pytest

from gateway.migration.gates.bound import wilson
from gateway.migration.gates.judge import Judge
from gateway.migration.totals import Arm, Totals
from gateway.routing.gates_schema import GatesModel

_PROBE_SECONDS = 0.02
_BURST = 5


@dataclass(frozen=True)
class Phase:
    """So many calls, of which each side fails so many."""

    calls: int
    new: float
    old: float


@dataclass
class Run:
    """One migration of `weight` (0 to 1), with `rate` calls a second."""

    weight: float
    phases: Sequence[Phase]
    seed: int
    rate: float = 100.0
    gates: GatesModel = field(default_factory=GatesModel)
    bad_replies: int = 0
    """What the replacement answered badly in the last phase."""
    seconds: float = 0.0
    """From the first alarm to the end of looking at legacy."""
    rolled_back: bool = False
    vetoed: int = 0

    def __post_init__(self) -> None:
        self.random, self.now = Random(self.seed), 0.0
        self.judge = Judge(self.gates, self.weight)
        self.new, self.old = [0, 0], [0, 0]
        for phase in self.phases:
            if not self.rolled_back:
                self.bad_replies = 0
                self._go(phase)

    def _go(self, phase: Phase) -> None:
        left, bad = phase.calls, self.weight * phase.new + (1 - self.weight) * phase.old
        while left > 0 and not self.rolled_back:
            gap = _geometric(self.random, bad, left)
            ours = _binomial(self.random, gap, self.weight * (1 - phase.new) / (1 - bad)) if bad < 1 else 0
            self._note(ours, gap - ours, 0, 0, gap, phase)
            left -= gap + 1
            if left >= 0 and not self.rolled_back:
                is_new = self.random.random() < self.weight * phase.new / bad if bad else False
                self.bad_replies += is_new
                self._note(0, 0, int(is_new), int(bool(bad) and not is_new), 1, phase)

    def _note(self, good_new: int, good_old: int, bad_new: int, bad_old: int, calls: int, phase: Phase) -> None:
        self.new[0] += good_new + bad_new
        self.new[1] += bad_new
        self.old[0] += good_old + bad_old
        self.old[1] += bad_old
        self.now += calls / self.rate
        self._look()
        if self.judge.ruling == "checking":
            self._check(phase)
        elif self.judge.ruling == "vetoed":
            self.judge.probed(ok=self.random.random() >= phase.old)

    def _look(self) -> None:
        arms = (Arm(calls, bad, 0, bad, 0) for calls, bad in (self.old, self.new))
        self.rolled_back = self.judge.look(Totals(1, 0.0, *arms), self.now) == "rollback"

    def _check(self, phase: Phase) -> None:
        """Legacy serves all calls, and is probed: five times at once, then once a second."""
        began, probes = self.now, 0
        while self.judge.ruling == "checking":
            self.now += _PROBE_SECONDS
            if probes < _BURST + int(self.now - began):
                probes += 1
                self.judge.probed(ok=self.random.random() >= phase.old)
            calls = int(self.now * self.rate) - int((self.now - _PROBE_SECONDS) * self.rate)
            self.old[0] += calls
            self.old[1] += sum(self.random.random() < phase.old for _ in range(calls))
            self._look()
        self.seconds = self.now - began
        self.vetoed += self.judge.ruling == "vetoed"


def _geometric(random: Random, chance: float, most: int) -> int:
    """How many calls go by before one for which there is that chance."""
    if chance <= 0:
        return most
    return 0 if chance >= 1 else min(most, int(log(1 - random.random()) / log1p(-chance)))


def _binomial(random: Random, tries: int, chance: float) -> int:
    if tries < 40:
        return sum(random.random() < chance for _ in range(tries))
    drawn = round(random.gauss(tries * chance, sqrt(tries * chance * (1 - chance))))
    return min(tries, max(0, drawn))


def share(outcomes: Sequence[bool]) -> tuple[float, float]:
    """How many of the runs did, and the upper end of its 95 % interval (one look: Wilson's holds)."""
    return sum(outcomes) / len(outcomes), wilson(sum(outcomes), len(outcomes))[1]


def told(outcomes: Sequence[bool]) -> str:
    """The share with its interval, and of which seeds."""
    low, high = wilson(sum(outcomes), len(outcomes))
    share = f"{sum(outcomes)} of {len(outcomes)} runs"
    return f"{share} (95 %: {100 * low:.2f} to {100 * high:.2f} %, seeds 0 to {len(outcomes) - 1})"


@pytest.fixture(scope="session")
def world() -> SimpleNamespace:
    """`Run`, `Phase`, `share` and `told`."""
    return SimpleNamespace(Run=Run, Phase=Phase, share=share, told=told)


Maker = Callable[..., Run]
