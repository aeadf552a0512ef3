"""What can be wrong with a change of the gateway itself, beside what `gateway.errors` has, and with conditions.

Problem
├── StageRefused 409           the rules of migration forbid it
├── StagesDrifted 409          the files would undo what was changed at run time
├── ApprovalRequired 403       another person must say yes first
└── PreconditionFailed 412 · PreconditionRequired 428     of a write of a route, too
"""

from __future__ import annotations

from gateway.errors import Problem


class StageRefused(Problem):
    """The rules of migration forbid it; each that it breaks is told."""

    slug, title, status = "stage-refused", "The stage is refused", 409


class StagesDrifted(Problem):
    """Stages were changed at run time, and the files would undo that."""

    slug, title, status = "stages-drifted", "Stages were changed at run time", 409


class ApprovalRequired(Problem):
    """Another person must say yes first."""

    slug, title, status, retryable = "approval-required", "An approval is needed", 403, True


class PreconditionFailed(Problem):
    """What was to be changed isn't what the caller saw (RFC 9110 §13.1.1)."""

    slug, title, status = "precondition-failed", "It has changed meanwhile", 412


class PreconditionRequired(Problem):
    """A change must say what it starts from (RFC 6585 §3)."""

    slug, title, status = "precondition-required", "If-Match is needed", 428
