"""A host's counters: the arithmetic against an exact model, all or nothing, and who comes for a slot that is dead."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.limits import ledger as module
from gateway.limits import memory as layout
from gateway.limits.bucket import BUDGET, CONCURRENCY, QUOTA, RATE, Bucket, Refusal
from gateway.limits.calendar import Day
from gateway.limits.ledger import Ledger
from gateway.limits.memory import Full, Memory
from gateway.store.contract import StoreError
from gateway.store.shared import Shared

UTC = Day("UTC")


class Tokens:
    """A token bucket, exactly: it holds `burst` calls, and one comes back each `interval` (nanoseconds)."""

    def __init__(self, interval: int, burst: int, at: int) -> None:
        self._interval, self._burst = interval, burst
        self.held, self._at = Fraction(burst), at

    def take(self, at: int) -> bool:
        self.held = min(Fraction(self._burst), self.held + Fraction(at - self._at, self._interval))
        self._at = at
        allowed = self.held >= 1
        self.held -= allowed
        return allowed


@pytest.fixture(scope="module")
def shared_ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    folder = tmp_path_factory.mktemp("counters")
    shared = Shared.open(folder / "shared")
    ledger = Ledger(Memory.open(folder / "limits", shared))
    yield ledger
    ledger.close()
    shared.close()


@given(
    calls=st.integers(1, 1000),
    seconds=st.sampled_from([1, 60, 3600]),
    burst=st.integers(1, 50),
    pauses=st.lists(st.integers(0, 3), min_size=1, max_size=60),
    unit=st.sampled_from([1, 1000, 999_999, 10**9, 3600 * 10**9]),
)
@settings(max_examples=200, deadline=None)
def test_the_rate_is_a_token_bucket(
    shared_ledger: Ledger, calls: int, seconds: int, burst: int, pauses: list[int], unit: int
) -> None:
    bucket = Bucket(os.urandom(8), "r", rate=(calls, seconds), burst=burst, day=UTC)
    assert 0 <= bucket.interval - Fraction(seconds * 10**9, calls) < 1
    now = 10**15
    exact = Tokens(bucket.interval, burst, now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "monotonic_ns", lambda: now)
        for pause in pauses:
            now += pause * unit
            outcome = shared_ledger.take((bucket,), 1)
            assert outcome is not None
            assert exact.take(now) != isinstance(outcome, Refusal)
            if isinstance(outcome, Refusal):
                assert round(outcome.wait * 10**9) == pytest.approx((1 - exact.held) * bucket.interval, abs=2)
            else:
                assert outcome[2] == int(exact.held)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2)), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_days_quotas_and_budgets_are_counted_as_a_dictionary_would(
    shared_ledger: Ledger, steps: list[tuple[int, int]]
) -> None:
    bucket = Bucket(os.urandom(8), "d", quota=12, budget=100, day=Day("Europe/Berlin"))
    used: Counter[int] = Counter()
    spent: Counter[int] = Counter()
    now = 1_800_000_000.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.time, "time", lambda: now)
        for cost, hours in steps:
            now += hours * 3600 * 5
            today = bucket.day.look(now)
            allowed = used[today] < 12 and spent[today] + cost <= 100
            assert allowed != isinstance(shared_ledger.take((bucket,), cost), Refusal)
            if allowed:
                used[today] += 1
                spent[today] += cost


def test_all_or_nothing(ledger: Ledger) -> None:
    free = Bucket(b"free", "f", rate=(1, 3600), burst=100, concurrency=50, quota=100, budget=100, day=UTC)
    tight = {
        RATE: Bucket(b"a", "a", rate=(1, 3600), burst=1, day=UTC),
        CONCURRENCY: Bucket(b"b", "b", concurrency=1, day=UTC),
        QUOTA: Bucket(b"c", "c", quota=1, day=UTC),
        BUDGET: Bucket(b"d", "d", budget=1, day=UTC),
    }
    for taken, (kind, bucket) in enumerate(tight.items(), start=1):
        outcome = ledger.take((free, bucket), 1)
        assert not isinstance(outcome, Refusal)
        refusal = ledger.take((free, bucket), 1)
        assert isinstance(refusal, Refusal)
        assert (refusal.bucket, refusal.kind) == (bucket, kind)
        assert ledger._memory.held(free.at) == taken
        assert ledger._memory.words[free.at + layout.USED] == taken


def test_the_tightest_is_told(ledger: Ledger) -> None:
    wide = Bucket(b"wide", "w", rate=(10, 1), burst=10, day=UTC)
    narrow = Bucket(b"narrow", "n", rate=(1, 3600), burst=3, quota=2, day=UTC)
    outcome = ledger.take((wide, narrow), 1)
    assert outcome is not None
    assert outcome[:3] == (narrow, QUOTA, 1)
    assert narrow.fields[QUOTA] == ((b"ratelimit-policy", b'"n-quota";q=2;w=86400'), b'"n-quota";r=%d;t=%d')


def test_calls_in_flight_are_told_where_nothing_else_is_bounded(ledger: Ledger) -> None:
    flight = Bucket(b"flight", "f", concurrency=3, day=UTC)
    both = Bucket(b"both", "b", rate=(1, 3600), burst=9, concurrency=3, day=UTC)
    told = [ledger.take(buckets, 1) for buckets in ((flight,), (flight, both), (both,))]
    assert [each[:3] for each in told if each is not None] == [
        (flight, CONCURRENCY, 2),
        (both, RATE, 8),
        (both, RATE, 7),
    ]


def test_what_is_settled_is_never_below_nothing(ledger: Ledger) -> None:
    bucket = Bucket(b"b", "b", budget=100, day=UTC)
    ledger.take((bucket,), 40)
    assert ledger.settle((bucket,), 60)
    assert isinstance(ledger.take((bucket,), 1), Refusal)
    assert ledger.settle((bucket,), -(10**9))
    assert not isinstance(ledger.take((bucket,), 100), Refusal)


def test_a_lock_that_is_held_is_told_and_not_waited_for(ledger: Ledger, tmp_path: Path) -> None:
    bucket = Bucket(b"b", "b", quota=10, day=UTC)
    with (tmp_path / "limits").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert ledger.take((bucket,), 1) is None
        assert not ledger.settle((bucket,), 1)
    outcome = ledger.take((bucket,), 1)
    assert outcome is not None
    assert outcome[2] == 9


_CHILD = """
import sys, time
from pathlib import Path
from gateway.limits.bucket import Bucket
from gateway.limits.calendar import Day
from gateway.limits.ledger import Ledger
from gateway.limits.memory import Memory
from gateway.store.shared import Shared

