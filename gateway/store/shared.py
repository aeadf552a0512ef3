"""Memory that the gateway's processes on one host share, through one mapped file.

The layout is 64-bit words in native order. The header: magic, layout, generation, keys generation, stops generation;
then one slot a worker: process id, its start time, generation served, generation settled. A word is written and read
in one piece, since it is aligned; whoever changes one out of what it holds (a counter, a free slot) does so under a
lock on the file.

The file outlives a crash: a slot whose process is gone counts as free, and the counters only ever go up. The
processes must see each other's ids, so they run on one host and, in containers, in one process namespace.
"""

from __future__ import annotations

import asyncio
import fcntl
import mmap
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gateway.store.contract import StoreError

WORKERS = 256
"""Slots in the file: the most processes that share it at a time."""

_MAGIC = int.from_bytes(b"figway\0\0", "little")
_LAYOUT = 1
_AT_MAGIC, _AT_LAYOUT, _AT_GENERATION, _AT_KEYS, _AT_STOPS = range(5)
_SLOTS_AT, _SLOT_WORDS = 64, 8
_PID, _STARTED, _SERVED, _SETTLED = range(4)
_SIZE = 8 * (_SLOTS_AT + WORKERS * _SLOT_WORDS)
_POLL_SECONDS = 0.005


@contextmanager
def locked(file: IO[bytes] | int) -> Iterator[None]:
    """The file's lock, which is held for microseconds; within a process, it is one open file's."""
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def make_file(path: Path, size: int) -> None:
    """Makes a file to be mapped, for its owner only, where there is none of `size` bytes; raises `OSError`. What nobody
    touches of it takes no room."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(descriptor).st_size < size:
            os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)


def mapped(path: Path, size: int) -> mmap.mmap:
    """Maps the file, made where there is none of `size` bytes; raises `OSError` or `ValueError`."""
    make_file(path, size)
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), size)


class Shared:
    """The mapped file. `open` it in every process (after a fork, not before), `claim` a slot in those that serve."""

    def __init__(self, path: Path) -> None:
        self._path = path
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size < _SIZE:
                os.ftruncate(descriptor, _SIZE)
            self._map = mmap.mmap(descriptor, _SIZE)
        finally:
            os.close(descriptor)
        self._words = memoryview(self._map).cast("Q")
        self._slot: int | None = None

    @classmethod
    def open(cls, path: Path) -> Shared:
        """Maps the file, making it where there is none that this version can read; raises `StoreError`."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shared = cls(path)
        except (OSError, ValueError) as error:
            raise StoreError(f"the shared memory {path} can't be opened: {error}") from error
        with shared._locked():
            words = shared._words
            if words[_AT_MAGIC] != _MAGIC or words[_AT_LAYOUT] != _LAYOUT:
                shared._initialise()
        return shared

    @property
    def generation(self) -> int:
        """Changes whenever another snapshot is active. Costs a read of memory."""
        return self._words[_AT_GENERATION]

    @property
    def keys_generation(self) -> int:
        """Changes whenever an API key is made or revoked. Costs a read of memory."""
        return self._words[_AT_KEYS]

    @property
    def stops_generation(self) -> int:
        """Changes whenever something is stopped or resumed. Costs a read of memory."""
        return self._words[_AT_STOPS]

    def bump(self) -> int:
        """Tells every process that another snapshot is active; returns the new generation."""
        return self._increment(_AT_GENERATION)

    def bump_keys(self) -> int:
        """Tells every process that the API keys have changed; returns the new generation."""
        return self._increment(_AT_KEYS)

    def bump_stops(self) -> int:
        """Tells every process that something is stopped or resumed; returns the new generation."""
        return self._increment(_AT_STOPS)

    def claim(self) -> int:
        """Takes a free slot for this process, which frees it by ending; returns its number, the same one each time."""
        if self._slot is None:
            with self._locked():
                free = (slot for slot in range(WORKERS) if not self.alive(slot))
                slot = next(free, None)
                if slot is None:
                    raise StoreError(f"{WORKERS} processes share {self._path} already")
                at = _SLOTS_AT + slot * _SLOT_WORDS
                self._words[at + _STARTED] = started(os.getpid()) or 0
                self._words[at + _SERVED] = self._words[at + _SETTLED] = 0
                self._words[at + _PID] = os.getpid()
            self._slot = slot
        return self._slot

    def acknowledge(self, slot: int, generation: int) -> None:
        """Says that the process in `slot` serves what was active at `generation`."""
        self._words[_SLOTS_AT + slot * _SLOT_WORDS + _SERVED] = generation

    def settle(self, slot: int, generation: int) -> None:
        """Says that in the process in `slot` every write has ended that was admitted before `generation` was served."""
        self._words[_SLOTS_AT + slot * _SLOT_WORDS + _SETTLED] = generation

    def behind(self, generation: int) -> list[int]:
        """The ids of living processes with a slot that don't serve `generation` yet."""
        return self._late(_SERVED, generation)

    def unsettled(self, generation: int) -> list[int]:
        """The ids of living processes with a slot in which a write older than `generation` may be under way."""
        return self._late(_SETTLED, generation)

    def _late(self, word: int, generation: int) -> list[int]:
        words = self._words
        slots = range(_SLOTS_AT, _SLOTS_AT + WORKERS * _SLOT_WORDS, _SLOT_WORDS)
        late = [at for at in slots if words[at + _PID] and words[at + word] < generation]
        return [words[at + _PID] for at in late if self.alive((at - _SLOTS_AT) // _SLOT_WORDS)]

    async def wait_acknowledged(self, generation: int, timeout: float) -> bool:
        """Waits until every living process with a slot serves `generation`; False after `timeout` seconds."""
        return await self._wait(self.behind, generation, timeout)

    async def wait_settled(self, generation: int, timeout: float) -> bool:
        """Waits until no older write is under way in any living process; False after `timeout` seconds."""
        return await self._wait(self.unsettled, generation, timeout)

    async def _wait(self, late: Callable[[int], list[int]], generation: int, timeout: float) -> bool:
        until = time.monotonic() + timeout
        while late(generation):
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True

    def close(self) -> None:
        """Frees this process's slot and unmaps the file."""
        if self._slot is not None:
            self._words[_SLOTS_AT + self._slot * _SLOT_WORDS + _PID] = 0
        self._words.release()
        self._map.close()

    def _increment(self, at: int) -> int:
        with self._locked():
            self._words[at] += 1
            return self._words[at]

    def _initialise(self) -> None:
        # The magic comes last: a crash on the way leaves a file that is initialised again.
        words = self._words
        words[_AT_MAGIC] = 0
        for at in range(_AT_LAYOUT, len(words)):
            words[at] = 0
        words[_AT_LAYOUT] = _LAYOUT
        words[_AT_MAGIC] = _MAGIC

    def alive(self, slot: int) -> bool:
        """Whether the process that took `slot` runs."""
        at = _SLOTS_AT + slot * _SLOT_WORDS
        pid = self._words[at + _PID]
        return pid != 0 and started(pid) == self._words[at + _STARTED]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # A descriptor of its own, since flock belongs to the open file: so threads and forked children exclude too.
        with self._path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def started(pid: int) -> int | None:
    """When a process started, in clock ticks since boot (proc(5), field 22), so that a reused id isn't taken for
    it; 0 where the system doesn't tell; None: it isn't alive."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _answers(pid)
    except ProcessLookupError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def _answers(pid: int) -> int | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return 0
    return 0
