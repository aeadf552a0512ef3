"""The operations' writer: one thread commits what callers ask for in groups, and they wait for the disk.

An intent is on the disk before its caller goes on. How an operation ended is kept until it can be written: while it
can't, the operation stays running, so no second one is sent.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gateway.operations.file import KeptFile, OperationFile
from gateway.operations.record import Begun, Intent, OperationState, StoredOperation
from gateway.store.contract import StoreError

logger = logging.getLogger("figway")

_GROUP = 256
_RETRY_SECONDS = 0.5
_PATIENCE_SECONDS = 5.0
_CLOSE_SECONDS = 10.0
_TIDY_SECONDS = 60.0
_TIDY_ON_SECONDS = 0.05
"""Until the next look at what is past its time, while there is more of it than one look deletes."""


@dataclass(eq=False, slots=True)
class _Job:
    """Something to do within a transaction. One that is `kept` is done again until it works."""

    work: Callable[[], Any]
    waiter: asyncio.Future[Any] | None = None
    kept: bool = False
    outcome: Any = None
    durable: bool = False
    """It must outlive a power failure, not only a crash."""
    given_up: Callable[[Any], None] | None = None
    """Told the outcome when nobody waits for it any more."""


F = TypeVar("F", bound=KeptFile)


class Writing(Generic[F]):
    """One process's thread that writes a file. Its methods are called on the event loop, and never block it.

    At most `capacity` jobs wait for the disk; beyond it a new one is a `StoreError` at once.
    """

    def __init__(self, file: F, capacity: int = 4096) -> None:
        self._file = file
        self._capacity = capacity
        self._queue: deque[_Job] = deque()
        self._work = threading.Event()
        self._closing = threading.Event()
        self._failing = False
        self._tidy_at = 0.0
        self._thread = threading.Thread(target=self._run, name="figway-operations", daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[], Any], *, given_up: Callable[[Any], None] | None = None) -> Any:
        """Does something in a transaction that is on the disk when this returns; raises `StoreError`, and then it
        isn't done. `given_up` is told the outcome when nobody waits for it any more."""
        return await self._wait(_Job(work, durable=True, given_up=given_up))

    async def do_surely(self, work: Callable[[], Any], id: str, *, durable: bool = False) -> None:
        """Does something that must be noted; returns when it is, or after a while: then it's done later."""
        await self._settled(work, id, durable=durable)

    def do_later(self, work: Callable[[], Any]) -> None:
        """Does something that must be noted, while nobody waits for it."""
        self._put(_Job(work, kept=True))

    async def ask(self, work: Callable[[], Any]) -> Any:
        """Reads something; raises `StoreError`."""
        return await self._wait(_Job(work))

    def close(self) -> None:
        """Writes what is queued and stops; blocks."""
        self._closing.set()
        self._work.set()
        self._thread.join(_CLOSE_SECONDS)
        if not self._thread.is_alive():
            self._file.close()
        if self._queue:
            logger.error("%d operations couldn't be ended: they are of unknown outcome", len(self._queue))

    async def _settled(self, work: Callable[[], Any], id: str, *, durable: bool = False) -> None:
        try:
            await self._wait(_Job(work, kept=True, durable=durable))
        except StoreError as error:
            logger.error("operation %s ended, which can't be noted yet: %s", id, error)

    async def _wait(self, job: _Job) -> Any:
        if not job.kept and len(self._queue) >= self._capacity:
            raise StoreError(f"{self._capacity} writes wait for the operations' file already")
        job.waiter = asyncio.get_running_loop().create_future()
        self._put(job)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await job.waiter
        except TimeoutError as error:
            raise StoreError("the operations' file can't be written: the disk doesn't answer") from error

    def _put(self, job: _Job) -> None:
        if not self._thread.is_alive():
            raise StoreError("the operations are closed")
        self._queue.append(job)
        self._work.set()

    def _run(self) -> None:
        while not (self._closing.is_set() and not self._queue):
            if not self._queue:
                self._work.wait(max(0.0, self._tidy_at - time.monotonic()))
            self._work.clear()
            group = [self._queue.popleft() for _ in range(min(_GROUP, len(self._queue)))]
            if not self._commit(group) and self._closing.is_set():
                break

    def _commit(self, group: list[_Job]) -> bool:
        """Does a group's jobs in one transaction; False: nothing was done, and those to be kept are queued again."""
        tidy = self._tidy_at <= time.monotonic()
        if not group and not tidy:
            return True
        try:
            with self._file.transaction(durable=any(job.durable for job in group)):
                more = tidy and self._file.tidy()
                for job in group:
                    _do(job)
        except (sqlite3.Error, OSError) as error:
            self._failed(group, error)
            return False
        if tidy:
            self._tidy_at = time.monotonic() + (_TIDY_ON_SECONDS if more else _TIDY_SECONDS)
        if self._failing:
            self._failing = False
            logger.warning("the operations can be written again")
        _tell([job for job in group if job.waiter is not None])
        return True

    def _failed(self, group: list[_Job], error: Exception) -> None:
        if not self._failing:
            self._failing = True
            logger.error("the operations can't be written, so writes are refused: %s", error)
        told = StoreError("the operations' file can't be written")
        waiting = [job for job in group if job.waiter is not None]
        for job in group:
            job.outcome = told
        _tell(waiting)
        again = [_Job(job.work, kept=True, durable=job.durable) for job in group if job.kept]
        self._queue.extendleft(reversed(again))
        if again:
            self._closing.wait(_RETRY_SECONDS)


