"""What is noted of each step, for the audit and for lineage: when it ran, how it ended, what it cost its upstreams."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from adapters.contract import Json
from gateway.call import Call
from gateway.errors import Problem

_MOST = 100
"""Steps that one record tells of: a composite that is called for each item of a list has its own each time."""


@dataclass(slots=True)
class Told:
    """One step. `outcome`: ok, skipped, omitted, default, failed or cancelled; times in seconds."""

    step: str
    route: str
    began: float
    ended: float = 0.0
    outcome: str = "ok"
    items: int | None = None
    missing: int = 0
    upstream: float = 0.0

    def spelt(self, start: float) -> dict[str, Json]:
        """As the audit has it: milliseconds since its own composite began."""
        told: dict[str, Json] = {
            "step": self.step,
            "route": self.route,
            "outcome": self.outcome,
            "from_ms": round((self.began - start) * 1000, 1),
            "to_ms": round((self.ended - start) * 1000, 1),
            "upstream_ms": round(self.upstream * 1000, 1),
        }
        if self.items is not None:
            told |= {"items": self.items, "missing": self.missing}
        return told


@dataclass(slots=True)
class Trace:
    """The steps of one call of a composite, in the order in which they began."""

    start: float = field(default_factory=time.perf_counter)
    steps: list[Told] = field(default_factory=list)

    @contextmanager
    def step(self, name: str, route: str) -> Iterator[Told]:
        """Notes a step from its beginning to its end, however that is."""
        told = Told(name, route, time.perf_counter(), outcome="cancelled")
        self.steps.append(told)
        try:
            yield told
            told.outcome = "ok" if told.outcome == "cancelled" else told.outcome
        except Problem:
            told.outcome = "failed"
            raise
        finally:
            told.ended = time.perf_counter()

    def note(self, call: Call) -> None:
        """Has the audit record of the outermost call tell of them; the steps of a step stand behind its name."""
        prefix, whole = "", call
        while whole.parent is not None:
            prefix, whole = f"{whole.step.partition('/')[0]}.{prefix}", whole.parent
        told = [{**each.spelt(self.start), "step": prefix + each.step} for each in self.steps]
        noted: list[Json] = whole.noted.setdefault("steps", [])
        noted += told[: _MOST - len(noted)]