folder = Path(sys.argv[1])
ledger = Ledger(Memory.open(folder / "limits", Shared.open(folder / "shared")))
bucket = Bucket(b"held", "h", concurrency=3, day=Day("UTC"))
taken = [ledger.take((bucket,), 1) for _ in range(3)]
print(len(taken), flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_held_comes_back(ledger: Ledger, tmp_path: Path) -> None:
    bucket = Bucket(b"held", "h", concurrency=3, day=UTC)
    with subprocess.Popen([sys.executable, "-c", _CHILD, str(tmp_path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"3\n"
        assert isinstance(ledger.take((bucket,), 1), Refusal)
        child.kill()
    until = time.monotonic() + 10
    while isinstance(ledger.take((bucket,), 1), Refusal):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert ledger._memory.held(bucket.at) == 1


def test_a_slot_that_says_nothing_is_given_away_and_no_other(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "BUCKETS", 1)  # every key has one place to be
    monkeypatch.setattr(layout, "_PROBES", 1)
    day, night = Bucket(b"day", "d", quota=5, day=UTC), Bucket(b"night", "n", rate=(1000, 1), burst=1, day=UTC)
    assert not isinstance(ledger.take((night,), 1), Refusal)
    until = time.monotonic() + 5
    while True:  # a millisecond later its bucket is full again: as good as none
        try:
            outcome = ledger.take((day,), 1)
        except Full:
            assert time.monotonic() < until
        else:
            break
    assert outcome is not None
    with pytest.raises(Full):
        ledger.take((night,), 1)
    assert outcome[2] == 4


def test_counters_outlive_a_restart_and_rates_the_machine_dont(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened() -> tuple[Ledger, Shared]:
        shared = Shared.open(tmp_path / "shared")
        return Ledger(Memory.open(tmp_path / "limits", shared)), shared

    def left() -> list[Any]:
        ledger, shared = opened()
        rate = Bucket(b"rate", "r", rate=(1, 3600), burst=9, day=UTC)
        quota = Bucket(b"quota", "q", quota=9, day=UTC)
        outcomes = [ledger.take((each,), 1) for each in (rate, quota)]
        ledger.close()
        shared.close()
        return [each[2] for each in outcomes if each is not None]

    assert [left(), left()] == [[8, 8], [7, 7]]
    monkeypatch.setattr(layout, "_boot", lambda: 7)
    assert left() == [8, 6]


def test_a_file_that_cant_be_opened_is_told(tmp_path: Path) -> None:
    shared = Shared.open(tmp_path / "shared")
    (tmp_path / "limits").mkdir()
    with pytest.raises(StoreError, match="can't be opened"):
        Memory.open(tmp_path / "limits", shared)
    shared.close()
