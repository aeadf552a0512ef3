"""What stands in every imported contract: paging, problems, limits, credentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.importing.bounds import bounded

Plain = Mapping[str, Any]

_TEXT = {"type": "string"}
PROBLEM: Plain = bounded(
    {
        "type": "object",
        "description": "What went wrong (RFC 9457).",
        "required": ["type", "title", "status", "detail", "retryable"],
        "properties": {
            "type": {**_TEXT, "description": "The kind of problem, urn:figway:problem:<slug>, from a closed list."},
            "title": {**_TEXT, "description": "The kind of problem in words."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599, "description": "The HTTP status."},
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
                    },
                },
            },
        },
    }
)
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
LIMIT, ORIGIN, WAIT, TAG = "RateLimit", "Access-Control-Allow-Origin", "Retry-After", "ETag"
HEADERS: Mapping[str, Plain] = {
    LIMIT: {
        "description": "How many calls are left, and until when.",
        "schema": {"type": "string", "maxLength": 1000},
    },
    ORIGIN: {
        "description": "Never sent: pages of other origins can't read this API.",
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
SECURITY = {
    "credential": {"type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer KEY`."}
}
CURSOR: Plain = {
    "name": "cursor",
    "in": "query",
    "description": "Where to go on: taken from `next`, never made by hand.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 2000},
}


FIELDS: Plain = {
    "name": "fields",
    "in": "query",
    "style": "form",
    "explode": False,
    "description": "The members to have, separated by commas; left out: all of them.",
    "schema": {"type": "array", "maxItems": 1000, "items": {"type": "string", "minLength": 1, "maxLength": 200}},
}
IF_MATCH: Plain = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The `ETag` of what was read: the change is made only if it is this one still. `*`: in any case.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 1000},
    "example": "*",
}


def limit(page: int, most: int) -> dict[str, Any]:
    """The parameter `limit`, by the workspace's defaults."""
    schema = {"type": "integer", "format": "int32", "minimum": 1, "maximum": most, "default": page}
    return {"name": "limit", "in": "query", "description": "How many items a page has at most.", "schema": schema}


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
    }
    names = (LIMIT, ORIGIN, WAIT) if status == "429" else (LIMIT, ORIGIN) if status[0] == "4" else (ORIGIN,)
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    return {
        "description": description,
        "headers": headers,
        "content": {"application/problem+json": {"schema": {"$ref": problem}, "example": example}},
    }
