"""What a snapshot's policy says about the audit's log itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditRules:
    """How long records are kept at least (seconds), and where checkpoints go besides: `file:PATH` or a URL."""

    keep: float = 400 * 86_400.0
    anchor: str | None = None
    reads_when_unwritable: bool = True
    """Whether reads are answered while records can't be written, as long as they can be kept in memory until then."""
