"""Counters that any room bumps: made once, as `refused = counter(name, help, rule="r1")`, then `refused.add()`."""

from __future__ import annotations

from gateway.telemetry.families import Family, family

_MOST = 1_000


class Counter:
    """One series that only goes up. `add` costs some 50 ns; what it counted is shown within a second."""

    __slots__ = ("family", "labels", "value")

    def __init__(self, family: Family, labels: tuple[str, ...]) -> None:
        self.family, self.labels = family, labels
        self.value = 0.0

    def add(self, amount: float = 1.0) -> None:
        """Counts; for the event loop's thread."""
        self.value += amount


counters: dict[tuple[str, tuple[str, ...]], Counter] = {}
"""This process's, by family and label values."""


def counter(name: str, help: str, **labels: str) -> Counter:
    """The counter of that name and labels, the same one each time.

    Make it once, where what it counts is set up. The values of labels come from the workspace, never from a caller;
    beyond 1,000 series in a process, further ones share one whose labels are all `other`.
    """
    found = family(name, "counter", help, tuple(labels))
    key = (name, tuple(labels.values()))
    if key not in counters and len(counters) >= _MOST:
        key = (name, ("other",) * len(labels))
    return counters.setdefault(key, Counter(found, key[1]))
