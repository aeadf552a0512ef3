"""A few threads for what blocks, so that the event loop never does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from gateway.store.contract import StoreError

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Offload:
    """`await offload(state.snapshot, 3)` runs the call on one of `threads` threads.

    At most `waiting` calls are under way or queued; the next one gets a `StoreError` at once.
    """

    def __init__(self, threads: int = 2, waiting: int = 64) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="figway-store")
        self._waiting = waiting
        self._free = threading.BoundedSemaphore(waiting)

    async def __call__(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The call's result; raises what it raises."""
        if not self._free.acquire(blocking=False):
            raise StoreError(f"{self._waiting} calls wait for the store already")
        future = self._executor.submit(function, *args, **kwargs)
        # Not in a `finally` here: a caller that leaves doesn't end the call on its thread.
        future.add_done_callback(lambda _: self._free.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Waits for the calls under way, and ends the threads."""
        self._executor.shutdown()
