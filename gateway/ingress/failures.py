"""What a call is told that fails in the gateway itself, whose write may have been made before."""

from __future__ import annotations

from gateway.call import Call
from gateway.errors import AuditUnavailable, BadUpstreamReply, InternalError, Problem, UnknownOutcome


def too_large(call: Call) -> Problem:
    """Its answer is over the route's bound."""
    if call.writes:
        return UnknownOutcome("The change was made, but its answer is over the bound of this route.")
    detail = f"The answer is over {call.max_reply} bytes."
    return BadUpstreamReply(detail, fix="Ask for less, with 'limit' or a filter where the route has them.")


def failed(call: Call, detail: str) -> Problem:
    """It ended by a fault of the gateway's own."""
    if not _reached(call):
        return InternalError(detail)
    return UnknownOutcome(detail, fix="Read the entity to learn what became of the change before you send it again.")


def unrecorded(call: Call) -> Problem:
    """Its audit record can't be written."""
    if not _reached(call):
        return AuditUnavailable("The call can't be recorded, so it isn't answered.", retry_after=5)
    return UnknownOutcome(
        "The call reached the system behind the route, but its audit record can't be written.",
        fix="Read the entity to learn what became of the change; tell the gateway's operator.",
    )


def _reached(call: Call) -> bool:
    """Whether a write has come as far as the system behind its route."""
    return call.writes and bool(call.upstream_calls)
