"""The call that a step is: of its route, on behalf of who called the composite."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from hashlib import sha256

import orjson

from adapters.contract import Effect, Json
from gateway.call import Call
from gateway.errors import BadUpstreamReply
from gateway.routing.model import Expression, MappingFailed, Route
from gateway.routing.scope import is_given

# A list with more items than this is looked through on a thread, where the expression isn't a compiled one.
_BIG = 200


def step_call(whole: Call, route: Route, step: str, deadline: float | None = None) -> Call:
    """A call of `route` within the composite's call; `deadline` is on `time.monotonic()`'s clock, None: the composite's
    own, or the route's where that is sooner."""
    if deadline is None:
        own = whole.deadline if route.deadline is None else time.monotonic() + route.deadline
        deadline = min(whole.deadline, own)
    return Call(
        id=whole.id,
        operation=route.operation_id,
        snapshot=whole.snapshot,
        method=route.method,
        target=route.path,
        deadline=deadline,
        traceparent=whole.traceparent,
        path={},
        raw_headers=whole.raw_headers,
        parent=whole,
        batch=whole.batch,
        step=step,
        route=route.path,
        effect=route.effect.value,
        writes=route.effect is not Effect.READ,
        peer=whole.peer,
        subject_token=whole.subject_token,
        planned=whole.planned,
    )


def place(call: Call, route: Route, input: dict[str, Json]) -> None:
    """Puts each value where the step's route declares it; what it doesn't declare belongs to the body."""
    places = {"path": call.path, "query": call.query, "header": call.header}
    for parameter in route.parameters:
        if parameter.name in input:
            value = input.pop(parameter.name)
            if value is not None:  # no parameter is null
                places[parameter.where][parameter.name] = value
    call.body = input.pop("body") if set(input) == {"body"} else input


def given(input: Mapping[str, Expression], known: Mapping[str, Json]) -> dict[str, Json]:
    """The values of an input; what is absent is left out. Raises `MappingFailed`."""
    values = {name: (each(known), is_given(each, known)) for name, each in input.items()}
    return {name: value for name, (value, stands) in values.items() if value is not None or stands}


async def evaluated(expression: Expression, known: Mapping[str, Json], part: str) -> Json:
    """The value of an expression over what is known; raises `BadUpstreamReply`, as no caller can mend it."""
    try:
        if expression.compiled or not any(map(_is_big, known.values())):
            return expression(known)
        return await asyncio.to_thread(expression, known)
    except MappingFailed as error:
        raise BadUpstreamReply(f"The part '{part}' can't be asked for.", note=str(error)) from error


def is_true(value: Json) -> bool:
    """What JMESPath takes for true: all but false, null, and what is empty."""
    return value is not None and value is not False and not (isinstance(value, str | list | dict) and not value)


def argued(call: Call) -> str:
    """What stands for a call's arguments, wherever in a list they are."""
    told = orjson.dumps([call.path, call.query, call.header, call.body], option=orjson.OPT_SORT_KEYS)
    return sha256(told).hexdigest()[:24]


def _is_big(value: Json) -> bool:
    members = value.values() if isinstance(value, dict) else [value]
    return any(isinstance(member, list) and len(member) > _BIG for member in members)
