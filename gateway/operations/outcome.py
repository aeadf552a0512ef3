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


def of_reply(reply: Reply, sight: str) -> bytes | None:
    """A reply to be kept for who has that sight (`gateway.policy.sight`); None: it's too big."""
    members: dict[str, Any] = {
        "sight": sight,
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


def of_problem(problem: Problem, sight: str) -> bytes:
    """A problem to be kept: what its caller, who has that sight, was told."""
    told = {"slug": problem.slug, "detail": problem.detail, "fix": problem.fix, "errors": problem.errors}
    return orjson.dumps({"sight": sight, "problem": told})


def reply_of(kept: bytes | None, id: str, sight: str) -> Reply:
    """The reply that was kept of operation `id`, marked as said again; raises the problem that was kept instead.
    Whoever has another sight than then is told no more than whether the change was made."""
    if kept is None:
        raise _made("its answer was too big to be kept", id)
    members = orjson.loads(kept)
    if members["sight"] != sight:
        if "problem" in members:
            raise _kind(members["problem"]["slug"])("An earlier request with this idempotency key was refused.")
        raise _made("you may not see its answer any more", id)
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


def _made(why: str, id: str) -> Conflict:
    return Conflict(
        f"The change was made by an earlier request with this idempotency key; {why}.",
        fix="Read the entity to see the change.",
        operation=id,
    )


def shown(kept: bytes | None, sight: str) -> dict[str, Json]:
    """The members `reply` or `problem` of an operation's document; none for who has another sight than then."""
    members = {} if kept is None else orjson.loads(kept)
    if not members or members["sight"] != sight:
        return {}
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
