"""What the gateway itself answers, whatever a contract says: problems, and the headers that go with any reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.remedies import REMEDIES

Plain = Mapping[str, Any]

_MOST = 2**24
"""Bytes of a reply, as `defaults.max_reply` has them."""
_TEXT: Plain = {"type": "string", "maxLength": _MOST}
PROBLEM_TYPE = "application/problem+json"
DRY_RUN_TYPE = "application/vnd.figway.dry-run+json"
PROBLEM: Plain = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "retryable", "fix"],
    "properties": {
        "type": {**_TEXT, "description": "The kind of problem, urn:figway:problem:<slug>, from a closed list."},
        "title": {**_TEXT, "description": "The kind of problem in words."},
        "status": {
            "type": "integer",
            "minimum": 202,
            "maximum": 599,
            "description": "The HTTP status.",
            "format": "int32",
        },
        "detail": {**_TEXT, "description": "What went wrong this time."},
        "instance": {**_TEXT, "description": "The call that failed, for whoever looks into it."},
        "retryable": {"type": "boolean", "description": "Whether the same call may work later."},
        "retry_after": {"type": "number", "description": "Seconds to wait before that."},
        "fix": {**_TEXT, "description": "What to do."},
        "errors": {
            "type": "array",
            "description": "What is wrong with the request, member by member.",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {**_TEXT, "description": "A JSON Pointer (RFC 6901) into the request."},
                    "detail": {**_TEXT, "description": "What is wrong there."},
                    "rule": {**_TEXT, "description": "The keyword of JSON Schema that it breaks."},
                    "expected": {"description": "What the contract has there, such as the allowed values."},
                },
            },
            "maxItems": _MOST // 2,
        },
    },
}
DRY_RUN: Plain = {
    "type": "object",
    "description": "What a change would do; nothing was changed.",
    "required": ["dry_run", "needs", "plan_token", "expires"],
    "properties": {
        "dry_run": {"type": "boolean", "description": "Always true: nobody should take it for the change."},
        "would": {"type": "object", "description": "What the change would answer: its status, and perhaps a body."},
        "affected": {
            "type": "integer",
            "format": "int64",
            "minimum": 0,
            "maximum": 2**53,
            "description": "How many rows or records it would change.",
        },
        "before": {"type": ["object", "null"], "description": "The entity as it is; null: there is none."},
        "after": {"type": ["object", "null"], "description": "The entity as it would be; null: there would be none."},
        "place": {**_TEXT, "description": "Where a record would be written."},
        "request": {**_TEXT, "description": "What would be sent, without credentials, where it can't be tried."},
        "needs": {"type": "object", "description": "What the change must bring: a plan, and how many approvals."},
        "plan_token": {**_TEXT, "description": "Sent as `Figway-Plan`, the change is made as shown here, or not."},
        "expires": {**_TEXT, "format": "date-time", "description": "Until when."},
    },
}
_KINDS: Mapping[str, tuple[str, str, str, str]] = {
    # status → name, slug, title, description
    "400": ("BadRequest", "invalid-request", "The request breaks the contract", "The request breaks this contract."),
    "401": ("Unauthorized", "unauthenticated", "Authentication needed", "The call has no credential that counts."),
    "403": ("Forbidden", "forbidden", "Not allowed", "No policy lets this caller do this."),
    "404": ("NotFound", "not-found", "Not found", "There is no such thing."),
    "409": ("Conflict", "conflict", "Conflict", "What is there doesn't allow it."),
    "412": ("Moved", "precondition-failed", "It has changed meanwhile", "It isn't in the version that If-Match names."),
    "422": ("Rejected", "rejected", "Rejected by the system behind the route", "The system behind it refuses it."),
    "428": (
        "Unconditional",
        "precondition-required",
        "If-Match is needed",
        "The change doesn't say what it starts from.",
    ),
    "429": ("TooMany", "rate-limited", "Too many calls", "More calls than the limits let through."),
    "500": ("Failed", "internal-error", "Internal error", "The gateway failed."),
    "default": ("Problem", "upstream-unavailable", "The system behind the route is unavailable", "Any other problem."),
}
ALWAYS = ("400", "401", "403", "429", "500", "default")
"""What any call may be answered with."""
LIMIT, WAIT, TAG = "RateLimit", "Retry-After", "ETag"
HEADERS: Mapping[str, Plain] = {
    LIMIT: {
        "description": "How many calls are left, and until when.",
        "schema": {"type": "string", "maxLength": 1000},
    },
    TAG: {
        "description": "Its version: sent back as `If-Match`, a change is made only if it is this one still.",
        "schema": {"type": "string", "maxLength": 1000},
    },
    WAIT: {
        "description": "Seconds to wait before the next call.",
        "schema": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 86400},
    },
}
SERVERS = ({"url": "/", "description": "This gateway, in production.", "x-internal": True},)
SECURITY: Plain = {
    "credential": {"type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer KEY`."}
}


def written(responses: Mapping[str, Any], approval: bool) -> dict[str, Any]:
    """The responses of a write that may be tried and, with `approval`, may have to wait for another person's yes."""
    tried = {DRY_RUN_TYPE: {"schema": {"$ref": "#/components/schemas/DryRun"}}}
    told = _beside(responses, "200", "What it would do: of `Prefer: dry-run`.", tried)
    if not approval:
        return told
    waits = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return _beside(told, "202", "An approval was asked for: send the same call again once it is given.", waits)


