"""`figway demo` as its users run it: in a folder of its own, on a free port, ended by process id."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

FIGWAY = Path(sys.executable).with_name("figway")
_PATIENCE = 120.0
# (process id, when it started): a number alone may be given to another process.
Process = tuple[int, str]


@dataclass
class Demo:
    """A demo that was started in `folder`. `family`: it and all that it had started when it became ready."""

    folder: Path
    port: int
    process: Any
    family: Sequence[Process] = field(default=())

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What `.figway/demo.json` says."""
        facts: dict[str, Any] = json.loads((self.folder / ".figway" / "demo.json").read_text())
        return facts

    @property
    def sample(self) -> Mapping[str, str]:
        samples: Mapping[str, str] = self.facts["samples"]
        return samples

    @property
    def estate(self) -> Mapping[str, Mapping[str, str]]:
        estate: Mapping[str, Mapping[str, str]] = self.facts["estate"]
        return estate

    @property
    def drop(self) -> Path:
        return Path(self.estate["files"]["dir"])

    def client(self, role: str = "agent", **options: Any) -> httpx.Client:
        """A client with that role's credential."""
        headers = {"authorization": self.facts["credentials"][role]}
        return httpx.Client(base_url=self.facts["base_url"], headers=headers, timeout=30, **options)

    def get(self, path: str, role: str = "agent") -> Any:
        """The JSON of one answer, which must be 200."""
        with self.client(role) as client:
            return client.get(path).raise_for_status().json()

    def set_crm(self, **switches: object) -> dict[str, Any]:
        """Sets the CRM's switches, if any; answers its state with the counts of calls and writes."""
        control = self.estate["crm"]["control"]
        reply = httpx.post(control, json=switches) if switches else httpx.get(control)
        state: dict[str, Any] = reply.raise_for_status().json()
        return state

    def run_batch(self) -> int:
        """Runs the work queue's batch now; how many tasks it took over."""
        reply = httpx.post(self.estate["files"]["control"], timeout=30).raise_for_status()
        return int(reply.json()["taken"])

    def stop(self, number: int = signal.SIGINT) -> int:
        """Ends it and returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(90)

    def said(self) -> str:
        """All that it has printed."""
        return (self.folder / "demo.log").read_text()


start: Callable[..., Any] | None = None
"""`running.start`, once a fixture has put it here."""


@contextmanager
def launched(folder: Path, *arguments: str, path: str | None = None, port: int | None = None) -> Iterator[Demo]:
    """`figway demo` just launched; killed at the end if it still runs. `path`: its PATH."""
    port = port or free_port()
    assert start is not None
    environment = {"PATH": path or os.environ["PATH"]}
    with (folder / "demo.log").open("ab") as sink:
        process = start("demo", "--port", str(port), *arguments, output=sink, extra=environment, folder=folder)
    demo = Demo(folder, port, process)
    try:
        yield demo
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[Demo]:
    """`figway demo`, ready."""
    with launched(folder, *arguments) as demo:
        until = time.monotonic() + _PATIENCE
        while not is_ready(demo.port):
            if demo.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the demo didn't start:\n{demo.said()}")
            time.sleep(0.05)
        demo.family = family(demo.process.pid)
        yield demo


def is_ready(port: int) -> bool:
    """Whether the gateway on that port says that it is ready."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/-/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(pid: int) -> list[Process]:
    """A process and all that descend from it, now."""
    parents = {each: parent for each, parent, _ in _processes()}
    found = {pid}
    while more := {each for each, parent in parents.items() if parent in found} - found:
        found |= more
    return [(each, since) for each, _, since in _processes() if each in found]


def alive(processes: Sequence[Process]) -> list[str]:
    """The command lines of those that still run."""
    now = {(each, since) for each, _, since in _processes()}
    return [_command(pid) for pid, since in processes if (pid, since) in now]


def _processes() -> Iterator[tuple[int, int, str]]:
    """Every process: its id, its parent's and when it started, dead ones that wait for their parent left out."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            yield int(folder.name), int(fields[1]), fields[19]


def _command(pid: int) -> str:
    try:
        return f"{pid}: {Path(f'/proc/{pid}/cmdline').read_text()}".replace("\0", " ")
    except OSError:
        return f"{pid}: just ended"
