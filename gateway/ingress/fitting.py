"""A page that is over the bound of its route, cut to whole items: the rest is where its `next` leads."""

from __future__ import annotations

import orjson

from adapters.contract import Json
from gateway.call import Call, Reply
from gateway.ingress.failures import too_large
from gateway.pipeline import Handler

_MARGIN = 4096
"""Bytes for what stands around the items, the cursors among it."""


async def fitted(call: Call, reply: Reply, pages: Handler) -> Reply:
    """A page with as many of `reply`'s items as fit, asked for anew, as an upstream's positions lie behind pages only.
    Raises the `Problem` of an answer that is too large where not one item fits, or the upstream knows no limit."""
    before = None
    while True:
        body = reply.body if reply.encoded is None else orjson.loads(reply.encoded)
        if len(orjson.dumps(body)) <= call.max_reply:
            return reply
        items = body.get("items") if isinstance(body, dict) else None
        if not isinstance(items, list) or (before is not None and len(items) >= before):
            raise too_large(call)
        before, count = len(items), _fitting(items, call.max_reply - _MARGIN)
        if count == 0:
            raise too_large(call)
        call.query = {**call.query, "limit": min(count, before - 1)}
        reply = await pages(call)


def _fitting(items: list[Json], room: int) -> int:
    """How many of the first items take no more than `room` bytes."""
    for count, item in enumerate(items):
        room -= len(orjson.dumps(item)) + 1
        if room < 0:
            return count
    return len(items)
