"""`Prefer: dry-run` (RFC 7240) on a write: tried in place of being made, where that can be done without effect."""

from __future__ import annotations

from collections.abc import Awaitable

from gateway.adapter_problems import NO_TRIAL
from gateway.call import Call, Reply
from gateway.errors import BadRequest
from gateway.pipeline import Around, Handler


def dry_run(trial: Handler | None) -> Around:
    """A filter for writes, before anything of them is kept. `trial` tries the write; None: that can't be done."""

    def around(call: Call, rest: Handler) -> Awaitable[Reply]:
        return _tried(call, trial) if call.trying else rest(call)

    return around


async def _tried(call: Call, trial: Handler | None) -> Reply:
    if trial is None:
        raise BadRequest("This route can't be tried without making the change; nothing was sent.", fix=NO_TRIAL)
    reply = await trial(call)
    reply.status = 200
    reply.headers.append((b"preference-applied", b"dry-run"))
    return reply
