"""What adapters raise, as the problems that callers are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters import errors as adapter
from adapters.secret import without_secrets
from gateway.control_errors import PlanRefused, PreconditionFailed
from gateway.errors import (
    BadRequest,
    BadUpstreamReply,
    Conflict,
    DeadlineExceeded,
    Forbidden,
    InternalError,
    NotFound,
    Problem,
    Rejected,
    UnknownOutcome,
    UpstreamBusy,
    UpstreamRefused,
    UpstreamUnavailable,
)

NO_TRIAL = "Leave 'Prefer: dry-run' out to make the change."


def problem_of(error: adapter.AdapterError, *, writes: bool) -> Problem:
    """The problem that a caller is told for what an adapter raised. `writes`: the operation may change something."""
    for kind, build in _BUILDERS:
        if isinstance(error, kind):
            problem: Problem = build(error, writes)
            return _reticent(problem)
    return InternalError("The adapter failed in a way it doesn't declare.", note=error.detail)


def moved(note: str = "") -> PreconditionFailed:
    """What a write is told whose `If-Match` names another version than there is."""
    return PreconditionFailed(
        "The entity isn't in the version that If-Match names; nothing was changed.",
        fix="Read it again, and send the ETag of that.",
        note=note,
    )


def stale(note: str = "") -> PlanRefused:
    """What a write is told that goes by a dry run, where things aren't any more as that found them."""
    return PlanRefused(
        "What it would change isn't as it was when the change was tried; nothing was changed.",
        fix="Try it again with 'Prefer: dry-run'; where it was approved, send it with a new Idempotency-Key then.",
        note=note,
    )


def _reticent(problem: Problem) -> Problem:
    """The problem, with nothing in it of the secrets that the upstream was shown."""
    problem.detail, problem.note = without_secrets(problem.detail), without_secrets(problem.note)
    problem.errors = tuple(
        {name: without_secrets(value) if isinstance(value, str) else value for name, value in each.items()}
        for each in problem.errors
    )
    return problem


def _unknown(error: Any, writes: bool) -> Problem:
    if not writes:
        return DeadlineExceeded(error.message, fix="Try again, or allow more time.", note=error.detail)
    fix = "Read the entity to learn what became of the change before you send it again."
    return UnknownOutcome(error.message, fix=fix, note=error.detail)


def _bad_reply(error: Any, writes: bool) -> Problem:
    if writes:
        told = error.message.rstrip(".")
        return UnknownOutcome(f"{told}. The change may have been made.", note=error.detail)
    return BadUpstreamReply(error.message, note=error.detail)


def _rejected(error: Any, _: bool) -> Problem:
    errors = [{"pointer": each.pointer, "detail": each.message} for each in getattr(error, "errors", ())]
    return Rejected(error.message, errors=errors, note=error.detail)


# Most special first: the first match decides.
_BUILDERS: Sequence[tuple[type[adapter.AdapterError], Any]] = (
    (adapter.NotTried, lambda e, w: BadRequest(e.message, fix=NO_TRIAL, note=e.detail)),
    (adapter.Unacknowledged, lambda e, w: _unknown(e, True)),
    (adapter.NotFound, lambda e, w: NotFound(e.message, note=e.detail)),
    (adapter.Conflict, lambda e, w: Conflict(e.message, note=e.detail)),
    (adapter.Refused, lambda e, w: UpstreamRefused(e.message, note=e.detail)),
    (adapter.NotMapped, lambda e, w: Forbidden(e.message, note=e.detail)),
    (adapter.BadReply, _bad_reply),
    (adapter.DoNotRetry, _rejected),
    (adapter.Retry, lambda e, w: UpstreamBusy(e.message, retry_after=e.retry_after or 1, note=e.detail)),
    (
        adapter.Unavailable,
        lambda e, w: UpstreamUnavailable(e.message, retry_after=getattr(e, "retry_after", None) or 1, note=e.detail),
    ),
    (adapter.UnknownOutcome, _unknown),
)
