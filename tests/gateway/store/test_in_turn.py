"""Short calls on one thread, in their order, taken together; bounded."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from gateway.store.contract import StoreError
from gateway.store.in_turn import InTurn


@pytest.fixture
def in_turn() -> Iterator[InTurn]:
    """Room for three calls."""
    in_turn = InTurn(waiting=3)
    yield in_turn
    in_turn.close()


async def test_a_call_runs_on_a_thread_of_its_own(in_turn: InTurn) -> None:
    assert await in_turn(threading.get_ident) != threading.get_ident()
    assert await in_turn(int, "ff", base=16) == 255


async def test_one_that_raises_is_told_alone_and_the_others_are_answered(in_turn: InTurn) -> None:
    calls = (in_turn(divmod, 7, 2), in_turn(divmod, 1, 0), in_turn(divmod, 9, 2))
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert (found[0], type(found[1]), found[2]) == ((3, 1), ZeroDivisionError, (4, 1))
    assert await in_turn(len, "abc") == 3


async def test_they_keep_their_order_one_at_a_time() -> None:
    in_turn, seen = InTurn(waiting=200), list[int]()

    def note(number: int) -> int:
        time.sleep(0.0001 * (number % 3))
        seen.append(number)
        return number

    assert await asyncio.gather(*(in_turn(note, each) for each in range(200))) == seen == list(range(200))
    in_turn.close()


async def test_a_result_waits_for_no_more_than_one_slow_call(in_turn: InTurn) -> None:
    first, last = threading.Event(), threading.Event()
    begins = asyncio.create_task(in_turn(first.wait))
    await asyncio.sleep(0)
    quick, slow, slower = (
        asyncio.create_task(each) for each in (in_turn(int), in_turn(time.sleep, 0.05), in_turn(last.wait))
    )
    await asyncio.sleep(0)
    first.set()
    try:
        assert await asyncio.wait_for(asyncio.gather(begins, quick, slow), 5) == [True, 0, None]
    finally:
        last.set()
        await slower


async def test_more_than_there_is_room_for_is_refused(in_turn: InTurn) -> None:
    gate, begun = threading.Event(), threading.Event()

    def wait() -> bool:
        begun.set()
        return gate.wait()

    calls = [asyncio.create_task(in_turn(wait))]
    await asyncio.to_thread(begun.wait)
    calls += [asyncio.create_task(in_turn(wait)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(StoreError, match="3 calls wait"):
        await in_turn(wait)
    gate.set()
    assert await asyncio.gather(*calls) == [True] * 4


async def test_whose_caller_left_isnt_begun_and_holds_nobody_up(in_turn: InTurn) -> None:
    gate, begun, seen = threading.Event(), threading.Event(), list[str]()

    def wait() -> None:
        begun.set()
        gate.wait()

    leaves = asyncio.create_task(in_turn(wait))
    await asyncio.to_thread(begun.wait)
    never, stays = (asyncio.create_task(in_turn(seen.append, each)) for each in ("never", "stays"))
    await asyncio.sleep(0)
    for each in (leaves, never):
        each.cancel()
    await asyncio.gather(leaves, never, return_exceptions=True)
    gate.set()
    await stays
    assert seen == ["stays"]
