"""Telemetry of one process: it looks at every call that has ended, and tells scrapers and collectors."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from gateway.call import Call, UpstreamCall
from gateway.telemetry.cells import Cells, Total, total
from gateway.telemetry.export import Export
from gateway.telemetry.exposition import exposition, merged
from gateway.telemetry.families import LAG
from gateway.telemetry.meters import Meters
from gateway.telemetry.series import is_kept
from gateway.telemetry.spans import Attributes, description, spans_of
from gateway.telemetry.trace import is_sampled

_BEAT = 1.0
_REMEMBERED = 60
_MOST_DESCRIBED = 2_048


class Ended(Protocol):
    """A response, as telemetry sees it."""

    @property
    def status(self) -> int: ...

    @property
    def problem(self) -> str | None: ...


class Telemetry:
    """One process's. `observe` and `beat` belong to the event loop; `page` blocks."""

    def __init__(self, folder: Path, export: Export | None) -> None:
        self._folder = folder
        self._cells = Cells.open(folder, is_kept)
        self.meters = Meters(self._cells)
        self._export = export
        self._traces = export if export is not None and export.traces else None
        self._lags: deque[float] = deque(maxlen=_REMEMBERED)
        self._kinds: Callable[[str], str] = lambda _: ""
        self._described: dict[tuple[str, str, str], tuple[str, Attributes]] = {}
        self._gauges: list[Callable[[Meters], None]] = []
        if export is not None:
            export.measure(self.meters, self._cells)

    @classmethod
    def open(cls, folder: Path, environment: Mapping[str, str]) -> Telemetry:
        """Telemetry that keeps its numbers in `folder`, and exports where the environment names a collector; blocks;
        raises `StoreError` or `BadTelemetry`."""
        return cls(folder, Export.of(environment))

    def watch(self, kinds: Callable[[str], str], gauges: Callable[[Meters], None]) -> None:
        """What to look at: `kinds` says of which kind an upstream is, `gauges` sets what is so at the moment."""
        self._kinds = kinds
        self._gauges.append(gauges)

    def observe(self, call: Call, response: Ended, seconds: float) -> None:
        """A call has ended; it took `seconds`."""
        status, problem = response.status, response.problem
        self.meters.call(call, status, problem, seconds)
        if self._traces is not None and is_sampled(call.traceparent):
            self._traces.call(spans_of(call, status, problem, seconds, self._describe))

    def _describe(self, call: UpstreamCall) -> tuple[str, Attributes]:
        key = (self._kinds(call.upstream), call.upstream, call.operation)
        found = self._described.get(key)
        if found is None:
            found = description(*key)
            if len(self._described) < _MOST_DESCRIBED:
                self._described[key] = found
        return found

    async def pulse(self) -> None:
        """Once a second: how late the event loop is, and everything that is so at the moment."""
        while True:
            started = time.monotonic()
            await asyncio.sleep(_BEAT)
            self._lags.append(max(time.monotonic() - started - _BEAT, 0.0))
            self.beat()

    def beat(self) -> None:
        """Sets every gauge to what is so now."""
        self.meters.put(LAG, max(self._lags, default=0.0))
        self.meters.flush()
        for gauges in self._gauges:
            gauges(self.meters)

    def total(self) -> Total:
        """What all workers of the host have counted; blocks; raises `StoreError`."""
        return total(self._folder)

    def page(self, *, openmetrics: bool) -> bytes:
        """The host's metrics for a scraper; blocks; raises `StoreError`."""
        return exposition(merged(self.total()), openmetrics=openmetrics).encode()

    def close(self) -> None:
        """Exports what waits, for some seconds at most, and lets go of the file."""
        if self._export is not None:
            self._export.close()
        self._cells.close()
