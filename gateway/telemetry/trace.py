"""Trace context in and out (W3C Trace Context, level 1), and which traces are sampled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from gateway.call import random_bytes

_TRACEPARENT = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_DEFAULT_RATIO = 0.05
_ALL = 1 << 64

current_trace: ContextVar[str] = ContextVar("trace", default="")
"""The `traceparent` of the call that runs here, while logs are exported; empty: none."""


@dataclass(slots=True)
class Sampling:
    """Which traces are sampled: a new one when the last 64 bits of its id are below `bound`; one that a caller began
    as its caller says, unless `follows` is off. A `bound` of 0 samples none."""

    bound: int = 0
    follows: bool = True
    noting: bool = False
    """Whether the call's trace is noted, for log lines."""


sampling = Sampling()
"""This process's; nothing is sampled of our own accord while nothing is exported."""


def sampling_of(environment: Mapping[str, str]) -> tuple[int, bool]:
    """Bound and `follows` by `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`, as OpenTelemetry defines them; its
    default here is `parentbased_traceidratio` of 0.05. Raises `ValueError` with a sentence."""
    name = environment.get("OTEL_TRACES_SAMPLER") or "parentbased_traceidratio"
    follows, kind = name.startswith("parentbased_"), name.removeprefix("parentbased_")
    if kind in ("always_on", "always_off"):
        return (_ALL if kind == "always_on" else 0), follows
    if kind != "traceidratio":
        raise ValueError(f"OTEL_TRACES_SAMPLER is '{name}', which isn't a sampler that figway knows")
    text = environment.get("OTEL_TRACES_SAMPLER_ARG") or str(_DEFAULT_RATIO)
    try:
        ratio = float(text)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise ValueError(f"OTEL_TRACES_SAMPLER_ARG is '{text}'; it must be a number from 0 to 1")
    return round(ratio * _ALL), follows


def continue_trace(incoming: bytes | None) -> str:
    """The `traceparent` of this hop: the caller's trace with a span of our own, or a new trace (§3.2)."""
    match = _TRACEPARENT.fullmatch(incoming) if incoming else None
    if match is None:
        fresh = random_bytes(24).hex()
        sampled = sampling.bound and int(fresh[16:32], 16) < sampling.bound
        traceparent = f"00-{fresh[:32]}-{fresh[32:]}-{'01' if sampled else '00'}"
    else:
        trace = match[1].decode()
        flags = match[3].decode() if sampling.follows else "01" if int(trace[16:], 16) < sampling.bound else "00"
        traceparent = f"00-{trace}-{random_bytes(8).hex()}-{flags}"
    if sampling.noting:
        current_trace.set(traceparent)
    return traceparent


def parent_of(incoming: bytes | None) -> str:
    """The caller's span id, 16 hex digits; empty: the trace began here."""
    match = _TRACEPARENT.fullmatch(incoming) if incoming else None
    return match[2].decode() if match is not None else ""


def is_sampled(traceparent: str) -> bool:
    """Whether the trace's spans are kept (§3.2.2.5.1)."""
    return bool(traceparent) and traceparent[-1] in "13579bdf"


def child_of(traceparent: str) -> str:
    """The `traceparent` of a span below: a new span id where the trace is sampled, else the same, since nothing will
    tell of that span."""
    if not is_sampled(traceparent):
        return traceparent
    return f"{traceparent[:36]}{random_bytes(8).hex()}{traceparent[52:]}"