class Ledger(Writing[OperationFile]):
    """One process's operations."""

    async def begin(self, intent: Intent) -> Begun:
        """Keeps an intent, on the disk when this returns; raises `StoreError`, and then it isn't kept."""

        def undo(begun: Begun) -> None:
            if begun.taken:
                self._take_back(begun)

        begun: Begun = await self._wait(_Job(lambda: self._file.begin(intent), durable=True, given_up=undo))
        return begun

    def _take_back(self, begun: Begun) -> None:
        id = begun.operation.id
        if begun.resumed:
            self._put(_Job(lambda: self._file.end(id, OperationState.UNKNOWN, None), kept=True))
        else:
            self._put(_Job(lambda: self._file.forget(id), kept=True))

    async def end(self, id: str, state: OperationState, outcome: bytes | None = None) -> None:
        """Notes how an operation ended; returns when it's on the disk, or after a while: then it's done later."""
        await self._settled(lambda: self._file.end(id, state, outcome), id)

    async def pin(self, id: str, side: str, snapshot: int) -> None:
        """Has a write done by another side, on the disk when this returns; raises `StoreError`."""
        await self._wait(_Job(lambda: self._file.pin(id, side, snapshot), durable=True))

    async def refuse(self, id: str, outcome: bytes) -> None:
        """Takes an intent back, and keeps why nothing was sent."""
        await self._settled(lambda: self._file.refuse(id, outcome), id)

    async def forget(self, id: str) -> None:
        """Takes an intent back, since nothing was sent."""
        await self._settled(lambda: self._file.forget(id), id)

    async def add(self, intent: Intent, state: OperationState, outcome: bytes | None = None) -> None:
        """Keeps an operation that has ended already; raises `StoreError`."""

        def both() -> None:
            self._file.begin(intent)
            self._file.end(intent.id, state, outcome)

        await self._wait(_Job(both, durable=True))

    async def read(self, id: str) -> StoredOperation | None:
        """An operation as it stands; raises `StoreError`."""
        found: StoredOperation | None = await self._wait(_Job(lambda: self._file.read(id)))
        return found


def _do(job: _Job) -> None:
    try:
        job.outcome = job.work()
    except StoreError as error:
        job.outcome = error
    except sqlite3.IntegrityError as error:  # an id that is taken: this job's fault, and not its neighbours'
        job.outcome = StoreError(f"the operation can't be kept: {error}")


def _tell(jobs: list[_Job]) -> None:
    """Wakes those who wait, on their own event loops."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in jobs:
        assert job.waiter is not None
        by_loop.setdefault(job.waiter.get_loop(), []).append(job)
    for loop, group in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(_settle, group)


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        waiter, outcome = job.waiter, job.outcome
        assert waiter is not None
        if waiter.done():
            if job.given_up is not None and not isinstance(outcome, StoreError):
                job.given_up(outcome)
        elif isinstance(outcome, StoreError):
            waiter.set_exception(outcome)
        else:
            waiter.set_result(outcome)
