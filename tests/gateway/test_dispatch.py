"""What a dispatched call gives its upstream."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from adapters.contract import Context, Effect, Json, Result
from adapters.errors import Moved
from gateway.bulkhead import AGENT
from gateway.call import Call, Principal
from gateway.control_errors import PreconditionFailed
from gateway.dispatch import dispatch
from gateway.errors import Conflict, Problem, UnknownOutcome
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


class _Moved:
    """An upstream whose entity has been changed."""

    async def call(self, operation: str, input: Mapping[str, Json], *, effect: Effect, context: Context) -> Result:
        raise Moved("the row was changed")

    resume = call


@pytest.mark.parametrize(
    ("headers", "repeated", "kind"),
    [
        pytest.param({}, False, Conflict, id="by the body"),
        pytest.param({b"if-match": b"*"}, False, PreconditionFailed, id="by If-Match"),
        # Who changed it may have been the first request, of which nobody knows.
        pytest.param({b"if-match": b"*"}, True, UnknownOutcome, id="sent again"),
        pytest.param({}, True, UnknownOutcome, id="sent again by the body"),
    ],
)
async def test_what_has_moved_on_is_told_by_what_was_asked(
    headers: dict[bytes, bytes], repeated: bool, kind: type[Problem]
) -> None:
    binding = Binding("erp", "part.update", None, None, {})
    effect = Effect.IDEMPOTENT_WRITE
    route = Route("change", "PATCH", "/parts", effect, "erp", (), None, 200, None, legacy=binding)
    deadline = time.monotonic() + 5
    call = Call("1", "change", 1, "PATCH", "/parts", deadline, "00-trace", {}, raw_headers=headers, repeated=repeated)
    with pytest.raises(Problem) as caught:
        await dispatch(route, {"erp": _Moved()})(call)
    assert type(caught.value) is kind
