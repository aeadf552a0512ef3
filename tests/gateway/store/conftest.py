"""State stores: the same tests run over each kind that there is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.store.contract import State
from gateway.store.sqlite import SqliteState

Spawn = Callable[..., "subprocess.Popen[str]"]


def _sqlite(folder: Path) -> State:
    return SqliteState(folder / "state.db")


_KINDS: dict[str, Callable[[Path], State]] = {"sqlite": _sqlite}


@pytest.fixture(params=sorted(_KINDS))
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], State]]:
    """Opens the test's own store, as another process would."""
    opened: list[State] = []

    def open() -> State:
        opened.append(_KINDS[request.param](tmp_path))
        return opened[-1]

    yield open
    for state in opened:
        state.close()


@pytest.fixture
def state(open_again: Callable[[], State]) -> State:
    """An empty store."""
    return open_again()


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Runs Python code in a process of its own, in the test's folder; whatever still runs is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *arguments]
        process = subprocess.Popen(command, cwd=tmp_path, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
