"""The kill switch: a call that somebody has stopped ends here, whatever policies say of it."""

from __future__ import annotations

from collections.abc import Awaitable

from gateway.call import Call, Principal
from gateway.errors import StateUnavailable
from gateway.limit_errors import Stopped
from gateway.limits.stops import Stops
from gateway.pipeline import Stage
from gateway.store.contract import StoredStop, StoreError


def stopped(stops: Stops, operation: str) -> Stage:
    """A filter behind `authenticate`. Each step of a composite is asked about, too."""

    async def refreshed(call: Call) -> None:
        await check(stops, _principal(call), operation)

    def before(call: Call) -> Awaitable[None] | None:
        if not stops.current():
            return refreshed(call)
        found = stops.found(_principal(call), operation)
        if found is not None:
            raise refusal(found)
        return None

    return Stage(before)


async def check(stops: Stops, principal: Principal, operation: str | None) -> None:
    """Raises `Stopped` for a principal whose calls of an operation (None: all of whose calls) are stopped, and
    `StateUnavailable` where that can't be told."""
    try:
        await stops.refresh()
    except StoreError as error:
        sentence = "Nobody can say now whether the call is stopped; nothing was sent."
        raise StateUnavailable(sentence, retry_after=1, note=str(error)) from error
    found = stops.found(principal, operation)
    if found is not None:
        raise refusal(found)


def refusal(stop: StoredStop) -> Stopped:
    """What the caller is told."""
    named = (("the operation", stop.operation), ("the agent", stop.agent), ("the run", stop.run))
    what = " of ".join(f"{kind} '{name}'" for kind, name in named if name is not None)
    return Stopped(
        f"A person has stopped {what}: {stop.reason}",
        fix="Don't send it again. Tell the person on whose behalf you act; the gateway's operators can resume it.",
    )


def _principal(call: Call) -> Principal:
    assert call.principal is not None
    return call.principal
