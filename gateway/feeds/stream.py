"""Events as a stream of bytes (Server-Sent Events, https://html.spec.whatwg.org/multipage/server-sent-events.html).

What a subscriber hasn't taken stays in the log: nothing is queued for anybody, so that a slow one costs no memory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson

from gateway.errors import Conflict, Overloaded, Problem
from gateway.events.log import EventLog
from gateway.events.model import Event, Trimmed
from gateway.feeds.feed import Feed, tell
from gateway.feeds.positions import Positions
from gateway.store.contract import StoreError

HEARTBEAT = 15.0
"""Seconds after which a subscriber learns that it is still connected, and how far it is."""
_BATCH = 100
_RECONNECT = 2000
_LOOK, _PATIENCE = 0.1, 1.0


class Waiting:
    """One look at the log for all who wait in this process."""

    def __init__(self, log: EventLog) -> None:
        self._log, self._last, self._looked = log, 0, 0.0
        self._looking = asyncio.Lock()

    async def beyond(self, sequence: int, seconds: float) -> bool:
        """Waits until the log has events behind a number, or so many seconds are over; whether it has."""
        end = time.monotonic() + seconds
        while await self._seen() <= sequence:
            if time.monotonic() >= end:
                return False
            await asyncio.sleep(_LOOK)
        return True

    async def _seen(self) -> int:
        async with self._looking:
            if time.monotonic() - self._looked >= _LOOK:
                _, self._last = await self._log.span()
                self._looked = time.monotonic()
            return self._last


def too_late() -> Conflict:
    """What is behind a subscriber's place isn't kept any more."""
    return Conflict(
        "Events behind that place aren't kept any more.",
        fix="Subscribe without a place, then read the routes' lists anew.",
    )


async def stream(
    log: EventLog,
    waiting: Waiting,
    after: int,
    positions: Positions,
    feed: Callable[[], Awaitable[Feed]],
    alive: Callable[[], bool],
) -> AsyncIterator[bytes]:
    """The events behind `after` that a subscriber may see, for good. `feed` says what that is, and is asked before
    each event, as it may have changed while the subscriber took its time; whatever `Problem` it raises ends the stream,
    as does `alive` when it says no."""
    # Its place comes at once, so that who is cut off before the first event loses none.
    yield b"retry: %d\nid: %s\n\n" % (_RECONNECT, positions.place(after).encode())
    told = time.monotonic()
    try:
        while alive():
            events = await _read(log, after) if await waiting.beyond(after, _PATIENCE) else []
            seen = await feed()
            for sequence, document in await asyncio.to_thread(tell, seen, events):
                if await feed() is not seen:
                    break
                yield _block(positions.of_event(sequence), orjson.dumps(document))
                after, told = sequence, time.monotonic()
            else:
                after = events[-1].sequence if events else after
            if time.monotonic() - told >= HEARTBEAT:
                yield b": still here\nid: %s\n\n" % positions.place(after).encode()
                told = time.monotonic()
    except StoreError:
        yield _ended(Overloaded("The log of changes can't be read now.", retry_after=1))
    except Problem as problem:
        yield _ended(problem)


async def _read(log: EventLog, after: int) -> list[Event]:
    if after == 0 and (await log.span())[0] > 1:
        raise too_late()
    try:
        return await log.read(after, _BATCH)
    except Trimmed as trimmed:
        raise too_late() from trimmed


def _block(id: str, data: bytes) -> bytes:
    return b"id: %s\ndata: %s\n\n" % (id.encode(), data)


def _ended(problem: Problem) -> bytes:
    return b"event: problem\ndata: %s\n\n" % problem.encode()
