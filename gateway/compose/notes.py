"""What is kept of a part to undo it, before it is sent and once it is done, as bytes that another process can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from adapters.contract import Json
from gateway.call import Call
from gateway.compose.step_call import given
from gateway.errors import BadUpstreamReply
from gateway.routing.mapping import BadExpression, expression
from gateway.routing.model import Expression, MappingFailed, Step

_MOST = 256 * 1024
"""Bytes that are kept of one part."""


def before(step: Step, made: Call, known: Mapping[str, Json]) -> bytes:
    """What is kept of a part that is about to be sent: its call, and its compensation as far as that needs no reply.
    Raises `BadUpstreamReply` where it couldn't be undone, so that it isn't sent."""
    kept: dict[str, Any] = {
        "call": {"path": made.path, "query": made.query, "header": made.header, "body": made.body},
        "name": step.name,
    }
    undo = step.compensate
    if undo is not None:
        late: dict[str, Expression] = {name: each for name, each in undo.input.items() if step.name in each.names()}
        sooner = {name: each for name, each in undo.input.items() if name not in late}
        names = {name for each in late.values() for name in each.names()} - {step.name}
        try:
            values = given(sooner, known)
        except MappingFailed as error:
            raise _cannot(step, str(error)) from error
        kept["undo"] = {
            "route": undo.route,
            "if_unknown": undo.if_unknown,
            "input": values,
            "late": {name: each.source for name, each in late.items()},
            "known": {name: known[name] for name in names if name in known},
        }
    told = orjson.dumps(kept)
    if len(told) > _MOST:
        raise _cannot(step, f"{len(told)} bytes would have to be kept")
    return told


def after(kept: bytes, reply: Json) -> bytes | None:
    """What is kept of it once it is done: its compensation's input; None: nothing undoes it."""
    notes = orjson.loads(kept)
    undo = notes.get("undo")
    if undo is None:
        return None
    late = undo.pop("late")
    known = {**undo.pop("known"), notes["name"]: reply}
    try:
        undo["input"] |= given({name: expression(source) for name, source in late.items()}, known)
    except (MappingFailed, BadExpression):
        undo["broken"] = True
    return orjson.dumps({"undo": undo})


def read(kept: bytes | None) -> dict[str, Any]:
    """What was kept: `call`, while it may have to be asked for again, and `undo`, where something undoes it."""
    return {} if kept is None else dict(orjson.loads(kept))


def _cannot(step: Step, note: str) -> BadUpstreamReply:
    return BadUpstreamReply(
        f"The part '{step.name}' couldn't be undone if another failed, so it wasn't sent.",
        fix="Ask the owner of the contract to mend the compensation of this part.",
        note=note,
    )
