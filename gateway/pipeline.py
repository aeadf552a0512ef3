"""A route's handler is a chain of filters: each sees the call on its way in and the reply on its way out.

A filter comes in two forms. A `Stage` looks at the call, or at the reply, or at both; neighbouring stages run in one
coroutine, since each further one costs a request about a microsecond. An `Around` holds the rest of the chain in its
hands, for what must answer instead of it, or let go of something however the call ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias, cast

from gateway.call import Call, Reply

Handler: TypeAlias = Callable[[Call], Awaitable[Reply]]
Around: TypeAlias = Callable[[Call, Handler], Awaitable[Reply]]
Before: TypeAlias = Callable[[Call], Awaitable[None] | None]
After: TypeAlias = Callable[[Call, Reply], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Stage:
    """Looks at the call (`before`) and at the reply (`after`), changing them in place; raises to refuse.

    Each answers None or, when it has to wait for something, an awaitable of None. `after` isn't run when what comes
    behind raised.
    """

    before: Before | None = None
    after: After | None = None


Filter: TypeAlias = Stage | Around


def chain(filters: Sequence[Filter], last: Handler) -> Handler:
    """One handler that runs `filters` in order, then `last`."""
    handler = last
    for staged, group in groupby(reversed(filters), key=lambda each: isinstance(each, Stage)):
        if staged:
            handler = _stages([cast(Stage, each) for each in group][::-1], handler)
        else:
            for each in group:
                handler = _link(cast(Around, each), handler)
    return handler


def _link(each: Around, rest: Handler) -> Handler:
    def linked(call: Call) -> Awaitable[Reply]:
        return each(call, rest)

    return linked


def _stages(stages: Sequence[Stage], rest: Handler) -> Handler:
    before = tuple(each.before for each in stages if each.before is not None)
    after = tuple(each.after for each in reversed(stages) if each.after is not None)

    async def staged(call: Call) -> Reply:
        for look in before:
            waiting = look(call)
            if waiting is not None:
                await waiting
        reply = await rest(call)
        for look_back in after:
            waiting = look_back(call, reply)
            if waiting is not None:
                await waiting
        return reply

    return staged
