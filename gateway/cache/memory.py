"""Answers in one process's memory, up to a number of bytes.

An answer that is asked for a second time moves from the first segment to the second, which has most of the room. So one
caller that goes through a whole table throws out what others asked for once, and nothing that is asked for often.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from adapters.contract import Json, Source
from gateway.errors import Problem

MOST_BYTES = 64 * 2**20
"""Of one process's answers."""
_OFTEN = 0.8
"""The share of the room that answers have which were asked for more than once."""
_AROUND = 1_024
"""Bytes that an entry takes beside its body and its key, about."""
_SOURCE = 256
"""And for each of its sources."""


@dataclass(slots=True)
class Entry:
    """What a system answered to one question. `asked`: when, on `time.monotonic_ns()`'s clock of this host."""

    status: int
    body: bytes | None
    """JSON; None: the answer can't be kept."""
    as_of: datetime
    asked: int
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    sources: tuple[Source, ...] = ()
    warnings: tuple[str, ...] = ()
    version: tuple[str, Json] | None = None
    problem: Problem | None = None
    """The system said that there is no such thing."""
    seen: bytes = b""
    """The fleet's marks before it was asked."""
    hits: int = 0
    pause: int = 0
    """Until then (ns) nobody tries to get the next answer behind this one."""

    @property
    def size(self) -> int:
        """Bytes, without its key."""
        return _AROUND + len(self.body or b"") + _SOURCE * len(self.sources)


class Memory:
    """The entries of one process by key. For one thread."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most, self._most_often = most, int(most * _OFTEN)
        self._once: OrderedDict[bytes, Entry] = OrderedDict()
        self._often: OrderedDict[bytes, Entry] = OrderedDict()
        self._often_bytes = 0
        self.bytes = 0
        """What all entries take."""

    def get(self, key: bytes) -> Entry | None:
        """The entry, which counts as asked for."""
        found = self._often.get(key)
        if found is not None:
            self._often.move_to_end(key)
            return found
        found = self._once.pop(key, None)
        if found is not None:
            self._often[key] = found
            self._often_bytes += found.size + len(key)
            self._demote()
        return found

    def peek(self, key: bytes) -> Entry | None:
        """The entry, which doesn't count as asked for."""
        return self._often.get(key) or self._once.get(key)

    def put(self, key: bytes, entry: Entry) -> None:
        """Keeps an entry in place of the last with its key; one that is too large is let go."""
        size = entry.size + len(key)
        if size > self._most // 64:
            self.drop(key)
            return
        before = self._often.get(key)
        if before is not None:
            self._often_bytes += size - before.size - len(key)
            self.bytes += size - before.size - len(key)
            self._often[key] = entry
            self._demote()
        else:
            self.drop(key)
            self._once[key] = entry
            self.bytes += size
        while self.bytes > self._most:
            self._evict(self._once or self._often)

    def drop(self, key: bytes) -> None:
        """Lets an entry go, if there is one."""
        for segment in (self._once, self._often):
            if key in segment:
                self._taken(segment, key, segment.pop(key))

    def _demote(self) -> None:
        while self._often_bytes > self._most_often:
            key, entry = self._often.popitem(last=False)
            self._often_bytes -= entry.size + len(key)
            self._once[key] = entry

    def _evict(self, segment: OrderedDict[bytes, Entry]) -> None:
        key, entry = segment.popitem(last=False)
        self._taken(segment, key, entry)

    def _taken(self, segment: Mapping[bytes, Entry], key: bytes, entry: Entry) -> None:
        size = entry.size + len(key)
        self.bytes -= size
        if segment is self._often:
            self._often_bytes -= size

    def __len__(self) -> int:
        return len(self._once) + len(self._often)
