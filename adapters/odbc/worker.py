"""A thread of its own for one connection: jobs go in, answers come back to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

import pyodbc

from adapters.errors import AdapterError
from adapters.odbc.failures import DatabaseError
from adapters.odbc.session import Session

Job = Callable[[Session], Any]


class Answer:
    """What became of a job, handed to the event loop."""

    __slots__ = ("error", "value")

    def __init__(self, value: Any = None, error: BaseException | None = None) -> None:
        self.value = value
        self.error = error


class Worker:
    """A daemon thread, so that one that hangs in a driver never keeps the process from ending."""

    def __init__(
        self,
        connect: Callable[[], Session],
        loop: asyncio.AbstractEventLoop,
        ended: Callable[[Worker], None] | None = None,
    ) -> None:
        """`ended` is called on the event loop when the thread has ended."""
        self._connect: Final = connect
        self._loop: Final = loop
        self._ended: Final = ended
        self._jobs: queue.SimpleQueue[tuple[Job, Callable[[Answer], None]] | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self.session: Session | None = None
        self.cancelled = False
        self.idle_since = 0.0
        self._thread = threading.Thread(target=self._run, name="figway-odbc", daemon=True)
        self._thread.start()

    def submit(self, job: Job, answered: Callable[[Answer], None]) -> None:
        """Runs `job` on the connection, opened first where it isn't; `answered` is called on the event loop."""
        self._jobs.put((job, answered))

    def end(self) -> None:
        """Closes the connection and ends the thread, once the jobs before are done."""
        self._jobs.put(None)

    def cancel(self) -> None:
        """Has the running statement cancelled, from a thread of its own because a hung server hangs that too."""
        self.cancelled = True
        threading.Thread(target=self._cancel, name="figway-odbc-cancel", daemon=True).start()

    def _cancel(self) -> None:
        with self._closing:
            if self.session is not None:
                self.session.cancel()

    def _run(self) -> None:
        try:
            while (item := self._jobs.get()) is not None:
                self._do(*item)
        finally:
            with self._closing:
                if self.session is not None:
                    self.session.close()
                    self.session = None
            if self._ended is not None:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    self._loop.call_soon_threadsafe(self._ended, self)

    def _do(self, job: Job, answered: Callable[[Answer], None]) -> None:
        answer: Answer | None = None
        try:
            if self.session is None:
                self.session = self._connect()
            answer = Answer(job(self.session))
        except (AdapterError, DatabaseError, pyodbc.Error, ValueError, TypeError) as error:
            answer = Answer(error=error)
        finally:
            # Anything else is a fault of ours: it ends this thread, but never leaves the caller waiting.
            answer = answer or Answer(error=sys.exception())
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(answered, answer)
