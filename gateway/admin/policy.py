"""Policies as they are served: why somebody may do something, and what sets on trial would have decided."""

from __future__ import annotations

import asyncio

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from gateway.admin.control import Control
from gateway.admin.routes import Place
from gateway.call import Principal
from gateway.errors import InvalidRequest
from gateway.policy.explain import Asked, UnknownAction, explain

_PERMISSION = "gateway:explain_policy"
_ONE, _SEVERAL = ("as", "via", "tenant", "run", "action"), ("role", "team", "scope")
_MOST = 100


async def _explain(control: Control, request: Request) -> Response:
    """What can be said of a caller before any call, by the policies of the snapshot that is served."""
    given = request.query_params
    for name in given:
        if (name not in _ONE and name not in _SEVERAL) or (name in _ONE and len(given.getlist(name)) > 1):
            raise _wrong(name, "isn't a parameter of this, or is given twice")
    for name in ("as", "action"):
        if not given.get(name):
            raise _wrong(name, "must be given")
    roles, teams, scopes = (tuple(given.getlist(name)[:_MOST]) for name in _SEVERAL)
    agent = given.get("via")
    who = Principal(
        given["as"],
        agent,
        roles,
        given.get("tenant"),
        teams=teams,
        scopes=scopes or None,
        delegation=(agent,) if agent else (),
        run=given.get("run"),
    )
    try:
        # Every policy is parsed and evaluated by itself, which takes milliseconds.
        explained = await asyncio.to_thread(explain, control.serving().compiled, Asked(who, given["action"]))
    except UnknownAction as error:
        raise _wrong("action", str(error)) from error
    return JSONResponse(explained, headers={"cache-control": "no-store"})


async def _trials(control: Control, _: Request) -> Response:
    """How many calls each set on trial would have decided otherwise, in this process, since the snapshot was loaded."""
    serving = control.serving()
    items = [{"set": name.rpartition(":")[0], "would": name.rpartition(":")[2], "calls": count}
             for name, count in sorted(serving.policies.differed.items())]  # fmt: skip
    return JSONResponse({"items": items, "sets": sorted(serving.compiled.rules.trials), "next": None})


def _wrong(name: str, detail: str) -> InvalidRequest:
    fix = f"It takes each of {', '.join(_ONE)} once, and {', '.join(_SEVERAL)} several times."
    errors = [{"pointer": f"/query/{name[:_MOST]}", "detail": detail}]
    return InvalidRequest(f"'{name[:_MOST]}' {detail}.", errors=errors, fix=fix)


PLACES = (
    Place("/-/policy/explain", _explain, _PERMISSION),
    Place("/-/policy/trials", _trials, _PERMISSION),
)
