"""Kill switches: what people have stopped, as every worker knows it.

Each worker holds all stops, read anew when the shared memory says that they have changed. So a look costs a comparison
while nothing is stopped, and the next call on any worker follows.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.call import Principal, new_id
from gateway.store.contract import State, StoredStop, StoreError
from gateway.store.offload import Offload
from gateway.store.shared import Shared

logger = logging.getLogger("figway")

# Should a process die between a stop and saying so, it is seen after this many seconds.
_REREAD_SECONDS = 30.0
MOST_REASON = 500
"""Characters of a stop's reason, which the agent is told."""


class Stops:
    """What is stopped. Used on one event loop, `throw` and `lift` on any thread."""

    def __init__(self, state: State, shared: Shared, offload: Offload) -> None:
        self._state, self._shared, self._offload = state, shared, offload
        self._stops: Sequence[StoredStop] = ()
        self._generation = -1
        self._reread_at = 0.0
        self._reading: asyncio.Task[None] | None = None

    def current(self) -> bool:
        """Whether nothing changed since the store was read, as far as is known."""
        return self._generation == self._shared.stops_generation and time.monotonic() < self._reread_at

    def found(self, principal: Principal, operation: str | None) -> StoredStop | None:
        """What stops the principal's calls of an operation; None: nothing does, or `refresh` has to be awaited first.
        `operation` None: only what stops all of its calls."""
        return next((each for each in self._stops if concerns(each, principal, operation)), None)

    async def refresh(self) -> None:
        """Reads the store again if something changed; raises `StoreError` when that can't be done. While nothing
        changed that is known of, a store that can't be read is only told in the log."""
        for _ in range(2):  # who waits for a reading that had begun before needs another, where something changed since
            if self.current():
                return
            if self._reading is None:  # one reading for all who wait
                self._reading = asyncio.create_task(self._read())
            try:
                await asyncio.shield(self._reading)
            finally:
                if self._reading is not None and self._reading.done():
                    self._reading = None

    async def _read(self) -> None:
        # The generation comes first: a change while the stops are being read is then seen as one.
        generation = self._shared.stops_generation
        try:
            self._stops = await self._offload(self._state.stops)
        except StoreError as error:
            if generation != self._generation:
                raise
            logger.warning("what is stopped can't be read again: %s", error)
        self._generation, self._reread_at = generation, time.monotonic() + _REREAD_SECONDS

    def all(self) -> list[StoredStop]:
        """Every stop as the store has it now; blocks, and raises `StoreError`."""
        return self._state.stops()

    def throw(
        self, *, agent: str | None, run: str | None, operation: str | None, reason: str, author: str
    ) -> StoredStop:
        """Stops what is named; what is stopped already keeps its first reason. Blocks, and raises `StoreError`."""
        now = datetime.now(UTC).replace(microsecond=0)
        thrown = self._state.add_stop(StoredStop(new_id(), agent, run, operation, reason, author, now))
        self._shared.bump_stops()
        return thrown

    def lift(self, id: str) -> StoredStop | None:
        """Takes a stop away; None: there is none of that id. Blocks, and raises `StoreError`."""
        lifted = self._state.remove_stop(id)
        self._shared.bump_stops()
        return lifted


def concerns(stop: StoredStop, principal: Principal, operation: str | None) -> bool:
    """Whether a stop is for the principal's calls of an operation (None: for all of its calls). An agent is
    stopped wherever it stands in the chain of those who act; one that acts for nobody calls by its principal's name."""
    if stop.operation is not None and stop.operation != operation:
        return False
    if stop.run is not None and stop.run != principal.run:
        return False
    return stop.agent is None or stop.agent in _names(principal)


def _names(principal: Principal) -> Sequence[str]:
    return principal.delegation or (principal.agent or principal.id,)


def stop_document(stop: StoredStop) -> dict[str, str | None]:
    """A stop as the control API shows it."""
    names = ("id", "agent", "run", "operation", "reason", "author")
    return {**{name: getattr(stop, name) for name in names}, "time": stop.time.isoformat()}
