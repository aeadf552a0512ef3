"""Traces, metrics and logs. The only room that may import OpenTelemetry, and only where something is exported."""

from gateway.telemetry.counters import Counter, counter
from gateway.telemetry.trace import child_of, continue_trace, is_sampled

__all__ = ["Counter", "child_of", "continue_trace", "counter", "is_sampled"]
