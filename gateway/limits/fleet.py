"""The buckets of a fleet, in Redis or Valkey: one script counts a call in all of its buckets, or in none.

The script's clock is the store's own, so the hosts' may differ. An operation that takes long has a probe
sent after it, of which there is one at a time. When that has no answer in its time either, the store counts as away:
nobody waits for it any more, until a probe has an answer. So a moment in which this process is slow isn't taken for
the store's.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.limits.bucket import TOTAL, Away, Bucket, Refusal, Standing
from gateway.limits.ledger import UNBOUND, reset_of
from gateway.limits.scripts import ADJUST, ADJUST_TOTAL, NUMBERS, TAKE
from gateway.limits.totals import FREE, NOTHING, UNITS, Amounts, Charge, Total, left_of
from gateway.store.contract import StoreError

logger = logging.getLogger("figway")

_PATIENCE, _TICK = 0.1, 0.05
"""Seconds that an operation may take before a probe is sent, and between looks for such."""
_LOOKS, _LOOK = 10, 0.02
"""A probe is awaited in this many steps of so many seconds: when this process is slow, its steps are."""
_PROBE_PAUSE = 0.25
_CONNECTIONS = 16


class Fleet:
    """The store at `url`. Used on one event loop; nothing is connected before the first call."""

    def __init__(self, url: str) -> None:
        self._redis = _client(url)
        self._take = self._redis.register_script(TAKE)
        self._adjust = self._redis.register_script(ADJUST)
        self._adjust_total = self._redis.register_script(ADJUST_TOTAL)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._prober = _client(url)
        self._waiting: dict[asyncio.Timeout, float] = {}
        """The operations under way, oldest first, and since when."""
        self._timer: asyncio.TimerHandle | None = None
        self._probing = False
        self.up = True

    async def take(
        self, buckets: Sequence[Bucket], cost: int, member: str, lease: float, charge: Charge = FREE
    ) -> Standing | Refusal:
        """Counts a call in every bucket and total or in none. What it holds of `concurrency` comes back by `release`,
        or by itself after `lease` seconds. Raises `Away`."""
        if not self.up:
            raise Away
        arguments: list[Any] = [cost, member, int(lease * 1e6), len(buckets)]
        keys: list[bytes] = []
        now = time.time()
        for each in buckets:
            keys += _keys(each)
            today = each.day.look(now)
            life = int(max(each.full / 1e6, (each.day.end - now) * 1000 if each.quota or each.budget else 0)) + 60_000
            arguments += (
                each.interval / 1000,
                each.full / 1000,
                each.concurrency,
                each.quota,
                each.budget,
                today,
                life,
            )
        for total in charge.totals:
            keys.append(_total_key(total))
            arguments += (*total.most, *total.amounts(charge), int((total.until(now) - now) * 1000))
        return _read(await self._within(self._take(keys=keys, args=arguments)), buckets, charge)

    def release(self, buckets: Sequence[Bucket], member: str) -> None:
        """Gives back what a call held of `concurrency`, soon; should the store be away, its lease ends it."""
        held = [_keys(each)[1] for each in buckets if each.concurrency]
        if held and self.up:
            self._spawn(self._quietly(self._released(held, member)))

    async def _released(self, keys: Sequence[bytes], member: str) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.zrem(key, member)
            await pipeline.execute()

    def settle(
        self, buckets: Sequence[Bucket], more: int, totals: Sequence[Total] = (), amounts: Amounts = NOTHING
    ) -> None:
        """Adds to what a call cost, or takes from it when negative, and `amounts` to its run's totals."""
        for total in totals if self.up else ():
            calls, writes, cost, rows = amounts
            arguments = [calls, writes, 0 if total.of_steps else cost, rows]
            self._spawn(self._quietly(self._adjust_total(keys=[_total_key(total)], args=arguments)))
        for each in buckets:
            if each.budget and self.up:
                arguments = [more, each.day.look(time.time())]
                self._spawn(self._quietly(self._adjust(keys=[_keys(each)[0]], args=arguments)))

    async def _quietly(self, work: Awaitable[Any]) -> None:
        try:
            await self._within(work)
        except Away:
            logger.debug("the limits' store didn't hear of a call's end")

    async def _within(self, work: Awaitable[Any]) -> Any:
        """The store's answer; `Away` when it gives none, and once it counts as away."""
        try:
            async with asyncio.timeout(None) as guard:
                self._waiting[guard] = time.monotonic()
                if self._timer is None:
                    self._timer = asyncio.get_running_loop().call_later(_TICK, self._tick)
                try:
                    return await work
                finally:
                    del self._waiting[guard]
        except (TimeoutError, RedisError, OSError) as error:
            self._suspect()
            raise Away from error

    def _tick(self) -> None:
        """While anybody waits: whoever waits longest must not wait for long."""
        self._timer = asyncio.get_running_loop().call_later(_TICK, self._tick) if self._waiting else None
        if self._waiting and next(iter(self._waiting.values())) < time.monotonic() - _PATIENCE:
            self._suspect()

    def _suspect(self) -> None:
        if not self._probing:
            self._probing = True
            self._spawn(self._probe())

    async def _probe(self) -> None:
        """Asks until the store answers."""
        try:
            while not await self._answers():
                if self.up:
                    self.up = False
                    logger.error("the limits' store doesn't answer; calls go by on_store_failure")
                for guard in self._waiting:
                    guard.reschedule(0.0)
                await asyncio.sleep(_PROBE_PAUSE)
        finally:
            self._probing = False
        if not self.up:
            self.up = True
            logger.warning("the limits' store answers again")

    async def _answers(self) -> bool:
        asking = asyncio.ensure_future(self._prober.ping())
        for _ in range(_LOOKS):
            await asyncio.wait({asking}, timeout=_LOOK)
        if not asking.done():
            asking.cancel()
        try:
            return bool(await asking)
        except (asyncio.CancelledError, RedisError, OSError) as error:
            if not asking.done() or (isinstance(error, asyncio.CancelledError) and not asking.cancelled()):
                raise
            logger.debug("the limits' store doesn't answer: %r", error)
            return False

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Ends the background work and the connections."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        await self._redis.aclose()
        await self._prober.aclose()


def _client(url: str) -> Any:
    try:
        pool = BlockingConnectionPool.from_url(
            url, max_connections=_CONNECTIONS, timeout=None, retry=Retry(NoBackoff(), 0)
        )
    except ValueError as error:
        raise StoreError("stores.limits isn't an address that the Redis client understands") from error
    return Redis.from_pool(pool)


def _keys(bucket: Bucket) -> tuple[bytes, bytes]:
    """The keys of the counters and of the calls in flight; the braces keep all of them on one node of a cluster."""
    return b"{figway}:limit:" + bucket.identity, b"{figway}:flight:" + bucket.identity


def _total_key(total: Total) -> bytes:
    return b"{figway}:total:" + total.identity


def _read(found: Sequence[Any], buckets: Sequence[Bucket], charge: Charge) -> Standing | Refusal:
    allowed, position, kind, number, wait = (int(each) for each in found[:NUMBERS])
    if not allowed and kind >= TOTAL:
        return Refusal(charge.totals[position - 1], kind, number)
    if charge.totals:
        used = [int(each) for each in found[NUMBERS:]]
        size = len(UNITS)
        charge.left = left_of(charge.totals, [used[at : at + size] for at in range(0, len(used), size)])
    if not buckets:
        return UNBOUND
    bucket = buckets[position - 1]
    seconds = wait / 1e6 if wait >= 0 else reset_of(bucket, kind)
    return (bucket, kind, number, seconds) if allowed else Refusal(bucket, kind, seconds)
