"""What the old system is asked beside its callers: never more than tokens, over all processes of a host."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.migration.budget import RESERVE, Budget


@dataclass
class Old:
    name: str = "old"
    strained: str = ""


OTHER = """
import json, sys, time
from pathlib import Path
from types import SimpleNamespace
from gateway.migration.budget import Budget
budget, old, taken = Budget.open(Path(sys.argv[1])), SimpleNamespace(name="old", strained=""), []
rate, until = float(sys.argv[2]), time.monotonic() + float(sys.argv[3])
while time.monotonic() < until:
    claim = budget.take(old, "sandwich", 60.0, rate)
    if claim is not None:
        taken.append(time.monotonic_ns())
        if len(sys.argv) > 4:
            print("held", flush=True)
            time.sleep(60)
        claim.release()
print(json.dumps(taken))
"""


def other(path: Path, *arguments: str) -> subprocess.Popen[str]:
    """Another process of the host that takes what it can."""
    return subprocess.Popen([sys.executable, "-c", OTHER, str(path), *arguments], stdout=subprocess.PIPE, text=True)


@pytest.fixture
def budget(tmp_path: Path) -> Iterator[Budget]:
    budget = Budget.open(tmp_path / "budget")
    yield budget
    budget.close()


def test_several_processes_never_take_more_than_there_is(tmp_path: Path, budget: Budget) -> None:
    rate = 20.0
    processes = [other(tmp_path / "budget", str(rate), "3") for _ in range(4)]
    taken = sorted(moment for process in processes for moment in json.loads(process.communicate(timeout=60)[0]))
    assert len(taken) > 10
    # A moment passes between taking and noting it, which is worth no more than a token.
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= (taken[last] - taken[first]) / 1e9 * rate + 2
    assert budget.taken("old")["sandwich"] == len(taken)


def test_one_at_a_time_until_it_ends_or_its_process_does(tmp_path: Path, budget: Budget) -> None:
    old = Old()
    claim = budget.take(old, "reverse", 60.0, 1e6)
    assert claim is not None
    assert budget.take(old, "sandwich", 60.0, 1e6) is None
    assert budget.skipped == {("old", "busy"): 1}
    claim.release()
    process = other(tmp_path / "budget", "1000000", "60", "hold")
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert budget.take(old, "sandwich", 60.0, 1e6) is None
    process.kill()
    process.wait()
    process.stdout.close()
    assert budget.take(old, "sandwich", 60.0, 1e6) is not None


def test_a_claim_ends_with_its_time_and_what_ends_late_frees_nobody_elses(budget: Budget) -> None:
    old = Old()
    late = budget.take(old, "sandwich", 0.0, 1e6)
    second = budget.take(old, "sandwich", 60.0, 1e6)
    assert late is not None
    assert second is not None
    late.release()
    assert budget.take(old, "sandwich", 60.0, 1e6) is None


def test_five_tokens_are_kept_for_probes(budget: Budget) -> None:
    old = Old()
    slow = 1 / 3600
    claim = budget.take(old, "reconcile", 60.0, slow)
    assert claim is not None
    claim.release()
    assert budget.take(old, "reconcile", 60.0, slow) is None
    assert [budget.take(old, "probe", 5.0, slow) is not None for _ in range(RESERVE + 1)] == [True] * RESERVE + [False]
    taken = {"sandwich": 0, "reverse": 0, "reconcile": 1, "replay": 0, "probe": RESERVE, "refresh": 0}
    assert budget.taken("old") == taken
    # Upstreams don't share.
    assert budget.take(Old("erp"), "sandwich", 60.0, slow) is not None


@pytest.mark.parametrize("why", ["breaker", "queue", "slow"])
def test_a_strained_system_is_left_alone(budget: Budget, why: str) -> None:
    assert budget.take(Old(strained=why), "sandwich", 5.0) is None
    # A probe finds out whether it is well: only an open breaker, which knows already, keeps it away.
    assert (budget.take(Old(strained=why), "probe", 5.0) is None) == (why == "breaker")
    assert budget.taken("old")["sandwich"] == 0
    assert budget.take(Old(), "sandwich", 5.0) is not None or why != "breaker"


def test_a_file_of_something_else_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "budget").write_bytes(b"\xff" * 100_000)
    budget = Budget.open(tmp_path / "budget")
    assert budget.take(Old(), "sandwich", 5.0) is not None
    budget.close()
