"""What to do about a problem of each type, where whoever raises it knows nothing better to say.

Two types aren't here: what is wrong with a malformed request, or one that breaks its contract, only the place that
refuses it can tell.
"""

from __future__ import annotations

from collections.abc import Mapping

SITES = frozenset({"bad-request", "invalid-request"})
"""Types of which each place says by itself what to change."""
_LATER = "Nothing was sent. Send the same request again after retry_after seconds, or later."
_READ = "Read the entity to learn what became of the change before you send it again."
_OPERATOR = "Sending it again won't help: tell the gateway's operator, with the call's id that stands in instance."

REMEDIES: Mapping[str, str] = {
    "unauthenticated": "Send 'Authorization: Bearer CREDENTIAL' with a credential that is valid.",
    "forbidden": "Don't send it again as it is. Ask the owner of the gateway's policies for access.",
    "no-such-route": "Use a path that stands in /openapi.json.",
    "method-not-allowed": "Use a method that the header Allow names.",
    "not-acceptable": "Send 'Accept: application/json', or leave Accept out.",
    "request-timeout": "Send the whole body without pauses, or a smaller one.",
    "request-too-large": "Send a smaller body, such as fewer items in each request.",
    "uri-too-long": "Send fewer or shorter query parameters.",
    "unsupported-media-type": "Send the body as application/json, without Content-Encoding.",
    "headers-too-large": "Send fewer or shorter header fields.",
    "not-found": "Check what names the entity: a list of such entities shows those that there are.",
    "conflict": "Read what there is now, and change your request by that.",
    "rejected": "Change what errors names or, where it names nothing, what detail says; then send it as a new request.",
    "bad-upstream-reply": _OPERATOR,
    "upstream-refused": _OPERATOR,
    "upstream-busy": _LATER,
    "upstream-unavailable": _LATER,
    "not-built": "Do without this operation: nothing is there yet that could answer.",
    "deadline-exceeded": "Nothing was changed. Ask for less, or try again.",
    "unknown-outcome": _READ,
    "stale": "Accept an older answer, or ask again after retry_after seconds.",
    "idempotency-in-progress": "Send the same request with the same key again after retry_after seconds.",
    "idempotency-mismatch": "Send a new key for another change.",
    "state-unavailable": _LATER,
    "rate-limited": "Wait for retry_after seconds, then call more slowly.",
    "quota-exhausted": "Come back after retry_after seconds.",
    "budget-exhausted": "Make calls that cost less, or come back after retry_after seconds.",
    "run-exhausted": "End the run: what it may do is spent.",
    "stopped": "Don't send it again. Tell the person on whose behalf you act.",
    "closed": "Come back after retry_after seconds.",
    "overloaded": _LATER,
    "draining": _LATER,
    "identity-unavailable": _LATER,
    "audit-unavailable": "Nothing was changed. Send the same request again after retry_after seconds, or later.",
    "internal-error": _OPERATOR,
    "stage-refused": "Take the steps that errors names first.",
    "stages-drifted": "Write the stages back with 'figway pull', or say overwrite_stages.",
    "approval-required": "Once another person has said yes, send the same request again.",
    "precondition-failed": "Read it again, and send the ETag of that.",
    "content-refused": "Do without this answer, or ask the owner of the gateway's policies to have it marked instead.",
    "plan-required": "Send it with 'Prefer: dry-run' first; then without, with that plan_token as Figway-Plan.",
    "plan-refused": "Try it again with 'Prefer: dry-run', and send the new plan_token as Figway-Plan.",
    "approval-pending": "Wait until another person has decided, then send the same request again.",
    "approval-denied": "Don't send it again. Ask the person who decided what should be otherwise.",
    "precondition-required": "Read it first, and send its ETag as If-Match.",
}
"""Slug of a problem → what to do."""
