"""The pool: at most so many connections, a fair queue before them, and a quarantine for those that hang.

    run() ── wait in turn ── take a worker (idle or new) ── submit ── await
                 deadline or caller gone: cancel the statement, discard the connection
                 still nothing after the grace: the thread hangs -> quarantine, its place is free again

A connection that was cancelled is never reused: the cancellation could hit the next statement.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyodbc

from adapters.errors import AdapterError, BadReply, Retry, Unavailable, UnknownOutcome
from adapters.odbc.failures import DatabaseError, Failure, adapter_error
from adapters.odbc.session import Session
from adapters.odbc.worker import Answer, Job, Worker

GRACE = 0.5
"""Seconds that a cancelled statement has to end before its thread counts as hung."""
IDLE = 300.0
"""Seconds after which an unused connection is replaced; firewalls forget them without a word."""
KEEP = 60.0
"""Seconds of quiet after which one connection is tried, and replaced where it broke, for the next caller."""
QUEUE = 1000
"""Callers that may wait for a connection."""


@dataclass(slots=True, eq=False)
class _Call:
    """One job under way, and the caller who waits for it."""

    worker: Worker
    waiter: asyncio.Future[Any]
    write: bool
    grace: float
    timer: asyncio.TimerHandle | None = None
    hung: bool = False


class Pool:
    """Connections to one data source. All methods belong to one event loop."""

    def __init__(self, connect: Callable[[], Session], size: int) -> None:
        self._connect = connect
        self._size = size
        self._turns = asyncio.Semaphore(size)
        self._idle: list[Worker] = []
        self._calls: set[_Call] = set()
        self._quiet = asyncio.Event()
        self._waiting = 0
        self._hung = 0
        self._closed = False
        self._used = 0.0
        self._keeper: asyncio.Task[None] | None = None

    @property
    def facts(self) -> dict[str, int]:
        """Counts: connections busy, idle and hung, and callers waiting for one."""
        return {"busy": len(self._calls), "idle": len(self._idle), "hung": self._hung, "waiting": self._waiting}

    async def run(self, job: Job, deadline: float, *, write: bool) -> Any:
        """Runs `job` on a connection before `deadline` (on `time.monotonic()`'s clock); raises `AdapterError`s.

        A connection that broke while it lay idle is replaced and the job run once more, where nothing was sent.
        """
        self._used = time.monotonic()
        if self._keeper is None and not self._closed:
            self._keeper = asyncio.create_task(self._keep())
        await self._turn(deadline)
        worker = self._taken()
        lay_idle = worker.session is not None
        try:
            return await self._call(worker, job, deadline, write)
        except DatabaseError as error:
            if error.failure is not Failure.LOST or not lay_idle or (write and error.sent):
                raise adapter_error(error) from error
        # What broke one has most likely broken all that lie idle.
        self._drop_idle(0.0)
        await self._turn(deadline)
        try:
            return await self._call(self._taken(), job, deadline, write)
        except DatabaseError as error:
            raise adapter_error(error) from error

    async def close(self) -> None:
        """Takes no more calls, waits for those under way (each ends by its deadline), closes the connections."""
        self._closed = True
        if self._keeper is not None:
            self._keeper.cancel()
        while self._calls:
            self._quiet.clear()
            await self._quiet.wait()
        self._drop_idle(0.0)

    async def _keep(self) -> None:
        """Keeps one connection ready. The others age where nobody uses them."""
        while True:
            await asyncio.sleep(KEEP)
            if time.monotonic() - self._used >= KEEP:
                with contextlib.suppress(AdapterError):  # the next caller will be told, if it lasts
                    await self.run(Session.ping, time.monotonic() + KEEP / 10, write=False)

    async def _turn(self, deadline: float) -> None:
        """Waits, first come first served, for one of the places."""
        if deadline <= time.monotonic():
            raise Retry("the deadline has passed; nothing was sent")
        if not self._turns.locked():
            await self._turns.acquire()
            return
        if self._waiting >= QUEUE:
            raise Retry("too many calls wait for the database; nothing was sent")
        self._waiting += 1
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await self._turns.acquire()
        except TimeoutError:
            raise Retry("every connection to the database is in use; nothing was sent") from None
        finally:
            self._waiting -= 1

    def _taken(self) -> Worker:
        """An idle worker or a new one; gives the turn back where it raises `Unavailable`."""
        self._drop_idle(IDLE)
        if self._idle:
            return self._idle.pop()
        if not self._closed and self._hung < 2 * self._size:
            return Worker(self._connect, asyncio.get_running_loop())
        self._turns.release()
        if self._closed:
            raise Unavailable("the connection to the database is closed; nothing was sent")
        raise Unavailable("the database accepts calls and never answers; nothing was sent")

    def _drop_idle(self, older_than: float) -> None:
        oldest = time.monotonic() - older_than
        for worker in [worker for worker in self._idle if worker.idle_since <= oldest]:
            self._idle.remove(worker)
            worker.end()

    async def _call(self, worker: Worker, job: Job, deadline: float, write: bool) -> Any:
        loop = asyncio.get_running_loop()
        remaining = max(0.0, deadline - time.monotonic())
        # A write is cancelled a little early, so that the database can still say in time that it undid it.
        grace = min(GRACE, remaining / 10) if write else GRACE
        call = _Call(worker, loop.create_future(), write, grace)
        call.timer = loop.call_later(remaining - grace if write else remaining, self._expire, call)
        self._calls.add(call)
        worker.submit(_bounded(job, deadline), functools.partial(self._finished, call))
        try:
            return await call.waiter
        except asyncio.CancelledError:
            if not write and call in self._calls:
                self._expire(call)
            raise

    def _expire(self, call: _Call) -> None:
        """Time is up, or the caller of a read has left: end it at the source."""
        if call.worker.cancelled:
            return
        if call.timer is not None:
            call.timer.cancel()
        connecting = call.worker.session is None
        call.worker.cancel()
        call.timer = asyncio.get_running_loop().call_later(call.grace, self._give_up, call)
        if connecting:
            _fail(call, Unavailable("the database can't be reached in time; nothing was sent"))
        elif not call.write:
            _fail(call, UnknownOutcome("the database did not answer in time"))

    def _give_up(self, call: _Call) -> None:
        """Cancelling did nothing: the thread waits for a server that hangs, perhaps for ever."""
        call.hung = True
        self._hung += 1
        self._settle(call)
        _fail(call, UnknownOutcome("the database did not answer in time"))

    def _finished(self, call: _Call, answer: Answer) -> None:
        if call.timer is not None:
            call.timer.cancel()
        if call.hung:
            self._hung -= 1
            call.worker.end()
            return
        if self._reusable(call.worker, answer.error):
            call.worker.idle_since = time.monotonic()
            self._idle.append(call.worker)
        else:
            call.worker.end()
        self._settle(call)
        if answer.error is not None:
            _fail(call, told(answer.error))
        elif not call.waiter.done():
            call.waiter.set_result(answer.value)

    def _reusable(self, worker: Worker, error: BaseException | None) -> bool:
        """The connection is whole: it only ever ran what ended well, or what the database itself refused."""
        usable = error is None or isinstance(error, AdapterError | DatabaseError)
        lost = isinstance(error, DatabaseError) and error.failure in (Failure.LOST, Failure.TIMEOUT)
        return (
            usable and not lost and not worker.cancelled and not self._closed
            and worker.session is not None and not worker.session.broken
        )  # fmt: skip

    def _settle(self, call: _Call) -> None:
        self._calls.discard(call)
        self._turns.release()
        if not self._calls:
            self._quiet.set()


def _bounded(job: Job, deadline: float) -> Job:
    def run(session: Session) -> Any:
        session.bound(max(0.0, deadline - time.monotonic()))
        return job(session)

    return run


def _fail(call: _Call, error: BaseException) -> None:
    if not call.waiter.done():
        call.waiter.set_exception(error)


def told(error: BaseException) -> BaseException:
    """A driver's own exceptions while it converts a value, such as a TIME above 24 hours."""
    if isinstance(error, pyodbc.Error | ValueError | TypeError):
        return BadReply("the database's driver can't convert a value", detail=f"{type(error).__name__}: {error}")
    return error
