"""Everything that can go wrong, and its RFC 9457 problem+json.

    Problem
    ├── the request
    │   ├── BadRequest 400             malformed framing, header, JSON or cursor
    │   ├── InvalidRequest 400         well formed, but breaks the route's contract; `errors` says where
    │   ├── Unauthenticated 401        no credential, or one that isn't valid
    │   ├── Forbidden 403              no policy allows it, or the upstream has no name for the caller
    │   ├── NoSuchRoute 404 · MethodNotAllowed 405 · NotAcceptable 406 · RequestTimeout 408
    │   ├── RequestTooLarge 413 · UriTooLong 414 · UnsupportedMediaType 415 · HeadersTooLarge 431
    ├── the entity, as the upstream sees it
    │   ├── NotFound 404 · Conflict 409 · Rejected 422
    ├── the upstream
    │   ├── BadUpstreamReply 502       what it answered can't be understood or breaks the contract
    │   ├── UpstreamRefused 502        it refused the gateway's own credentials
    │   ├── ContentRefused 502         its answer holds texts that read like instructions to a model
    │   ├── NotBuilt 501 · UpstreamBusy 503 · UpstreamUnavailable 503
    │   ├── DeadlineExceeded 504       a read that took too long; nothing changed
    │   └── UnknownOutcome 504         a write that was sent and never answered
    ├── a change of the gateway, a condition (`gateway.control_errors`)
    ├── a write that is sent again
    │   ├── IdempotencyInProgress 409  the first one with this key hasn't ended
    │   └── IdempotencyMismatch 422    the key belongs to another request
    ├── the limits, and kill switches (`gateway.limit_errors`)
    └── the gateway itself
        ├── Overloaded 503 · Draining 503 · AuditUnavailable 503 · StateUnavailable 503
        ├── IdentityUnavailable 503    who asks can't be told now: the issuer or the store doesn't answer
        └── InternalError 500

The list is closed: `type` is `urn:figway:problem:<slug>`. A problem's texts are for the caller, so they hold no
stack trace, SQL, path, host or secret; `note` is for the operator's log and never leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import orjson

from gateway.remedies import REMEDIES

MEDIA_TYPE = b"application/problem+json"


class Problem(Exception):
    """One failure, as its caller is told. `retry_after` is in seconds; `errors` are `{pointer, detail}` each."""

    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        fix: str | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        retry_after: float | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
        note: str = "",
        operation: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fix = fix
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.headers = tuple(headers)
        self.note = note
        self.operation = operation
        """The id of the operation that tells what became of a write: `/-/operations/{id}`."""

    def document(self, instance: str | None = None) -> dict[str, Any]:
        """The problem+json members; `instance` names the call that failed."""
        members: dict[str, Any] = {
            "type": f"urn:figway:problem:{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "retryable": self.retryable,
        }
        optional: dict[str, Any] = {"instance": instance, "retry_after": self.retry_after}
        optional["fix"] = self.fix or REMEDIES.get(self.slug)
        optional |= {"errors": list(self.errors), "operation": self.operation}
        members.update({name: value for name, value in optional.items() if value})
        return members

    def encode(self, instance: str | None = None) -> bytes:
        """The problem+json document as bytes."""
        return orjson.dumps(self.document(instance))


class BadRequest(Problem):
    """The request is malformed."""

    slug, title, status, retryable = "bad-request", "Malformed request", 400, False


class InvalidRequest(Problem):
    """The request breaks the route's contract."""

    slug, title, status, retryable = "invalid-request", "The request breaks the contract", 400, False


class Unauthenticated(Problem):
    """No credential, or one that isn't valid."""

    slug, title, status, retryable = "unauthenticated", "Authentication needed", 401, False


class Forbidden(Problem):
    """No policy allows the call, or the system behind the route has no name for the caller."""

    slug, title, status, retryable = "forbidden", "Not allowed", 403, False


class NoSuchRoute(Problem):
    """No route has that path."""

    slug, title, status, retryable = "no-such-route", "No such route", 404, False


class MethodNotAllowed(Problem):
    """The path exists, the method doesn't."""

    slug, title, status, retryable = "method-not-allowed", "Method not allowed", 405, False


class NotAcceptable(Problem):
    """The caller accepts no media type that the route can answer."""

    slug, title, status, retryable = "not-acceptable", "Not acceptable", 406, False


