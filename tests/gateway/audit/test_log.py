"""Writing: who waits is told the truth, who doesn't wait is bounded, and a broken disk is noticed and survived."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gateway.audit import chain
from gateway.audit import log as log_module
from gateway.audit.checkpoint import Checkpointer
from gateway.audit.file import AuditError, AuditFile
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.record import Record
from gateway.audit.rules import AuditRules
from gateway.audit.sink import Segment, WriterLost
from gateway.audit.verify import records, verify_folder

Make = Callable[[int], Record]
Start = Callable[..., AuditLog]


class Disk(AuditFile):
    """A file whose disk can be broken and can hang."""

    broken = False
    gate: threading.Event | None = None

    def append(self, segment: Segment) -> None:
        if self.gate is not None:
            self.gate.wait(30)
        if self.broken:
            raise AuditError("the audit can't be written: disk I/O error")
        super().append(segment)


@pytest.fixture
def disk(folder: Path) -> Disk:
    return Disk.claim(folder)


@pytest.fixture
def start(disk: Disk, folder: Path, keys: AuditKeys) -> Callable[..., AuditLog]:
    """Starts a log that writes to the disk."""
    return lambda **options: AuditLog(disk, keys, folder, **options)


def _holds(folder: Path, keys: AuditKeys) -> bool:
    return verify_folder(folder, {(key := keys.signer(folder).public).name: key}).holds


def _ids(folder: Path) -> list[str]:
    return [record["id"] for record in records(folder)]


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - it comes true on the writer's thread
            await asyncio.sleep(0.01)


async def test_a_durable_record_is_on_the_disk_when_the_caller_goes_on(log: AuditLog, folder: Path, make: Make) -> None:
    await log.append_durable(make(1))
    assert _ids(folder) == ["call-1"]
    assert log.healthy


def test_what_is_queued_is_written_at_the_end(log: AuditLog, folder: Path, make: Make, keys: AuditKeys) -> None:
    for number in range(3000):
        log.append(make(number))
    log.close()
    assert _ids(folder) == [f"call-{number}" for number in range(3000)]
    assert _holds(folder, keys)


async def test_what_nobody_waits_for_is_written_too(log: AuditLog, folder: Path, make: Make) -> None:
    log.append(make(1))
    await _until(lambda: _ids(folder) == ["call-1"])


async def test_many_callers_share_commits_in_the_order_they_came(
    disk: Disk, start: Start, folder: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[int] = []
    append = disk.append

    def counted(segment: Segment) -> None:
        commits.append(segment.count)
        append(segment)

    monkeypatch.setattr(disk, "append", counted)
    log = start()
    await asyncio.gather(*(log.append_durable(make(number)) for number in range(500)))
    log.close()
    assert _ids(folder) == [f"call-{number}" for number in range(500)]
    assert len(commits) < 100


async def test_several_event_loops_may_wait(log: AuditLog, folder: Path, make: Make) -> None:
    async def waits(number: int) -> None:
        await log.append_durable(make(number))

    def elsewhere(number: int) -> None:
        asyncio.run(waits(number))

    await asyncio.gather(*(asyncio.to_thread(elsewhere, number) for number in range(8)), log.append_durable(make(8)))
    assert sorted(_ids(folder)) == [f"call-{number}" for number in range(9)]


async def test_a_caller_that_leaves_harms_nobody(disk: Disk, start: Start, folder: Path, make: Make) -> None:
    disk.gate = threading.Event()
    log = start()
    left, stays = (log.append_durable(make(number)) for number in range(2))
    await asyncio.sleep(0)
    left.cancel()
    disk.gate.set()
    await stays
    log.close()
    assert sorted(_ids(folder)) == ["call-0", "call-1"]


async def test_a_broken_disk_is_told_and_survived(
    disk: Disk,
    start: Start,
    folder: Path,
    make: Make,
    keys: AuditKeys,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(log_module, "_RETRY_SECONDS", 0.01)
    log = start()
    await log.append_durable(make(0))
    disk.broken = True
    with pytest.raises(AuditError, match="disk I/O error"):
        await log.append_durable(make(1))
    assert not log.healthy
    with pytest.raises(AuditError, match="at present"):
        await log.append_durable(make(2))
    log.append(make(3))
    disk.broken = False
    await _until(lambda: log.healthy)
    await log.append_durable(make(4))
    log.close()
    assert _ids(folder) == [f"call-{number}" for number in range(5)]
    assert _holds(folder, keys)
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"], "told once, each way"


async def test_a_hung_disk_counts_as_broken_while_it_hangs(
    disk: Disk, start: Start, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "_STALL_SECONDS", 0.05)
    disk.gate = threading.Event()
    log = start()
    waits = log.append_durable(make(0))
    await _until(lambda: not log.healthy)
    disk.gate.set()
    await waits
    assert log.healthy
    log.close()


async def test_who_waits_for_a_hung_disk_is_told_in_the_end(
    disk: Disk, start: Start, folder: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "_PATIENCE_SECONDS", 0.05)
    disk.gate = threading.Event()
    log = start()
    with pytest.raises(AuditError, match="the disk doesn't answer"):
        await log.append_durable(make(0))
    disk.gate.set()
    log.close()
    assert _ids(folder) == ["call-0"]


def test_the_queue_has_an_end(disk: Disk, start: Start, folder: Path, make: Make) -> None:
    disk.gate = threading.Event()
    log = start(capacity=10)
    for number in range(10):
        assert log.crowded == (number >= 5)
        log.append(make(number))
    with pytest.raises(AuditError, match="queue is full"):
        log.append(make(10))
    disk.gate.set()
    log.close()
    assert len(_ids(folder)) == 10


def test_what_cant_be_written_at_the_end_is_counted(disk: Disk, start: Start, make: Make) -> None:
    disk.broken = True
    log = start()
    log.append(make(0))
    log.append(make(1))
    with pytest.raises(AuditError, match="2 audit records couldn't be written"):
        log.close()
    assert not log.healthy


async def test_a_closed_audit_takes_nothing(log: AuditLog, make: Make) -> None:
    log.close()
    with pytest.raises(AuditError, match="closed"):
        log.append(make(0))
    with pytest.raises(AuditError):
        await log.append_durable(make(0))


def test_a_failed_commit_leaves_the_chain_as_it_was(folder: Path, keys: AuditKeys) -> None:
    file = AuditFile.claim(folder)
    checkpoints = Checkpointer(file, lambda: keys.signer(folder))

    def add(*lines: bytes) -> None:
        segment = chain.segment(checkpoints.head, lines, 1)
        file.append(segment)
        checkpoints.add(chain.behind(segment), lines)

    add(b"{}")
    with closing(sqlite3.connect(folder / "log-0.db")) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON segments BEGIN SELECT RAISE(FAIL, 'disk full'); END")
        with pytest.raises(AuditError, match="disk full"):
            add(b"1", b"2")
        other.execute("DROP TRIGGER full")
    add(b"3")
    checkpoints.sign()
    file.close()
    assert checkpoints.head.size == 2
    assert _holds(folder, keys)


def test_each_process_has_a_file_of_its_own_and_carries_one_on(folder: Path, keys: AuditKeys, make: Make) -> None:
    one, other = AuditLog.open(folder, keys), AuditLog.open(folder, keys)
    assert one.writer != other.writer
    for log, number in ((one, 1), (other, 2)):
        log.append(make(number))
    one.close()
    again = AuditLog.open(folder, keys)
    assert again.writer == one.writer
    again.append(make(3))
    again.close()
    other.close()
    assert _ids(folder) == ["call-1", "call-3", "call-2"]
    assert _holds(folder, keys)


async def test_another_writer_goes_on_where_one_is_lost(
    start: Start, disk: Disk, folder: Path, make: Make, keys: AuditKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[str] = []
    append = disk.append

    def once(segment: Segment) -> None:
        if not lost:
            lost.append(disk.writer)
            raise WriterLost("another process carries it on")
        append(segment)

    monkeypatch.setattr(disk, "append", once)
    log = start()
    await log.append_durable(make(1))
    log.close()
    assert _ids(folder) == ["call-1"]
    assert _holds(folder, keys)


def test_reads_are_refused_while_nothing_can_be_written_only_by_the_policy(
    start: Start, disk: Disk, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "_RETRY_SECONDS", 0.01)
    log = start()
    disk.broken = True
    log.append(make(1))
    asyncio.run(_until(lambda: not log.healthy))
    assert not log.refuses_reads
    log.follow(AuditRules(reads_when_unwritable=False))
    assert log.refuses_reads
    disk.broken = False
    asyncio.run(_until(lambda: log.healthy))
    assert not log.refuses_reads
    log.close()


def test_a_folder_that_cant_be_written_is_told_in_a_sentence(tmp_path: Path, keys: AuditKeys) -> None:
    (tmp_path / "audit").write_text("")
    with pytest.raises(AuditError, match="can't be opened"):
        AuditLog.open(tmp_path / "audit", keys)
