"""The operations' writer thread: groups, callers that leave, disks that fail, several processes."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.operations import file as file_module
from gateway.operations import ledger as ledger_module
from gateway.operations.file import OperationFile
from gateway.operations.ledger import Ledger
from gateway.operations.record import Intent, OperationState
from gateway.store.contract import StoreError

_BEGIN = """
import asyncio, sys
from pathlib import Path
from gateway.operations.file import OperationFile
from gateway.operations.ledger import Ledger
from gateway.operations.record import Intent

async def main():
    ledger = Ledger(OperationFile(Path("operations.db")))
    print("ready", flush=True)
    sys.stdin.readline()
    async def one(number):
        key = number.to_bytes(4, "big")
        begun = await ledger.begin(Intent(f"{sys.argv[1]}-{number}", "r", "ann", None, None, b"ann", key, b"f"))
        return begun.taken
    taken = await asyncio.gather(*(one(number) for number in range(200)))
    print(*(number for number, each in enumerate(taken) if each), flush=True)
    sys.stdin.readline()
    ledger.close()

asyncio.run(main())
"""


class Faulty(OperationFile):
    """A file whose disk can be full, or not answer."""

    full = False

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.answers = threading.Event()
        self.answers.set()
        self.groups = 0

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Any:
        self.answers.wait(20)
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        self.groups += 1
        with super().transaction(durable=durable):
            yield


@pytest.fixture
def disk(tmp_path: Path) -> Faulty:
    return Faulty(tmp_path / "operations.db")


@pytest.fixture
async def ledger(disk: Faulty) -> AsyncIterator[Ledger]:
    made = Ledger(disk)
    yield made
    disk.full = False
    disk.answers.set()
    made.close()


async def test_many_intents_share_commits(ledger: Ledger, disk: Faulty, intent: Callable[..., Intent]) -> None:
    begun = await asyncio.gather(*(ledger.begin(intent(str(number))) for number in range(200)))
    assert all(each.taken for each in begun)
    assert disk.groups < 50


async def test_a_full_disk_refuses_intents_and_keeps_ends(
    ledger: Ledger, disk: Faulty, intent: Callable[..., Intent]
) -> None:
    await ledger.begin(intent("1", key=b"k", fingerprint=b"f"))
    disk.full = True
    with pytest.raises(StoreError, match="can't be written"):
        await ledger.begin(intent("2"))
    await ledger.end("1", OperationState.SUCCEEDED, b"{}")
    disk.full = False
    again = await ledger.begin(intent("3", key=b"k", fingerprint=b"f"))
    assert (again.taken, again.operation.state) == (False, OperationState.SUCCEEDED)


async def test_a_disk_that_doesnt_answer_refuses_and_takes_back_what_it_kept(
    ledger: Ledger, disk: Faulty, intent: Callable[..., Intent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "_PATIENCE_SECONDS", 0.2)
    disk.answers.clear()
    with pytest.raises(StoreError, match="doesn't answer"):
        await ledger.begin(intent("1", key=b"k", fingerprint=b"f"))
    disk.answers.set()
    monkeypatch.setattr(ledger_module, "_PATIENCE_SECONDS", 20)
    # The one that came too late is told to nobody, so it's taken back: some attempt finds the key free.
    for _ in range(1000):
        if (await ledger.begin(intent("2", key=b"k", fingerprint=b"f"))).taken:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the key is still taken")


async def test_no_more_than_its_capacity_wait(disk: Faulty, intent: Callable[..., Intent]) -> None:
    ledger = Ledger(disk, capacity=10)
    disk.answers.clear()
    waiting = [asyncio.create_task(ledger.begin(intent(str(number)))) for number in range(30)]
    refused, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
    assert all(isinstance(task.exception(), StoreError) for task in refused)
    disk.answers.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert 10 <= sum(not isinstance(each, Exception) for each in outcomes) < 30
    ledger.close()


async def test_an_id_that_is_taken_fails_by_itself(ledger: Ledger, intent: Callable[..., Intent]) -> None:
    first, second, third = await asyncio.gather(
        ledger.begin(intent("1")), ledger.begin(intent("1")), ledger.begin(intent("2")), return_exceptions=True
    )
    assert not isinstance(first, Exception)
    assert isinstance(second, StoreError)
    assert not isinstance(third, Exception)


def test_of_several_processes_one_takes_each_key(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _BEGIN]
    processes = [
        subprocess.Popen(
            [*command, str(number)], cwd=tmp_path, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for number in range(3)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        taken = [int(word) for process in processes for word in process.stdout.readline().split()]  # type: ignore[union-attr]
    finally:
        for process in processes:
            process.communicate("\n", timeout=60)
    assert sorted(taken) == list(range(200))


@pytest.fixture
def beginner(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has begun 200 writes, and waits."""
    command = [sys.executable, "-c", _BEGIN, "gone"]
    process = subprocess.Popen(command, cwd=tmp_path, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ready\n"
    assert len(process.stdout.readline().split()) == 200
    yield process
    process.kill()
    process.communicate()


async def test_what_a_killed_process_had_begun_is_unknown(
    beginner: subprocess.Popen[str], tmp_path: Path, intent: Callable[..., Intent]
) -> None:
    ledger = Ledger(OperationFile(tmp_path / "operations.db"))
    mine = intent("mine", key=bytes(4), fingerprint=b"f")
    assert (await ledger.begin(mine)).operation.state is OperationState.RUNNING
    beginner.kill()
    beginner.wait()
    begun = await ledger.begin(mine)
    assert (begun.taken, begun.operation.state) == (False, OperationState.UNKNOWN)
    ledger.close()


async def test_what_is_past_its_time_goes_however_much_it_is(
    tmp_path: Path, intent: Callable[..., Intent], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = OperationFile(tmp_path / "operations.db")
    with file.transaction():
        for number in range(1700):
            file.begin(intent(str(number)))
            file.end(str(number), OperationState.FAILED if number else OperationState.UNKNOWN, None)
    monkeypatch.setattr(file_module, "KEEP_SECONDS", -1.0)
    ledger = Ledger(file)
    with closing(sqlite3.connect(tmp_path / "operations.db")) as db:
        for _ in range(400):
            left = db.execute("SELECT id FROM operations").fetchall()
            if len(left) == 1:
                break
            await asyncio.sleep(0.05)
    ledger.close()
    assert left == [("0",)]
