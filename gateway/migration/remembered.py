"""What the guardrails of each group know, in a mapped file: whoever leads after a crash goes on from there.

Two places a group: while one is written the other one holds. Each begins with its sequence, the evidence's generation,
the document's length and a checksum over all of it, so that one that was half written when its process was killed
isn't taken for anything. Nothing is forced to the disk: this outlives processes, and a power failure only perhaps.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from struct import Struct
from typing import Any
from zlib import crc32

import orjson

from gateway.store.shared import mapped

_PLACE = 8192
_HEAD = Struct("=QQII")
MOST = _PLACE - _HEAD.size
"""Bytes of a group's memory."""


class Remembered:
    """The mapped file; groups by number. One process writes, the one that leads."""

    def __init__(self, path: Path, groups: int) -> None:
        """Opens or makes it; raises `OSError` or `ValueError`."""
        size = 2 * _PLACE * groups
        self._map = mapped(path, size)

    def keep(self, group: int, generation: int, memory: Mapping[str, Any]) -> None:
        """Keeps a group's memory (JSON) instead of the one before; one that is too long isn't kept."""
        document = orjson.dumps(memory)
        if len(document) > MOST:
            return
        found = [self._read(2 * group + at) for at in range(2)]
        newest = max((each[0] for each in found if each is not None), default=0)
        at = 1 if found[0] is not None and found[0][0] == newest else 0
        start = _PLACE * (2 * group + at)
        checksum = _checksum(newest + 1, generation, document)
        body = start + _HEAD.size
        self._map[body : body + len(document)] = document
        self._map[start:body] = _HEAD.pack(newest + 1, generation, len(document), checksum)

    def recall(self, group: int, generation: int) -> dict[str, Any] | None:
        """The memory kept last; None: there is none, or it is of another generation."""
        found = [each for at in range(2) if (each := self._read(2 * group + at)) is not None]
        newest = max(found, default=None)
        return orjson.loads(newest[2]) if newest is not None and newest[1] == generation else None

    def _read(self, place: int) -> tuple[int, int, bytes] | None:
        start = _PLACE * place
        sequence, generation, length, checksum = _HEAD.unpack_from(self._map, start)
        if not 0 < length <= MOST:
            return None
        body = start + _HEAD.size
        document = self._map[body : body + length]
        if checksum != _checksum(sequence, generation, document):
            return None
        return sequence, generation, document

    def close(self) -> None:
        """Unmaps the file; what it holds stays."""
        self._map.close()


def _checksum(sequence: int, generation: int, document: bytes) -> int:
    return crc32(document, crc32(b"%d %d" % (sequence, generation)))
