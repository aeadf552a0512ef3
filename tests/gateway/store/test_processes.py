"""Several processes on one store, and processes that die."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.store.sqlite import SqliteState

Spawn = Callable[..., "subprocess.Popen[str]"]

_PUBLISH = """
import sys
from pathlib import Path
from gateway.store.contract import Moved
from gateway.store.sqlite import SqliteState
state = SqliteState(Path("state.db"))
print("ready", flush=True)
sys.stdin.readline()
for turn in range(int(sys.argv[2])):
    try:
        info = state.publish({"who": f"{sys.argv[1]} {turn}".encode()},
                             expected_parent=state.active(), author=sys.argv[1], reason="race")
    except Moved:
        continue
    print(info.version, flush=True)
"""


def test_each_version_is_published_by_one_process(spawn: Spawn, tmp_path: Path) -> None:
    # They start together on an empty folder, so they also race to make the tables.
    processes = [spawn(_PUBLISH, str(number), "60") for number in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    answers = [process.communicate("go\n", timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    won = [int(version) for answer in answers for version in answer.split()]
    history = SqliteState(tmp_path / "state.db").history(limit=1000)
    assert sorted(won) == [info.version for info in reversed(history)] == list(range(1, len(won) + 1))
    for number, answer in enumerate(answers):
        assert {info.version for info in history if info.author == str(number)} == {int(v) for v in answer.split()}


@pytest.mark.parametrize("after", [1, 20, 45])
def test_what_was_acknowledged_outlives_a_kill(spawn: Spawn, tmp_path: Path, after: int) -> None:
    process = spawn(_PUBLISH, "a", "100000")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    seen = [process.stdout.readline() for _ in range(after + 1)][1:]
    process.send_signal(signal.SIGKILL)
    seen += process.communicate()[0].split("\n")[:-1]
    state = SqliteState(tmp_path / "state.db")
    active = state.active()
    assert active is not None
    assert active >= int(seen[-1])
    for version in range(1, active + 1):
        info, files = state.snapshot(version)
        assert info.version == version
        assert len(files) == 1
