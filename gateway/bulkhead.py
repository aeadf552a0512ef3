"""One upstream's slots, with a queue before them, and the end of calls that outlive their deadline."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

from adapters.errors import Retry

_TICK = 0.05
_CUT = float("-inf")


class Busy(Retry):
    """Not called: no slot was to be had. `retry_after` is in seconds."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after=1.0)


class Slots:
    """So many calls at once, so many waiting behind them, first come first served."""

    def __init__(self, size: int, queue: int) -> None:
        self._size = size
        self._queue = queue
        self._waiting: deque[asyncio.Future[None]] = deque()
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

    async def wait(self, seconds: float) -> None:
        """Waits for a slot; raises `Busy` at once or `TimeoutError` later."""
        if len(self._waiting) >= self._queue:
            raise Busy("Too many calls wait for the system behind the route.")
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except (asyncio.CancelledError, TimeoutError):
            if waiter.done() and not waiter.cancelled():  # it was handed a slot in the moment that it gave up
                self.release()
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
            raise

    def release(self) -> None:
        """Hands the slot to the first waiter, or frees it."""
        while self._waiting:
            waiter = self._waiting.popleft()
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
