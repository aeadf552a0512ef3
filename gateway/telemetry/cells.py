"""Numbers that outlive their process: each worker has a mapped file of its own, and anyone adds them all up.

A file is 64-bit words in native order. The header: magic, layout, bytes used. Then one entry a series: the length of
its key, how many numbers it has, the key (UTF-8, padded with NUL to 8 bytes), the numbers (float64). Only its worker
writes into a file, a number in one piece; "bytes used" is written last, so that a reader never sees half an entry.

Whoever serves holds a lock on its file: a file that can be locked is that of a worker that has ended. What it counted
is moved into `retired`, which names the files that it has taken in, so that a crash between counts nothing twice.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from gateway.call import new_id
from gateway.store.contract import StoreError

Numbers: TypeAlias = dict[str, list[float]]
"""A series' key → its numbers."""

CAPACITY = 8 * 2**20
"""Bytes of a file (most of it a hole): some 30,000 series."""

_MAGIC = int.from_bytes(b"figwayM\0", "little")
_LAYOUT = 1
_HEADER = 64
_RETIRED = "retired"
_TAKEN = "taken:"


@dataclass(frozen=True, slots=True)
class Total:
    """What a folder's workers counted: of those that live one by one, of those that ended all together."""

    living: tuple[Numbers, ...]
    ended: Numbers


class Cells:
    """This process's file. `numbers` are all of the file's words as float64; `block` gives places in it."""

    def __init__(self, folder: Path, capacity: int = CAPACITY) -> None:
        self._path = folder / f"worker-{new_id()}"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(self._descriptor, capacity)
        self._map = mmap.mmap(self._descriptor, capacity)
        self._capacity = capacity
        bytes_view = memoryview(self._map)
        self._bytes, self._words = bytes_view, bytes_view.cast("Q")
        self.numbers = bytes_view.cast("d")
        self._places: dict[str, int] = {}
        # Room for the largest block, for what there is no room for.
        self._spare = self._put("", 32)

    @classmethod
    def open(cls, folder: Path, keep: Callable[[str], bool], capacity: int = CAPACITY) -> Cells:
        """A file of this process's own in `folder`, after taking in what ended workers left (of it the series that
        `keep`); blocks; raises `StoreError`."""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _locked(folder, fcntl.LOCK_EX):
                _retire(folder, keep)
                return cls(folder, capacity)
        except OSError as error:
            raise StoreError(f"the metrics in {folder} can't be kept: {error}") from error

    def block(self, key: str, count: int) -> int:
        """Where in `numbers` the `count` (at most 32) numbers of a series are, the same place each time. When the file
        is full it is a place that nobody reads."""
        place = self._places.get(key)
        return self._put(key, count) if place is None else place

    def numbers_of(self) -> Numbers:
        """What this process has counted."""
        return {key: list(self.numbers[at : at + count]) for key, at, count in _entries(self._words, self._bytes)}

    def close(self) -> None:
        """Lets go of the file; what it holds stays."""
        for view in (self.numbers, self._words, self._bytes):
            view.release()
        self._map.close()
        os.close(self._descriptor)

    def _put(self, key: str, count: int) -> int:
        encoded = key.encode()
        padded = encoded.ljust(-(-len(encoded) // 8) * 8, b"\0")
        used = self._words[2] or _HEADER
        end = used + 16 + len(padded) + 8 * count
        if end > self._capacity:
            return self._spare
        at = used // 8
        self._words[at], self._words[at + 1] = len(encoded), count
        self._bytes[used + 16 : used + 16 + len(padded)] = padded
        place = self._places[key] = (used + 16 + len(padded)) // 8
        self._words[2] = end
        self._words[0], self._words[1] = _MAGIC, _LAYOUT
        return place


def total(folder: Path) -> Total:
    """What all workers counted, those that have ended included; blocks; raises `StoreError`."""
    try:
        with _locked(folder, fcntl.LOCK_SH):
            ended = _read(folder / _RETIRED)
            living = []
            for path in _files(folder, ended):
                if _is_alive(path):
                    living.append(_read(path))
                else:
                    _add(ended, _read(path))
    except OSError as error:
        raise StoreError(f"the metrics in {folder} can't be read: {error}") from error
    return Total(tuple(living), {key: each for key, each in ended.items() if not key.startswith(_TAKEN)})


def _retire(folder: Path, keep: Callable[[str], bool]) -> None:
    old = _read(folder / _RETIRED)
    taken = {key.removeprefix(_TAKEN) for key in old if key.startswith(_TAKEN)}
    for name in taken:
        (folder / name).unlink(missing_ok=True)
    ended = [path for path in _files(folder, old) if not _is_alive(path)]
    kept = {key: each for key, each in old.items() if not key.startswith(_TAKEN)}
    for path in ended:
        _add(kept, {key: each for key, each in _read(path).items() if key and keep(key)})
    draft = folder / f"{_RETIRED}.draft"
    draft.write_bytes(_written({**kept, **{_TAKEN + path.name: [] for path in ended}}))
    draft.replace(folder / _RETIRED)
    for path in ended:
        path.unlink()


def _written(numbers: Numbers) -> bytes:
    parts, used = [b""], _HEADER
    for key, each in numbers.items():
        encoded = key.encode()
        entry = b"".join(
            [
                array("Q", (len(encoded), len(each))).tobytes(),
                encoded.ljust(-(-len(encoded) // 8) * 8, b"\0"),
                array("d", each).tobytes(),
            ]
        )
        if used + len(entry) <= CAPACITY:
            parts.append(entry)
            used += len(entry)
    parts[0] = array("Q", (_MAGIC, _LAYOUT, used, *[0] * (_HEADER // 8 - 3))).tobytes()
    return b"".join(parts)


def _files(folder: Path, retired: Mapping[str, object]) -> list[Path]:
    return [path for path in sorted(folder.glob("worker-*")) if _TAKEN + path.name not in retired]


def _read(path: Path) -> Numbers:
    """A file's series; none when it isn't there or isn't such a file."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER)
            if len(head) < _HEADER:
                return {}
            magic, layout, used, *_ = memoryview(head).cast("Q")
            if (magic, layout) != (_MAGIC, _LAYOUT) or not _HEADER <= used <= CAPACITY:
                return {}
            content = memoryview(head + file.read(used - _HEADER))
    except FileNotFoundError:
        return {}
    numbers = content.cast("d")
    return {key: list(numbers[at : at + count]) for key, at, count in _entries(content.cast("Q"), content)}


def _entries(words: memoryview, content: memoryview) -> Iterator[tuple[str, int, int]]:
    """Key, place (in words) and count of every series."""
    at, end = _HEADER, words[2]
    while at < end:
        length, count = words[at // 8], words[at // 8 + 1]
        place = (at + 16 + length + 7) // 8
        yield bytes(content[at + 16 : at + 16 + length]).decode(), place, count
        at = (place + count) * 8


def _add(into: Numbers, more: Mapping[str, list[float]]) -> None:
    for key, each in more.items():
        known = into.get(key)
        same = known is not None and len(known) == len(each)
        into[key] = [one + other for one, other in zip(known or (), each, strict=True)] if same else each


def _is_alive(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    with (folder / "lock").open("ab") as file:
        fcntl.flock(file, how)
        yield
