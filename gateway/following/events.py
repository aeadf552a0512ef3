"""What streams and resources need of the log of changes, and of who may follow it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from gateway.call import Principal
from gateway.events.log import EventLog
from gateway.feeds.feed import Feed
from gateway.feeds.sources import Source
from gateway.feeds.stream import Waiting
from gateway.ingress.mcp_visit import Serving, Visit


class Follower(Protocol):
    """One caller, who is looked at again as long as it follows. Both methods raise `Problem`s once that has to end."""

    async def who(self) -> Principal:
        """Who it is now."""
        ...

    async def feed(self) -> Feed:
        """What it may see now, the same object while nothing changes."""
        ...


class Events(Protocol):
    """The changes of this host."""

    def log(self) -> EventLog: ...

    def waiting(self) -> Waiting: ...

    def serving(self) -> Serving: ...

    def alive(self) -> bool:
        """Whether streams go on: the gateway isn't about to stop."""
        ...

    def sources(self, serving: Serving) -> Mapping[str, Source]:
        """The sources that a snapshot's routes tell, by `UPSTREAM.CAPTURE`."""
        ...

    async def followed(self, visit: Visit) -> Mapping[str, Source]:
        """Those of them that the caller may follow."""
        ...

    def follower(self, visit: Visit, only: frozenset[str]) -> Follower:
        """The caller, who follows these sources."""
        ...

    def full(self, principal: str) -> bool:
        """Whether as many streams are open as may be."""
        ...

    def counted(self, principal: str) -> AbstractContextManager[None]:
        """Counts a stream while it lasts."""
        ...
