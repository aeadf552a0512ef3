"""Writes of migrating groups, put together for one snapshot: who does them, and who waits while they stand still."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adapters.contract import Effect
from gateway.call import Call, Reply
from gateway.errors import StateUnavailable
from gateway.migration.apply import Writable
from gateway.migration.model import Group, Side
from gateway.migration.outbox import Outbox
from gateway.migration.writes import Means, WriteSide, first_side, needs_key, write_handler
from gateway.operations.service import Operations
from gateway.pipeline import Handler
from gateway.routing.model import Compiled, Route
from gateway.upstream import Upstream

MOST_WAITING = 256
"""Writes of one process that wait while their group's writes stand still."""
_AGAIN = 1
SideOf = Callable[[Route, Side], Handler]
"""Makes the handler of a route's one side."""


def two_sided(route: Route) -> bool:
    """Whether it's a write that either side can do."""
    return route.effect is not Effect.READ and route.legacy is not None and route.replacement is not None


@dataclass(frozen=True, slots=True)
class Latest:
    """What serves writes now: a workspace's hash, the snapshot's version, and the handlers behind admission."""

    hash: str
    version: int
    handlers: Mapping[str, Handler]
    frozen: frozenset[str]


class Gate:
    """Where writes wait while authority over them changes hands. Belongs to one process's event loop."""

    def __init__(self) -> None:
        self._latest = Latest("", 0, {}, frozenset())
        self._changed = asyncio.Event()
        self._waiting = 0

    def follow(self, latest: Latest) -> None:
        """From now on, this serves writes."""
        self._latest = latest
        self._changed.set()
        self._changed = asyncio.Event()

    def waiting(self, group: str, route: Route, hash: str) -> Handler:
        """The handler of a route whose group's writes stand still: it waits, then has the newer snapshot do it."""

        async def handler(call: Call) -> Reply:
            if self._waiting >= MOST_WAITING:
                raise _still()
            self._waiting += 1
            try:
                latest = await self._thawed(group, call.deadline)
            finally:
                self._waiting -= 1
            if latest.hash != hash:  # another contract may read the request otherwise
                raise _still()
            call.snapshot = latest.version
            return await latest.handlers[route.operation_id](call)

        return handler

    async def _thawed(self, group: str, deadline: float) -> Latest:
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                while group in self._latest.frozen:
                    await self._changed.wait()
        except TimeoutError:
            raise _still() from None
        return self._latest


class Writes:
    """The writes of one snapshot's groups."""

    def __init__(
        self,
        outbox: Outbox,
        gate: Gate,
        operations: Operations,
        compiled: Compiled,
        upstreams: Mapping[str, Upstream],
        side_of: SideOf,
    ) -> None:
        self._outbox, self._gate, self._operations = outbox, gate, operations
        self._compiled, self._upstreams, self._side_of = compiled, upstreams, side_of
        self._behind: dict[str, Handler] = {}
        self.writables: dict[str, Writable] = {}

    def handler(self, route: Route) -> Handler | None:
        """The end of a write's chain; None: it has one side only."""
        if not two_sided(route):
            return None
        patience = self.deadline(route) + 1.0
        sides: dict[Side, WriteSide] = {
            "legacy": self._side(route, "legacy"),
            "replacement": self._side(route, "replacement"),
        }
        self.writables[route.operation_id] = Writable(route, sides, self.deadline(route))
        means = Means(self._outbox, self._operations, patience)
        return write_handler(route, self.group(route), sides, means, self._compiled.routes)

    def admitted(self, route: Route, behind: Handler) -> Handler:
        """What stands behind admission: `behind`, or the wait for a newer snapshot's, while writes stand still."""
        self._behind[route.operation_id] = behind
        group = self.group(route)
        return self._gate.waiting(group.name, route, self._compiled.hash) if group.stage.frozen else behind

    def first(self, route: Route) -> str:
        """The side that does the route's writes; empty: there is no choice."""
        return first_side(self.group(route)) if two_sided(route) else ""

    def needs_key(self, route: Route) -> bool:
        """Whether a write of the route must bring an idempotency key."""
        return two_sided(route) and needs_key(self.group(route), route)

    def tells(self, route: Route) -> bool:
        """Whether an upstream of the route can say what became of a write."""
        bindings = [each for each in (route.legacy, route.replacement) if each is not None]
        asked = bindings if two_sided(route) else bindings[:1]
        there = (self._upstreams.get(each.upstream) for each in asked)  # none, where examples answer
        return any(each.tells for each in there if each is not None)

    def deadline(self, route: Route) -> float:
        """Seconds that a call of the route has."""
        return route.deadline or self._compiled.defaults.deadline

    def group(self, route: Route) -> Group:
        """The route's group."""
        return self._compiled.groups[route.group]

    def begin(self, version: int) -> None:
        """From now on this is served."""
        frozen = frozenset(name for name, group in self._compiled.groups.items() if group.stage.frozen)
        self._gate.follow(Latest(self._compiled.hash, version, self._behind, frozen))

    def _side(self, route: Route, side: Side) -> WriteSide:
        binding = route.legacy if side == "legacy" else route.replacement
        assert binding is not None
        return WriteSide(self._side_of(route, side), self._upstreams[binding.upstream].tells)


def _still() -> StateUnavailable:
    return StateUnavailable(
        "Writes stand still for a moment, while another system takes them over; nothing was sent.", retry_after=_AGAIN
    )