def _beside(responses: Mapping[str, Any], status: str, description: str, content: Plain) -> dict[str, Any]:
    declared = responses.get(status, {"description": description})
    if not isinstance(declared, dict) or "$ref" in declared or not isinstance(declared.get("content", {}), dict):
        return dict(responses)
    return {**responses, status: {**declared, "content": {**declared.get("content", {}), **content}}}


def problem_responses(problem: str) -> dict[str, dict[str, Any]]:
    """Status → a response with an example; `problem` refers to the problem's schema."""
    return {status: _response(status, problem) for status in _KINDS}


def response_name(status: str) -> str:
    """What the response of a status is called among the components."""
    return _KINDS[status][0]


def _response(status: str, problem: str) -> dict[str, Any]:
    _, slug, title, description = _KINDS[status]
    example = {
        "type": f"urn:figway:problem:{slug}",
        "title": title,
        "status": 503 if status == "default" else int(status),
        "detail": description,
        "retryable": status in ("429", "default"),
        "fix": REMEDIES.get(slug, "Mend what errors names."),
    }
    names = (LIMIT, WAIT) if status == "429" else (LIMIT,)
    return {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {PROBLEM_TYPE: {"schema": {"$ref": problem}, "example": example}},
    }


class OwnAnswers:
    """Adds them to the operations of a document whose `components` are given, and to those."""

    def __init__(self, components: dict[str, dict[str, Any]]) -> None:
        components.setdefault("schemas", {}).setdefault("Problem", dict(PROBLEM))
        components["schemas"].setdefault("DryRun", dict(DRY_RUN))
        self._limit = _part(components, "headers", LIMIT, HEADERS[LIMIT])
        _part(components, "headers", WAIT, HEADERS[WAIT])
        made = problem_responses("#/components/schemas/Problem")
        own = components.setdefault("responses", {})
        for name, response in own.items():
            own[name] = self._limited(response)
        self._problems = {
            status: _part(components, "responses", response_name(status), made[status]) for status in ALWAYS
        }

    def added(self, responses: Mapping[str, Any]) -> dict[str, Any]:
        """An operation's responses, with those that it doesn't declare."""
        declared = {status: self._limited(response) for status, response in responses.items()}
        return dict(sorted({**self._problems, **declared}.items()))

    def _limited(self, response: Any) -> Any:
        # Every response has the header that some limit counted, be it a problem.
        if not isinstance(response, dict) or "$ref" in response:
            return response
        headers = response.get("headers", {})
        return {**response, "headers": {LIMIT: self._limit, **headers}} if isinstance(headers, dict) else response


def _part(components: dict[str, dict[str, Any]], section: str, name: str, value: Plain) -> Mapping[str, Any]:
    """A reference to a component; the thing itself where contracts have another one of that name."""
    kept = components.setdefault(section, {}).setdefault(name, value)
    return {"$ref": f"#/components/{section}/{name}"} if kept == value else value