class RequestTimeout(Problem):
    """The body didn't arrive in time."""

    slug, title, status, retryable = "request-timeout", "The request took too long to arrive", 408, True


class RequestTooLarge(Problem):
    """The body is over the bound."""

    slug, title, status, retryable = "request-too-large", "Request body too large", 413, False


class UriTooLong(Problem):
    """The request target is over the bound."""

    slug, title, status, retryable = "uri-too-long", "Request target too long", 414, False


class UnsupportedMediaType(Problem):
    """The body's media type isn't one that the route takes."""

    slug, title, status, retryable = "unsupported-media-type", "Unsupported media type", 415, False


class HeadersTooLarge(Problem):
    """The header fields are over the bound."""

    slug, title, status, retryable = "headers-too-large", "Request header fields too large", 431, False


class NotFound(Problem):
    """The entity isn't there."""

    slug, title, status, retryable = "not-found", "Not found", 404, False


class Conflict(Problem):
    """The entity's state forbids the change."""

    slug, title, status, retryable = "conflict", "Conflict", 409, False


class Rejected(Problem):
    """The upstream's own rules refuse the input."""

    slug, title, status, retryable = "rejected", "Rejected by the system behind the route", 422, False


class BadUpstreamReply(Problem):
    """The upstream's answer can't be understood, or breaks the contract."""

    slug, title, status, retryable = "bad-upstream-reply", "Bad reply from the system behind the route", 502, False


class ContentRefused(Problem):
    """The upstream's answer holds texts that read like instructions to a model, which this caller isn't shown."""

    slug, title, status, retryable = "content-refused", "The answer isn't shown", 502, False


class UpstreamRefused(Problem):
    """The upstream refused the gateway's own credentials or rights."""

    slug, title, status, retryable = "upstream-refused", "The system behind the route refused the gateway", 502, False


class UpstreamBusy(Problem):
    """The upstream can't take the call now; nothing happened."""

    slug, title, status, retryable = "upstream-busy", "The system behind the route is busy", 503, True


class UpstreamUnavailable(Problem):
    """The upstream can't be reached; nothing was sent."""

    slug, title, status, retryable = "upstream-unavailable", "The system behind the route is unavailable", 503, True


class NotBuilt(Problem):
    """The system that is to answer isn't built yet; nothing was sent."""

    slug, title, status, retryable = "not-built", "Not built yet", 501, False


class DeadlineExceeded(Problem):
    """A read took longer than its deadline; nothing changed."""

    slug, title, status, retryable = "deadline-exceeded", "Deadline exceeded", 504, True


class UnknownOutcome(Problem):
    """A write was sent and never answered: it may or may not have happened."""

    slug, title, status, retryable = "unknown-outcome", "Unknown outcome", 504, False


class IdempotencyInProgress(Problem):
    """The first request with this idempotency key hasn't ended."""

    slug, title, status, retryable = "idempotency-in-progress", "The first request is still under way", 409, True


class IdempotencyMismatch(Problem):
    """The idempotency key was given to another request."""

    slug, title, status, retryable = "idempotency-mismatch", "The key belongs to another request", 422, False


class StateUnavailable(Problem):
    """What the gateway keeps can't be read or written; nothing was sent."""

    slug, title, status, retryable = "state-unavailable", "The gateway's state can't be read or written", 503, True


class Overloaded(Problem):
    """The gateway has as many calls in flight as it may have."""

    slug, title, status, retryable = "overloaded", "The gateway is overloaded", 503, True


class Draining(Problem):
    """The gateway is stopping."""

    slug, title, status, retryable = "draining", "The gateway is stopping", 503, True


class IdentityUnavailable(Problem):
    """The credential can't be checked: whoever could tell doesn't answer."""

    slug, title, status, retryable = "identity-unavailable", "The credential can't be checked now", 503, True


class AuditUnavailable(Problem):
    """The audit log can't be written, so writes are refused."""

    slug, title, status, retryable = "audit-unavailable", "The audit log can't be written", 503, True


class InternalError(Problem):
    """A fault of the gateway's own."""

    slug, title, status, retryable = "internal-error", "Internal error", 500, False


def problem_types() -> Iterator[type[Problem]]:
    """Every problem type there is, in the order of this module."""
    yield from Problem.__subclasses__()
