"""An upstream, as what calls it on a route's behalf sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Protocol

from adapters.contract import Context, Effect, Json, Result


class Invoker(Protocol):
    """What a binding calls: `call` at first, `resume` and `look` where a write's outcome isn't known."""

    def call(
        self, operation: str, input: Mapping[str, Json], *, effect: Effect, context: Context
    ) -> Awaitable[Result]: ...

    def resume(
        self, operation: str, input: Mapping[str, Json], *, effect: Effect, context: Context
    ) -> Awaitable[Result]: ...

    def look(
        self, operation: str, input: Mapping[str, Json], *, effect: Effect, context: Context
    ) -> Awaitable[Result]: ...
