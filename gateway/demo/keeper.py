"""The keeper: one small process that starts the estate's servers and sees to it that none outlives the demo.

    python keeper.py FOLDER        (run by its path: it imports nothing but the standard library)

It reads one JSON object a line: {"name", "argv", "env", "cwd", "log", "user", "stop"} starts a server. It writes one a
line: {"ready": true} or {"busy": true} first, then {"name", "exited": code} for each that ends by itself. When its
standard input closes, or its parent is gone, however that died, it ends every server and everything they started:

- every server leads a process group of its own and dies with the keeper (PR_SET_PDEATHSIG);
- what a server forks, such as PHP's workers, comes to the keeper when the server dies (PR_SET_CHILD_SUBREAPER);
- what is left of a demo whose keeper was killed too is found by a mark in its environment, at the next start.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import pwd
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

MARK = "FIGWAY_ESTATE"
_PDEATHSIG, _SUBREAPER = 1, 36
_TICK, _GRACE, _PATIENCE = 0.2, 2.0, 5.0
_LIBC = ctypes.CDLL(None, use_errno=True)


def main(folder: Path) -> None:
    """Keeps until told to end."""
    parent = os.getppid()
    _LIBC.prctl(_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A handler, since an ignored signal would be ignored by every server too.
        signal.signal(number, lambda *_: None)
    with (folder / "lock").open("a") as lock:
        if not _locked(lock):
            _say(busy=True)
            return
        _sweep(str(folder))
        _say(ready=True)
        servers: dict[str, tuple[subprocess.Popen[bytes], int]] = {}
        try:
            _keep(parent, str(folder), servers)
        finally:
            _end(servers)


def _locked(lock: IO[str]) -> bool:
    """True with the folder's lock; a demo that is just ending is waited for."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(_TICK / 4)
    return False


def _keep(parent: int, mark: str, servers: dict[str, tuple[subprocess.Popen[bytes], int]]) -> None:
    pending = b""
    while os.getppid() == parent:
        if select.select([0], [], [], _TICK)[0]:
            got = os.read(0, 65_536)
            if not got:
                return
            *lines, pending = (pending + got).split(b"\n")
            for line in lines:
                spec = json.loads(line)
                servers[spec["name"]] = (_start(spec, mark), signal.Signals[spec["stop"]])
        for name, (process, _) in list(servers.items()):
            if process.poll() is not None:
                _kill_group(process.pid, signal.SIGKILL)
                del servers[name]
                _say(name=name, exited=process.returncode)


def _start(spec: dict[str, Any], mark: str) -> subprocess.Popen[bytes]:
    with open(spec["log"], "ab") as log:
        return subprocess.Popen(  # noqa: S603 (the estate's own servers)
            spec["argv"],
            env={**os.environ, **spec["env"], MARK: mark},
            cwd=spec["cwd"],
            user=spec["user"],
            group=_group(spec["user"]),
            extra_groups=[] if spec["user"] else None,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_dying_with(os.getpid()),
        )


def _group(user: str | None) -> int | None:
    return pwd.getpwnam(user).pw_gid if user else None


def _dying_with(keeper: int) -> Callable[[], None]:
    def prepare() -> None:
        _LIBC.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != keeper:
            os._exit(1)

    return prepare


def _end(servers: dict[str, tuple[subprocess.Popen[bytes], int]]) -> None:
    for process, stop in servers.values():
        _kill_group(process.pid, stop)
    until = time.monotonic() + _GRACE
    while time.monotonic() < until and list(_children()):
        _reap()
        time.sleep(_TICK / 10)
    while left := list(_children()):
        for pid in left:
            _kill(pid)
        _reap()
        time.sleep(_TICK / 10)


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _children() -> Iterator[int]:
    """Every living process whose parent is the keeper: its servers, and what their deaths left to it."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(") ")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == os.getpid() and state != "Z":
            yield int(folder.name)


def _sweep(mark: str) -> None:
    """Kills what a demo that died together with its keeper left in this folder."""
    wanted = f"{MARK}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            marked = wanted in (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if marked and int(folder.name) != os.getpid():
            _kill(int(folder.name))


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _kill_group(leader: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, number)


def _say(**what: Any) -> None:
    with suppress(BrokenPipeError):
        os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
