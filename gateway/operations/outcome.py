"""How a write ended, as it is kept: its reply, or the problem that refused it for good."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import datetime
from typing import Any

import orjson

from adapters.contract import Json
from gateway.call import Reply
from gateway.errors import Conflict, Problem, problem_types

MOST_REPLY = 256 * 1024
"""A reply of more bytes isn't kept: that the write succeeded is."""


def of_reply(reply: Reply) -> bytes | None:
    """A reply to be kept; None: it's too big."""
    members: dict[str, Any] = {
        "status": reply.status,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in reply.headers],
        "as_of": reply.as_of,
        "served_by": reply.served_by,
        "warnings": reply.warnings,
    }
    if reply.encoded is None:
        members["body"] = reply.body
    else:
        members["encoded"] = b64encode(reply.encoded).decode()
    kept = orjson.dumps(members)
    return kept if len(kept) <= MOST_REPLY else None


def of_problem(problem: Problem) -> bytes:
    """A problem to be kept: what its caller was told."""
    told = {"slug": problem.slug, "detail": problem.detail, "fix": problem.fix, "errors": problem.errors}
    return orjson.dumps({"problem": told})


def reply_of(kept: bytes | None, id: str) -> Reply:
    """The reply that was kept of operation `id`, marked as said again; raises the problem that was kept instead."""
    if kept is None:
        raise Conflict(
            "The change was made by an earlier request with this idempotency key; its answer was too big to be kept.",
            fix="Read the entity to see the change.",
            operation=id,
        )
    members = orjson.loads(kept)
    mark = (b"figway-replayed", id.encode())
    if "problem" in members:
        raise _problem(members["problem"], mark)
    reply = Reply(
        members["status"],
        members.get("body"),
        as_of=datetime.fromisoformat(members["as_of"]) if members["as_of"] else None,
        served_by=members["served_by"],
        headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in members["headers"]],
        warnings=tuple(members["warnings"]),
        encoded=b64decode(members["encoded"]) if "encoded" in members else None,
    )
    reply.headers.append(mark)
    return reply


def shown(kept: bytes | None) -> dict[str, Json]:
    """The members `reply` or `problem` of an operation's document."""
    if kept is None:
        return {}
    members = orjson.loads(kept)
    if "problem" in members:
        told = members["problem"]
        kind = _kind(told["slug"])
        document = kind(told["detail"], fix=told["fix"], errors=told["errors"]).document()
        return {"problem": document}
    reply = {"status": members["status"], "headers": dict(members["headers"]), "body": members.get("body")}
    return {"reply": reply}


def _problem(told: dict[str, Any], mark: tuple[bytes, bytes]) -> Problem:
    return _kind(told["slug"])(told["detail"], fix=told["fix"], errors=told["errors"], headers=[mark])


def _kind(slug: str) -> type[Problem]:
    return next((kind for kind in problem_types() if kind.slug == slug), Conflict)
