"""Memory that processes share: counters that lose no count, acknowledgements that don't wait for the dead."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.store import shared as shared_module
from gateway.store.contract import StoreError
from gateway.store.shared import Shared

Spawn = Callable[..., "subprocess.Popen[str]"]

_BUMP = """
import sys
from pathlib import Path
from gateway.store.shared import Shared
shared = Shared.open(Path("shared"))
for _ in range(int(sys.argv[1])):
    shared.bump()
    shared.bump_keys()
"""

_SERVE = """
import sys
from pathlib import Path
from gateway.store.shared import Shared
shared = Shared.open(Path("shared"))
slot = shared.claim()
for line in sys.stdin:
    if line.strip():
        shared.acknowledge(slot, int(line))
    print(slot, shared.generation, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared"


def _say(process: subprocess.Popen[str], line: str = "") -> list[int]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return [int(word) for word in process.stdout.readline().split()]


def test_a_new_file_starts_at_nought(path: Path) -> None:
    shared = Shared.open(path)
    assert (shared.generation, shared.keys_generation) == (0, 0)
    assert path.stat().st_mode & 0o077 == 0


def test_a_change_shows_in_every_mapping(path: Path) -> None:
    one, other = Shared.open(path), Shared.open(path)
    assert one.bump() == 1
    assert (other.generation, other.keys_generation) == (1, 0)
    assert other.bump_keys() == 1
    assert (one.generation, one.keys_generation) == (1, 1)


def test_no_count_is_lost_between_threads_and_processes(path: Path, spawn: Spawn) -> None:
    processes = [spawn(_BUMP, "500") for _ in range(3)]
    threads = [threading.Thread(target=lambda: [Shared.open(path).bump() for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    shared = Shared.open(path)
    assert (shared.generation, shared.keys_generation) == (3 * 500 + 4 * 200, 3 * 500)


def test_counters_go_on_after_a_run_has_ended(path: Path) -> None:
    first = Shared.open(path)
    first.claim()
    first.bump()
    first.close()
    assert Shared.open(path).generation == 1


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"\xff" * 100_000, b"figway\0\0" + b"\x63" * 60_000])
def test_a_file_that_means_nothing_is_made_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    shared = Shared.open(path)
    assert (shared.generation, shared.keys_generation, shared.behind(1)) == (0, 0, [])


async def test_every_living_worker_is_waited_for(path: Path, spawn: Spawn) -> None:
    workers = [spawn(_SERVE) for _ in range(3)]
    slots = [_say(worker)[0] for worker in workers]
    assert sorted(slots) == [0, 1, 2]
    shared = Shared.open(path)
    generation = shared.bump()
    assert [_say(worker)[1] for worker in workers] == [generation] * 3
    assert sorted(shared.behind(generation)) == sorted(worker.pid for worker in workers)
    assert not await shared.wait_acknowledged(generation, 0.0)
    _say(workers[0], str(generation))
    _say(workers[1], str(generation))
    assert shared.behind(generation) == [workers[2].pid]
    _say(workers[2], str(generation))
    assert await shared.wait_acknowledged(generation, 0.0)


async def test_the_dead_are_not_waited_for(path: Path, spawn: Spawn) -> None:
    worker = spawn(_SERVE)
    slot = _say(worker)[0]
    shared = Shared.open(path)
    generation = shared.bump()
    assert shared.behind(generation) == [worker.pid]
    worker.kill()
    # Not reaped yet: the process is still in the table, but will never answer.
    assert await shared.wait_acknowledged(generation, 30.0)
    worker.wait()
    assert shared.behind(generation) == []
    assert _say(spawn(_SERVE))[0] == slot


def test_a_slot_whose_number_another_process_has_now_is_free(path: Path, spawn: Spawn) -> None:
    shared = Shared.open(path)
    worker = spawn(_SERVE)
    at = shared_module._SLOTS_AT + _say(worker)[0] * shared_module._SLOT_WORDS
    assert shared.behind(1) == [worker.pid]
    shared._words[at + shared_module._STARTED] += 1
    assert shared.behind(1) == []


def test_a_process_has_one_slot_and_gives_it_back(path: Path) -> None:
    shared, other = Shared.open(path), Shared.open(path)
    assert (shared.claim(), shared.claim(), other.claim()) == (0, 0, 1)
    shared.close()
    assert Shared.open(path).claim() == 0


def test_there_is_an_end_to_the_slots(path: Path) -> None:
    mappings = [Shared.open(path) for _ in range(shared_module.WORKERS + 1)]
    for mapping in mappings[:-1]:
        mapping.claim()
    with pytest.raises(StoreError, match="256 processes"):
        mappings[-1].claim()


def test_a_place_that_is_no_file_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"shared memory .* can't be opened"):
        Shared.open(tmp_path)
