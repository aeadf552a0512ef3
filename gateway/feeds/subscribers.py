"""What the subscribers of one process share: how many there are, one look at the log, and the sources of a snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from adapters.contract import Adapter
from gateway.events.log import EventLog
from gateway.feeds.sources import Source, sources_of
from gateway.feeds.stream import Waiting
from gateway.routing.model import Compiled

MOST, MOST_OF_ONE = 256, 32
"""Streams of a process, and of one principal in it."""


class Subscribers:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._streams: Counter[str] = Counter()
        self._waiting: Waiting | None = None
        self._sources: tuple[int, dict[str, Source]] = (-1, {})

    @contextmanager
    def counted(self, principal: str) -> Iterator[None]:
        """Counts a stream while it lasts."""
        self._streams[principal] += 1
        try:
            yield
        finally:
            self._streams[principal] -= 1
            self._streams += Counter()  # those who have none are forgotten

    def full(self, principal: str) -> bool:
        """Whether there are as many streams as there may be."""
        return self._streams.total() >= MOST or self._streams[principal] >= MOST_OF_ONE

    def waiting(self, log: EventLog) -> Waiting:
        """What looks at the log for all of them."""
        if self._waiting is None:
            self._waiting = Waiting(log)
        return self._waiting

    def sources(self, version: int, compiled: Compiled, adapters: Mapping[str, Adapter]) -> dict[str, Source]:
        """The sources that the routes of a snapshot tell."""
        if self._sources[0] != version:
            self._sources = version, sources_of(compiled, adapters)
        return self._sources[1]
