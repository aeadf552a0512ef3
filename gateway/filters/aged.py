"""The contract of age: no caller of a read gets an answer that is older than it accepts."""

from __future__ import annotations

from gateway.cache.bounds import bounds_of, too_old
from gateway.call import Call, Reply
from gateway.pipeline import Stage


def _before(call: Call) -> None:
    if call.parent is not None:  # the parts of a composite are as its caller wants the whole
        call.accepts = call.parent.accepts
    elif call.accepts is None:
        call.accepts = bounds_of(call.raw_headers.get(b"cache-control"))


def _after(call: Call, reply: Reply) -> None:
    if call.accepts is not None and reply.as_of is not None and not call.accepts.takes(reply.as_of):
        raise too_old(call.accepts, reply.as_of)


aged = Stage(_before, _after)
"""Reads what a call accepts, and holds what it is answered to that. What holds nothing of any system has no age."""
