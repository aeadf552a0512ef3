"""What the old system is asked beside its callers: one bucket an upstream, shared by all workers of a host.

Comparisons, reconciliation and the autopilot's probes draw on it. Each call of theirs takes a token before it is made,
so that there are never more calls than tokens. All but probes make one call at a time; five tokens are kept for probes,
which others never touch. The bucket is a moment: when it will be full again.

The file holds 64-bit words in native order: a header, then a slot an upstream. It outlives a crash: a claim ends with
its process, or its time.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from time import monotonic_ns
from typing import Literal, Protocol, TypeAlias, get_args

from gateway.store.contract import StoreError
from gateway.store.shared import make_file, started

Purpose: TypeAlias = Literal["sandwich", "reverse", "reconcile", "replay", "probe", "refresh"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
RATE = 1.0
"""Extra calls a second, where nobody says otherwise."""
RESERVE = 5
"""Tokens that only probes may draw on."""

_MAGIC = int.from_bytes(b"figextra", "little")
_LAYOUT = 1
_SLOTS, _AT, _WORDS = 256, 8, 16
_KEY, _FULL_AT, _PID, _STARTED, _UNTIL, _COUNTS = range(6)
_SIZE = 8 * (_AT + _SLOTS * _WORDS)
_SECOND = 10**9


class Strained(Protocol):
    """An upstream, as the budget sees it (`gateway.upstream.Upstream`)."""

    @property
    def name(self) -> str: ...

    @property
    def strained(self) -> str: ...


class Claim:
    """One extra call, while it lasts; `release` it."""

    __slots__ = ("_at", "_budget", "_until")

    def __init__(self, budget: Budget, at: int, until: int) -> None:
        self._budget, self._at, self._until = budget, at, until

    def release(self) -> None:
        """The call has ended."""
        self._budget.end(self._at, self._until)


class Budget:
    """The buckets of one host. `take` is quick: it never waits for another process."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), _SIZE)
        self._words = memoryview(self._map).cast("Q")
        self._places: dict[str, int] = {}
        self._pid, self._started = os.getpid(), started(os.getpid()) or 0
        self.skipped: dict[tuple[str, str], int] = {}
        """(upstream, why) → how many extra calls were left out in this process."""

    @classmethod
    def open(cls, path: Path) -> Budget:
        """Maps the file, making it where there is none that this version can read; raises `StoreError`."""
        try:
            make_file(path, _SIZE)
            budget = cls(path)
        except (OSError, ValueError) as error:
            raise StoreError(f"the shared memory {path} can't be opened: {error}") from error
        budget._prepare()
        return budget

    def take(self, upstream: Strained, purpose: Purpose, seconds: float, rate: float = RATE) -> Claim | None:
        """A token for one call that lasts `seconds` at most; None: not now. A probe is how one finds out whether the
        upstream is well, so that only an open breaker keeps it away; it needs no `release`."""
        why = upstream.strained
        if purpose == "probe" and why != "breaker":
            why = ""
        claim = None
        if not why:
            claim, why = self._draw(upstream.name, purpose, seconds, rate)
        if claim is None:
            self.skipped[upstream.name, why] = self.skipped.get((upstream.name, why), 0) + 1
        return claim

    def _draw(self, name: str, purpose: Purpose, seconds: float, rate: float) -> tuple[Claim | None, str]:
        with self._locked(wait=False) as locked:
            if not locked:
                return None, "locked"
            words, at, now = self._words, self._place(name), monotonic_ns()
            interval = int(_SECOND / rate)
            # A moment past the latest one was written before the machine was started anew.
            full_at = max(now, min(words[at + _FULL_AT], now + (RESERVE + 1) * interval))
            probes = purpose == "probe"
            if full_at > now + (RESERVE * interval if probes else 0):
                return None, "spent"
            if not probes and self._held(at, now):
                return None, "busy"
            words[at + _FULL_AT] = full_at + interval
            words[at + _COUNTS + PURPOSES.index(purpose)] += 1
            until = now + int(seconds * _SECOND)
            if not probes:
                words[at + _PID], words[at + _STARTED], words[at + _UNTIL] = self._pid, self._started, until
            return Claim(self, at, until), ""

    def end(self, at: int, until: int) -> None:
        """Ends a claim; one whose time is over may be another's by now, and is left alone."""
        with self._locked(wait=True):
            words = self._words
            if words[at + _PID] == self._pid and words[at + _UNTIL] == until:
                words[at + _PID] = 0

    def taken(self, name: str) -> dict[str, int]:
        """How many tokens of an upstream were taken on this host, by purpose."""
        with self._locked(wait=True):
            at = self._place(name) + _COUNTS
            return {purpose: self._words[at + number] for number, purpose in enumerate(PURPOSES)}

    def close(self) -> None:
        """Unmaps the file."""
        self._words.release()
        self._map.close()
        self._file.close()

    def _held(self, at: int, now: int) -> bool:
        words = self._words
        pid, until = words[at + _PID], words[at + _UNTIL]
        # A call never lasts longer than minutes: a later end was written before the machine was started anew.
        return pid != 0 and now < until < now + 3600 * _SECOND and started(pid) == words[at + _STARTED]

    def _place(self, name: str) -> int:
        """Where the upstream's slot is, taken now if it has none; under the lock."""
        place = self._places.get(name)
        if place is None:
            key = int.from_bytes(sha256(name.encode()).digest()[:8], "little") or 1
            places = range(_AT, _AT + _SLOTS * _WORDS, _WORDS)
            place = next((at for at in places if self._words[at + _KEY] in (0, key)), None)
            if place is None:
                raise StoreError(f"more than {_SLOTS} upstreams are asked beside their callers on this host")
            self._words[place + _KEY] = key
            self._places[name] = place
        return place

    def _prepare(self) -> None:
        with self._locked(wait=True):
            words = self._words
            if words[0] != _MAGIC or words[1] != _LAYOUT:
                for at in range(_SIZE // 8):
                    words[at] = 0
                # The magic comes last: a crash on the way leaves a file that is prepared again.
                words[1] = _LAYOUT
                words[0] = _MAGIC

    @contextmanager
    def _locked(self, *, wait: bool) -> Iterator[bool]:
        # Held for microseconds. The lock is this open file's: within the process, one event loop uses it.
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
