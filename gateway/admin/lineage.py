"""`/-/lineage/{id}`: where each field of a call's reply came from, as ours or as OpenLineage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson
from fastapi import Request, Response

from gateway.admin.control import Control
from gateway.admin.routes import Place
from gateway.audit.reader import NotReady
from gateway.audit.sink import AuditError
from gateway.call import Principal
from gateway.errors import AuditUnavailable, Forbidden, InvalidRequest, NotFound, Overloaded
from gateway.lineage.answer import told_without_snapshot
from gateway.lineage.openlineage import run_event
from gateway.lineage.snapshots import Mappings, call_of, explained
from gateway.means import Means
from gateway.serving import Serving
from gateway.store.contract import StoreError

_PERMISSION = "gateway:read_lineage"
_LONGEST_ID = 64
# A read's record is on the disk some 50 ms after its reply.
_LOOKS, _PAUSE = 4, 0.1
_FORMATS = ("json", "openlineage")
_NO_ROUTE = "/mcp"
"""The route of a message of MCP that has reached none: its record may name a tool that its caller may not know of."""


async def _lineage(control: Control, request: Request) -> Response:
    principal, means = await control.principal(request), control.means()
    wanted = request.query_params.get("format") or (
        "openlineage" if "openlineage" in request.headers.get("accept", "") else "json"
    )
    if wanted not in _FORMATS:
        errors = [{"pointer": "/query/format", "detail": "is json or openlineage"}]
        raise InvalidRequest("'format' is json or openlineage.", errors=errors, fix="Send one of them.")
    record = await _record(means, request.path_params["id"])
    whole = _may_see(control, principal)
    if record is None or not (whole or (_is_own(principal, record) and record["route"] != _NO_ROUTE)):
        # Somebody else's call is told apart from none by nobody; nor is a tool that is hidden.
        raise NotFound("There is no such call of yours.", fix="A call's id is in its reply's Figway-Lineage.")

    may = (lambda _: True) if whole else _may_call(control.serving(), principal, record)

    def told() -> dict[str, Any]:
        if not whole and record["status"] == Forbidden.status:  # what is behind a route isn't for who may not call it
            answer = told_without_snapshot(record)
        else:
            answer = explained(record, means.snapshots, partial(_served, control, record["snapshot"]), may)
        return run_event(answer) if wanted == "openlineage" else answer

    try:
        answer = await means.searching(told)
    except StoreError as error:
        raise Overloaded("The lineage can't be told now.", retry_after=1, note=str(error)) from error
    return Response(orjson.dumps(answer), 200, {"cache-control": "no-store"}, "application/json")


async def _record(means: Means, id: str) -> Mapping[str, Any] | None:
    for look in range(_LOOKS if len(id) <= _LONGEST_ID else 0):
        try:
            found = call_of(await means.searching(means.reader.find, id))
        except (NotReady, StoreError) as error:
            raise Overloaded("The audit can't be searched now.", retry_after=1, note=str(error)) from error
        except AuditError as error:
            raise AuditUnavailable("The audit can't be read now.", retry_after=5, note=str(error)) from error
        if found is not None:
            return found
        if look < _LOOKS - 1:
            await asyncio.sleep(_PAUSE)
    return None


def _is_own(principal: Principal, record: Mapping[str, Any]) -> bool:
    """Whether that principal made the call, through the same agent, in the same tenant."""
    who = (principal.id, principal.agent, principal.tenant, principal.issuer)
    return who == (record["principal"], record["agent"], record["tenant"], record.get("issuer") or "")


def _may_call(serving: Serving, principal: Principal, record: Mapping[str, Any]) -> Callable[[str], bool]:
    """Which routes that took part a principal may call: nobody is told what is behind the others."""
    steps = (record.get("noted") or {}).get("steps", ())
    names = {record["operation"], *(each["route"] for each in steps)}
    routes = [route for route in serving.compiled.routes if route.operation_id in names]
    return {each.operation_id for each in routes if serving.policies.decide(principal, each).allowed}.__contains__


def _may_see(control: Control, principal: Principal) -> bool:
    try:
        control.permit(principal, _PERMISSION)
    except Forbidden:
        return False
    return True


def _served(control: Control, version: int) -> Mappings | None:
    serving = control.serving()
    if serving.version != version:
        return None
    return Mappings.of(serving.compiled, {name: each.adapter for name, each in serving.upstreams.items()})


PLACES = (Place("/-/lineage/{id}", _lineage),)
