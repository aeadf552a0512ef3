"""One upstream's slots, with a queue before them, and the end of calls that outlive their deadline."""

from __future__ import annotations

import asyncio
import time
from bisect import insort
from itertools import count
from typing import Any

from adapters.errors import Retry

_TICK = 0.05
_CUT = float("-inf")


class Busy(Retry):
    """Not called: no slot was to be had. `retry_after` is in seconds."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after=1.0)


INTERACTIVE, AGENT, BATCH = 3, 2, 1
"""The points of a call that nobody else gives any: a person's, an agent's, and one whose caller can wait."""

_POINT = 1.0
"""Seconds of waiting that a point is worth."""


class Slots:
    """So many calls at once, so many waiting behind them.

    Who waits stands in the queue as if it had come a second earlier for each of its points. So within a class it is
    first come first served, a class with more points goes first, and nobody is overtaken by those who come later than
    that many seconds. When the queue is full, who has the fewest points, and of these came last, is refused.
    """

    def __init__(self, size: int, queue: int) -> None:
        self._size = size
        self._queue = queue
        self._waiting: list[tuple[float, int, int, asyncio.Future[None]]] = []
        """Sorted: when the call came, as it counts; its number; its points; what it waits for."""
        self._numbers = count()
        self._idle: asyncio.Future[None] | None = None
        self.taken = 0

    @property
    def queued(self) -> int:
        return len(self._waiting)

    def take(self) -> bool:
        """Takes a slot if one is free (then nobody waits)."""
        if self.taken >= self._size:
            return False
        self.taken += 1
        return True

    async def wait(self, seconds: float, points: int = INTERACTIVE) -> None:
        """Waits for a slot; raises `Busy`, at once or when it has to give way, or `TimeoutError` later."""
        if len(self._waiting) >= self._queue:
            self._shed(points)
        waiter = asyncio.get_running_loop().create_future()
        place = (time.monotonic() - points * _POINT, next(self._numbers), points, waiter)
        insort(self._waiting, place)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except (asyncio.CancelledError, TimeoutError):
            if waiter.done() and not waiter.cancelled():
                if waiter.exception() is None:  # it was handed a slot in the moment that it gave up
                    self.release()
            elif place in self._waiting:
                self._waiting.remove(place)
            raise

    def _shed(self, points: int) -> None:
        """Makes room in a full queue for a call with that many points, or raises `Busy`."""
        last = min(self._waiting, key=lambda place: (place[2], -place[1]), default=None)
        if last is None or last[2] >= points:
            raise _busy()
        self._waiting.remove(last)
        if not last[3].done():
            last[3].set_exception(_busy())

    def release(self) -> None:
        """Hands the slot to the first waiter, or frees it."""
        while self._waiting:
            waiter = self._waiting.pop(0)[3]
            if not waiter.done():
                waiter.set_result(None)
                return
        self.taken -= 1
        if self.taken == 0 and self._idle is not None:
            self._idle.set_result(None)
            self._idle = None

    async def idle(self) -> None:
        """Returns when no slot is taken."""
        while self.taken:
            self._idle = self._idle or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._idle)


def _busy() -> Busy:
    return Busy("Too many calls wait for the system behind the route.")


class Cutoff:
    """Ends what runs past its time. It is a guard for adapters that should have ended by themselves, so it may come
    a tick late; one timer for all calls costs a sixth of `asyncio.timeout` for each."""

    def __init__(self) -> None:
        self._due: dict[asyncio.Task[Any], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, until: float) -> tuple[asyncio.Task[Any], int]:
        """From now on the current task is cancelled soon after `until` (on `time.monotonic()`'s clock). What this
        answers goes to `end`, whatever happens."""
        task = asyncio.current_task()
        assert task is not None
        self._due[task] = until
        if self._timer is None:
            self._tick()
        return task, task.cancelling()

    def end(self, begun: tuple[asyncio.Task[Any], int]) -> bool:
        """Whether the task was cancelled by this guard, and by nobody else: then it goes on, being too late."""
        task, cancelling = begun
        if self._due.pop(task) != _CUT:
            return False
        # Cancelled by more than us: whoever else it was is obeyed.
        alone = task.cancelling() <= cancelling + 1
        task.uncancel()
        return alone

    def _tick(self) -> None:
        now = time.monotonic()
        for task, until in tuple(self._due.items()):
            if _CUT < until <= now:
                self._due[task] = _CUT
                task.cancel()
        self._timer = asyncio.get_running_loop().call_later(_TICK, self._tick) if self._due else None
