"""What waits to be exported: a bounded queue and one thread, so that a collector that hangs holds nobody up."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from gateway.telemetry.counters import counter
from gateway.telemetry.families import DROPPED

T = TypeVar("T")

CAPACITY, BATCH = 2_048, 512
"""Items kept, and sent at once: the defaults of OpenTelemetry's own batch processors."""
_LAST_SECONDS = 2.0


class Outbox(Generic[T]):
    """`put` never waits: when the queue is full the newest item is dropped, and counted.

    `send` runs on the outbox's own thread, blocks as long as it likes and says whether the batch arrived; what it
    raises of `OSError` counts as no. `signal` is `spans` or `logs`.
    """

    def __init__(self, signal: str, send: Callable[[Sequence[T]], bool], *, every: float) -> None:
        self._queue: deque[T] = deque()
        self._send, self._every = send, every
        self._dropped = counter(DROPPED.name, DROPPED.help, signal=signal)
        self._work, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"figway-otlp-{signal}", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Queues an item."""
        if len(self._queue) >= CAPACITY:
            self._dropped.add()
            return
        self._queue.append(item)
        if len(self._queue) == BATCH:
            self._work.set()

    def close(self) -> None:
        """Sends what is queued, for two seconds at most; what is left then is lost."""
        self._closing.set()
        self._work.set()
        self._thread.join(_LAST_SECONDS)

    def _run(self) -> None:
        while True:
            self._work.wait(self._every)
            closing = self._closing.is_set()
            self._work.clear()
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
                if not self._sent(batch):
                    self._dropped.add(len(batch))
            if closing:
                return

    def _sent(self, batch: Sequence[T]) -> bool:
        try:
            return self._send(batch)
        except OSError:
            return False
