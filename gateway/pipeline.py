"""A route's handler is a chain: each filter sees the call on its way in and the reply on its way out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import reduce
from typing import TypeAlias

from gateway.call import Call, Reply

Handler: TypeAlias = Callable[[Call], Awaitable[Reply]]
Filter: TypeAlias = Callable[[Call, Handler], Awaitable[Reply]]


def chain(filters: Sequence[Filter], last: Handler) -> Handler:
    """One handler that runs `filters` in order, then `last`."""
    return reduce(lambda handler, each: _link(each, handler), reversed(filters), last)


def _link(each: Filter, rest: Handler) -> Handler:
    def linked(call: Call) -> Awaitable[Reply]:
        return each(call, rest)

    return linked
