"""What this process measures of its calls: a place in its file for each series, found once, then two additions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from gateway.call import Call, UpstreamCall
from gateway.telemetry.cells import Cells
from gateway.telemetry.counters import counters
from gateway.telemetry.families import BOUNDS, DENIALS, DURATION, PROBLEMS, SUM, UPSTREAM, Family
from gateway.telemetry.series import key_of

MOST = 20_000
"""Series in a process; what more there is, is counted as `other`."""
_MOST_UPSTREAMS = 256
# RFC 9110 §9 and RFC 5789: any other method is one label value, since callers choose it.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})


class Meters:
    """The series of one process; for one thread."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._numbers = cells.numbers
        self._calls: dict[tuple[str, str, int], int] = {}
        self._upstreams: dict[tuple[str, str], int] = {}
        self._names: set[str] = set()
        self.series: dict[str, tuple[Family, tuple[str, ...]]] = {}
        """Key → metric and label values of each series that was asked for."""

    def place(self, family: Family, labels: Sequence[str] = ()) -> int:
        """Where the numbers of a series are."""
        key = key_of(family, labels)
        if key not in self.series:
            if len(self.series) >= MOST:
                labels = ("other",) * len(family.labels)
                key = key_of(family, labels)
            self.series[key] = (family, tuple(labels))
        return self._cells.block(key, family.cells)

    def put(self, family: Family, value: float, *labels: str) -> None:
        """Sets a gauge, or a counter that something else counts."""
        self._numbers[self.place(family, labels)] = value

    def add(self, family: Family, value: float, *labels: str) -> None:
        """Adds to a counter."""
        self._numbers[self.place(family, labels)] += value

    def call(self, call: Call, status: int, problem: str | None, seconds: float) -> None:
        """A call that has ended."""
        key = (call.route, call.method, status)
        at = self._calls.get(key)
        if at is None:
            at = self._call_place(key)
        numbers = self._numbers
        numbers[at + bisect_left(BOUNDS, seconds)] += 1
        numbers[at + SUM] += seconds
        for each in call.upstream_calls:
            self._upstream(each)
        if problem is not None:
            self.add(PROBLEMS, 1, problem, call.route)
            if call.decision == "deny":
                self.add(DENIALS, 1, call.route)

    def _call_place(self, key: tuple[str, str, int]) -> int:
        route, method, status = key
        at = self.place(DURATION, (method if method in _METHODS else "_OTHER", route, str(status)))
        if len(self._calls) < MOST and method in _METHODS:
            self._calls[key] = at
        return at

    def _upstream(self, call: UpstreamCall) -> None:
        key = (call.upstream, call.outcome)
        at = self._upstreams.get(key)
        if at is None:
            at = self._upstreams[key] = self.place(UPSTREAM, (self.label_of(call.upstream), call.outcome))
        self._numbers[at + bisect_left(BOUNDS, call.seconds)] += 1
        self._numbers[at + SUM] += call.seconds

    def label_of(self, upstream: str) -> str:
        """An upstream's label: its name, or `other` for the 257th that this process has seen."""
        if upstream not in self._names:
            if len(self._names) >= _MOST_UPSTREAMS:
                return "other"
            self._names.add(upstream)
        return upstream

    def flush(self) -> None:
        """Takes over what the counters of other rooms have counted."""
        for each in counters.values():
            self.put(each.family, each.value, *each.labels)
