"""What the routes that change the gateway share: who asks, from which snapshot, and what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

import orjson
from fastapi import Request, Response

from gateway.admin.control import Control
from gateway.admin.recording import noted
from gateway.approvals.record import ApprovalError, NoSuchApproval, NotYours
from gateway.control_errors import (
    ApprovalRequired,
    PreconditionFailed,
    PreconditionRequired,
    StageRefused,
    StagesDrifted,
)
from gateway.errors import BadRequest, Conflict, Forbidden, InvalidRequest, NotFound, RequestTooLarge, StateUnavailable
from gateway.migration.changes import About, Changed, Changes
from gateway.migration.documents import changed_document
from gateway.migration.plan import Plan
from gateway.migration.refusals import ApprovalNeeded, ChangeError, Drifted, PlanMoved, Refused
from gateway.routing.model import InvalidWorkspace
from gateway.store.contract import Moved, NoSuchSnapshot, StoreError

PERMISSION = "gateway:administer"
_MOST_BODY = 96 * 2**20
_SMALL_BODY = 2**16
_MOST_TEXT = 1000
_MEND = "Mend the files that errors names; 'figway check' finds the same, with line and key."
_T = TypeVar("_T")


def changes_of(control: Control) -> Changes:
    """How this process changes what is served."""
    control.means()
    assert control.runtime is not None
    return control.runtime.changes


def answer(body: Mapping[str, Any], version: int | None = None, status: int = 200) -> Response:
    """A JSON answer whose ETag is a snapshot's version."""
    headers = {"cache-control": "no-store"} | ({} if version is None else {"etag": f'"{version}"'})
    return Response(orjson.dumps(body, default=str), status, headers, "application/json")


async def body_of(request: Request, most: int = _SMALL_BODY) -> dict[str, Any]:
    """The request's JSON object; raises a `Problem`."""
    read, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise RequestTooLarge(f"The body is larger than {most} bytes.")
        read.append(chunk)
    try:
        body = orjson.loads(b"".join(read) or b"{}")
    except orjson.JSONDecodeError as error:
        raise BadRequest("The body isn't JSON.", fix="Send a JSON object in UTF-8.") from error
    if not isinstance(body, dict):
        raise BadRequest("The body isn't a JSON object.", fix="Send a JSON object.")
    return body


async def workspace_body(request: Request) -> dict[str, Any]:
    """The same, large enough for a workspace's files."""
    return await body_of(request, _MOST_BODY)


def known(body: Mapping[str, Any], **kinds: type | tuple[type, ...]) -> None:
    """Raises `InvalidRequest` for members that aren't known, or of another type; null counts as absent."""
    for name, value in body.items():
        if name not in kinds:
            raise invalid(name, f"isn't known: here may stand {', '.join(sorted(kinds))}")
        if value is not None and (
            not isinstance(value, kinds[name]) or isinstance(value, bool) != (kinds[name] is bool)
        ):
            raise invalid(name, "is of another type")
        if isinstance(value, str) and len(value) > _MOST_TEXT:
            raise invalid(name, f"is longer than {_MOST_TEXT} characters")


def invalid(name: str, detail: str) -> InvalidRequest:
    """A member of the body that is wrong."""
    where = f"/body/{name[:64]}"
    return InvalidRequest(
        f"'{name[:64]}' {detail}" + ("" if detail.endswith("?") else "."),
        errors=[{"pointer": where, "detail": detail}],
        fix=f"Mend {where}, and send it again.",
    )


def expected(request: Request) -> int:
    """The snapshot that `If-Match` names; raises `PreconditionRequired` or `BadRequest`."""
    header = request.headers.get("if-match")
    if header is None:
        fix = "Send the ETag of what you saw as If-Match."
        raise PreconditionRequired("A change must say which snapshot it starts from.", fix=fix)
    digits = header.strip().removeprefix("W/").strip('"')
    if not (digits.isascii() and digits.isdigit() and len(digits) < 16):
        raise BadRequest(
            'If-Match must be one ETag of the control API, such as "7".', fix="Send the ETag of what you saw."
        )
    return int(digits)


def about(request: Request, body: Mapping[str, Any]) -> About:
    """Who changes something and why."""
    reason = body.get("reason")
    if not reason or not reason.strip():
        raise invalid("reason", "must say why")
    principal = request.state.principal
    noted(request.scope).facts["asked"] = {name: body[name] for name in ("reason", "ticket") if body.get(name)}
    return About(principal.id, reason, body.get("ticket"), expected(request), agent=principal.agent)


async def told(work: Awaitable[_T], control: Control) -> _T:
    """What `work` comes to; what keeps it from that is told as a problem."""
    try:
        return await work
    except InvalidWorkspace as error:
        errors = [{"pointer": f"/{each.file}", "detail": str(each)} for each in error.findings if each.level == "error"]
        raise InvalidRequest("The workspace can't be served.", errors=errors[:200], fix=_MEND) from error
    except Moved as error:
        raise PreconditionFailed(await _who_moved(error, control), fix="Look at it again, and change that.") from error
    except ChangeError as error:
        raise _problem_of(error) from error
    except NoSuchApproval as error:
        raise NotFound(str(error)) from error
    except NotYours as error:
        raise Forbidden(str(error)) from error
    except ApprovalError as error:
        raise Conflict(str(error)) from error
    except NoSuchSnapshot as error:
        raise NotFound("There is no such snapshot.") from error
    except StoreError as error:
        raise StateUnavailable("The state can't be read or written now.", retry_after=1, note=str(error)) from error


async def _who_moved(error: Moved, control: Control) -> str:
    """The sentence that says who published in between, and what."""
    means = control.means()
    active = await means.offload(means.state.active_snapshot)
    if active is None:
        return "There is no snapshot any more."
    return f"Snapshot {active.version} is active: {active.author} published it meanwhile ({active.reason})."


def _problem_of(error: ChangeError) -> Exception:
    if isinstance(error, Refused):
        errors = [{"pointer": "/", "detail": each} for each in error.sentences]
        return StageRefused("The rules of migration forbid this step.", errors=errors)
    if isinstance(error, Drifted):
        errors = [{"pointer": f"/groups/{each.group}", "detail": str(each)} for each in error.drift]
        fix = "Write the stages back with 'figway pull', or say overwrite_stages."
        return StagesDrifted("The files would undo what was changed at run time.", errors=errors, fix=fix)
    if isinstance(error, ApprovalNeeded):
        errors = [{"pointer": f"/-/approvals/{error.approval.id}", "detail": error.approval.summary}]
        sentence = f"It needs {error.approval.needed} other people's yes; the question is {error.approval.id}."
        return ApprovalRequired(sentence, fix="Once it is given, send the same request again.", errors=errors)
    if isinstance(error, PlanMoved):
        return PreconditionFailed(f"{error}.")
    return Conflict(f"{error}.")


def changed_answer(changed: Changed) -> Response:
    """What was made; 200 once every process serves it."""
    return answer(changed_document(changed), changed.snapshot.version, 200 if not changed.behind else 202)


def plan_answer(plan: Plan) -> Response:
    """A plan; its ETag is the snapshot that it starts from."""
    return answer(plan.document(), plan.parent or 0)
