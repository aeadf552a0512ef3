"""The file in which a host's workers keep their counters, mapped into the memory of each.

The layout, in native order: a header of 64-bit words (magic, layout, boot, salt, rows), then `BUCKETS` slots of eight
words each (key, full again at, day, calls of the day, cost of the day), then for each worker a row of 16-bit numbers,
the calls that it has in flight by slot. Only its own worker writes a row, so what a killed one held is known and
comes back; everything else is changed under a lock on the file, which ends with the process that holds it.

A slot whose numbers say no more than an empty one's is given to the next key that needs it.
"""

from __future__ import annotations

import mmap
import os
import time
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from gateway.limits.bucket import Bucket, Full
from gateway.limits.runs import Runs
from gateway.store.contract import StoreError
from gateway.store.shared import locked

BUCKETS = 2**16
"""Counters that a host keeps at a time."""
WORDS = 8
KEY, FULL_AT, DAY, USED, SPENT = range(5)

_MAGIC = int.from_bytes(b"figlimit", "little")
_LAYOUT = 1
_AT_MAGIC, _AT_LAYOUT, _AT_BOOT, _AT_SALT, _AT_ROWS = range(5)
_HEADER = 64
_ROWS = 256
_ROWS_AT = 8 * (_HEADER + BUCKETS * WORDS)
_ROW = 2 * BUCKETS
_SIZE = _ROWS_AT + _ROWS * _ROW
_PROBES = 64
_REAP_PAUSE = 0.1
_UNIX_DAY = 719_163


class Workers(Protocol):
    """The processes of this host that serve, by the slot that each has taken (`gateway.store.shared`)."""

    def claim(self) -> int: ...

    def alive(self, slot: int) -> bool: ...


class Memory:
    """The mapped file. `open` it in each worker, after a fork."""

    def __init__(self, path: Path, workers: Workers) -> None:
        self._workers = workers
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(self.file).st_size < _SIZE:
                os.ftruncate(self.file, _SIZE)  # sparse: what nobody touches takes no room
            self._map = mmap.mmap(self.file, _SIZE)
            with locked(self.file):
                self.runs = Runs(path.with_name(f"{path.name}-runs"))
        except BaseException:
            os.close(self.file)
            raise
        whole = memoryview(self._map)
        self.words = whole[:_ROWS_AT].cast("Q")
        self._held = whole[_ROWS_AT:].cast("H")
        self._row = workers.claim()
        self._mine = self._row * BUCKETS
        self._reaped = 0.0

    @classmethod
    def open(cls, path: Path, workers: Workers) -> Memory:
        """Maps the file, making it where there is none that this version can read; raises `StoreError`. Blocks for
        as long as another worker holds the lock."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            memory = cls(path, workers)
        except (OSError, ValueError) as error:
            raise StoreError(f"the counters' memory {path} can't be opened: {error}") from error
        with locked(memory.file):
            memory._begin()
        return memory

    def _begin(self) -> None:
        words = self.words
        if words[_AT_MAGIC] != _MAGIC or words[_AT_LAYOUT] != _LAYOUT:
            # The magic comes last: a crash on the way leaves a file that is made anew.
            words[_AT_MAGIC] = 0
            self._map[8:_ROWS_AT] = bytes(_ROWS_AT - 8)
            for row in range(_ROWS if words[_AT_LAYOUT] else 0):
                self._clear(row)
            words[_AT_LAYOUT], words[_AT_SALT] = _LAYOUT, int.from_bytes(os.urandom(8), "little")
            words[_AT_MAGIC] = _MAGIC
        boot = _boot()
        if words[_AT_BOOT] != boot:  # the clock of the rates starts with the machine
            for at in range(_HEADER, len(words), WORDS):
                words[at + FULL_AT] = 0
            words[_AT_BOOT] = boot
        words[_AT_ROWS] = max(words[_AT_ROWS], self._row + 1)
        self._clear(self._row)

    def place(self, bucket: Bucket, now: int) -> int:
        """Finds the bucket's slot, or takes a free one, under the lock; raises `Full`. `now` on the monotonic clock,
        nanoseconds."""
        words, free = self.words, 0
        key = bucket.key = bucket.key or self._key(bucket.identity)
        for position in range(key, key + _PROBES):
            at = _HEADER + position % BUCKETS * WORDS
            if words[at + KEY] == key:
                bucket.at = at
                return at
            if not free and (words[at + KEY] == 0 or self._says_nothing(at, now)):
                free = at
        if not free:
            raise Full
        self._make(free, key)
        bucket.at = free
        return free

    def _make(self, at: int, key: int) -> None:
        words = self.words
        words[at + KEY] = 0  # first and last: a crash on the way leaves a free slot
        for word in range(at + 1, at + WORDS):
            words[word] = 0
        words[at + KEY] = key

    def _key(self, identity: bytes) -> int:
        """Sixty-four bits that a caller can't foresee, and so can't make collide with another's."""
        salt = self.words[_AT_SALT].to_bytes(8, "little")
        return int.from_bytes(blake2b(identity, digest_size=8, key=salt).digest(), "little") or 1

    def _says_nothing(self, at: int, now: int) -> bool:
        words = self.words
        yesterday = int(time.time()) // 86_400 + _UNIX_DAY - 1  # behind today's in every zone
        counted = (words[at + USED] or words[at + SPENT]) and words[at + DAY] >= yesterday
        return not counted and words[at + FULL_AT] <= now and self.held(at) == 0

    def held(self, at: int) -> int:
        """How many calls all workers have in flight that hold the slot."""
        index = (at - _HEADER) // WORDS
        return sum(self._held[index : self.words[_AT_ROWS] * BUCKETS : BUCKETS])

    def hold(self, at: int, by: int) -> None:
        """Adds to what this worker holds: +1 under the lock, −1 at any time."""
        self._held[self._mine + (at - _HEADER) // WORDS] += by

    def reap(self) -> bool:
        """Gives back what workers held that are gone; whether there was any. Under the lock, and now and then."""
        now = time.monotonic()
        if now < self._reaped + _REAP_PAUSE:
            return False
        self._reaped, found = now, False
        for row in range(self.words[_AT_ROWS]):
            if row == self._row or self._workers.alive(row):
                continue
            found = self._clear(row) or found
        return found

    def _clear(self, row: int) -> bool:
        """Empties a worker's row; whether there was anything in it."""
        start = _ROWS_AT + row * _ROW
        found = self._map[start : start + _ROW].strip(b"\0") != b""
        if found:
            self._map[start : start + _ROW] = bytes(_ROW)
        return found

    def close(self) -> None:
        """Unmaps the file; what this worker holds ends with its slot."""
        self.words.release()
        self._held.release()
        self._map.close()
        self.runs.close()
        os.close(self.file)


def _boot() -> int:
    """What tells this run of the machine from others; 0 where the system doesn't say."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        return 0
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
