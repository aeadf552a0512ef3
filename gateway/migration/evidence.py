"""What a host's workers have seen of each group since its stage last changed, in one file that all of them map.

The layout is 64-bit words in native order. A header: magic, layout, rows used. Then for each of `GROUPS` groups: its
name's key, generation, since when (nanoseconds, Unix), one more than the generation at which it is stopped, `INCIDENTS`
words for what is known to have gone wrong already, and which stage it is of. Then for each worker a row: how much went
wrong, and for each group its generation and its numbers: one block a side, one for comparisons, and two bitmaps of the
keys seen.

Only its own worker writes a row, a word in one piece, so nothing is locked for what goes well, and what a killed
worker has counted stays. A row's numbers count while its generation is the group's: a stage that changes empties
nothing. What goes wrong is first looked up among the incidents, and noted there under a lock on the file.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

from gateway.migration.model import Side, Stage
from gateway.migration.remembered import Remembered
from gateway.migration.totals import Arm, Totals, Verdicts, distinct
from gateway.store.contract import StoreError
from gateway.store.shared import locked

GROUPS = 1024
"""Groups that a host keeps evidence of."""
INCIDENTS = 2048
"""Incidents of a group that are told apart at a time."""
CELLS = 4096
"""Bits of a bitmap of keys."""
VERDICTS = ("match", "tolerated", "noise", "known", "mismatch", "incomparable")

_MAGIC, _LAYOUT = int.from_bytes(b"figevid\0", "little"), 1
_AT_MAGIC, _AT_LAYOUT, _AT_ROWS = range(3)
_GROUPS_AT = 8
_NAME, _GENERATION, _SINCE, _STOPPED, _INCIDENTS = range(5)
_STAGE = _INCIDENTS + INCIDENTS
_GROUP = 8 + INCIDENTS
_ROWS = 256
_ROWS_AT = _GROUPS_AT + (GROUPS + 1) * _GROUP
_CALLS, _ERRORS, _SLOW, _ERROR_INCIDENTS, _SLOW_INCIDENTS = range(1, 6)
_REPLACEMENT = 5
_VERDICTS, _MISMATCH_INCIDENTS = 11, 17
_NUMBERS = 24
_BITMAP = CELLS // 64
_BLOCK = _NUMBERS + 2 * _BITMAP
_ROW = 8 + (GROUPS + 1) * _BLOCK
_SIZE = 8 * (_ROWS_AT + _ROWS * _ROW)
_PROBES, _START = 32, 2**12
_EPOCH_SECONDS, _EPOCHS = 60, 2**10
_ID = 2**54 - 1
_SHUFFLE = 2654435761
_ERROR, _IS_SLOW, _MISMATCH = 1, 2, 3


class Slots(Protocol):
    """Gives this process a number of its own among those of the host (`gateway.store.shared`)."""

    def claim(self) -> int: ...


class Evidence:
    """The mapped file. `open` it in each worker, after a fork; to be used from one thread."""

    def __init__(self, path: Path, row: int) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(self._file).st_size < _SIZE:
                os.ftruncate(self._file, _SIZE)  # sparse: what nobody touches takes no room
            self._map = mmap.mmap(self._file, _SIZE)
            self._remembered = Remembered(path.with_suffix(".judged"), GROUPS + 1)
        except BaseException:
            os.close(self._file)
            raise
        self._words = memoryview(self._map).cast("Q")
        self._row = _ROWS_AT + row * _ROW
        self._places: dict[str, tuple[int, int]] = {}
        self._mine: dict[str, int] = {}

    @classmethod
    def open(cls, path: Path, workers: Slots) -> Evidence:
        """Maps the file, making it where there is none that this version can read; raises `StoreError`."""
        row = workers.claim()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            evidence = cls(path, row)
        except (OSError, ValueError) as error:
            raise StoreError(f"the evidence {path} can't be opened: {error}") from error
        with locked(evidence._file):
            evidence._prepare(row)
        return evidence

    def _prepare(self, row: int) -> None:
        words = self._words
        if words[_AT_MAGIC] != _MAGIC or words[_AT_LAYOUT] != _LAYOUT:
            if self._map[:_START].strip(b"\0"):  # a file of something else; a new one is empty
                os.ftruncate(self._file, 0)
                os.ftruncate(self._file, _SIZE)
            words[_AT_LAYOUT] = _LAYOUT
            words[_AT_MAGIC] = _MAGIC  # last: a crash on the way leaves a file that is made anew
        words[_AT_ROWS] = max(words[_AT_ROWS], row + 1)

    # ── what workers note ────────────────────────────────────────────────────────────────────────────────────

    def note(self, group: str, side: Side, *, error: bool, slow: bool, key: int = -1, signature: str = "") -> None:
        """Counts one call that `side` answered. `key` is its bucket (−1: it has none); what goes wrong again for the
        same key in the same way (`signature`) is one incident."""
        at, words = self._block(group), self._words
        base = at if side == "legacy" else at + _REPLACEMENT
        words[base + _CALLS] += 1
        if key >= 0:
            cell = (key * _SHUFFLE >> 8) % CELLS
            map_at = at + _NUMBERS + (cell >> 6) + (0 if side == "legacy" else _BITMAP)
            words[map_at] |= 1 << (cell & 63)
        if error:
            words[base + _ERRORS] += 1
            self._incident(group, side, base + _ERROR_INCIDENTS, _ERROR, key, signature)
        if slow:
            words[base + _SLOW] += 1
            self._incident(group, side, base + _SLOW_INCIDENTS, _IS_SLOW, key, "")

    def note_parity(self, group: str, verdict: str, signature: str = "", key: int = -1) -> None:
        """Counts one comparison of the two sides' answers."""
        at = self._block(group)
        self._words[at + _VERDICTS + VERDICTS.index(verdict)] += 1
        if verdict == "mismatch":
            self._incident(group, "replacement", at + _MISMATCH_INCIDENTS, _MISMATCH, key, signature)

    def _incident(self, group: str, side: Side, counter: int, stream: int, key: int, signature: str) -> None:
        identity = (key + 1) << 32 | crc32(signature.encode(), stream * 2 + (side == "legacy"))
        if key < 0 or self._is_new(self._places[group][0] + _INCIDENTS, identity & _ID):
            self._words[counter] += 1
        self._words[self._row] += 1

    def _is_new(self, table: int, identity: int) -> bool:
        """Whether it isn't known from this minute or the last one; known ones stay known by happening again."""
        epoch = int(time.monotonic()) // _EPOCH_SECONDS % (_EPOCHS - 1) + 1
        found = self._find(table, identity, epoch)
        if found is not None and self._words[found] == epoch << 54 | identity:
            return False
        with locked(self._file):
            found = self._find(table, identity, epoch)
            if found is None:  # so much goes wrong that it isn't told apart any more
                return True
            known = self._words[found] & _ID == identity and _recent(self._words[found] >> 54, epoch)
            self._words[found] = epoch << 54 | identity
            return not known

    def _find(self, table: int, identity: int, epoch: int) -> int | None:
        """The incident's place: where it is known or, if it isn't, where there is room for it."""
        words, free = self._words, None
        start = (identity ^ identity >> 32) * _SHUFFLE >> 12  # the key is in the upper half
        for probe in range(_PROBES):
            at = table + (start + probe) % INCIDENTS
            if words[at] & _ID == identity and words[at]:
                return at
            if free is None and not (words[at] and _recent(words[at] >> 54, epoch)):
                free = at
        return free

    # ── what the autopilot and people read ───────────────────────────────────────────────────────────────────

    @property
    def pulse(self) -> int:
        """Changes whenever something went wrong in any worker: a look at one word a worker."""
        rows = range(_ROWS_AT, _ROWS_AT + self._words[_AT_ROWS] * _ROW, _ROW)
        return sum(self._words[row] for row in rows)

    def generation(self, group: str) -> int:
        """The version with which the group's stage last changed."""
        return self._words[self._place(group)[0] + _GENERATION]

    def read(self, group: str) -> Totals:
        """What all workers have counted since the group's stage last changed; without how many keys, which `keys`
        tells."""
        numbers = [0] * _NUMBERS
        for at in self._blocks(group):
            mine = self._words[at : at + _NUMBERS].tolist()
            numbers = [one + other for one, other in zip(numbers, mine, strict=True)]
        record = self._place(group)[0]
        legacy, replacement = (Arm(*numbers[start : start + 5]) for start in (_CALLS, _CALLS + _REPLACEMENT))
        verdicts = Verdicts(*numbers[_VERDICTS : _MISMATCH_INCIDENTS + 1])
        return Totals(
            self._words[record + _GENERATION], self._words[record + _SINCE] / 1e9, legacy, replacement, verdicts
        )

    def keys(self, group: str, side: Side) -> int:
        """From about how many different keys there were calls, since the group's stage last changed."""
        skipped = _NUMBERS if side == "legacy" else _NUMBERS + _BITMAP
        seen = 0
        for at in self._blocks(group):
            seen |= int.from_bytes(self._words[at + skipped : at + skipped + _BITMAP], "little")
        return distinct(seen.bit_count(), CELLS)

    def begin(self, group: str, version: int, stage: Stage) -> None:
        """Starts anew, if the group's stage isn't the known one and that version is newer: a restart forgets nothing,
        and what changed while nothing ran is noticed. Raises `StoreError` when there is no room for another group."""
        record = self._place(group)[0]
        if record == _GROUPS_AT + GROUPS * _GROUP:
            raise StoreError(f"there is evidence of {GROUPS} groups already")
        of, words = _key(repr(replace(stage, frozen=False))), self._words  # that writes stand still passes
        with locked(self._file):
            known, generation = words[record + _STAGE], words[record + _GENERATION]
            if of != known and version >= generation + (known != 0):
                words[record + _STAGE] = 0  # and last: a crash on the way leaves one that is begun again
                words[record + _SINCE] = time.time_ns()
                first = 8 * (record + _INCIDENTS)
                self._map[first : first + 8 * INCIDENTS] = bytes(8 * INCIDENTS)
                words[record + _GENERATION] = version
                words[record + _STAGE] = of
            self._mine[group] = min(version, words[record + _GENERATION])

    def remember(self, group: str, generation: int, memory: Mapping[str, Any]) -> None:
        """Keeps what the group's guardrails know, for whoever leads next."""
        self._remembered.keep(self._number(group), generation, memory)

    def recalled(self, group: str) -> dict[str, Any] | None:
        """What the group's guardrails knew; None: nothing since its stage last changed."""
        return self._remembered.recall(self._number(group), self.generation(group))

    def _number(self, group: str) -> int:
        return (self._place(group)[0] - _GROUPS_AT) // _GROUP

    def stop(self, group: str, *, stopped: bool) -> None:
        """Lets legacy alone serve the group at once on every worker, until it is decided what becomes of it; or lets
        the replacement serve again. In each worker it also ends with the stage that this process serves."""
        self._words[self._place(group)[0] + _STOPPED] = self._mine.get(group, 0) + 1 if stopped else 0

    def stopped(self, group: str) -> bool:
        """Whether the replacement is to serve nobody at the moment, at this process's stage: two reads of memory."""
        word = self._words[(self._places.get(group) or self._place(group))[0] + _STOPPED]
        return word != 0 and word > self._mine.get(group, 0)

    def close(self) -> None:
        """Unmaps the file; what it holds stays."""
        self._remembered.close()
        self._words.release()
        self._map.close()
        os.close(self._file)

    def _block(self, group: str) -> int:
        """This worker's numbers of the group, empty ones when its stage has changed since."""
        record, at = self._places.get(group) or self._place(group)
        words = self._words
        if words[at] != words[record + _GENERATION]:
            generation = words[record + _GENERATION]
            words[at] = 0  # and last: a crash on the way leaves numbers that aren't counted
            self._map[8 * (at + 1) : 8 * (at + _BLOCK)] = bytes(8 * (_BLOCK - 1))
            words[at] = generation
        return at

    def _blocks(self, group: str) -> Iterator[int]:
        record, mine = self._place(group)
        generation, offset = self._words[record + _GENERATION], mine - self._row
        for row in range(_ROWS_AT, _ROWS_AT + self._words[_AT_ROWS] * _ROW, _ROW):
            if self._words[row + offset] == generation:
                yield row + offset

    def _place(self, group: str) -> tuple[int, int]:
        """Where the group's record is, and this worker's numbers of it. Those for which there is no room share one
        that nobody reads."""
        place = self._places.get(group)
        if place is None:
            with locked(self._file):
                index = self._record(_key(group))
            place = self._places[group] = (_GROUPS_AT + index * _GROUP, self._row + 8 + index * _BLOCK)
        return place

    def _record(self, key: int) -> int:
        for start in range(GROUPS):
            index = (key + start) % GROUPS
            at = _GROUPS_AT + index * _GROUP + _NAME
            if self._words[at] in (0, key):
                self._words[at] = key
                return index
        return GROUPS


def _key(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") or 1


def _recent(then: int, epoch: int) -> bool:
    return (epoch - then) % (_EPOCHS - 1) <= 1
