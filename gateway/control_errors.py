"""What can be wrong with a change of the gateway itself, beside what `gateway.errors` has, and with what a write must
bring: a condition, a plan, another person's yes.

Problem
├── StageRefused 409           the rules of migration forbid it
├── StagesDrifted 409          the files would undo what was changed at run time
├── ApprovalRequired 403       another person must say yes first
├── PreconditionFailed 412 · PreconditionRequired 428     of a write of a route, too
├── PlanRefused 412 · PlanRequired 428                    a write goes by a dry run, or must
└── ApprovalPending 202 · ApprovalDenied 403              a write waits for another person's yes, or got a no
"""

from __future__ import annotations

from gateway.errors import Problem


class StageRefused(Problem):
    """The rules of migration forbid it; each that it breaks is told."""

    slug, title, status, retryable = "stage-refused", "The stage is refused", 409, False


class StagesDrifted(Problem):
    """Stages were changed at run time, and the files would undo that."""

    slug, title, status, retryable = "stages-drifted", "Stages were changed at run time", 409, False


class ApprovalRequired(Problem):
    """Another person must say yes first."""

    slug, title, status, retryable = "approval-required", "An approval is needed", 403, True


class PreconditionFailed(Problem):
    """What was to be changed isn't what the caller saw (RFC 9110 §13.1.1)."""

    slug, title, status, retryable = "precondition-failed", "It has changed meanwhile", 412, False


class PreconditionRequired(Problem):
    """A change must say what it starts from (RFC 6585 §3)."""

    slug, title, status, retryable = "precondition-required", "If-Match is needed", 428, False


class PlanRequired(Problem):
    """The write must be tried first (RFC 6585 §3)."""

    slug, title, status, retryable = "plan-required", "A plan is needed", 428, False


class PlanRefused(Problem):
    """The plan isn't one for this call as things are now; nothing was changed."""

    slug, title, status, retryable = "plan-refused", "The plan doesn't hold", 412, False


class ApprovalPending(Problem):
    """Nothing is wrong and nothing is done: another person decides first (RFC 9110 §15.3.3)."""

    slug, title, status, retryable = "approval-pending", "An approval was asked for", 202, True


class ApprovalDenied(Problem):
    """Another person said no, or the approval that the call names isn't one for it."""

    slug, title, status, retryable = "approval-denied", "The approval is denied", 403, False


class Stale(Problem):
    """No answer is as new as the call asks for."""

    slug, title, status, retryable = "stale", "No answer is new enough", 504, True
