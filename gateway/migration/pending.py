"""Which entities have writes that one side hasn't seen, for readers: memory that a host's workers share.

The file holds 64-bit words in native order: how many writes are open, then one counter for each group's hash and one
for each entity's. A counter is raised before its write is kept and lowered after it is over, under the outbox's own
lock, so that a crash may leave one too high, never too low; the worker that tells the other side counts them anew. Two
entities may share a counter: then a reader is sent to the side that is always right, to no harm.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from pathlib import Path
from zlib import crc32

from gateway.store.contract import StoreError
from gateway.store.shared import make_file

_OPEN, _CHANGES = 0, 1
_GROUPS_AT, _GROUPS = 8, 1024
_ENTITIES_AT, _ENTITIES = _GROUPS_AT + _GROUPS, 1 << 16
_WORDS = _ENTITIES_AT + _ENTITIES


class Pending:
    """The mapped file."""

    def __init__(self, path: Path) -> None:
        try:
            make_file(path, 8 * _WORDS)
            with path.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), 8 * _WORDS)
        except (OSError, ValueError) as error:
            raise StoreError(f"the shared memory {path} can't be opened: {error}") from error
        self._words = memoryview(self._map).cast("Q")

    @property
    def any(self) -> bool:
        """Whether any write is open."""
        return self._words[_OPEN] != 0

    @property
    def changes(self) -> int:
        """Another number whenever a write has begun or gone on."""
        return self._words[_CHANGES]

    def __call__(self, group: str, entity: str | None) -> bool:
        """Whether the entity has a write that one side hasn't seen; None: whether any of the group has."""
        words = self._words
        if not words[_OPEN]:
            return False
        return words[_group(group) if entity is None else _entity(group, entity)] != 0

    def add(self, group: str, entity: str, by: int) -> None:
        """Counts a write of an entity, or discounts one; under the outbox's lock."""
        words = self._words
        for at in (_group(group), _entity(group, entity), _OPEN):
            words[at] = max(0, words[at] + by)
        self.touch()

    def touch(self) -> None:
        """Says that something has changed."""
        self._words[_CHANGES] = (self._words[_CHANGES] + 1) % 2**63

    def recount(self, open_writes: Iterable[tuple[str, str, int]]) -> None:
        """Sets all counters by (group, entity, how many); under the outbox's lock."""
        fresh: dict[int, int] = {}
        for group, entity, count in open_writes:
            for at in (_group(group), _entity(group, entity), _OPEN):
                fresh[at] = fresh.get(at, 0) + count
        words = self._words
        for at in (_OPEN, *range(_GROUPS_AT, _WORDS)):
            if words[at] != (count := fresh.get(at, 0)):
                words[at] = count

    def close(self) -> None:
        """Unmaps the file."""
        self._words.release()
        self._map.close()


def _group(group: str) -> int:
    return _GROUPS_AT + crc32(group.encode()) % _GROUPS


def _entity(group: str, entity: str) -> int:
    return _ENTITIES_AT + crc32(f"{group}\n{entity}".encode()) % _ENTITIES
