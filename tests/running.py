"""A gateway as its users run it: `figway serve` in a process of its own, on a free port, ended by process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from gateway.cli.key import Desk

FIGWAY = [sys.executable, "-m", "gateway"]
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


@dataclass
class Running:
    """A gateway that runs."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
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

    def logged(self) -> str:
        return self.log.read_text()

    def wait_logged(self, fragment: str, seconds: float = 15) -> None:
        """Waits until the log holds a fragment."""
        until = time.monotonic() + seconds
        while fragment not in self.logged():
            assert time.monotonic() < until, f"'{fragment}' isn't logged:\n{self.logged()[-3000:]}"
            time.sleep(0.05)


@contextmanager
def serving(folder: Path, *arguments: str, extra: Mapping[str, str] | None = None) -> Iterator[Running]:
    """`figway serve` on the workspace in `folder`, ready."""
    reader, writer = create_key(folder, "reader"), create_key(folder, "reader", "writer", principal="wendy")
    port, log = free_port(), folder / "log.txt"
    command = [*FIGWAY, "serve", "--workspace", str(folder), "--port", str(port), *arguments]
    with log.open("ab") as sink:
        process = subprocess.Popen(command, env=environment(extra), stdout=sink, stderr=sink)
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
    until = time.monotonic() + 30
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
