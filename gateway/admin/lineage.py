"""`/-/lineage/{id}`: where each field of a call's reply came from, as ours or as OpenLineage."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Request, Response

from gateway.admin.control import Control
from gateway.admin.routes import Place
from gateway.audit.reader import NotReady
from gateway.audit.sink import AuditError
from gateway.call import Principal
from gateway.errors import AuditUnavailable, Forbidden, InvalidRequest, NotFound, Overloaded
from gateway.lineage.openlineage import run_event
from gateway.lineage.snapshots import Mappings, call_of, explained
from gateway.means import Means
from gateway.store.contract import StoreError

_PERMISSION = "gateway:read_lineage"
_LONGEST_ID = 64
# A read's record is on the disk some 50 ms after its reply.
_LOOKS, _PAUSE = 4, 0.1
_FORMATS = ("json", "openlineage")


async def _lineage(control: Control, request: Request) -> Response:
    principal, means = await control.principal(request), control.means()
    wanted = request.query_params.get("format") or (
        "openlineage" if "openlineage" in request.headers.get("accept", "") else "json"
    )
    if wanted not in _FORMATS:
        errors = [{"pointer": "/query/format", "detail": "is json or openlineage"}]
        raise InvalidRequest("'format' is json or openlineage.", errors=errors)
    record = await _record(means, request.path_params["id"])
    if record is None or not (_is_own(principal, record) or _may_see(control, principal)):
        # Somebody else's call is told apart from none by nobody.
        raise NotFound("There is no such call of yours.", fix="A call's id is in its reply's Figway-Lineage.")

    def told() -> dict[str, Any]:
        answer = explained(record, means.snapshots, lambda: _served(control, record["snapshot"]))
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
