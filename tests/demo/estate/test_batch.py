"""The work queue's batch, with the real COBOL program: killed at any step, no task is nowhere or twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.demo.batch.cobol import BatchFailed, compile_program
from gateway.demo.batch.run import RECORD, Folders, run_batch

STEPS = 3 + 3  # collect, merge, replace, and a move for each of the three tasks


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_program("TASKBATCH", tmp_path_factory.mktemp("cobol"))


@pytest.fixture
def folders(tmp_path: Path, program: Path) -> Folders:
    made = Folders(tmp_path / "drop", tmp_path / "work")
    made.make()
    (made.work / "TASKBATCH").symlink_to(program)
    (made.work / "CUSTIDS.TXT").write_text("C-10001\nC-10002\n")
    return made


@pytest.fixture
def drop(folders: Folders) -> Callable[..., str]:
    """`drop(number, customer_id=…, …)` drops one task and answers its id."""

    def write(number: int, name: str | None = None, **fields: str) -> str:
        task = f"{number:026d}"
        (folders.drop / "in" / f"TASK-{name or task}.DAT").write_bytes(record(task, **fields))
        return task

    return write


def record(
    task: str,
    customer: str = "C-10001",
    title: str = "Ring dem opp på mandag",
    due: str = "20261201",
    priority: str = "high",
) -> bytes:
    """One record of task.cpy, queued."""
    columns = ((task, 26), (customer, 10), (title, 80), (due, 8), (priority, 6), ("Q", 1), ("", 40),
               ("2026-10-31T18:05:00Z", 20), ("ada", 40), ("", 20), ("", 5))  # fmt: skip
    return b"".join(text.encode("latin-1").ljust(width) for text, width in columns)


def master(folders: Folders) -> list[bytes]:
    content = folders.master.read_bytes()
    return [content[at : at + RECORD] for at in range(0, len(content), RECORD)]


def test_tasks_are_accepted_or_rejected_with_a_reason(folders: Folders, drop: Callable[..., str]) -> None:
    drop(1)
    drop(2, customer="C-99999")
    drop(3, due="20260231")
    drop(4, priority="soon")
    assert run_batch(folders) == 4
    assert [(each[130:131], each[131:171].strip()) for each in master(folders)] == [
        (b"A", b""),
        (b"R", b"UNKNOWN CUSTOMER"),
        (b"R", b"DUE DATE IS NO DATE"),
        (b"R", b"UNKNOWN PRIORITY"),
    ]
    kept = master(folders)[0]
    assert kept[:130] == record(f"{1:026d}")[:130]
    assert kept[171:231] == record(f"{1:026d}")[171:231]
    assert kept[231:251].strip().endswith(b"Z")


def test_the_master_stays_sorted_whatever_order_tasks_come_in(folders: Folders, drop: Callable[..., str]) -> None:
    for number in (5, 2, 9):
        drop(number)
    run_batch(folders)
    for number in (1, 7):
        drop(number, name=f"Z{9 - number}")
    run_batch(folders)
    assert [int(each[:26]) for each in master(folders)] == [1, 2, 5, 7, 9]


def test_half_a_record_stays_where_it_is(folders: Folders, drop: Callable[..., str]) -> None:
    drop(1)
    (folders.drop / "in" / "TASK-HALF.DAT").write_bytes(record("2" * 26)[:100])
    (folders.drop / "in" / "TASK-TEMP.DAT.tmp").write_bytes(record("3" * 26))
    assert run_batch(folders) == 1
    assert sorted(each.name for each in (folders.drop / "in").iterdir()) == ["TASK-HALF.DAT", "TASK-TEMP.DAT.tmp"]


def test_a_program_that_fails_leaves_everything_as_it_was(folders: Folders, drop: Callable[..., str]) -> None:
    drop(1)
    run_batch(folders)
    before = folders.master.read_bytes()
    waiting = drop(2)
    (folders.work / "CUSTIDS.TXT").unlink()
    with pytest.raises(BatchFailed, match="CANNOT READ CUSTIDS"):
        run_batch(folders)
    assert folders.master.read_bytes() == before
    assert (folders.drop / "in" / f"TASK-{waiting}.DAT").exists()


@pytest.mark.parametrize("killed_at", range(STEPS))
def test_killed_at_any_step_no_task_is_nowhere_and_the_next_run_makes_it_good(
    folders: Folders, drop: Callable[..., str], killed_at: int
) -> None:
    run_before = drop(1)
    run_batch(folders)
    tasks = [run_before, *(drop(number) for number in (2, 3, 4))]
    _run_until(folders, killed_at)
    waiting = {each.read_bytes()[:26].decode() for each in (folders.drop / "in").iterdir()}
    assert waiting | {each[:26].decode() for each in master(folders)} == set(tasks)
    run_batch(folders)
    assert [each[:26].decode() for each in master(folders)] == tasks
    assert list((folders.drop / "in").iterdir()) == []
    assert len(list((folders.drop / "done").iterdir())) == len(tasks)


def test_two_runs_at_once_take_each_task_once(folders: Folders, drop: Callable[..., str]) -> None:
    for number in range(40):
        drop(number)
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: run_batch(folders), range(4))) == 40
    assert len(master(folders)) == 40


def _run_until(folders: Folders, step: int) -> None:
    """A run in a process of its own, which kills itself with SIGKILL before step number `step`."""
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom gateway.demo.batch.run import Folders, run_batch\n"
        "left = [int(sys.argv[3])]\n"
        "def step(name):\n    left[0] -= 1\n    if left[0] < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "run_batch(Folders(Path(sys.argv[1]), Path(sys.argv[2])), step)\n"
    )
    command = [sys.executable, "-c", script, str(folders.drop), str(folders.work), str(step)]
    run = subprocess.run(command, capture_output=True, check=False, env={**os.environ})
    assert run.returncode == -signal.SIGKILL, run.stderr
