"""Laying a legacy system down: the evidence that nothing needs it, and the brown-out that shows who does."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import Any

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse

from gateway.admin.changing import PERMISSION, answer, body_of, invalid, known, told
from gateway.admin.control import Control
from gateway.admin.recording import noted
from gateway.admin.routes import Place
from gateway.errors import NotFound, StateUnavailable
from gateway.identity.audit_keys import audit_keys
from gateway.migration.decommission import gathered, judged, legacy_of, signed
from gateway.migration.decommission_page import DAYS, markdown
from gateway.migration.model import Group
from gateway.migration.received import callers_of
from gateway.migration.tally import Brownout
from gateway.routing.units import seconds

_MOST_DAYS = 3660
_LONGEST = 24 * 3600.0
_SPREAD = 0.6
"""Seconds until every process on the host knows of a brown-out."""


async def _evidence(control: Control, request: Request) -> Response:
    """Signed, as JSON or, with `?format=markdown`, as a page."""
    found = await _gathered(control, _named(control, request), _days(request))
    if request.query_params.get("format") == "markdown":
        return PlainTextResponse(markdown(found), headers={"cache-control": "no-store"}, media_type="text/markdown")
    return answer(found, found["snapshot"])


async def _callers(control: Control, request: Request) -> Response:
    """Who still asks the group's legacy side, and which of its fields they get."""
    group, days = _named(control, request), _days(request)
    means, serving = control.means(), control.serving()
    tally = means.governance.migrating.tally
    try:
        found = await told(means.offload(callers_of, tally, serving.compiled, group.name, days), control)
    except sqlite3.Error as error:
        raise StateUnavailable("What was counted can't be read now.", retry_after=1, note=str(error)) from error
    return answer(found, serving.version)


def _days(request: Request) -> int:
    days = request.query_params.get("days", str(DAYS))
    if not (days.isascii() and days.isdigit() and 0 < int(days[:6]) <= _MOST_DAYS):
        raise invalid("days", f"is a number from 1 to {_MOST_DAYS}")
    return int(days)


async def _gathered(control: Control, group: Group, days: int) -> dict[str, Any]:
    means, serving = control.means(), control.serving()
    waiting = await told(means.governance.outbox.count(group.name), control)
    tally = means.governance.migrating.tally
    reconciled = await told(means.reconciling.last_done(group.name), control)

    def work() -> dict[str, Any]:
        facts = gathered(group, serving.compiled, serving.version, means.state, tally, waiting, reconciled)
        signer = audit_keys(means.governance.keyrings).signer(means.folder.audit)
        return signed(judged(facts, days), signer)

    try:
        return await told(means.offload(work), control)
    except sqlite3.Error as error:
        raise StateUnavailable("What was counted can't be read now.", retry_after=1, note=str(error)) from error


async def _brownout(control: Control, request: Request) -> Response:
    """Has the group's legacy side refuse for a while; it ends by itself."""
    body, group = await body_of(request), _named(control, request)
    known(body, **{"for": str, "reason": str})
    reason = (body.get("reason") or "").strip()
    if not reason:
        raise invalid("reason", "must say why")
    try:
        lasts = seconds(body.get("for") or "10m")
    except ValueError as error:
        raise invalid("for", str(error)) from error
    if not 1 <= lasts <= _LONGEST:
        raise invalid("for", "is a time from 1s to 24h")
    noted(request.scope).facts["asked"] = {"group": group.name, "for": lasts, "reason": reason}
    operations, now = legacy_of(control.serving().compiled, group.name), time.time()
    if not operations:
        raise invalid("group", "has no legacy side")
    out = Brownout(group.name, now, now + lasts, request.state.principal.id, reason, operations)
    means = control.means()
    await told(means.offload(means.governance.migrating.tally.brown_out, out), control)
    means.webhooks.tell("brownout.begun", out.document())
    await asyncio.sleep(_SPREAD)
    return answer(out.document())


def _named(control: Control, request: Request) -> Group:
    group = control.serving().compiled.groups.get(request.path_params["group"])
    if group is None:
        raise NotFound("There is no such group.", fix="Those that there are stand at /-/admin/groups.")
    return group


PLACES = (
    Place("/-/admin/groups/{group}/evidence", _evidence, PERMISSION),
    Place("/-/admin/groups/{group}/callers", _callers, PERMISSION),
    Place("/-/admin/groups/{group}/brownout", _brownout, PERMISSION, ("POST",)),
)
