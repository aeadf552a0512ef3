"""Searching the audit over HTTP: `/-/audit` is a list, `/-/audit/{id}` what is written of one call."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TypeVar
from urllib.parse import urlencode

import orjson
from fastapi import Request, Response

from gateway.admin.control import Control
from gateway.admin.recording import noted
from gateway.admin.routes import Place
from gateway.audit.asked import BadQuestion, question_of
from gateway.audit.index import Key, TooBroad
from gateway.audit.reader import NotReady
from gateway.audit.sink import AuditError
from gateway.errors import AuditUnavailable, BadRequest, InvalidRequest, NotFound, Overloaded
from gateway.filters.cursors import opened, sealed
from gateway.store.contract import StoreError

_PERMISSION = "gateway:read_audit"
_PAGE, _MOST = 50, 500
_LONGEST_ID = 64
_T = TypeVar("_T")


async def _search(control: Control, request: Request) -> Response:
    asked = _asked(request)
    limit, cursor = _limit(asked.pop("limit", str(_PAGE))), asked.pop("cursor", None)
    # What was searched for belongs to the search's own record, but for texts: those are values of arguments.
    noted(request.scope).facts["asked"] = {name: "…" if name == "text" else value for name, value in asked.items()}
    try:
        question = question_of(asked)
    except BadQuestion as error:
        raise _invalid(error.name, str(error)) from error
    means = control.means()
    keys = means.governance.keyrings["cursor"]
    bound = orjson.dumps(["/-/audit", asked], option=orjson.OPT_SORT_KEYS)
    after = None if cursor is None else _key(opened(cursor, bound, keys))
    page = await _told(means.searching(means.reader.search, question, limit, after))
    again = None if page.next is None else {**asked, "limit": limit, "cursor": sealed(page.next, bound, keys.current)}
    return _answer({"items": page.items, "next": again and f"/-/audit?{urlencode(again)}"})


async def _one(control: Control, request: Request) -> Response:
    means, id = control.means(), request.path_params["id"]
    items = [] if len(id) > _LONGEST_ID else await _told(means.searching(means.reader.find, id))
    if not items:
        raise NotFound("The audit holds no call of this id.", fix="A read is in it some 50 ms after its reply.")
    return _answer({"items": items, "next": None})


def _answer(body: Mapping[str, object]) -> Response:
    return Response(orjson.dumps(body), 200, {"cache-control": "no-store"}, "application/json")


def _asked(request: Request) -> dict[str, str]:
    asked: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in asked:
            raise _invalid(name, "is given twice")
        asked[name] = value
    return asked


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise _invalid("limit", "must be a whole number from 1")
    return min(int(text), _MOST)


def _key(position: object) -> Key:
    if isinstance(position, list) and len(position) == 3 and all(isinstance(each, int) for each in position):
        return position[0], position[1], position[2]
    raise BadRequest("The cursor isn't one that this list gave.", fix="Begin again without it.")


def _invalid(name: str, problem: str) -> InvalidRequest:
    where = f"/query/{name[:64]}"
    errors = [{"pointer": where, "detail": problem}]
    return InvalidRequest(f"'{name[:64]}' {problem}.", errors=errors, fix=f"Mend {where}, or leave it out.")


async def _told(search: Awaitable[_T]) -> _T:
    """What a search found; what keeps it from it is told as a problem."""
    try:
        return await search
    except NotReady as error:
        raise Overloaded("The audit's index is still being made.", retry_after=1) from error
    except TooBroad as error:
        fix = "Ask for a shorter time with time.ge and time.lt, or for a principal, agent, operation or trace."
        raise InvalidRequest("The audit can't be searched for this in time.", fix=fix) from error
    except StoreError as error:
        raise Overloaded("Too many searches of the audit are under way.", retry_after=1) from error
    except AuditError as error:
        raise AuditUnavailable("The audit can't be read now.", retry_after=5, note=str(error)) from error


PLACES = (Place("/-/audit", _search, _PERMISSION), Place("/-/audit/{id}", _one, _PERMISSION))
