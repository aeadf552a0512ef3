"""A process that has imported figway once and forks into a `figway` whenever a test asks (`tests/running.py`).

Importing takes most of the time that a start takes, and hundreds are started. A fork runs what `python -m gateway`
runs, in a process of its own: arguments, environment, folder, streams, signals and exit code are those of a program
that was started. The zygote runs nothing else, and never has a thread, as a fork would lose it.

Each datagram on the socket whose number it is given asks for one figway: JSON of `arguments`, `environment` and
`folder`, with four descriptors: standard input, output and error, and a socket that is told the process id and, once
it has ended, the exit code. The zygote ends when nobody can ask any more.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import multiprocessing.context
import multiprocessing.util
import os
import pkgutil
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

LONGEST = 1 << 20
# What the verbs and every served workspace of the tests import later on.
_LATER = ("gateway.__main__", "gateway.app", "adapters.soap", "adapters.odbc", "adapters.files", "adapters.http")


def _import_figway() -> None:
    for name in _LATER:
        importlib.import_module(name)
    cli = importlib.import_module("gateway.cli")
    for module in pkgutil.iter_modules(cli.__path__):
        importlib.import_module(f"gateway.cli.{module.name}")
    importlib.import_module("gateway.untrusted.scanner").built_in()  # 0.2 s, which every workspace needs
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "importing figway starts a thread, which a fork loses"
    gc.collect()
    gc.freeze()


def _serve(asked: socket.socket) -> dict[str, Any] | None:
    """Forks for whoever asks. It returns in each fork, with what was asked for, and in the zygote at the end: None."""
    ended, told = socket.socketpair()
    for each in (ended, told):
        each.setblocking(False)
    signal.set_wakeup_fd(told.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    reports: dict[int, int] = {}
    while True:
        for ready in select.select([asked, ended], [], [])[0]:
            if ready is ended:
                ended.recv(4096)
                _report(reports)
                continue
            message, descriptors, _, _ = socket.recv_fds(asked, LONGEST, 4)
            if not message:
                return None
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for each in (asked, ended, told):
                    each.close()
                _take(descriptors, reports)
                request: dict[str, Any] = json.loads(message)
                return request
            reports[pid] = descriptors[3]
            _tell(descriptors[3], pid)
            for descriptor in descriptors[:3]:
                os.close(descriptor)


def _report(reports: dict[int, int]) -> None:
    """Tells of all that have ended."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = found
            descriptor = reports.pop(pid)
            _tell(descriptor, os.waitstatus_to_exitcode(status))
            os.close(descriptor)


def _tell(descriptor: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # who asked has gone
        os.write(descriptor, str(number).encode())


def _take(descriptors: list[int], reports: dict[int, int]) -> None:
    """Makes three descriptors the standard streams, and closes what is the zygote's."""
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    for descriptor in (*descriptors, *reports.values()):
        os.close(descriptor)


def _become(request: dict[str, Any]) -> None:
    """What the interpreter does before it runs `python -m gateway`."""
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if new := [path for path in paths if path and path not in sys.path]:
        sys.path[:0] = new
        sys.modules.pop("sitecustomize", None)
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module("sitecustomize")
    sys.argv = ["figway", *request["arguments"]]
    # Workers that are spawned would import all of it again, each: they are forks as well.
    multiprocessing.get_context = lambda _: multiprocessing.context.ForkContext()  # type: ignore[method-assign,assignment]
    multiprocessing.util.register_after_fork(_become, _unheard)


def _unheard(_: object) -> None:
    """A worker doesn't begin with what its supervisor does on a signal."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _import_figway()
    with socket.socket(fileno=int(sys.argv[1])) as control:
        wanted = _serve(control)
    if wanted is not None:
        _become(wanted)
        sys.modules["gateway.cli"].main()
