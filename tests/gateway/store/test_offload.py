"""Blocking calls on threads, bounded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from gateway.store.contract import StoreError
from gateway.store.offload import Offload


@pytest.fixture
def offload() -> Iterator[Offload]:
    """One thread, and room for two calls."""
    offload = Offload(threads=1, waiting=2)
    yield offload
    offload.close()


async def test_a_call_runs_on_a_thread_of_its_own(offload: Offload) -> None:
    assert await offload(threading.get_ident) != threading.get_ident()
    assert await offload(int, "ff", base=16) == 255


async def test_what_it_raises_reaches_the_caller(offload: Offload) -> None:
    with pytest.raises(ZeroDivisionError):
        await offload(divmod, 1, 0)


async def test_more_than_there_is_room_for_is_refused(offload: Offload) -> None:
    gate = threading.Event()
    calls = [asyncio.create_task(offload(gate.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(StoreError, match="2 calls wait"):
        await offload(gate.wait)
    gate.set()
    assert await asyncio.gather(*calls) == [True, True]
    assert await offload(len, "abc") == 3


async def test_a_caller_that_leaves_doesnt_make_room(offload: Offload) -> None:
    gate = threading.Event()
    left, stays = (asyncio.create_task(offload(gate.wait)) for _ in range(2))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    with pytest.raises(StoreError):
        await offload(gate.wait)
    gate.set()
    assert await stays
