"""What limits and kill switches come to, beside what `gateway.errors` has.

Problem
├── RateLimited 429 · QuotaExhausted 429 · BudgetExhausted 429     more, later
├── RunExhausted 403           what a run may do is spent: never again
├── Stopped 403                a kill switch is thrown
└── Closed 503                 a window in which nothing is let through
"""

from __future__ import annotations

from gateway.errors import Problem


class RateLimited(Problem):
    """More calls than a rate or a bound on calls in flight lets through."""

    slug, title, status, retryable = "rate-limited", "Too many calls", 429, True


class QuotaExhausted(Problem):
    """The day's calls are spent."""

    slug, title, status, retryable = "quota-exhausted", "The day's quota is spent", 429, True


class BudgetExhausted(Problem):
    """What the day's calls may cost is spent."""

    slug, title, status, retryable = "budget-exhausted", "The day's budget is spent", 429, True


class RunExhausted(Problem):
    """What the run may do in all is spent, which no waiting gives back."""

    slug, title, status, retryable = "run-exhausted", "What the run may do is spent", 403, False


class Stopped(Problem):
    """Somebody has stopped the agent, its run or the operation."""

    slug, title, status, retryable = "stopped", "Stopped", 403, False


class Closed(Problem):
    """The route is closed at this time of day."""

    slug, title, status, retryable = "closed", "Closed at this time", 503, True
