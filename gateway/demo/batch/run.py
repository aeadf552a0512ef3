"""One run of the work queue's batch: the day's drop of tasks goes into the master file.

A task is in at least one place at every moment, whatever dies when: the new master is in place before an input
leaves `in/`. A run that died in between is made good by the next one, since TASKBATCH drops what the master has.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.demo.batch.cobol import BatchFailed, run_program

RECORD = 256
"""Bytes of one record of task.cpy."""

Step = Callable[[str], None]
"""Told before each step by its name; a test kills the process there."""


@dataclass(frozen=True, slots=True)
class Folders:
    """`drop` is what others see: in/, done/ and the master. `work` holds the program, the customers and the lock; it
    lies on the same file system."""

    drop: Path
    work: Path

    @property
    def master(self) -> Path:
        return self.drop / "TASKMAST.DAT"

    def make(self) -> None:
        """Makes every folder that isn't there, and an empty master."""
        for folder in (self.drop / "in", self.drop / "done", self.work):
            folder.mkdir(parents=True, exist_ok=True)
        self.master.touch()


def run_batch(folders: Folders, step: Step = lambda name: None) -> int:
    """Merges what waits in `in/` and answers how many files it took. Waits for a run that is under way.

    Raises BatchFailed, leaving master and inputs as they were.
    """
    with _locked(folders.work / "batch.lock"):
        inputs = _waiting(folders.drop / "in")
        if not inputs:
            return 0
        step("collect")
        _collect(inputs, folders.work / "TASKDROP.DAT")
        step("merge")
        merged = _merge(folders)
        step("replace")
        os.replace(merged, folders.master)
        _sync(folders.drop)
        for each in inputs:
            step("move")
            os.replace(each, folders.drop / "done" / each.name)
        _sync(folders.drop / "done")
        _sync(folders.drop / "in")
        return len(inputs)


def _waiting(folder: Path) -> list[Path]:
    """Whole inputs by name. One of another size is nobody's finished record: it stays where it is."""
    return sorted(each for each in folder.glob("TASK-*.DAT") if each.is_file() and each.stat().st_size == RECORD)


def _collect(inputs: list[Path], drop: Path) -> None:
    # The merge needs the order of TASK-ID, which a file's name need not have.
    drop.write_bytes(b"".join(sorted(each.read_bytes() for each in inputs)))


def _merge(folders: Folders) -> Path:
    work = folders.work
    new = work / "TASKNEW.DAT"
    files = {
        "TASKDROP": work / "TASKDROP.DAT",
        "TASKOLD": folders.master,
        "TASKNEW": new,
        "CUSTIDS": work / "CUSTIDS.TXT",
    }
    said = run_program(work / "TASKBATCH", files).split()
    counts = dict(zip(said[1::2], map(int, said[2::2]), strict=True))
    expected = (counts["KEPT"] + counts["ACCEPTED"] + counts["REJECTED"]) * RECORD
    if new.stat().st_size != expected or counts["KEPT"] * RECORD != folders.master.stat().st_size:
        raise BatchFailed(f"TASKBATCH's counts don't fit its files: {' '.join(said)}")
    _sync(new)
    return new


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[Any]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
