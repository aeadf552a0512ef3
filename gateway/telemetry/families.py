"""The metrics there are, by name: kind, labels, and how the values of several workers become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
Together: TypeAlias = Literal["sum", "max", "min"]

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Upper bounds of a histogram's buckets in seconds, as the semantic conventions advise for HTTP durations."""
SUM = len(BOUNDS) + 1
"""Where a histogram's sum stands: behind its buckets, the last of which has no bound."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. `together`: the values of several workers are added up, or the highest or lowest counts."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    together: Together = "sum"

    @property
    def cells(self) -> int:
        """How many numbers one series of it has."""
        return SUM + 1 if self.kind == "histogram" else 1


families: dict[str, Family] = {}


def family(name: str, kind: Kind, help: str, labels: tuple[str, ...] = (), together: Together = "sum") -> Family:
    """The metric of that name, made the first time; raises `ValueError` when it is already something else."""
    made = Family(name, kind, help, labels, together)
    known = families.setdefault(name, made)
    if (known.kind, known.labels) != (kind, labels):
        raise ValueError(f"the metric {name} is a {known.kind} with the labels {known.labels}")
    return known


DURATION = family(
    "http_server_request_duration_seconds",
    "histogram",
    "How long calls took, by route and status.",
    ("http_request_method", "http_route", "http_response_status_code"),
)
ACTIVE = family("http_server_active_requests", "gauge", "Calls in flight on the snapshot that is served.")
PROBLEMS = family(
    "figway_problems_total", "counter", "Calls that ended with a problem, by its slug.", ("problem", "http_route")
)
DENIALS = family("figway_policy_denials_total", "counter", "Calls that no policy allowed.", ("http_route",))
UPSTREAM = family(
    "figway_upstream_duration_seconds",
    "histogram",
    "How long calls of upstreams took, waiting for their turn and retries included.",
    ("upstream", "outcome"),
)
RETRIES = family("figway_upstream_retries_total", "counter", "Reads that were tried again.", ("upstream",))
REJECTED = family(
    "figway_upstream_rejected_total", "counter", "Calls that breaker or queue refused; nothing was sent.", ("upstream",)
)
BREAKER = family(
    "figway_upstream_breaker_open", "gauge", "Workers in which the circuit breaker isn't closed.", ("upstream",)
)
IN_FLIGHT = family("figway_upstream_in_flight", "gauge", "Calls that an upstream works on.", ("upstream",))
QUEUED = family("figway_upstream_queued", "gauge", "Calls that wait for their turn at an upstream.", ("upstream",))
AUDIT_QUEUED = family("figway_audit_queued", "gauge", "Audit records that wait for the disk.")
AUDIT_UNWRITABLE = family("figway_audit_unwritable", "gauge", "Workers that can't write the audit, and refuse writes.")
SNAPSHOT = family("figway_snapshot", "gauge", "The number of the newest snapshot that is served.", together="max")
OLDEST_SNAPSHOT = family(
    "figway_snapshot_oldest", "gauge", "The number of the oldest snapshot that a worker serves.", together="min"
)
LAG = family(
    "figway_event_loop_lag_seconds",
    "gauge",
    "The longest that the event loop of a worker was late in the last minute.",
    together="max",
)
WORKERS = family("figway_workers", "gauge", "Worker processes that serve.")
DROPPED = family(
    "figway_telemetry_dropped_total", "counter", "Spans and log lines that no collector took in time.", ("signal",)
)
CAPTURE_AGE = family(
    "figway_capture_age_seconds", "gauge", "How long ago what a replica holds was all there was.", ("capture",)
)
CAPTURE_LAG = family(
    "figway_capture_lag_seconds", "gauge", "From the last change's commit to its being stored.", ("capture",)
)
CAPTURE_CHANGES = family("figway_capture_changes_total", "counter", "Changes that were stored.", ("capture",))
CAPTURE_DIFFERED = family(
    "figway_capture_differed_rows_total",
    "counter",
    "Rows of a replica that differed from the source, though no change told of it.",
    ("capture",),
)
CAPTURE_RETAINED = family(
    "figway_capture_retained_bytes", "gauge", "What a source keeps of its log for a capture.", ("capture",)
)
CAPTURE_STALLED = family("figway_capture_stalled", "gauge", "Captures that can't go on, or need a look.", ("capture",))
FEED_LAG = family(
    "figway_feed_lag_seconds", "gauge", "For how long the oldest event has waited for a subscriber.", ("subscriber",)
)
FEED_EVENTS = family("figway_feed_events_total", "counter", "Events that a subscriber took.", ("subscriber",))
FEED_DEAD = family("figway_feed_dead_total", "counter", "Events that became dead letters.", ("subscriber",))
FEED_WAITING = family(
    "figway_feed_waiting", "gauge", "Subscribers that something keeps from going on.", ("subscriber",)
)
