"""Taking from buckets in this host's memory: all of a call's or none, exactly, in a few microseconds.

One lock serves all buckets. It is held for microseconds and never waited for here: who finds it taken is told so, and
tries again from the event loop.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
from time import monotonic_ns

from gateway.limits.bucket import BUDGET, CONCURRENCY, NO_KIND, QUOTA, RATE, Bucket, Refusal, Standing
from gateway.limits.calendar import Day
from gateway.limits.memory import DAY, FULL_AT, SPENT, USED, Memory
from gateway.limits.totals import FREE, NOTHING, Amounts, Charge, Total

_TRY = LOCK_EX | LOCK_NB
_MOST = 2**62
# Calls in flight are told only where a rule bounds nothing else: who calls one after another can't run into that.
_FAR = 2**61
UNBOUND: Standing = (Bucket(b"", "", day=Day("UTC")), NO_KIND, 0, 0.0)
"""The standing of a call that only totals are for."""


class Ledger:
    """The buckets of one host. Used on one event loop."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._closed = False

    def take(self, buckets: Sequence[Bucket], cost: int, charge: Charge = FREE) -> Standing | Refusal | None:
        """Counts a call in every bucket and total, or in none when one of them refuses; None: the memory is locked
        just now.

        What it holds of `concurrency` is given back by `release`. Raises `Full`.
        """
        memory = self._memory
        try:
            flock(memory.file, _TRY)
        except BlockingIOError:
            return None
        try:
            if charge.totals and (refused := memory.runs.look(charge)) is not None:
                return refused
            outcome = self._taken(buckets, cost) if buckets else UNBOUND
            if charge.totals and not isinstance(outcome, Refusal):
                memory.runs.write(charge)
        finally:
            flock(memory.file, LOCK_UN)
        return outcome

    def _taken(self, buckets: Sequence[Bucket], cost: int) -> Standing | Refusal:
        memory = self._memory
        words = memory.words
        now = monotonic_ns()
        least, tight, kind = _MOST, buckets[0], RATE
        for bucket in buckets:
            at = bucket.at
            if words[at] != bucket.key:
                at = memory.place(bucket, now)
            if interval := bucket.interval:
                full_at, latest = words[at + FULL_AT], now + bucket.full
                # A moment past the latest one was written by a clock that was set back.
                tat = interval + (now if full_at < now else latest if full_at > latest else full_at)
                if tat > latest:
                    return Refusal(bucket, RATE, (tat - latest) / 1e9)
                bucket.tat = tat
                left = (latest - tat) // interval
                if left < least:
                    least, tight, kind = left, bucket, RATE
            if bucket.counted:
                refused, left, which = self._counted(bucket, at, cost)
                if refused is not None:
                    return refused
                if left < least:
                    least, tight, kind = left, bucket, which
        for bucket in buckets:
            if bucket.interval:
                words[bucket.at + FULL_AT] = bucket.tat
            if bucket.counted:
                self._write(bucket)
        reset = (tight.tat - now) / 1e9 if kind == RATE else reset_of(tight, kind)
        return tight, kind, least - _FAR if least >= _FAR else least, reset

    def _counted(self, bucket: Bucket, at: int, cost: int) -> tuple[Refusal | None, int, int]:
        """What concurrency, quota and budget say: a refusal, or how many more calls the tightest lets through."""
        least, kind = _MOST, CONCURRENCY
        if bucket.concurrency:
            free = bucket.concurrency - 1 - self._memory.held(at)
            if free < 0 and self._memory.reap():
                free = bucket.concurrency - 1 - self._memory.held(at)
            if free < 0:
                return Refusal(bucket, CONCURRENCY, 1.0), 0, kind
            least = _FAR + free
        if bucket.quota or bucket.budget:
            self._read_day(bucket, at, cost)
            if bucket.quota and (left := bucket.quota - bucket.used) < least:
                least, kind = left, QUOTA
            if bucket.budget and (left := bucket.budget - bucket.spent) < least:
                least, kind = left, BUDGET
            if least < 0:
                return Refusal(bucket, kind, reset_of(bucket, kind)), 0, kind
        return None, least, kind

    def _read_day(self, bucket: Bucket, at: int, cost: int) -> None:
        words, today = self._memory.words, bucket.day.look(time.time())
        same = words[at + DAY] == today
        bucket.day_now = today
        bucket.used = 1 + (words[at + USED] if same else 0)
        bucket.spent = cost + (words[at + SPENT] if same else 0)

    def _write(self, bucket: Bucket) -> None:
        words, at = self._memory.words, bucket.at
        if bucket.concurrency:
            self._memory.hold(at, 1)
        if bucket.quota or bucket.budget:
            # The day comes last: with yesterday's, the new numbers count for nothing.
            words[at + USED], words[at + SPENT], words[at + DAY] = bucket.used, bucket.spent, bucket.day_now

    def release(self, buckets: Sequence[Bucket]) -> None:
        """Gives back what a call held of `concurrency`. Needs no lock: nobody else writes this worker's row."""
        if not self._closed:
            for bucket in buckets:
                if bucket.concurrency:
                    self._memory.hold(bucket.at, -1)

    def settle(
        self, buckets: Sequence[Bucket], more: int, totals: Sequence[Total] = (), amounts: Amounts = NOTHING
    ) -> bool:
        """Adds to what a call cost, or takes from it when negative, and `amounts` to its run's totals; False: the
        memory is locked just now. Raises `Full`."""
        memory = self._memory
        words = memory.words
        try:
            flock(memory.file, _TRY)
        except BlockingIOError:
            return False
        try:
            for bucket in buckets:
                at = bucket.at
                if bucket.budget and words[at] == bucket.key and words[at + DAY] == bucket.day.look(time.time()):
                    words[at + SPENT] = min(max(0, words[at + SPENT] + more), _MOST)
            if totals:
                memory.runs.settle(totals, amounts)
        finally:
            flock(memory.file, LOCK_UN)
        return True

    def close(self) -> None:
        """Ends the use of the memory; calls that end later find nothing to give back."""
        self._closed = True
        self._memory.close()


def reset_of(bucket: Bucket, kind: int) -> float:
    """Seconds until a day's numbers start again; of calls in flight nobody can tell."""
    return 1.0 if kind == CONCURRENCY else max(1.0, bucket.day.end - time.time())
