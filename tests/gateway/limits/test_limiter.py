"""What callers get while this host's memory can't be had, and the bound on failed proofs of identity."""

from __future__ import annotations

import asyncio
import fcntl
from pathlib import Path

import pytest

from gateway.call import Principal
from gateway.errors import Unauthenticated
from gateway.filters import authenticate
from gateway.limit_errors import RateLimited
from gateway.limits import floods
from gateway.limits import memory as layout
from gateway.limits.bucket import Bucket
from gateway.limits.calendar import Day
from gateway.limits.floods import Floods
from gateway.limits.ledger import Ledger
from gateway.limits.limiter import MEMORY, Limiter, Taken, Unavailable

BUCKET = Bucket(b"b", "b", quota=10, budget=100, day=Day("UTC"))


async def test_a_lock_is_waited_for_on_the_event_loop_and_not_forever(ledger: Ledger, tmp_path: Path) -> None:
    limiter, beats = Limiter(ledger), 0
    with (tmp_path / "limits").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        waiting = asyncio.create_task(limiter.take_here((BUCKET,), 1))
        while not waiting.done():
            await asyncio.sleep(0.001)
            beats += 1
        with pytest.raises(Unavailable):
            await waiting
        assert beats > 20
        waiting = asyncio.create_task(limiter.take_here((BUCKET,), 1))
        await asyncio.sleep(0.01)
        fcntl.flock(other, fcntl.LOCK_UN)
        assert (await waiting)[2] == 9
        fcntl.flock(other, fcntl.LOCK_EX)
        settling = asyncio.create_task(limiter.settle((BUCKET,), Taken(None, MEMORY), 99))
        await asyncio.sleep(0.01)
        fcntl.flock(other, fcntl.LOCK_UN)
        await settling
    assert ledger._memory.words[BUCKET.at + layout.SPENT] == 100


async def test_memory_that_is_full_lets_nothing_new_through(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_PROBES", 0)
    with pytest.raises(Unavailable):
        await Limiter(ledger).take_here((Bucket(b"new", "n", quota=1, day=Day("UTC")),), 1)


def test_failures_are_counted_by_address_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now, flood = 10**12, Floods(rate=10, burst=3)
    monkeypatch.setattr(floods.time, "monotonic_ns", lambda: now)
    for _ in range(3):
        assert flood.wait("192.0.2.1") == 0
        flood.failed("192.0.2.1")
    assert flood.wait("192.0.2.1") == pytest.approx(0.1)
    assert flood.wait("192.0.2.2") == 0
    now += 110_000_000
    assert flood.wait("192.0.2.1") == 0


def test_a_network_of_ipv6_is_one_address_and_there_is_an_end_to_addresses() -> None:
    flood = Floods(rate=1, burst=1)
    flood.failed("2001:db8::1")
    assert flood.wait("2001:db8::ffff:1") > 0
    assert flood.wait("2001:db8:0:1::1") == 0
    for number in range(5000):
        flood.failed(f"::ffff:10.0.{number // 256}.{number % 256}")
    assert flood.wait("2001:db8::1") == 0  # forgotten
    assert flood.wait("::ffff:10.0.19.135") > 0
    assert len(flood._full_at) == 4096


class _Knows:
    """Proves `known`, remembers `proved`, and notes what it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def cached(self, header: bytes) -> Principal | None:
        return Principal("alice") if header == b"proved" else None

    async def verify(self, header: bytes) -> Principal | None:
        self.asked += 1
        return Principal("alice") if header == b"known" else None

    def certified(self, peer: str | None, headers: object) -> Principal | None:
        return None


async def test_past_the_bound_no_proof_is_looked_at_and_who_was_proved_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floods.time, "monotonic_ns", lambda: 10**12)
    monkeypatch.setattr(authenticate, "_failures", Floods(rate=1, burst=5))
    knows = _Knows()
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await authenticate.identify(knows, "192.0.2.1", {b"authorization": b"wrong"})
    for header in (b"wrong", b"known"):
        with pytest.raises(RateLimited):
            await authenticate.identify(knows, "192.0.2.1", {b"authorization": header})
    assert knows.asked == 5
    assert (await authenticate.identify(knows, "192.0.2.1", {b"authorization": b"proved"})).id == "alice"
    assert (await authenticate.identify(knows, "192.0.2.2", {b"authorization": b"known"})).id == "alice"
