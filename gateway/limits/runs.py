"""The file in which a host's workers keep the totals of runs, mapped into the memory of each.

The layout, in native order: a header of 64-bit words (magic, layout, salt), then `RUNS` slots of eight words each (key,
kept until, calls, writes, cost, rows). It is changed under the lock on the counters' own file, so that a call counts in
both or in neither. A slot is given to another run only when it needn't be kept any more: to forget one sooner would let
it spend its total twice, so that a host which is full of runs refuses a new one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from gateway.limits.bucket import TOTAL, Full, Refusal
from gateway.limits.totals import Amounts, Charge, Total, left_of
from gateway.store.contract import StoreError
from gateway.store.shared import mapped

RUNS = 2**17
"""Totals that a host keeps at a time."""

_MAGIC = int.from_bytes(b"figwruns", "little")
_LAYOUT = 1
_AT_MAGIC, _AT_LAYOUT, _AT_SALT = range(3)
_HEADER, _WORDS, _PROBES = 64, 8, 64
_KEY, _UNTIL, _USED = range(3)
_SIZE = 8 * (_HEADER + RUNS * _WORDS)
_MOST = 2**62


class Runs:
    """The mapped file. Whoever calls holds the lock, but for `open`'s caller, who holds it where others may write."""

    def __init__(self, path: Path) -> None:
        """Maps the file, making it where there is none that this version can read; raises `StoreError`."""
        try:
            self._map = mapped(path, _SIZE)
        except (OSError, ValueError) as error:
            raise StoreError(f"the memory of runs {path} can't be opened: {error}") from error
        self._words = memoryview(self._map).cast("Q")
        if self._words[_AT_MAGIC] != _MAGIC or self._words[_AT_LAYOUT] != _LAYOUT:
            self._begin()

    def _begin(self) -> None:
        # The magic comes last: a crash on the way leaves a file that is made anew.
        self._words[_AT_MAGIC] = 0
        self._map[8:] = bytes(_SIZE - 8)
        self._words[_AT_LAYOUT], self._words[_AT_SALT] = _LAYOUT, int.from_bytes(os.urandom(8), "little")
        self._words[_AT_MAGIC] = _MAGIC

    def look(self, charge: Charge) -> Refusal | None:
        """Notes in each total what the call makes of it; the refusal where one of them is too small. Raises `Full`."""
        now = time.time()
        for total in charge.totals:
            at, amounts = self._place(total, now), total.amounts(charge)
            used = total.used = self._sum(at, amounts)
            for unit, most in enumerate(total.most):
                if most and amounts[unit] and used[unit] > most:
                    left = max(0, most - used[unit] + amounts[unit])
                    return Refusal(total, TOTAL + unit, left)
        return None

    def write(self, charge: Charge) -> None:
        """Counts what was looked at."""
        now = time.time()
        for total in charge.totals:
            self._put(total.at, total.used, total.until(now))
        charge.left = left_of(charge.totals, [total.used for total in charge.totals])

    def settle(self, totals: Sequence[Total], more: Amounts) -> None:
        """Adds to what a call has taken, or gives back where that is negative; cost only where the call's counted."""
        now = time.time()
        for total in totals:
            at = self._place(total, now)
            calls, writes, cost, rows = more
            used = self._sum(at, (calls, writes, 0 if total.of_steps else cost, rows))
            self._put(at, used, max(self._words[at + _UNTIL], total.until(now)))

    def _sum(self, at: int, more: Amounts) -> Amounts:
        calls, writes, cost, rows = (
            min(max(0, self._words[at + _USED + unit] + each), _MOST) for unit, each in enumerate(more)
        )
        return calls, writes, cost, rows

    def _put(self, at: int, used: Amounts, until: int) -> None:
        # First for how long: a crash on the way leaves nothing that is forgotten sooner.
        self._words[at + _UNTIL] = until
        for unit, each in enumerate(used):
            self._words[at + _USED + unit] = each

    def _place(self, total: Total, now: float) -> int:
        """Where the run's slot is, taken if it has none; one that needn't be kept any more says nothing."""
        words, free = self._words, 0
        key = total.key = total.key or self._key(total.identity)
        if total.at and words[total.at] == key and words[total.at + _UNTIL] > now:
            return total.at
        for position in range(key, key + _PROBES):
            at = _HEADER + position % RUNS * _WORDS
            over = words[at + _UNTIL] <= now
            if words[at] == key and not over:
                total.at = at
                return at
            if not free and (words[at] == 0 or over):
                free = at
        if not free:
            raise Full
        words[free] = 0  # first and last: a crash on the way leaves a free slot
        for word in range(free + 1, free + _WORDS):
            words[word] = 0
        words[free + _UNTIL] = int(now) + 2  # until it is counted: another of the call's totals must not take it
        words[free] = key
        total.at = free
        return free

    def _key(self, identity: bytes) -> int:
        """Sixty-four bits that a caller can't foresee, and so can't make collide with another's."""
        salt = self._words[_AT_SALT].to_bytes(8, "little")
        return int.from_bytes(blake2b(identity, digest_size=8, key=salt).digest(), "little") or 1

    def close(self) -> None:
        """Unmaps the file."""
        self._words.release()
        self._map.close()
