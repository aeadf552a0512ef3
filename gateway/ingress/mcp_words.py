"""Problems speak of header fields; whoever calls tools has arguments instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORDS = (
    ("'Prefer: dry-run'", "_gateway.dry_run"),
    ("an Idempotency-Key", "a _gateway.idempotency_key"),
    ("Idempotency-Key", "_gateway.idempotency_key"),
    ("Figway-Plan", "_gateway.plan_token"),
    ("Figway-Approval", "_gateway.approval"),
    ("GET /-/", "by REST GET /-/"),
)
_OURS = ("bad-request", "approval-pending", "approval-denied", "plan-required", "plan-refused")
"""Types whose `detail` is the gateway's alone, too; elsewhere it may quote what an upstream said."""


def in_words_of_tools(problem: Mapping[str, Any]) -> dict[str, Any]:
    """The problem with the arguments of tools in `fix`, and in `detail` where nobody else wrote that."""
    spoken = ("fix", "detail") if problem["type"].rpartition(":")[2] in _OURS else ("fix",)
    return {name: _spoken(value) if name in spoken else value for name, value in problem.items()}


def _spoken(text: str) -> str:
    for field, argument in _WORDS:
        text = text.replace(field, argument)
    return text
