"""Starts the estate's processes and outlives whoever asked for them just long enough to end them all.

Run as a script of its own (standard library alone). Orders come as JSON lines on standard input, each answered by one
line on standard output. When the input ends, because its writer stopped or was killed, everything that still runs is
ended by process group: PHP's workers are grandchildren, which a signal at their parent's death wouldn't reach.
Should the warden itself be killed, the kernel ends its children (prctl(2), PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE = 5.0
_LIBC = ctypes.CDLL(None, use_errno=True)

Order = Mapping[str, Any]


class Warden:
    """The processes by name, and the folders to remove once they have ended."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[subprocess.Popen[bytes], int]] = {}
        self._folders: list[str] = []

    def obey(self, order: Order) -> Mapping[str, Any]:
        """Carries out one order; what goes wrong is the answer's `error`."""
        kinds: Mapping[str, Callable[[Order], Mapping[str, Any]]] = {
            "run": self._run, "stop": self._stop, "status": self._status, "remove": self._remove,
        }  # fmt: skip
        try:
            return kinds[order["order"]](order)
        except (OSError, KeyError, subprocess.SubprocessError) as problem:
            return {"error": f"{type(problem).__name__}: {problem}"}

    def end(self) -> None:
        """Ends everything, latest first, and removes the folders."""
        for _, (process, gentle) in reversed(self._running.items()):
            _signal(process, gentle)
        until = time.monotonic() + _PATIENCE
        for process, _ in self._running.values():
            _await_end(process, until)
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)

    def _run(self, order: Order) -> Mapping[str, Any]:
        """{name, command, env, cwd, log, user: name or null, signal}: `signal` ends it gently."""
        warden = os.getpid()
        user = order["user"]
        group = None if user is None else pwd.getpwnam(user).pw_gid
        with open(order["log"], "ab") as log:
            process = subprocess.Popen(  # noqa: S603 (the estate's own command lines)
                order["command"], env=order["env"], cwd=order["cwd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, user=user, group=group, extra_groups=None if user is None else [],
                preexec_fn=lambda: _die_with(warden),
            )  # fmt: skip
        self._running[order["name"]] = (process, order["signal"])
        return {"pid": process.pid}

    def _stop(self, order: Order) -> Mapping[str, Any]:
        process, gentle = self._running.pop(order["name"])
        _signal(process, gentle)
        _await_end(process, time.monotonic() + _PATIENCE)
        return {"status": process.returncode}

    def _status(self, order: Order) -> Mapping[str, Any]:
        """{name}: the exit status, null while it runs."""
        return {"status": self._running[order["name"]][0].poll()}

    def _remove(self, order: Order) -> Mapping[str, Any]:
        self._folders.append(order["folder"])
        return {}


def _die_with(warden: int) -> None:
    """In the child, before its program starts; after the change of user, which would undo it."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != warden:
        os._exit(1)


def _signal(process: subprocess.Popen[bytes], gentle: int) -> None:
    if process.poll() is None:
        # Whoever stopped the process (SIGSTOP) wanted it deaf, not immortal.
        process.send_signal(signal.SIGCONT)
        process.send_signal(gentle)


def _await_end(process: subprocess.Popen[bytes], until: float) -> None:
    try:
        process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    # The leader has ended; what it left behind has its group.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def main() -> None:
    """Obeys until the input ends."""
    # Terminals and service managers signal whole groups; the warden goes by its input alone.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    warden = Warden()
    try:
        for line in sys.stdin:
            print(json.dumps(warden.obey(json.loads(line))), flush=True)
    except BrokenPipeError:
        # The reader of the answers is gone, and with it the reason for all this.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        warden.end()


if __name__ == "__main__":
    main()
