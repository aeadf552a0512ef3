"""Instants as callers are told them: RFC 3339, in UTC, spelt with `Z`."""

from __future__ import annotations

from datetime import UTC, datetime


def spelt(time: datetime, precision: str = "seconds") -> str:
    """An instant with its offset, such as 2026-11-21T10:00:00Z; `precision` as `datetime.isoformat` names it."""
    return time.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def spelt_of(seconds: float, precision: str = "seconds") -> str:
    """The same of seconds since the epoch."""
    return spelt(datetime.fromtimestamp(seconds, UTC), precision)
