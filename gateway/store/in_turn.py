"""A thread for calls that are short and many: it takes those that wait in one go, as waking it costs more than they."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from gateway.store.contract import StoreError

_P = ParamSpec("_P")
_T = TypeVar("_T")
_AT_ONCE, _AT_LAST = 8, 0.001
"""So many results are told together, at most, and those of so many seconds: none waits for more than one slow call."""


class InTurn:
    """`await in_turn(file.answer, "x")` runs the calls of one event loop on one thread, in their order.

    At most `waiting` calls are queued; the next one gets a `StoreError` at once.
    """

    def __init__(self, waiting: int = 256) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="figway-store")
        self._waiting = waiting
        self._calls: deque[tuple[asyncio.Future[Any], Callable[[], Any]]] = deque()
        self._current: asyncio.Future[Any] | None = None
        self._runs = False

    async def __call__(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The call's result; raises what it raises. One whose caller has left isn't begun."""
        if len(self._calls) >= self._waiting:
            raise StoreError(f"{self._waiting} calls wait for the store already")
        told: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._calls.append((told, partial(function, *args, **kwargs)))
        if not self._runs:
            self._run()
        return await told

    def close(self) -> None:
        """Waits for the calls under way, and ends the thread."""
        self._executor.shutdown()

    def _run(self) -> None:
        loop, self._runs = asyncio.get_running_loop(), True
        self._executor.submit(self._work, loop).add_done_callback(partial(_soon, loop, self._ended))

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the thread: all calls that there are; one that raises ends it."""
        results: list[tuple[asyncio.Future[Any], Any]] = []
        told = time.monotonic()
        try:
            while self._calls:
                self._current, call = self._calls.popleft()
                if not self._current.cancelled():
                    results.append((self._current, call()))
                if len(results) == _AT_ONCE or time.monotonic() - told > _AT_LAST:
                    _soon(loop, _tell, results)
                    results, told = [], time.monotonic()
        finally:
            _soon(loop, _tell, results)

    def _ended(self, work: Future[None]) -> None:
        error = work.exception()
        if error is not None and self._current is not None and not self._current.done():
            self._current.set_exception(error)
        self._runs = False
        if self._calls:
            self._run()


def _soon(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: Any) -> None:
    if not loop.is_closed():  # else nobody waits
        loop.call_soon_threadsafe(function, *args)


def _tell(results: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for told, result in results:
        if not told.done():
            told.set_result(result)
