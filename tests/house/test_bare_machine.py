"""The two commands on a machine that has nothing but git, make and a Python: what a used machine hides, shows here."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

CLONE = "/srv/figway"
FIRST, AGAIN = 180, 20
"""Seconds until the demo answers: from a clean clone, and the second time."""


@pytest.fixture(scope="module")
def machine(
    root: Path, machines: ModuleType, bare_debian: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], list[str]]]:
    """The command line that runs a shell script in a clean clone on the bare machine."""
    folder = tmp_path_factory.mktemp("machine") / "root"
    machines.run("cp", "-a", str(bare_debian), str(folder))
    # The folder is the machine's "/": others than root must get in, database servers among them.
    folder.chmod(0o755)
    environment = {"HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}

    def command(script: str, **more: str) -> list[str]:
        return list(machines.command(folder, "sh", "-ec", script, environment={**environment, **more}))

    basics = "apt-get -qq update; apt-get -qq install -y --no-install-recommends ca-certificates git make python3"
    machines.run(*command(basics))
    machines.run("git", "clone", "--quiet", "--no-hardlinks", str(root), f"{folder}{CLONE}")
    yield command
    shutil.rmtree(folder)


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command, until the block ends; its namespaces end with it, and with them all that it started."""
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def seconds_until_ready(port: int, limit: float, process: subprocess.Popen[bytes]) -> float:
    """How long the gateway takes until it is ready; infinite when it ends or isn't within `limit` seconds."""
    begin = time.monotonic()
    while (now := time.monotonic() - begin) < limit and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2) as reply:
                if reply.status == 200:
                    return now
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return float("inf")


@pytest.mark.slow
@pytest.mark.parametrize("limit", [FIRST, AGAIN])
def test_make_run_answers_in_time(
    limit: float, machine: Callable[..., list[str]], servers: ModuleType, tmp_path: Path
) -> None:
    port = servers.free_port()
    with running(machine(f"cd {CLONE}; make run", FIGWAY_PORT=str(port)), tmp_path / "log") as process:
        took = seconds_until_ready(port, limit, process)
    print(f"ready after {took:.1f} s")
    assert took < limit, (tmp_path / "log").read_text()


@pytest.mark.slow
def test_make_test_passes_with_nothing_skipped_for_a_package(machine: Callable[..., list[str]]) -> None:
    run = subprocess.run(
        machine(f"cd {CLONE}; make test"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-8000:]
    assert re.search(r"\d+ passed", run.stdout.splitlines()[-1])
