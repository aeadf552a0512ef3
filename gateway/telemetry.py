"""Trace context in and out (W3C Trace Context, level 1). The only room that may import OpenTelemetry."""

from __future__ import annotations

import re

from gateway.call import random_bytes

_TRACEPARENT = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")


def continue_trace(incoming: bytes | None) -> str:
    """The `traceparent` of this hop: the caller's trace with a span of our own, or a new trace (§3.2)."""
    match = _TRACEPARENT.fullmatch(incoming) if incoming else None
    if match is None:
        fresh = random_bytes(24).hex()
        return f"00-{fresh[:32]}-{fresh[32:]}-00"
    return f"00-{match[1].decode()}-{random_bytes(8).hex()}-{match[2].decode()}"
