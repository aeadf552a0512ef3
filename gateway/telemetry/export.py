"""What is exported and when, by OpenTelemetry's standard environment variables."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from gateway.call import new_id
from gateway.telemetry.cells import Cells
from gateway.telemetry.lines import Lines
from gateway.telemetry.meters import Meters
from gateway.telemetry.outbox import Outbox
from gateway.telemetry.spans import Span
from gateway.telemetry.trace import sampling, sampling_of

if TYPE_CHECKING:
    from gateway.telemetry.otlp import Exporter

_LAST_SECONDS = 1.0


class BadTelemetry(Exception):
    """The environment asks for telemetry that can't be had; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Signals:
    """Which signals are exported, and how often (seconds)."""

    traces: bool
    logs: bool
    metrics: bool
    spans_every: float
    logs_every: float
    metrics_every: float

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Signals:
        """A signal is exported where its endpoint or the common one is named, unless its exporter is `none`."""
        off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
        common = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")

        def wanted(name: str) -> bool:
            named = common or environment.get(f"OTEL_EXPORTER_OTLP_{name}_ENDPOINT")
            return bool(named) and not off and environment.get(f"OTEL_{name}_EXPORTER") != "none"

        return cls(
            wanted("TRACES"),
            wanted("LOGS"),
            wanted("METRICS"),
            _seconds(environment, "OTEL_BSP_SCHEDULE_DELAY", 5.0),
            _seconds(environment, "OTEL_BLRP_SCHEDULE_DELAY", 1.0),
            _seconds(environment, "OTEL_METRIC_EXPORT_INTERVAL", 60.0),
        )


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or not 10 <= int(text) <= 3_600_000:
        raise BadTelemetry(f"{name} is '{text}'; it must be milliseconds from 10 to 3600000")
    return int(text) / 1000


class Export:
    """The signals of one process on their way to a collector; each has a thread of its own."""

    def __init__(self, exporter: Exporter, signals: Signals, bound: int, follows: bool) -> None:
        self._exporter, self._signals = exporter, signals
        self._spans = Outbox("spans", exporter.spans, every=signals.spans_every) if signals.traces else None
        self._logs = Outbox("logs", exporter.logs, every=signals.logs_every) if signals.logs else None
        self._handler = Lines(self._logs.put) if self._logs is not None else None
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        if self._handler is not None:
            logging.getLogger("figway").addHandler(self._handler)
            sampling.noting = True
        if signals.traces:
            sampling.bound, sampling.follows = bound, follows

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Export | None:
        """What the environment asks for; None: nothing. Raises `BadTelemetry`."""
        signals = Signals.of(environment)
        if not (signals.traces or signals.logs or signals.metrics):
            return None
        try:
            bound, follows = sampling_of(environment)
            otlp = import_module("gateway.telemetry.otlp")
        except ValueError as error:
            raise BadTelemetry(str(error)) from error
        except ImportError as error:
            raise BadTelemetry("OTEL_EXPORTER_OTLP_ENDPOINT needs the extra: pip install 'figway[otlp]'") from error
        resource = {
            "service.name": "figway",
            "service.version": version("figway"),
            "service.instance.id": new_id(),
        }
        return cls(otlp.Exporter(resource), signals, bound, follows)

    @property
    def traces(self) -> bool:
        """Whether spans are wanted."""
        return self._spans is not None

    def call(self, spans: Iterable[Span]) -> None:
        """Queues the spans of a call."""
        if self._spans is not None:
            for each in spans:
                self._spans.put(each)

    def measure(self, meters: Meters, cells: Cells) -> None:
        """From now on the process's numbers are sent, once a minute by default."""
        if self._signals.metrics:
            self._thread = threading.Thread(
                target=self._measure, args=(meters, cells), name="figway-otlp-metrics", daemon=True
            )
            self._thread.start()

    def _measure(self, meters: Meters, cells: Cells) -> None:
        closing = False
        while not closing:
            closing = self._closing.wait(self._signals.metrics_every)
            # Without a collector nothing is lost: the numbers are cumulative, the next ones make up for these. When the
            # file has been let go of (`ValueError`), a collector hung for longer than the end could wait for it.
            with suppress(OSError, ValueError):
                self._exporter.metrics(cells.numbers_of(), dict(meters.series))

    def close(self) -> None:
        """Sends what waits, for some seconds at most; blocks."""
        sampling.bound, sampling.follows, sampling.noting = 0, True, False
        if self._handler is not None:
            logging.getLogger("figway").removeHandler(self._handler)
        self._closing.set()
        for outbox in (self._spans, self._logs):
            if outbox is not None:
                outbox.close()
        if self._thread is not None:
            self._thread.join(_LAST_SECONDS)
        self._exporter.close()
