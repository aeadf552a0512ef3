"""What workers note together: none lost with its worker, none counted twice, an incident once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.migration import evidence as room
from gateway.migration.evidence import GROUPS, VERDICTS, Evidence
from gateway.migration.model import Stage
from gateway.migration.totals import Arm
from gateway.store.contract import StoreError

CANARY = Stage("canary", weight=50_000)
WORKER = """
import random, sys
from pathlib import Path
from gateway.migration.evidence import Evidence
from gateway.store.shared import Shared
folder, first = Path(sys.argv[1]), int(sys.argv[2])
shared = Shared.open(folder / "shared")
evidence = Evidence.open(folder / "evidence", shared)
keys = random.Random(1).sample(range(10**6), 2000)
for number in range(3000):
    key = keys[first + number % 1000]
    evidence.note("customers", "replacement", error=number % 1000 < 300, slow=False, key=key, signature="timeout")
    evidence.note("customers", "legacy", error=False, slow=number < 7, key=key)
print("noted", flush=True)
sys.stdin.read()
"""


class Row:
    def __init__(self, number: int) -> None:
        self.number = number

    def claim(self) -> int:
        return self.number


@pytest.fixture
def evidence(tmp_path: Path) -> Iterator[Evidence]:
    opened = Evidence.open(tmp_path / "evidence", Row(7))
    yield opened
    opened.close()


def test_what_killed_workers_noted_stays_and_their_incidents_are_the_host_s(tmp_path: Path) -> None:
    with_all = []
    for first in (0, 0, 500):  # at once, and the second sees nothing that the first hasn't
        command = [sys.executable, "-c", WORKER, str(tmp_path), str(first)]
        with_all.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    for worker in with_all:
        with worker:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "noted\n"
            os.kill(worker.pid, signal.SIGKILL)
    reader = Evidence.open(tmp_path / "evidence", Row(9))
    totals = reader.read("customers")
    assert totals.replacement == Arm(9_000, 2_700, 0, 600, 0)
    assert totals.legacy == Arm(9_000, 0, 21, 0, 14)
    assert 1_350 <= reader.keys("customers", "replacement") <= 1_650
    reader.close()


def test_a_row_goes_on_where_the_worker_before_ended(tmp_path: Path) -> None:
    for _ in range(3):
        evidence = Evidence.open(tmp_path / "evidence", Row(0))
        evidence.note("customers", "legacy", error=False, slow=False)
        evidence.close()
    evidence = Evidence.open(tmp_path / "evidence", Row(1))
    assert evidence.read("customers").legacy.calls == 3
    evidence.close()


def test_a_stage_that_changes_begins_anew_in_every_worker(tmp_path: Path) -> None:
    one, other = (Evidence.open(tmp_path / "evidence", Row(number)) for number in (0, 1))
    for each in (one, other):
        each.note("customers", "replacement", error=True, slow=False, key=5, signature="a")
    one.stop("customers", stopped=True)
    assert other.stopped("customers")
    one.begin("customers", 8, CANARY)
    # A worker that serves the last stage still doesn't let it serve again.
    assert (one.stopped("customers"), other.stopped("customers")) == (False, True)
    other.begin("customers", 8, CANARY)
    one.stop("customers", stopped=True)
    one.begin("customers", 7, Stage())  # a worker that is late with an older snapshot
    assert one.stopped("customers")
    one.begin("customers", 8, CANARY)
    one.stop("customers", stopped=False)
    assert other.generation("customers") == 8
    assert not other.stopped("customers")
    assert other.read("customers").replacement == Arm()
    assert other.keys("customers", "replacement") == 0
    other.note("customers", "replacement", error=True, slow=False, key=5, signature="a")
    assert one.read("customers").replacement == Arm(1, 1, 0, 1, 0)
    assert one.read("customers").since > 1e9
    one.begin("customers", 8, CANARY)
    assert one.read("customers").replacement.calls == 1
    one.close()
    other.close()


def test_a_restart_forgets_nothing_and_what_changed_while_nothing_ran_is_noticed(tmp_path: Path) -> None:
    evidence = Evidence.open(tmp_path / "evidence", Row(0))
    evidence.begin("customers", 3, CANARY)
    evidence.note("customers", "replacement", error=True, slow=False, key=5)
    evidence.stop("customers", stopped=True)
    evidence.remember("customers", 3, {"known": 1})
    evidence.close()
    evidence = Evidence.open(tmp_path / "evidence", Row(1))
    # Another group's snapshot, and one in which writes stood still.
    evidence.begin("customers", 4, CANARY)
    evidence.begin("customers", 5, replace(CANARY, frozen=True))
    assert (evidence.read("customers").replacement.errors, evidence.stopped("customers")) == (1, True)
    assert (evidence.generation("customers"), evidence.recalled("customers")) == (3, {"known": 1})
    # Published by a verb while no gateway ran, or by one that was killed before any worker served it.
    evidence.begin("customers", 6, replace(CANARY, weight=60_000))
    assert (evidence.read("customers").replacement, evidence.stopped("customers")) == (Arm(), False)
    assert (evidence.generation("customers"), evidence.recalled("customers")) == (6, None)
    evidence.close()


def test_one_incident_counts_once_and_each_way_of_failing_by_itself(evidence: Evidence) -> None:
    for signature in ("timeout", "timeout", "refused"):
        for key in (1, 2, 2):
            evidence.note("customers", "replacement", error=True, slow=True, key=key, signature=signature)
    evidence.note("customers", "legacy", error=True, slow=False, key=1, signature="timeout")
    totals = evidence.read("customers")
    assert totals.replacement == Arm(9, 9, 9, 4, 2)
    assert totals.legacy.error_incidents == 1


def test_calls_without_a_key_are_incidents_each(evidence: Evidence) -> None:
    for _ in range(3):
        evidence.note("customers", "replacement", error=True, slow=False)
    assert evidence.read("customers").replacement.error_incidents == 3


def test_an_incident_lasts_while_it_goes_on(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(room.time, "monotonic", lambda: now)
    for _ in range(5):
        evidence.note("customers", "replacement", error=True, slow=False, key=1)
        now += 59
    assert evidence.read("customers").replacement.error_incidents == 1
    now += 180
    evidence.note("customers", "replacement", error=True, slow=False, key=1)
    assert evidence.read("customers").replacement.error_incidents == 2


def test_more_incidents_than_there_is_room_for_are_counted_each(evidence: Evidence) -> None:
    keys = random.Random(1).sample(range(10**6), 3_000)
    for key in keys:
        evidence.note("customers", "replacement", error=True, slow=False, key=key)
    assert evidence.read("customers").replacement.error_incidents == 3_000


def test_comparisons_are_counted_by_what_came_of_them(evidence: Evidence) -> None:
    for times, verdict in enumerate(VERDICTS, 1):
        for key in range(times):
            evidence.note_parity("customers", verdict, "/name", key // 2)
    seen = evidence.read("customers").verdicts
    assert seen[:6] == (1, 2, 3, 4, 5, 6)
    assert seen.mismatch_incidents == 3
    assert seen.compared == 15
    assert seen.inconclusive


def test_groups_don_t_mix_and_the_pulse_beats_for_what_goes_wrong(evidence: Evidence) -> None:
    before = evidence.pulse
    evidence.note("customers", "legacy", error=False, slow=False)
    assert evidence.pulse == before
    evidence.note("orders", "legacy", error=True, slow=False)
    assert evidence.pulse != before
    assert evidence.read("customers").legacy == Arm(1)
    assert evidence.read("nobody").legacy == Arm()


def test_a_group_too_many_is_refused_when_it_begins_and_harms_no_other(evidence: Evidence) -> None:
    for number in range(GROUPS):
        evidence.note(f"group{number}", "legacy", error=False, slow=False)
    evidence.note("one too many", "legacy", error=True, slow=False, key=3)
    with pytest.raises(StoreError, match=str(GROUPS)):
        evidence.begin("one too many", 1, Stage())
    assert {evidence.read(f"group{number}").legacy for number in range(GROUPS)} == {Arm(1)}


@pytest.mark.parametrize("content", [b"", b"x" * 100, os.urandom(5000)])
def test_a_file_that_isn_t_one_is_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "evidence").write_bytes(content)
    evidence = Evidence.open(tmp_path / "evidence", Row(0))
    assert evidence.read("customers").legacy == Arm()
    evidence.note("customers", "legacy", error=True, slow=False, key=1)
    assert evidence.read("customers").legacy == Arm(1, 1, 0, 1, 0)
    evidence.close()


def test_a_file_that_can_t_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    with pytest.raises(StoreError, match="can't be opened"):
        Evidence.open(tmp_path / "evidence", Row(0))
