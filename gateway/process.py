"""The gateway as processes: one server that drains before it stops, or several under a supervisor.

Stopping: on the first SIGTERM or SIGINT the gateway says that it isn't ready, goes on serving for `FIGWAY_DRAIN`
seconds, then takes no new connection and waits for the calls in flight. A start ends at once on SIGTERM.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from multiprocessing.context import SpawnProcess
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from types import FrameType

import uvicorn
import uvloop

from gateway.app import Application
from gateway.ingress.connection import Connection
from gateway.settings import Settings

logger = logging.getLogger("figway")

_LONGEST_CALL = 60
"""Seconds that calls in flight get to end once the gateway stops."""
_BACKLOG = 2048
_RESTART_PAUSE = 1.0
_WATCH_POLL = 0.2
_NOT_STARTED = 3
"""The exit code of a worker that couldn't start; the reason is logged."""
_GC_OBJECTS = 20_000


def listen(settings: Settings) -> socket.socket:
    """The listening socket; raises `OSError` when the address is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError:
        listener.close()
        raise
    listener.listen(_BACKLOG)
    return listener


class Server(uvicorn.Server):
    """A uvicorn server that turns unready before it stops."""

    def __init__(self, application: Application, settings: Settings, began: Callable[[], None]) -> None:
        self._application, self._began = application, began
        self._drain = settings.drain
        self._stopping: asyncio.TimerHandle | None = None
        super().__init__(
            uvicorn.Config(
                application,
                http=Connection,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=True,
                proxy_headers=False,
                timeout_graceful_shutdown=_LONGEST_CALL,
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal turns the gateway unready and, once drained, stops it; a second one stops it at once."""
        if sig == signal.SIGTERM and not self.started:
            # Nothing is served yet, and what is being made bears a kill: a start may take long, or hang.
            signal.signal(sig, signal.SIG_DFL)
            signal.raise_signal(sig)
        self._application.control.drain()
        if self._drain and self._stopping is None and self.started:
            self._stopping = asyncio.get_running_loop().call_later(self._drain, self._stop)
        elif self.should_exit:
            self.force_exit = True
        else:
            self._stop()

    def _stop(self) -> None:
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second, by uvicorn's main loop: once a second connections without a request are looked for."""
        if counter % 10 == 0:
            for connection in tuple(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.look()
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._began()
        # What was loaded stays: the collector needn't look at it again (it cost tens of ms at the 99th percentile).
        gc.collect()
        gc.freeze()
        # Calls in flight come and go without cycles; looking at them every 700 objects cost a tenth of each call.
        gc.set_threshold(_GC_OBJECTS, 10, 10)


class OneLine(logging.Formatter):
    """A message stays one line, whatever an upstream wrote into it: nobody can forge the next one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is the library's
        return "".join(each if each.isprintable() else repr(each)[1:-1] for each in super().formatMessage(record))


def configure_logging(settings: Settings) -> None:
    """Log lines go to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=settings.log.upper(), handlers=[handler])
    logging.getLogger("uvicorn.error").setLevel("WARNING" if settings.log != "debug" else "DEBUG")


def _unheard() -> None:
    """Nobody waits for the server to have begun."""


def run_one(
    workspace: Path,
    settings: Settings,
    listener: socket.socket,
    *,
    watch: bool,
    began: Callable[[], None] = _unheard,
) -> bool:
    """Serves until a signal comes, and calls `began` when it does; False when start-up failed."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve_one(workspace, settings, listener, watch=watch, began=began))


async def serve_one(
    workspace: Path,
    settings: Settings,
    listener: socket.socket,
    *,
    watch: bool,
    began: Callable[[], None] = _unheard,
) -> bool:
    """The same, on the running event loop."""
    server = Server(Application(workspace, settings, watch=watch), settings, began)
    try:
        await server.serve(sockets=[listener])
    except SystemExit:  # uvicorn's way to say that start-up failed; the reason is logged
        return False
    return True


def _worker(workspace: Path, settings: Settings, listener: socket.socket, watch: bool, began: ctypes.c_bool) -> None:
    configure_logging(settings)
    threading.Thread(target=_end_with_supervisor, daemon=True).start()

    def begin() -> None:
        began.value = True

    served = run_one(workspace, settings, listener, watch=watch, began=begin)
    raise SystemExit(0 if served else _NOT_STARTED)


def _end_with_supervisor() -> None:
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)


class Supervisor:
    """Several workers on one listening socket; one that dies is started again, a signal stops them all."""

    def __init__(self, workspace: Path, settings: Settings, workers: int, *, watch: bool) -> None:
        self._arguments = (workspace, settings)
        self._count, self._watch = workers, watch
        self._spawn = multiprocessing.get_context("spawn")
        self._workers: list[SpawnProcess] = []
        # Without a lock, which a worker that is killed could keep.
        self._began = RawValue(ctypes.c_bool, False)
        """A worker has served: what another can't start by may pass, and mustn't end those that serve."""
        self._signal: int | None = None

    def run(self, listener: socket.socket) -> bool:
        """Supervises until a signal comes; False when a worker couldn't start."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._workers = [self._started(listener) for _ in range(self._count)]
        failed = False
        while self._signal is None and not failed:
            time.sleep(_WATCH_POLL)
            failed = not self._tend(listener)
        self._stop()
        return not failed

    def _started(self, listener: socket.socket) -> SpawnProcess:
        process = self._spawn.Process(target=_worker, args=(*self._arguments, listener, self._watch, self._began))
        process.start()
        return process

    def _tend(self, listener: socket.socket) -> bool:
        for at, process in enumerate(self._workers):
            if process.is_alive():
                continue
            if process.exitcode == _NOT_STARTED and not self._began.value:
                return False
            logger.error("worker %s ended with %s; another starts", process.pid, process.exitcode)
            time.sleep(_RESTART_PAUSE)
            self._workers[at] = self._started(listener)
        return True

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._signal = number

    def _stop(self) -> None:
        for process in self._workers:
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, signal.SIGTERM)
        for process in self._workers:
            process.join()
