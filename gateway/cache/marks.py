"""When what is kept was last changed through the gateway: marks that all workers of a host share.

The file holds 64-bit words in native order: a header, then one word a place: the latest moment (ns, of the host's
monotonic clock) in which something at that place changed. What was asked before that isn't served any more. Several
names may share a place, which only lets go of more than need be. It outlives a crash: moments only ever grow, and what
lies in the future was written before the machine was started anew, or after a write of unknown outcome.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from time import monotonic_ns

from gateway.store.contract import StoreError
from gateway.store.shared import locked, make_file

PLACES = 8_192
MOST_LATER = 60.0
"""Seconds that a mark may lie in the future."""
_AT = 8
_SIZE = 8 * (_AT + PLACES)
_MAGIC = int.from_bytes(b"figmarks", "little")
_SECOND = 10**9


@lru_cache(maxsize=16_384)
def place(*names: str) -> int:
    """Where the mark of that name is."""
    text = "\0".join(f"{len(name)}:{name}" for name in names)
    return _AT + int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big") % PLACES


class Marks:
    """The marks of one host. `touch` takes a lock for microseconds; to look takes none."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), _SIZE)
        self._words = memoryview(self._map).cast("Q")

    @classmethod
    def open(cls, path: Path) -> Marks:
        """Maps the file, making it where there is none; raises `StoreError`."""
        try:
            make_file(path, _SIZE)
            marks = cls(path)
        except (OSError, ValueError) as error:
            raise StoreError(f"the shared memory {path} can't be opened: {error}") from error
        marks._prepare()
        return marks

    def since(self, places: Iterable[int], asked: int) -> bool:
        """Whether something has changed at one of the places since that moment, or in it."""
        words = self._words
        for at in places:  # noqa: SIM110 - each hit looks here, and a generator takes twice as long
            if words[at] >= asked:
                return True
        return False

    def touch(self, places: Iterable[int], later: float = 0.0) -> None:
        """Something has changed there, or may for `later` more seconds."""
        with locked(self._file):
            words, now = self._words, monotonic_ns() + int(min(later, MOST_LATER) * _SECOND)
            for at in places:
                if words[at] < now:
                    words[at] = now

    def touch_all(self) -> None:
        """Nothing that was asked until now is served any more."""
        self.touch(range(_AT, _AT + PLACES))

    def close(self) -> None:
        """Unmaps the file."""
        self._words.release()
        self._map.close()
        self._file.close()

    def _prepare(self) -> None:
        with locked(self._file):
            words, most = self._words, monotonic_ns() + int(MOST_LATER * _SECOND)
            for at in range(_AT, _AT + PLACES):
                if words[at] > most or words[0] != _MAGIC:
                    words[at] = 0
            words[0] = _MAGIC
