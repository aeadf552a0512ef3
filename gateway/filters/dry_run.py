"""`Prefer: dry-run` (RFC 7240) on a write: tried in place of being made, where that can be done without effect; else
shown as it would be sent, where its adapter can do that.

The answer is a document of its own, whatever the route answers, so that nobody takes it for the change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from adapters.contract import Held, Json, Tried
from gateway.adapter_problems import NO_TRIAL
from gateway.call import Call, Planned, Reply
from gateway.errors import BadRequest
from gateway.filters.plan import Plans
from gateway.filters.shape import trimmer
from gateway.instants import spelt_of
from gateway.pipeline import Around, Handler
from gateway.routing.model import Route
from gateway.routing.own_answers import DRY_RUN_TYPE
from gateway.routing.scope import now_text

Asked = Callable[[Call], Mapping[str, Json]]
"""What the write would have to bring: `plan`, and how many people's `approval`."""
_NOTHING = Tried()


def dry_run(route: Route, trial: Handler | None, plans: Plans, asked: Asked) -> Around:
    """A filter for writes, before anything of them is kept. `trial` tries or shows the write; None: neither can be
    done."""

    async def tried(call: Call) -> Reply:
        if trial is None:
            raise BadRequest("This route can't be tried without making the change; nothing was sent.", fix=NO_TRIAL)
        reply, planned = await shown(call, trial, plans, plans.planned(call.id, now_text(), Held()))
        body = preview(route, reply)
        if call.parent is None:  # a step goes by its composite's plan
            token, until = plans.sealed(call, planned)
            body |= {"needs": dict(asked(call)), "plan_token": token, "expires": spelt_of(until)}
        headers = [*reply.headers, (b"preference-applied", b"dry-run"), (b"cache-control", b"no-store")]
        return Reply(200, body, reply.as_of, reply.served_by, headers, reply.warnings, media_type=DRY_RUN_TYPE.encode())

    def around(call: Call, rest: Handler) -> Awaitable[Reply]:
        return tried(call) if call.trying else rest(call)

    return around


async def shown(call: Call, trial: Handler, plans: Plans, fixed: Planned) -> tuple[Reply, Planned]:
    """What a call that tries would be answered with the id and the time that are `fixed`, and what that fixes of the
    write."""
    call.planned = fixed
    reply = await trial(call)
    told = reply.tried or _NOTHING
    return reply, plans.planned(fixed.id, fixed.time, Held(told.state, told.affected))


def preview(route: Route, reply: Reply) -> dict[str, Any]:
    """What was tried or shown, as a document: what isn't known isn't there."""
    told = reply.tried or _NOTHING
    document: dict[str, Any] = {"dry_run": True}
    if not told.message:
        document["would"] = {"status": route.status} | ({} if reply.body is None else {"body": reply.body})
    if told.affected is not None:
        document["affected"] = told.affected
    if told.one and not told.place and route.reply is not None:
        # Nobody has held it against the contract, which what is there needn't keep.
        document["before"] = None if told.before is None else trimmer(route.reply)(told.before)
        document["after"] = reply.body
    document |= {"place": told.place} if told.place else {}
    return document | ({"request": told.message} if told.message else {})
