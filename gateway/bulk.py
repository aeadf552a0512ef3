"""Lists that are read as a whole: an upstream's bound on them, and one call's way through such a list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TypeAlias

from adapters.capabilities import SupportsBulk
from adapters.contract import Context, Json
from adapters.errors import AdapterError, BadReply, DoNotRetry, UnknownOutcome
from gateway.breaker import Breaker, Verdict
from gateway.bulkhead import Busy

_MOST = 2
"""Lists of one upstream at a time: each holds a connection of its own."""

Batches: TypeAlias = AsyncGenerator[Sequence[Json], None]


class Wholes:
    """The lists of one upstream that are read as a whole, beside the slots of its short calls."""

    def __init__(self, breaker: Breaker) -> None:
        self._breaker, self._taken = breaker, 0

    async def read(
        self, adapter: SupportsBulk, operation: str, input: Mapping[str, Json], context: Context, seconds: float
    ) -> Batches:
        """The list's batches, each of which has so many seconds; raises `AdapterError`s, also between them. The first
        one is what the breaker hears of."""
        if self._taken == _MOST:
            raise Busy("As many lists are read as a whole as the system behind the route may have; nothing was sent.")
        ticket, told = self._breaker.admit(), False
        self._taken += 1
        verdict = Verdict.NEUTRAL
        try:
            async with aclosing(adapter.bulk(operation, input, context)) as batches:
                while (batch := await _next(batches, seconds)) is not None:
                    if not told:
                        self._breaker.record(ticket, Verdict.SUCCESS)
                        told = True
                    yield batch
            verdict = Verdict.SUCCESS
        except AdapterError as error:
            blameless = isinstance(error, DoNotRetry) and not isinstance(error, BadReply)
            verdict = Verdict.NEUTRAL if blameless else Verdict.FAILURE
            raise
        finally:
            self._taken -= 1
            if not told:
                self._breaker.record(ticket, verdict)


async def _next(batches: Batches, seconds: float) -> Sequence[Json] | None:
    try:
        async with asyncio.timeout(seconds):
            return await anext(batches, None)
    except TimeoutError:
        raise UnknownOutcome("The system behind the route didn't go on with the list before the deadline.") from None


class Reading:
    """One call's way through a list, which it takes in pages."""

    def __init__(self) -> None:
        self._batches: Batches | None = None
        self._ahead: list[Json] = []
        self._given = 0
        self.as_of = datetime.now(UTC)
        """When it began."""

    async def page(self, begin: Callable[[], Batches], limit: int) -> dict[str, Json]:
        """The next `limit` items, as a list operation answers them; `next` only says that there is more."""
        if self._batches is None:
            self._batches = begin()
        while len(self._ahead) <= limit:
            batch = await anext(self._batches, None)
            if batch is None:
                break
            self._ahead += batch
        items, self._ahead = self._ahead[:limit], self._ahead[limit:]
        self._given += len(items)
        return {"items": items, "next": self._given if self._ahead else None}

    async def close(self) -> None:
        """Ends the query, wherever it is."""
        batches, self._batches = self._batches, None
        if batches is not None:
            await batches.aclose()
