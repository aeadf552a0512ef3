"""Lists of any length: a connection of its own for each, read in batches, one of which is fetched ahead.

The thread waits whenever two batches lie unread, and the database with it: its cursor, or its socket, stands still. So
memory is that of three batches, however long the list. Who stops reading, or has no time left, ends the query at its
source. A slot is free again when its thread has ended, so that a server that hangs costs no more threads than slots.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pyodbc

from adapters.contract import Json
from adapters.errors import Retry, Unavailable, UnknownOutcome
from adapters.odbc.failures import DatabaseError, adapter_error
from adapters.odbc.plans import Stream
from adapters.odbc.pool import told
from adapters.odbc.session import Session
from adapters.odbc.worker import Answer, Worker

SLOTS = 2
"""Lists read at a time; further ones wait."""


class Bulk:
    """The streams of one data source. All methods belong to one event loop."""

    def __init__(self, connect: Callable[[], Session]) -> None:
        self._connect = connect
        self._slots = asyncio.Semaphore(SLOTS)
        self._readings: dict[Worker, _Reading] = {}
        self._closed = False

    def close(self) -> None:
        """Ends every stream under way: its reader gets `Unavailable`."""
        self._closed = True
        for worker in self._readings:
            worker.cancel()
            worker.end()

    async def batches(
        self, stream: Stream, enter: Callable[[Session], None], deadline: float
    ) -> AsyncGenerator[Sequence[Json], None]:
        """The items of `stream`; `enter` tells the session who asks. Raises `AdapterError`s, also between batches."""
        async with await self._reading(deadline) as reading:
            await reading.ask(functools.partial(_started, stream, enter, deadline))
            left = stream.most
            ahead = reading.start(functools.partial(_fetched, stream, _least(stream, left)))
            while items := await reading.answer(ahead):
                left = None if left is None else left - len(items)
                more = len(items) == stream.batch and left != 0
                if more:
                    ahead = reading.start(functools.partial(_fetched, stream, _least(stream, left)))
                yield items
                if not more:
                    return

    async def _reading(self, deadline: float) -> _Reading:
        """A thread with a connection of its own, once a slot is free."""
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await self._slots.acquire()
        except TimeoutError:
            raise Retry("too many lists are read from the database as a whole; nothing was sent") from None
        if self._closed:
            self._slots.release()
            raise Unavailable("the connection to the database is closed; nothing was sent")
        worker = Worker(self._connect, asyncio.get_running_loop(), self._ended)
        reading = self._readings[worker] = _Reading(worker, deadline)
        return reading

    def _ended(self, worker: Worker) -> None:
        self._readings.pop(worker).over()
        self._slots.release()


class _Reading:
    """One worker's answers, awaited until the deadline; leaving ends whatever still runs."""

    def __init__(self, worker: Worker, deadline: float) -> None:
        self._worker = worker
        self._deadline = deadline
        self._asked: set[asyncio.Future[Any]] = set()
        self._over = False

    async def __aenter__(self) -> _Reading:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._asked:
            self._worker.cancel()
        self._worker.end()

    def start(self, job: Callable[[Session], Any]) -> asyncio.Future[Any]:
        """Has the thread run `job`, whatever it does now."""
        ahead = asyncio.get_running_loop().create_future()
        self._asked.add(ahead)
        if self._over:
            self.over()
        else:
            self._worker.submit(job, functools.partial(self._answered, ahead))
        return ahead

    def over(self) -> None:
        """The thread has ended; what it was asked since stays unanswered."""
        self._over = True
        for ahead in list(self._asked):
            self._answered(ahead, Answer(error=Unavailable("the connection to the database is closed")))

    def _answered(self, ahead: asyncio.Future[Any], answer: Answer) -> None:
        self._asked.discard(ahead)
        if ahead.done():
            return
        if answer.error is None:
            ahead.set_result(answer.value)
        else:
            ahead.set_exception(answer.error)
            ahead.exception()  # its reader may have left

    async def answer(self, ahead: asyncio.Future[Any]) -> Any:
        """What a job answered; raises `AdapterError`s."""
        try:
            async with asyncio.timeout(max(0.0, self._deadline - time.monotonic())):
                return await ahead
        except TimeoutError:
            raise UnknownOutcome("the database did not answer in time") from None
        except DatabaseError as error:
            raise adapter_error(error) from error
        except (pyodbc.Error, ValueError, TypeError) as error:
            raise told(error) from error

    async def ask(self, job: Callable[[Session], Any]) -> Any:
        """`start` and `answer`."""
        return await self.answer(self.start(job))


def _least(stream: Stream, left: int | None) -> int:
    return stream.batch if left is None else min(stream.batch, left)


def _started(stream: Stream, enter: Callable[[Session], None], deadline: float, session: Session) -> None:
    session.bound(max(0.0, deadline - time.monotonic()))
    enter(session)
    stream.start(session)


def _fetched(stream: Stream, count: int, session: Session) -> list[Json]:
    return stream.fetch(session, count)
