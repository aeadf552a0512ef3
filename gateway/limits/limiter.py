"""Where limits are kept, as filters see it: this host's memory, or a fleet's store with the memory to fall back on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from gateway.limits.bucket import Away, Bucket, Full, Refusal, Standing
from gateway.limits.ledger import Ledger
from gateway.limits.memory import Memory, Workers
from gateway.limits.totals import FREE, NOTHING, Amounts, Charge, Total
from gateway.store.contract import StoreError

if TYPE_CHECKING:
    from gateway.limits.fleet import Fleet

logger = logging.getLogger("figway")

Mode: TypeAlias = Literal["local", "deny", "allow"]

# The lock is held for microseconds: who doesn't get it within this time (seconds) meets a process that was stopped.
_PATIENCE = 0.25
_PAUSE = 0.0005
_LEASE_GRACE = 5.0
"""Seconds that a call may run past its deadline before the fleet takes it for dead."""


class Unavailable(Exception):
    """Nobody can say whether the call may be let through."""


MEMORY, NOBODY = "memory", "nobody"


class Taken(NamedTuple):
    """How the tightest rule stands, if anybody counted, and who did: `MEMORY`, `NOBODY`, or the fleet's store, to
    which this text names the call."""

    standing: Standing | None
    by: str


class Limiter:
    """Takes from buckets and gives back. Used on one event loop."""

    def __init__(self, ledger: Ledger, fleet: Fleet | None = None) -> None:
        self.ledger = ledger
        self.fleet = fleet

    @classmethod
    def open(cls, url: str, path: Path, workers: Workers) -> Limiter:
        """The store that `stores.limits` names: `memory:` is the file at `path`; raises `StoreError`."""
        return cls(Ledger(Memory.open(path, workers)), None if url == "memory:" else _fleet(url))

    def state(self) -> str:
        """For health: `memory`, or the fleet's store `up` or `away`."""
        return "memory" if self.fleet is None else "up" if self.fleet.up else "away"

    async def take_here(self, buckets: Sequence[Bucket], cost: int, charge: Charge = FREE) -> Standing | Refusal:
        """Takes from this host's memory, when it is locked just now; raises `Unavailable` when it stays so."""
        until = time.monotonic() + _PATIENCE
        try:
            while (outcome := self.ledger.take(buckets, cost, charge)) is None:
                if time.monotonic() > until:
                    raise Unavailable("this host's counters are locked")
                await asyncio.sleep(_PAUSE)
        except Full:
            raise Unavailable("this host keeps as many counters as it can") from None
        return outcome

    async def take_there(
        self, buckets: Sequence[Bucket], cost: int, member: str, until: float, mode: Mode, charge: Charge = FREE
    ) -> Taken | Refusal:
        """Takes from the fleet's store for a call that ends at `until` (monotonic); when it is away, `mode` says what
        holds. Raises `Unavailable`."""
        assert self.fleet is not None
        lease = max(until - time.monotonic(), 0.0) + _LEASE_GRACE
        try:
            outcome = await self.fleet.take(buckets, cost, member, lease, charge)
        except Away:
            if mode == "deny":
                raise Unavailable("the limits' store doesn't answer") from None
            if mode == "allow":
                return Taken(None, NOBODY)
            here = await self.take_here(buckets, cost, charge)
            return here if isinstance(here, Refusal) else Taken(here, MEMORY)
        return outcome if isinstance(outcome, Refusal) else Taken(outcome, member)

    def release(self, buckets: Sequence[Bucket], taken: Taken) -> None:
        """Gives back what a call held of `concurrency`."""
        if taken.by == MEMORY:
            self.ledger.release(buckets)
        elif taken.by != NOBODY and self.fleet is not None:
            self.fleet.release(buckets, taken.by)

    async def settle(
        self,
        buckets: Sequence[Bucket],
        taken: Taken,
        more: int,
        totals: Sequence[Total] = (),
        amounts: Amounts = NOTHING,
    ) -> None:
        """Adds to what a call cost, or takes from it when negative, and `amounts` to its run's totals."""
        if taken.by == MEMORY:
            tries = int(_PATIENCE / _PAUSE)
            try:
                while tries and not self.ledger.settle(buckets, more, totals, amounts):
                    tries -= 1
                    await asyncio.sleep(_PAUSE)
            except Full:
                logger.warning("this host keeps as many runs as it can: what a call really took isn't counted")
        elif taken.by != NOBODY and self.fleet is not None:
            self.fleet.settle(buckets, more, totals, amounts)

    async def close(self) -> None:
        """Ends the connections and unmaps the memory."""
        if self.fleet is not None:
            await self.fleet.close()
        self.ledger.close()


def _fleet(url: str) -> Fleet:
    try:
        from gateway.limits.fleet import Fleet
    except ImportError:
        raise StoreError("stores.limits names Redis, whose client isn't installed: install figway[redis]") from None
    return Fleet(url)
