"""What a dispatched call gives its upstream."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from adapters.contract import Context, Effect, Json, Result
from gateway.bulkhead import AGENT
from gateway.call import Call, Principal
from gateway.dispatch import dispatch
from gateway.routing.model import Binding, Route


class _Noting:
    """An upstream that keeps the contexts of its calls."""

    def __init__(self) -> None:
        self.seen: list[tuple[Effect, Context]] = []

    async def call(self, operation: str, input: Mapping[str, Json], *, effect: Effect, context: Context) -> Result:
        self.seen.append((effect, context))
        return Result({}, datetime.now(UTC))


@pytest.mark.parametrize("effect", list(Effect))
async def test_the_context_tells_what_the_binding_declares(effect: Effect) -> None:
    upstream = _Noting()
    binding = Binding("crm", "Search", None, None, {})
    route = Route("search", "POST", "/search", effect, "crm", (), None, 200, None, legacy=binding)
    deadline = time.monotonic() + 5
    call = Call("1", "search", 1, "POST", "/search", deadline, "00-trace", {}, principal=Principal("ann", "bot"))
    await dispatch(route, {"crm": upstream})(call)
    assert upstream.seen == [(effect, Context(deadline, "00-trace", None, "ann", "bot", effect, priority=AGENT))]
