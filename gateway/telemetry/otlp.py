"""OTLP over HTTP, by OpenTelemetry's own exporters: imported only where something is exported.

There is no global provider: FastAPI would put spans of its own beside ours as soon as there is one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context
from opentelemetry.trace.status import Status, StatusCode

from gateway.telemetry.cells import Numbers
from gateway.telemetry.families import BOUNDS, SUM, Family
from gateway.telemetry.lines import Line
from gateway.telemetry.spans import Span

_SCOPE = InstrumentationScope("figway")
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT}
_SEVERITIES = {
    logging.DEBUG: SeverityNumber.DEBUG,
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}


class Exporter:
    """Sends to the collector that the standard `OTEL_…` variables name. Every method blocks."""

    def __init__(self, resource: Mapping[str, str]) -> None:
        # OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME go before what we say.
        self._resource = Resource(dict(resource)).merge(OTELResourceDetector().detect())
        self._started = time.time_ns()
        self._spans = OTLPSpanExporter()
        self._logs = OTLPLogExporter()
        self._metrics = OTLPMetricExporter()

    def spans(self, batch: Sequence[Span]) -> bool:
        """Sends spans; whether they arrived."""
        return self._spans.export([self._span(each) for each in batch]) is SpanExportResult.SUCCESS

    def logs(self, batch: Sequence[Line]) -> bool:
        """Sends log lines; whether they arrived."""
        lines = [ReadableLogRecord(_record(each), self._resource, _SCOPE) for each in batch]
        return self._logs.export(lines) is LogRecordExportResult.SUCCESS

    def metrics(self, numbers: Numbers, series: Mapping[str, tuple[Family, tuple[str, ...]]]) -> bool:
        """Sends this process's numbers, cumulative since it started; whether they arrived."""
        now = time.time_ns()
        points: dict[str, tuple[Family, list[Any]]] = {}
        for key, (family, labels) in series.items():
            if key in numbers:
                attributes = dict(zip(family.labels, labels, strict=True))
                point = self._point(family, attributes, numbers[key], now)
                points.setdefault(family.name, (family, []))[1].append(point)
        metrics = [_metric(family, each) for family, each in points.values()]
        scope = ScopeMetrics(_SCOPE, metrics, "")
        data = MetricsData([ResourceMetrics(self._resource, [scope], "")])
        return self._metrics.export(data) is MetricExportResult.SUCCESS

    def close(self) -> None:
        """Lets go of the connections; a request that is under way is given up."""
        for each in (self._spans, self._logs, self._metrics):
            each.shutdown()

    def _span(self, span: Span) -> ReadableSpan:
        trace = int(span.trace, 16)
        parent = SpanContext(trace, int(span.parent, 16), True, _SAMPLED) if span.parent else None
        return ReadableSpan(
            span.name,
            SpanContext(trace, int(span.id, 16), False, _SAMPLED),
            parent,
            self._resource,
            span.attributes,
            kind=_KINDS[span.kind],
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
            start_time=span.start,
            end_time=span.end,
            instrumentation_scope=_SCOPE,
        )

    def _point(self, family: Family, attributes: Any, numbers: Sequence[float], now: int) -> Any:
        if family.kind != "histogram":
            return NumberDataPoint(attributes, self._started, now, numbers[0])
        counts = [int(each) for each in numbers[:SUM]]
        # What was the least and the most isn't kept: infinities say so.
        extremes = float("inf"), float("-inf")
        return HistogramDataPoint(attributes, self._started, now, sum(counts), numbers[SUM], counts, BOUNDS, *extremes)


def _metric(family: Family, points: list[Any]) -> Metric:
    data: Any = Gauge(points)
    if family.kind == "histogram":
        data = Histogram(points, AggregationTemporality.CUMULATIVE)
    elif family.kind == "counter":
        data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
    unit = "s" if family.name.endswith("_seconds") else "1"
    name = "http.server.request.duration" if family.name == "http_server_request_duration_seconds" else family.name
    return Metric(name, family.help, unit, data)


def _record(line: Line) -> LogRecord:
    attributes = {"exception.type": line.exception, "exception.stacktrace": line.stack} if line.exception else {}
    level = min(line.level // 10 * 10, logging.CRITICAL)
    return LogRecord(
        timestamp=line.time,
        observed_timestamp=line.time,
        context=_context(line.trace),
        severity_number=_SEVERITIES.get(level, SeverityNumber.UNSPECIFIED),
        severity_text=logging.getLevelName(line.level),
        body=line.text,
        attributes=attributes,
    )


def _context(trace: str) -> Context:
    if not trace:
        return set_span_in_context(NonRecordingSpan(SpanContext(0, 0, False)), Context())
    flags = TraceFlags(int(trace[53:], 16))
    return set_span_in_context(
        NonRecordingSpan(SpanContext(int(trace[3:35], 16), int(trace[36:52], 16), False, flags)), Context()
    )
