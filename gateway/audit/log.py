"""The audit's writer: records queue up, one thread commits them in groups, whoever asked for it waits for the disk."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeAlias

from gateway.audit.file import AuditError, AuditFile
from gateway.audit.record import Record, encode

logger = logging.getLogger("figway")

_Waiter: TypeAlias = asyncio.Future[None]
_Item: TypeAlias = tuple[Record, _Waiter | None]

# A commit holds the interpreter for some 5 µs a record, and callers wait meanwhile.
_GROUP = 512
# How long a record that nobody waits for may stay in memory, so that a commit is shared: seconds.
_LINGER = 0.05
_RETRY_SECONDS = 0.5
# A commit that takes longer counts as a failure while it lasts: a hung disk doesn't answer at all.
_STALL_SECONDS = 2.0
_PATIENCE_SECONDS = 5.0
_CLOSE_SECONDS = 10.0


class AuditLog:
    """One process's audit. `append` and `append_durable` are called on the event loop, and never block it.

    What can't be written is kept and tried again every half second, up to `capacity` records (some 1 kB each).
    """

    def __init__(self, file: AuditFile, capacity: int = 16_384) -> None:
        self._file = file
        self._capacity = capacity
        self._queue: deque[_Item] = deque()
        self._writable = True
        self._committing_since: float | None = None
        self._idle = False
        self._work = threading.Event()
        self._hurry = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="figway-audit", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Starts writing to a file of this process's own in `folder`; blocks; raises `AuditError`."""
        return cls(AuditFile.claim(folder))

    @property
    def healthy(self) -> bool:
        """The last commit worked, and none hangs: a call that changes something may be made."""
        since = self._committing_since
        return self._writable and (since is None or time.monotonic() - since < _STALL_SECONDS)

    @property
    def queued(self) -> int:
        """How many records wait for the disk."""
        return len(self._queue)

    @property
    def crowded(self) -> bool:
        """Half of what can be kept is waiting for the disk: callers should wait for it, too."""
        return len(self._queue) * 2 >= self._capacity

    def append(self, record: Record) -> None:
        """Queues a record, to be on the disk some 50 ms later; raises `AuditError` when no more can be kept."""
        self._put(record, None)

    async def append_durable(self, record: Record) -> None:
        """Returns once the record is on the disk. Raises `AuditError` when it can't be put there now.

        The record is then kept with the others that wait for the disk, unless there are too many already.
        """
        if not self.healthy:
            self._put(record, None)
            raise AuditError("the audit can't be written at present")
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        self._put(record, waiter)
        self._hurry.set()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await waiter
        except TimeoutError as error:
            raise AuditError("the audit can't be written: the disk doesn't answer") from error

    def close(self) -> None:
        """Writes what is queued and stops; blocks. Raises `AuditError` when something couldn't be written."""
        self._closing.set()
        self._hurry.set()
        self._work.set()
        self._thread.join(_CLOSE_SECONDS)
        if not self._thread.is_alive():
            self._file.close()
        if self._queue:
            raise AuditError(f"{len(self._queue)} audit records couldn't be written and are lost")

    def _put(self, record: Record, waiter: _Waiter | None) -> None:
        if self._closing.is_set() or len(self._queue) >= self._capacity:
            raise AuditError("the audit is closed" if self._closing.is_set() else "the audit's queue is full")
        self._queue.append((record, waiter))
        if self._idle:
            self._work.set()

    def _run(self) -> None:
        try:
            while not (self._closing.is_set() and not self._queue):
                self._wait_for_work()
                if not self._commit() and self._closing.is_set():
                    break
        finally:
            # However the thread ends, nothing is written any more.
            self._writable = False
            _tell((waiter for _, waiter in self._queue), AuditError("the audit is closed"))

    def _wait_for_work(self) -> None:
        self._work.clear()
        self._idle = True
        if not self._queue and not self._closing.is_set():
            self._work.wait()
        self._idle = False
        self._hurry.wait(_LINGER)
        self._hurry.clear()

    def _commit(self) -> bool:
        """Writes the head of the queue; what fails stays there. False: it failed."""
        group = [self._queue[at] for at in range(min(_GROUP, len(self._queue)))]
        waiters = [waiter for _, waiter in group if waiter is not None]
        self._committing_since = time.monotonic()
        try:
            self._file.add(encode(record) for record, _ in group)
        except AuditError as error:
            if self._writable:
                logger.error("%s; writes are refused until it can be again", error)
            self._writable = False
            _tell(waiters, error)
            self._closing.wait(_RETRY_SECONDS)
            return False
        finally:
            self._committing_since = None
        for _ in group:
            self._queue.popleft()
        if not self._writable:
            logger.warning("the audit can be written again")
        self._writable = True
        _tell(waiters, None)
        if len(group) == _GROUP:
            self._hurry.set()
        return True


def _tell(waiters: Iterable[_Waiter | None], error: AuditError | None) -> None:
    """Wakes those who wait, on their own event loops."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Waiter]] = {}
    for waiter in waiters:
        if waiter is not None:
            by_loop.setdefault(waiter.get_loop(), []).append(waiter)
    for loop, group in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(_settle, group, error)


def _settle(waiters: Iterable[_Waiter], error: AuditError | None) -> None:
    for waiter in waiters:
        if waiter.done():
            continue
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)
