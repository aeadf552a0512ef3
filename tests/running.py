"""figway as its users run it, in a process of its own, ended by process id: any verb, or `figway serve` on a free port.

The processes are forks of one that has imported figway already (`tests/zygote.py`), as hundreds are started.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

from gateway.cli.key import Desk

FIGWAY = [sys.executable, "-m", "gateway"]
"""The command line of a figway that isn't forked."""
PLUGIN = Path(__file__).parent / "plugin"

POLICY = """
permit (principal in Role::"reader", action in Action::"read", resource);
permit (principal in Role::"writer", action, resource);
"""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a figway process that finds the lab adapter."""
    return {**os.environ, "PYTHONPATH": str(PLUGIN), "FIGWAY_LOG": "info", **(extra or {})}


def write_workspace(folder: Path, files: Mapping[str, str]) -> Path:
    """Writes a workspace's files, each at once (temporary file and rename), as an editor would."""
    for name, text in {"policies/access.cedar": POLICY, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.draft")
        draft.write_text(text)
        draft.replace(path)
    return folder


def create_key(folder: Path, *roles: str, principal: str = "alice", agent: str | None = None) -> str:
    """A new API key, as an `Authorization` header's value."""
    # As `figway key create` makes it, without the time that another process takes to start.
    with Desk.open(folder) as desk:
        text, _ = desk.create(expires=None, principal=principal, agent=agent, roles=roles)
    return f"Bearer {text}"


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _heard(report: socket.socket) -> int:
    told = report.recv(32)
    if not told:
        raise RuntimeError("what figway is forked from has ended; it says why on standard error")
    return int(told)


class Forked:
    """A figway process, with the face of `subprocess.Popen`."""

    def __init__(self, report: socket.socket) -> None:
        self._report = report
        self.pid = _heard(report)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, negative for a signal's; raises `subprocess.TimeoutExpired`."""
        if self.returncode is None:
            self._report.settimeout(timeout)
            try:
                self.returncode = _heard(self._report)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("figway", timeout or 0) from None
            self._report.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Zygote:
    """This process's zygote, started when it is first asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def fork(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, *streams: int) -> Forked:
        told, report = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = {"arguments": arguments, "environment": dict(environment), "folder": str(folder)}
        with report:
            socket.send_fds(self._asked(), [json.dumps(request).encode()], [*streams, report.fileno()])
        return Forked(told)

    def _asked(self) -> socket.socket:
        with self._lock:
            if self._control is None:
                self._control, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                command = [sys.executable, str(Path(__file__).with_name("zygote.py")), str(asked.fileno())]
                with asked:
                    self._process = subprocess.Popen(
                        command, env=environment(), pass_fds=[asked.fileno()],
                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    )  # fmt: skip
            return self._control

    def offered(self) -> int:
        """The descriptor of the socket on which it is asked, for other programs."""
        return self._asked().fileno()

    def end(self) -> None:
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.wait(20)


_zygote = _Zygote()
end = _zygote.end
"""Ends what the processes are forked from."""

_SHIM = f"""#!{sys.executable} -IS
import json, os, socket, sys
told, report = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
request = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}}
with socket.socket(fileno=int(os.environ["ZYGOTE"])) as asked:
    socket.send_fds(asked, [json.dumps(request).encode()], [0, 1, 2, report.fileno()])
report.close()
told.recv(32)
raise SystemExit(int(told.recv(32)))
"""


def shim(folder: Path) -> tuple[Mapping[str, str], int]:
    """Puts a program `figway` into `folder` that runs as a fork: the environment that it needs, and the descriptor."""
    program = folder / "figway"
    program.write_text(_SHIM)
    program.chmod(0o755)
    descriptor = _zygote.offered()
    return {"PATH": f"{folder}:{os.environ['PATH']}", "ZYGOTE": str(descriptor)}, descriptor


def start(
    *arguments: str,
    output: IO[bytes],
    error: IO[bytes] | None = None,
    extra: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Forked:
    """Starts a verb, in `folder` or this one; standard error goes where the output goes, unless a file is given."""
    with open(os.devnull, "rb") as nothing:
        streams = nothing.fileno(), output.fileno(), (error or output).fileno()
        return _zygote.fork(arguments, environment(extra), folder or Path.cwd(), *streams)


def figway(
    *arguments: str, extra: Mapping[str, str] | None = None, timeout: float = 120, check: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs a verb to its end; with `check`, which must be good."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as error:
        process = start(*arguments, output=output, error=error, extra=extra)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        for each in (output, error):
            each.seek(0)
        told = output.read().decode(), error.read().decode()
    done = subprocess.CompletedProcess(arguments, process.wait(), *told)
    if check:
        done.check_returncode()
    return done


@dataclass
class Running:
    """A gateway that runs."""

    folder: Path
    port: int
    process: Forked | subprocess.Popen[bytes]
    reader: str
    writer: str
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, key: str | None = None, **options: object) -> httpx.Client:
        """A client that may write, unless another key is given."""
        headers = {"authorization": key or self.writer}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, **options)  # type: ignore[arg-type]

    def stop(self, number: int = signal.SIGTERM, timeout: float = 20) -> int:
        """Ends it and returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout)

    def workers(self) -> list[int]:
        """Its workers' process ids, where it has several."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        commands = {int(each): Path(f"/proc/{each}/cmdline").read_bytes() for each in children}
        return [pid for pid, command in commands.items() if b"resource_tracker" not in command]

    def logged(self) -> str:
        return self.log.read_text()

    def wait_logged(self, fragment: str, seconds: float = 15) -> None:
        """Waits until the log holds a fragment."""
        until = time.monotonic() + seconds
        while fragment not in self.logged():
            assert time.monotonic() < until, f"'{fragment}' isn't logged:\n{self.logged()[-3000:]}"
            time.sleep(0.05)


@contextmanager
def serving(
    folder: Path, *arguments: str, extra: Mapping[str, str] | None = None, forked: bool = True
) -> Iterator[Running]:
    """`figway serve` on the workspace in `folder`, ready; not `forked`, it is a program that was started."""
    reader, writer = create_key(folder, "reader"), create_key(folder, "reader", "writer", principal="wendy")
    port, log = free_port(), folder / "log.txt"
    command = ["serve", "--workspace", str(folder), "--port", str(port), *arguments]
    with log.open("ab") as sink:
        process: Forked | subprocess.Popen[bytes]
        if forked:
            process = start(*command, output=sink, extra=extra)
        else:
            process = subprocess.Popen([*FIGWAY, *command], env=environment(extra), stdout=sink, stderr=sink)
    running = Running(folder, port, process, reader, writer, log)
    try:
        _until_ready(running)
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until_ready(running: Running) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if running.process.poll() is not None:
            raise RuntimeError(f"the gateway ended with {running.process.returncode}:\n{running.logged()}")
        try:
            if httpx.get(f"{running.url}/-/ready", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"the gateway isn't ready:\n{running.logged()}")
